package import GraphModel
package import KernelAutoTuning
package import TensorModel

/// What an engine file holds: the optimised graph with its weights, what is known about how it was made,
/// and the tactics chosen for each device class it was tuned on.
package struct EngineContents: Sendable {
  /// The name of the signature of an engine that has but one without a name, as TensorFlow's tools give it.
  package static let defaultSignature = "serving_default"

  package var name: String
  /// The name of the signature that `graph` computes.
  package var signature = EngineContents.defaultSignature
  package var graph: Graph
  /// For `inspect`: how the engine was made. No paths, no times.
  package var metadata: [String: String]
  /// What else the model computes, in the order of the names.
  package var furtherSignatures: [EngineSignature] = []
  package var sections: [DeviceSection]
  /// The mapped file that the weights lie in; nil for an engine that was built now.
  package var mapping: TensorStorage?

  package init(
    name: String, graph: Graph, metadata: [String: String], sections: [DeviceSection]
  ) {
    self.name = name
    self.graph = graph
    self.metadata = metadata
    self.sections = sections
  }
}

/// One of several things that an engine computes; its weights are those of all signatures.
package struct EngineSignature: Sendable {
  package var name: String
  package var graph: Graph
  package var metadata: [String: String]
  /// Whether it is the first signature under another name, as Keras exports them.
  package var isFirst: Bool

  package init(
    name: String, graph: Graph, metadata: [String: String], isFirst: Bool = false
  ) {
    self.name = name
    self.graph = graph
    self.metadata = metadata
    self.isFirst = isFirst
  }
}

/// The choices made for one device class.
package struct DeviceSection: Sendable, Hashable, Codable {
  package var deviceClass: String
  /// The tactic of each step, by the step's key in the timing cache.
  package var choices: [String: TacticChoice]
  /// What the device has compiled, by a key of its own.
  package var code: [String: [UInt8]] = [:]

  package init(
    deviceClass: String, choices: [String: TacticChoice], code: [String: [UInt8]] = [:]
  ) {
    self.deviceClass = deviceClass
    self.choices = choices
    self.code = code
  }

  private enum CodingKeys: String, CodingKey { case deviceClass, choices }
}

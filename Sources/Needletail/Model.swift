import EngineFormat
public import Foundation
package import GraphModel
import ModelZoo
package import ONNXImport
package import TensorFlowImport
public import TensorModel

/// A trained network, as its file describes it.
public struct Model: Sendable {
  /// The file's name without its extension, or the zoo's name.
  public let name: String
  package let graph: Graph
  /// What the file says about itself; nil for a graph that came from none.
  package let description: ModelDescription?
  /// What a TensorFlow model says about itself; nil for any other.
  package let savedModel: SavedModelDescription?
  /// What the graph computes, by the name that the model gives it.
  public let signature: String
  /// The other signatures that were asked for.
  package let further: [(name: String, graph: Graph)]
  let source: ModelSource

  /// Reads a model: ONNX, a TensorFlow saved model or a frozen TensorFlow graph.
  ///
  /// - Parameters:
  ///   - url: the file, or a folder that holds one.
  ///   - signature: what a TensorFlow model is to compute; where it is not given, `serving_default`, or
  ///     the only signature that the model has.
  ///   - limits: bounds on what the file may ask for.
  /// - Throws: `NeedletailError` that names the node or tensor, what was found and what to do.
  public init(
    contentsOf url: URL, signature: String? = nil, limits: Limits = Limits()
  ) throws(NeedletailError) {
    name = url.deletingPathExtension().lastPathComponent
    if TensorFlowImporter.isModel(url.path) {
      do {
        let result = try TensorFlowImporter.read(
          contentsOf: url.path, signature: signature, limits: limits)
        (graph, description, savedModel) = (result.graph, nil, result.description)
        self.signature = result.description.chosen ?? EngineContents.defaultSignature
        further = []
        // The hash is that of the signature's own graph.
        source = .graph
      } catch { throw NeedletailError(.model, error.description) }
      return
    }
    guard signature == nil else {
      throw NeedletailError(
        .model, "'\(url.lastPathComponent)' has no signatures; only TensorFlow models have them")
    }
    do {
      let result = try ONNXImporter.read(contentsOf: url.path, limits: limits)
      (graph, description, savedModel) = (result.graph, result.description, nil)
    } catch { throw NeedletailError(.model, error.description) }
    source = .file(url)
    self.signature = EngineContents.defaultSignature
    further = []
  }

  /// Reads several signatures of a TensorFlow saved model, for one engine that holds them all.
  ///
  /// A model of another format has one, `serving_default`.
  ///
  /// - Parameters:
  ///   - url: the folder.
  ///   - signatures: the names; an empty list means all that the model has. The first named is what the engine runs
  ///     when none is named; of all, that is `serving_default`.
  ///   - limits: bounds on what the file may ask for.
  /// - Throws: `NeedletailError` that names the signature, what was found and what to do.
  public init(
    contentsOf url: URL, signatures: [String], limits: Limits = Limits()
  ) throws(NeedletailError) {
    guard TensorFlowImporter.isModel(url.path), signatures.count != 1 else {
      try self.init(contentsOf: url, signature: signatures.first, limits: limits)
      return
    }
    let result: TensorFlowImporter.Import
    do {
      result = try TensorFlowImporter.read(
        contentsOf: url.path, signatures: signatures, limits: limits)
    } catch { throw NeedletailError(.model, error.description) }
    self.init(name: url.deletingPathExtension().lastPathComponent, result)
  }

  private init(name: String, _ result: TensorFlowImporter.Import) {
    self.name = name
    graph = result.graph
    description = nil
    savedModel = result.description
    signature = result.description.chosen ?? EngineContents.defaultSignature
    further = result.further
    source = .graph
  }

  package init(name: String, graph: Graph, further: [(name: String, graph: Graph)] = []) {
    self.name = name
    self.graph = graph
    description = nil
    savedModel = nil
    source = .graph
    signature = EngineContents.defaultSignature
    self.further = further
  }

  /// An architecture of the built-in zoo with seeded weights.
  package init(zoo name: String, seed: UInt64) throws(NeedletailError) {
    do {
      let result = try ONNXImporter.read(bytes: try Zoo.serialized(name, seed: seed))
      graph = result.graph
      description = result.description
    } catch let error as ZooError {
      throw NeedletailError(.model, error.description)
    } catch { throw NeedletailError(.model, "\(error)") }
    savedModel = nil
    self.name = name
    signature = EngineContents.defaultSignature
    further = []
    source = .zoo(name, seed: seed)
  }

  /// The tensors that the network takes.
  public var inputs: [TensorDescription] {
    graph.inputs.map { TensorDescription(name: graph[$0].name, type: graph[$0].type) }
  }

  /// The tensors that the network gives.
  public var outputs: [TensorDescription] {
    graph.outputs.map { TensorDescription(name: $0.name, type: graph[$0.value].type) }
  }
}

/// The name, element type and shape of an input or output.
public struct TensorDescription: Sendable, Hashable {
  /// The name in the model.
  public let name: String
  /// The element type; nil where only a run can tell.
  public let dataType: DataType?
  /// The extents: integers, or names and expressions for those that a run decides; nil where not even
  /// their count is known.
  public let shape: [String]?
  /// The extents as integers, where all are fixed.
  public let fixedShape: [Int]?

  package init(name: String, type: TensorType?) {
    self.name = name
    dataType = type?.dataType
    shape = type?.shape.dimensions.map(\.description)
    fixedShape = type?.shape.constants
  }
}

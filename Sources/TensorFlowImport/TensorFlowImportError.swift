/// Why a TensorFlow model cannot be imported: one line that names what is wrong and what to do.
package enum TensorFlowImportError: Error, Sendable, Hashable {
  /// A file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The path is no saved model.
  case noModel(path: String, reason: String)
  /// The path is a Keras file, which holds no graph.
  case kerasFile(path: String)
  /// A file's bytes are not what they should be.
  case malformed(path: String, reason: String)
  /// Something is larger than `Limits` allows.
  case exceedsLimit(what: String, found: Int, limit: Int)
  /// There is no such signature.
  case unknownSignature(name: String, known: [String])
  /// A variable has no elements in the checkpoint, or none that can be used.
  case variable(name: String, reason: String)
  /// A tensor of the graph cannot be used.
  case tensor(name: String, reason: String)
  /// A node cannot be translated.
  case node(name: String, operatorName: String, reason: String)
  /// Operators that are not in the catalogue: name, one node, how many.
  case unsupportedOperators([UnsupportedNode])
  /// One of several signatures cannot be imported.
  case signature(name: String, reason: String)
  /// A function cannot be inlined.
  case function(name: String, reason: String)
}

/// An operator that is not supported, and where it is used.
package struct UnsupportedNode: Sendable, Hashable, Encodable {
  package var operatorName: String
  package var node: String
  package var count: Int

  package var text: String {
    "\(operatorName) (node '\(node)'\(count > 1 ? " and \(count - 1) more" : ""))"
  }
}

extension TensorFlowImportError: CustomStringConvertible {
  private static let firstControlFlow: Set<String> = [
    "Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "Exit", "NextIteration", "LoopCond",
  ]

  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .noModel(let path, let reason): "\(path): \(reason)"
    case .kerasFile(let path):
      "\(path): a Keras file holds no graph; call model.export(\"dir\") and give that folder"
    case .malformed(let path, let reason): "\(path): \(reason)"
    case .exceedsLimit(let what, let found, let limit): "\(what): \(found), the limit is \(limit)"
    case .unknownSignature(let name, let known):
      known.isEmpty
        ? "the saved model has no signatures; export it with one"
        : "there is no signature '\(name)'; the saved model has "
          + known.map { "'\($0)'" }.joined(separator: ", ")
    case .variable(let name, let reason): "variable '\(name)': \(reason)"
    case .tensor(let name, let reason): "tensor '\(name)': \(reason)"
    case .node(let name, let operatorName, let reason):
      "node '\(name)' (\(operatorName)): \(reason)"
    case .signature(let name, let reason):
      "signature '\(name)': \(reason) (--signature names those that are wanted)"
    case .unsupportedOperators(let nodes)
    where nodes.contains { Self.firstControlFlow.contains($0.operatorName) }:
      "control flow of TensorFlow 1 is not supported: "
        + nodes.map(\.text).joined(separator: ", ")
        + "; save the model with tf.compat.v1.enable_control_flow_v2()"
    case .unsupportedOperators(let nodes):
      "TensorFlow operators that are not supported: " + nodes.map(\.text).joined(separator: ", ")
        + "; export the model without them, or through ONNX"
    case .function(let name, let reason): "function '\(name)': \(reason)"
    }
  }
}

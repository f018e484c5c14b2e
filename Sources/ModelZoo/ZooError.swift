/// Why the zoo made no model.
package enum ZooError: Error, Sendable, Equatable {
  /// The zoo has no architecture of this name.
  case unknownName(String)
  /// The model of this name could not be written as protobuf bytes.
  case notSerializable(name: String, reason: String)
}

extension ZooError: CustomStringConvertible {
  /// One line: what was wrong and what to do.
  package var description: String {
    switch self {
    case .unknownName(let name):
      "the zoo has no model '\(name)'; choose one of: "
        + Zoo.names.joined(separator: ", ")
    case .notSerializable(let name, let reason):
      "the model '\(name)' cannot be written as ONNX: \(reason)"
    }
  }
}

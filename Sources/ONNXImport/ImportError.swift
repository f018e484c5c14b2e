package import Operators

/// Why a model cannot be imported: one line that names what is wrong and what was expected.
package enum ImportError: Error, Sendable {
  /// The file cannot be opened or read.
  case unreadable(path: String, reason: String)
  /// The path is a folder, and there is no model in it.
  case noModel(directory: String)
  /// The file has no bytes.
  case emptyFile(path: String)
  /// The bytes are not an ONNX model.
  case notAModel(path: String, reason: String)
  /// Something is larger than `Limits` allows.
  case exceedsLimit(what: String, found: Int, limit: Int)
  /// The version of the file format is one that this importer does not know.
  case unsupportedFormat(version: Int64, supported: ClosedRange<Int64>)
  /// The version of the default operator set is one that this importer does not know.
  case unsupportedOperatorSet(version: Int64, newest: Int64)
  /// The version of the default operator set has no operators on integers to write.
  case olderOperatorSet(version: Int64, oldest: Int64)
  /// Operators that are not in the catalogue: one entry for each name and version.
  case unsupportedOperators([UnsupportedOperator])
  /// A value is of a kind that is not a tensor, or a tensor of unknown elements.
  case unsupportedType(value: String, type: String)
  /// The elements of a tensor do not fit its type and shape.
  case invalidTensor(name: String, reason: String)
  /// A file that holds the elements of a tensor cannot be used.
  case externalData(tensor: String, file: String, reason: String)
  /// A name is given to two values.
  case duplicateName(name: String, graph: String)
  /// A node or an output reads a value that nothing defines.
  case undefinedValue(name: String, reader: String)
  /// Nodes that wait for each other.
  case cycle(node: String, graph: String)
  /// The graph computes nothing.
  case noOutputs(graph: String)
  /// A graph input is not one that can be given.
  case invalidInput(name: String, reason: String)
  /// A node or one of its attributes is malformed.
  case invalidNode(node: String, operatorName: String, reason: String)
  /// An operator cannot be turned into kernel problems.
  case expansion(ExpansionError)
}

/// An operator of a model that the catalogue does not have.
package struct UnsupportedOperator: Sendable, Hashable {
  package var domain: String
  package var name: String
  /// The version of the operator set that the model imports.
  package var version: Int
  /// One node that uses it.
  package var node: String
  /// How many nodes use it.
  package var count: Int
  /// The versions in which the catalogue has an operator of this name.
  package var knownVersions: [ClosedRange<Int>]

  var text: String {
    let name = domain == ModelFormat.defaultDomain ? name : "\(domain)::\(name)"
    var line = "\(name) (opset \(version), node '\(node)'"
    if count > 1 { line += " and \(count - 1) more" }
    if !knownVersions.isEmpty {
      let ranges = knownVersions.map { "\($0.lowerBound) to \($0.upperBound)" }
      line += ", known in opsets \(ranges.joined(separator: ", "))"
    }
    return line + ")"
  }
}

extension ImportError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .noModel(let directory): "\(directory): the folder has no single .onnx file"
    case .emptyFile(let path): "\(path): the file is empty, expected an ONNX model"
    case .notAModel(let path, let reason): "\(path): not an ONNX model: \(reason)"
    case .exceedsLimit(let what, let found, let limit):
      "\(what): \(found), the limit is \(limit)"
    case .unsupportedFormat(let version, let supported):
      "IR version \(version) is not supported, expected \(supported.lowerBound) to \(supported.upperBound)"
    case .unsupportedOperatorSet(let version, let newest):
      "opset \(version) is not supported, expected 7 to \(newest); export the model again with one of these"
    case .olderOperatorSet(let version, let oldest):
      "the model's opset \(version) has no operators on 8-bit integers, expected \(oldest) or newer; convert it "
        + "with onnx.version_converter, best to 13"
    case .unsupportedOperators(let operators):
      "operators that are not supported: " + operators.map(\.text).joined(separator: ", ")
    case .unsupportedType(let value, let type):
      "value '\(value)' has type \(type), which is not supported"
    case .invalidTensor(let name, let reason): "tensor '\(name)': \(reason)"
    case .externalData(let tensor, let file, let reason):
      "tensor '\(tensor)': its file '\(file)' cannot be used: \(reason)"
    case .duplicateName(let name, let graph):
      "graph '\(graph)': the name '\(name)' is defined twice"
    case .undefinedValue(let name, let reader):
      "\(reader) reads '\(name)', which nothing defines"
    case .cycle(let node, let graph):
      "graph '\(graph)': node '\(node)' depends on its own result"
    case .noOutputs(let graph): "graph '\(graph)' has no outputs"
    case .invalidInput(let name, let reason): "input '\(name)': \(reason)"
    case .invalidNode(let node, let operatorName, let reason):
      "node '\(node)' (\(operatorName)): \(reason)"
    case .expansion(let error): error.description
    }
  }
}

import Foundation
import GraphModel
import ONNXImport
import Operators
import TensorModel

/// A model with inputs and the outputs that another implementation computed from them.
struct StoredModel {
  let name: String
  let directory: String

  static func all(in folder: String) throws -> [StoredModel] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      .map { StoredModel(name: $0, directory: "\(folder)/\($0)") }
      .filter { FileManager.default.fileExists(atPath: "\($0.directory)/model.onnx") }
  }

  /// What the interpreter computes for each output, beside what is stored; by the output's name.
  func run(_ binding: NodeTest.Binding = .declared) throws -> [(
    name: String, actual: Tensor, expected: Tensor
  )] {
    var graph = try ONNXImporter.load(contentsOf: directory)
    var inputs: [String: Tensor] = [:]
    for id in graph.inputs {
      let name = graph[id].name
      let tensor = try NPYFile.read("\(directory)/input_\(Self.fileName(name)).npy")
      inputs[name] = tensor
      if binding == .concrete { graph[id].type = tensor.type }
    }
    let outputs = try GraphInterpreter.run(try GraphExpansion.expand(graph), inputs: inputs)
    var results: [(name: String, actual: Tensor, expected: Tensor)] = []
    for (name, actual) in outputs.sorted(by: { $0.key < $1.key }) {
      let expected = try NPYFile.read("\(directory)/output_\(Self.fileName(name)).npy")
      results.append((name, actual, expected))
    }
    return results
  }

  private static func fileName(_ name: String) -> String {
    String(name.map { $0.isLetter || $0.isNumber || $0 == "_" ? $0 : "_" })
  }
}

import Foundation
import GraphModel
import Needletail
import ONNXImport
import Operators
import TensorModel

/// One of ONNX's own tests of operators: a model, and inputs with the outputs that they must give.
struct NodeTest {
  let name: String
  let directory: String
  let index: Index

  /// What the list of tests says about one of them.
  struct Index: Decodable {
    var rtol: Double
    var atol: Double
    var ops: [String]
    var sets: [DataSet]

    struct DataSet: Decodable {
      var inputs: [String]
      var outputs: [String]
    }
  }

  enum Outcome: Equatable {
    case passed
    /// The importer says that the model is beyond it.
    case refused(String)
    case failed(String)
  }

  /// All tests in a folder, by name.
  static func all(in folder: String) throws -> [NodeTest] {
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/index.json"))
    return try JSONDecoder().decode([String: Index].self, from: data)
      .map { NodeTest(name: $0.key, directory: "\(folder)/\($0.key)", index: $0.value) }
      .sorted { $0.name < $1.name }
  }

  /// How the types of the inputs are given before the operators are expanded.
  enum Binding {
    /// As the model declares them.
    case declared
    /// As the data have them.
    case concrete
    /// As the data have them, the first extent of floating-point inputs a symbol.
    case symbolicBatch
    /// As the data have them, every extent of floating-point inputs a symbol.
    case symbolic
    /// As the data have them, optimised and run by an engine on the CPU.
    case engine
  }

  /// - Parameter comparison: how outputs are compared; nil: as the list of tests says.
  func run(_ binding: Binding = .concrete, comparison: TensorComparison? = nil) -> Outcome {
    let comparison = comparison ?? TensorComparison(rtol: index.rtol, atol: index.atol)
    let graph: Graph
    do { graph = try ONNXImporter.load(contentsOf: "\(directory)/model.onnx") } catch {
      return .refused("\(error)")
    }
    let tensorsOnly = index.sets.allSatisfy {
      ($0.inputs + $0.outputs).allSatisfy { $0 == "tensor" }
    }
    guard tensorsOnly else { return .refused("its data are not tensors") }
    for number in index.sets.indices {
      do {
        if let problem = try difference(graph, set: number, binding, comparison) {
          return .failed(problem)
        }
      } catch {
        return .failed("\(error)")
      }
    }
    return .passed
  }

  /// What is wrong with the outputs for one set of data; nil where nothing is.
  private func difference(
    _ graph: Graph, set: Int, _ binding: Binding, _ comparison: TensorComparison
  ) throws -> String? {
    let folder = "\(directory)/test_data_set_\(set)"
    var inputs: [String: Tensor] = [:]
    var types: [String: TensorType] = [:]
    for (number, id) in graph.inputs.enumerated()
    where index.sets[set].inputs.indices.contains(number) {
      let name = graph[id].name
      let tensor = try ONNXImporter.tensor(contentsOf: "\(folder)/input_\(number).pb")
      inputs[name] = tensor
      types[name] = bound(tensor.type, to: binding, name: name)
    }
    var declared = graph
    if binding == .concrete || binding == .engine {
      // What the data are decides, as for an engine that is built for them.
      for id in graph.inputs { declared[id].type = types[graph[id].name] }
    }
    let outputs = try run(declared, binding, inputs: inputs, types: types)
    for (number, output) in graph.outputs.enumerated() {
      let expected = try ONNXImporter.tensor(contentsOf: "\(folder)/output_\(number).pb")
      guard let actual = outputs[output.name] else { return "output '\(output.name)' is missing" }
      if let problem = comparison.difference(actual, expected) {
        return "output '\(output.name)': \(problem)"
      }
    }
    return nil
  }

  private func run(
    _ graph: Graph, _ binding: Binding, inputs: [String: Tensor], types: [String: TensorType]
  ) throws -> [String: Tensor] {
    if binding == .engine {
      var builder = Builder()
      builder.threads = 2
      builder.tuning = 0
      return try builder.buildNow(Model(name: name, graph: graph)).runNow(inputs)
    }
    let expanded =
      binding == .declared
      ? try GraphExpansion.expand(graph)
      : try GraphInterpreter.specialize(graph, inputTypes: types)
    return try GraphInterpreter.run(expanded, inputs: inputs)
  }

  private func bound(_ type: TensorType, to binding: Binding, name: String) -> TensorType {
    // The extents of integers are often counts of axes, which decide ranks.
    guard binding == .symbolic || binding == .symbolicBatch, !type.dataType.isInteger else {
      return type
    }
    let dimensions = type.shape.dimensions.enumerated().map { axis, extent in
      axis == 0 || binding == .symbolic ? .symbol("\(name)_\(axis)") : extent
    }
    return TensorType(type.dataType, Shape(dimensions))
  }
}

/// NumPy's `allclose`, with equal NaNs and exact integers.
struct TensorComparison {
  var rtol: Double
  var atol: Double
  /// Numbers no more of their type's steps apart are equal, too; only for bfloat16 and float16.
  var steps = 0.0

  private func tolerance(_ type: DataType) -> Double {
    switch type {
    case .bfloat16: max(rtol, steps / 128)
    case .float16: max(rtol, steps / 1024)
    default: rtol
    }
  }

  /// The first difference; nil where there is none.
  func difference(_ actual: Tensor, _ expected: Tensor) -> String? {
    guard actual.dataType == expected.dataType, actual.shape == expected.shape else {
      return "\(actual.type), expected \(expected.type)"
    }
    if actual.strings != expected.strings {
      return "strings \(actual.strings.prefix(4)), expected \(expected.strings.prefix(4))"
    }
    if let found = actual.integers(), let wanted = expected.integers() {
      return first(found, wanted, where: !=)
    }
    guard let found = numbers(actual), let wanted = numbers(expected) else { return nil }
    let rtol = tolerance(expected.dataType)
    return first(found, wanted) { a, b in
      if a.isNaN || b.isNaN { return a.isNaN != b.isNaN }
      return a != b && !(abs(a - b) <= atol + rtol * abs(b))
    }
  }

  private func first<Number>(
    _ found: [Number], _ wanted: [Number], where differs: (Number, Number) -> Bool
  ) -> String? {
    let wrong = found.indices.filter { differs(found[$0], wanted[$0]) }
    guard let index = wrong.first else { return nil }
    return "\(wrong.count) of \(found.count) differ, first at \(index): \(found[index]), "
      + "expected \(wanted[index])"
  }

  /// Real numbers, or the parts of complex ones.
  private func numbers(_ tensor: Tensor) -> [Double]? {
    switch tensor.dataType {
    case .complex64:
      tensor.withUnsafeBytes { bytes in
        (0..<(2 * tensor.elementCount)).map {
          Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self))
        }
      }
    case .complex128:
      tensor.withUnsafeBytes { bytes in
        (0..<(2 * tensor.elementCount)).map {
          bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Double.self)
        }
      }
    default: tensor.numbers()
    }
  }
}

package import GraphModel
import KernelModel
package import TensorModel

/// A graph with the shapes of one call.
package enum GraphSpecialization {
  /// The graph with its inputs of exactly these types: symbols replaced, types inferred anew.
  package static func specialize(
    _ graph: Graph, inputs types: [TensorType]
  ) throws(NeedletailError) -> Graph {
    let symbols = try bindings(graph, types)
    var result = Graph(name: graph.name)
    for value in graph.values { result.addValue(value.substituting(symbols)) }
    result.inputs = graph.inputs
    result.outputs = graph.outputs
    for (id, type) in zip(graph.inputs, types) { result[id].type = type }
    for (_, node) in graph.liveNodes {
      var copy = node
      if case .kernel(let problem) = node.operation {
        let specialized = problem.substituting(symbols)
        copy.operation = .kernel(specialized)
        try inferTypes(copy, specialized, &result)
      } else if case .control(var control) = node.operation {
        control.bodies = control.bodies.map { $0.substituting(symbols) }
        copy.operation = .control(control)
      }
      result.addNode(copy)
    }
    return result
  }

  private static func inferTypes(
    _ node: Node, _ problem: KernelProblem, _ graph: inout Graph
  ) throws(NeedletailError) {
    let inputs = graph.types(of: node.inputs)
    guard zip(node.inputs, inputs).allSatisfy({ $0 == nil || $1 != nil }) else { return }
    let types: [TensorType]
    do { types = try problem.outputTypes(of: inputs) } catch {
      throw NeedletailError(.input, "node '\(node.name)' (\(problem.family)): \(error.description)")
    }
    for (id, type) in zip(node.outputs, types) { graph[id].type = type }
  }

  /// What each symbol stands for, from the declared types of the inputs and those of the call.
  private static func bindings(
    _ graph: Graph, _ types: [TensorType]
  ) throws(NeedletailError) -> [String: Int] {
    guard types.count == graph.inputs.count else {
      throw NeedletailError(.input, "expected \(graph.inputs.count) inputs, found \(types.count)")
    }
    var symbols: [String: Int] = [:]
    for (id, type) in zip(graph.inputs, types) {
      guard let declared = graph[id].type else { continue }
      let name = graph[id].name
      guard declared.dataType == type.dataType else {
        throw NeedletailError(
          .input,
          "input '\(name)' has elements of type \(type.dataType), expected \(declared.dataType)")
      }
      guard declared.rank == type.rank else {
        throw NeedletailError(
          .input, "input '\(name)' has shape \(type.shape), expected \(declared.shape)")
      }
      for axis in 0..<type.rank {
        guard let extent = type.shape[axis].constant else { continue }
        let expected = declared.shape[axis].substituting(symbols)
        if let fixed = expected.constant {
          guard fixed == extent else {
            throw NeedletailError(
              .input,
              "input '\(name)' has shape \(type.shape), expected \(declared.shape): axis \(axis) is \(extent), not \(fixed)"
            )
          }
        } else if let symbol = expected.soleSymbol {
          symbols[symbol] = extent
        }
      }
    }
    return symbols
  }
}

extension Dimension {
  /// The name, where the dimension is one symbol and nothing else.
  fileprivate var soleSymbol: String? {
    let names = symbols
    guard names.count == 1, let name = names.first, self == .symbol(name) else { return nil }
    return name
  }
}

import GraphModel
import KernelModel
import TensorModel

/// A kernel and the pointwise node that alone reads its result become one: bias, activation,
/// residual.
enum EpilogueFusion {
  /// Contractions first: what they leave to do is cheapest there.
  static let rules: [Rule] = [
    "convolution", "matmul", "attention", "normalization", "window", "reduction", "resample",
  ].map { family in
    Rule("\(family) + pointwise => \(family)") { graph, id, node, problem in
      guard case .pointwise(let pointwise) = problem else { return nil }
      return match(graph, id, node, pointwise, family: family)
    }
  }

  private static func match(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ pointwise: Pointwise, family: String
  ) -> GraphPatch? {
    guard !pointwise.expression.usesIndex, let result = graph.type(node.outputs[0]) else {
      return nil
    }
    let inputs = Set(node.inputs.compactMap { $0 })
    let candidates = inputs.compactMap { value in
      candidate(graph, value, readBy: id, node, family: family)
    }
    // Contractions of floats have kernels that write floats.
    .filter { candidate in
      !candidate.problem.isContraction || result.dataType.isFloatingPoint
        || graph.type(candidate.node.inputs[0])?.dataType.isByte ?? false
    }
    .sorted { (graph.place(of: $0.producer), $0.value) > (graph.place(of: $1.producer), $1.value) }
    for candidate in candidates {
      if let patch = fuse(graph, candidate, id, node, pointwise) { return patch }
    }
    return nil
  }

  private struct Candidate {
    var value: ValueID
    var producer: NodeID
    var node: Node
    var problem: KernelProblem
  }

  private static func candidate(
    _ graph: IndexedGraph, _ value: ValueID, readBy id: NodeID, _ node: Node, family: String
  ) -> Candidate? {
    guard let (producer, source, problem) = graph.kernel(writing: value),
      problem.family == family, problem.epilogue != nil, source.outputs.count == 1,
      graph.isReadOnly(value, by: id), let type = graph.type(value),
      type.shape == graph.type(node.outputs[0])?.shape
    else { return nil }
    return Candidate(value: value, producer: producer, node: source, problem: problem)
  }

  private static func fuse(
    _ graph: IndexedGraph, _ candidate: Candidate, _ id: NodeID, _ node: Node,
    _ pointwise: Pointwise
  ) -> GraphPatch? {
    let main = candidate.node
    guard let before = ValueExpression(epilogueOf: candidate.problem, inputs: main.inputs),
      let fused = before.followed(by: pointwise, inputs: node.inputs, reading: candidate.value),
      fused.isWithinLimits
    else { return nil }
    let (problem, inputs) = fused.epilogue(of: candidate.problem, inputs: main.inputs)
    var patch = GraphPatch(graph, removing: [candidate.producer, id])
    let origins = graph.origins(of: [candidate.producer, id])
    guard
      patch.replace(
        node.outputs[0], with: problem, inputs, name: main.name, origins: origins, in: graph)
    else { return nil }
    return patch
  }
}

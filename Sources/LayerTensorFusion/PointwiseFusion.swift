import GraphModel
import KernelModel
import TensorModel

/// Chains of pointwise nodes become one, and what precedes a reduction joins it.
enum PointwiseFusion {
  static let rules: [Rule] = [merge, prologue]

  /// A producer that only this node reads is computed where it is read.
  static let merge = Rule("pointwise of pointwise => pointwise") { graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem else { return nil }
    for value in Set(node.inputs.compactMap { $0 }).sorted() {
      guard let (producer, _, _) = graph.kernel(writing: value),
        graph.isReadOnly(value, by: id),
        let (fused, inputs) = joined(graph, producer, value, node, pointwise)
      else { continue }
      var patch = GraphPatch(graph, removing: [producer, id])
      let origins = graph.origins(of: [producer, id])
      if patch.replace(
        node.outputs[0], with: fused, inputs, name: node.name, origins: origins, in: graph)
      {
        return patch
      }
    }
    return nil
  }

  /// A cheap producer of a few pointwise nodes is computed in each of them.
  static let duplicate = Rule("cheap pointwise of several pointwise => several pointwise") {
    graph, id, node, problem in
    guard case .pointwise(let producer) = problem, node.outputs.count == 1,
      producer.expression.isCheap, producer.expression.operationCount <= 2,
      hasOneLargeOperand(graph, node), !graph.isOutput(node.outputs[0])
    else { return nil }
    let value = node.outputs[0]
    let readers = Array(Set(graph.consumers(of: value))).sorted()
    guard (2...4).contains(readers.count) else { return nil }
    var patch = GraphPatch(graph, removing: [id] + readers)
    for reader in readers {
      guard let next = graph[reader], case .kernel(.pointwise(let pointwise)) = next.operation,
        let (fused, inputs) = joined(graph, id, value, next, pointwise),
        patch.replace(
          next.outputs[0], with: fused, inputs, name: next.name,
          origins: graph.origins(of: [id, reader]), in: graph)
      else { return nil }
    }
    return patch
  }

  /// The pointwise problem of `node` with `producer` inside.
  private static func joined(
    _ graph: IndexedGraph, _ producer: NodeID, _ value: ValueID, _ node: Node,
    _ pointwise: Pointwise
  ) -> (KernelProblem, [ValueID?])? {
    guard let source = graph[producer], case .kernel(.pointwise(let inner)) = source.operation,
      let inside = graph.type(value)?.shape, let outside = graph.type(node.outputs[0])?.shape,
      inside == outside || (inner.expression.isCheap && inner.expression.operationCount <= 3),
      let shifted = shifted(inner.expression, from: inside, to: outside),
      let before = ValueExpression(Pointwise(shifted), inputs: source.inputs),
      let fused = before.followed(by: pointwise, inputs: node.inputs, reading: value),
      fused.isWithinLimits
    else { return nil }
    return fused.pointwise(shape: outside, in: graph)
  }

  /// Coordinates of the inner shape in terms of those of the outer one; nil where an axis that is
  /// asked for is broadcast.
  private static func shifted(_ expression: ScalarExpression, from inner: Shape, to outer: Shape)
    -> ScalarExpression?
  {
    guard expression.usesIndex, inner != outer else { return expression }
    let shift = outer.rank - inner.rank
    var isPossible = shift >= 0
    expression.visit { part in
      guard case .index(let axis) = part, isPossible else { return }
      isPossible = inner[axis] == outer[axis + shift]
    }
    guard isPossible else { return nil }
    return expression.rewritten { part in
      if case .index(let axis) = part { .index(axis: axis + shift) } else { part }
    }
  }

  /// Whether the consumers would read no more than they do now, apart from constants and vectors.
  private static func hasOneLargeOperand(_ graph: IndexedGraph, _ node: Node) -> Bool {
    guard let shape = graph.type(node.outputs[0])?.shape else { return false }
    let inputs = Set(node.inputs.compactMap { $0 })
    let large = inputs.filter { graph.type($0)?.shape == shape && graph.constant($0) == nil }
    let other = inputs.filter { input in
      graph.constant(input) == nil && !large.contains(input)
        && graph.type(input)?.shape.constants.flatMap(ShapeMath.elementCount) ?? Int.max > 4096
    }
    return large.count == 1 && other.isEmpty
  }

  static let prologue = Rule("pointwise + reduction => reduction") { graph, id, node, problem in
    guard case .reduction(var reduction) = problem, let value = node.inputs[0],
      !node.inputs.dropFirst().contains(value),
      let (producer, source, inner) = graph.kernel(writing: value),
      case .pointwise(let pointwise) = inner, graph.isReadOnly(value, by: id),
      !pointwise.expression.usesIndex,
      let before = ValueExpression(pointwise, inputs: source.inputs)?.compacted(),
      before.operands.count == 1, graph.type(before.operands[0])?.shape == graph.type(value)?.shape
    else { return nil }
    reduction.prologue = reduction.prologue.substituting([before.expression])
    guard FusionLimits.accepts(reduction.prologue, operandCount: 1) else { return nil }
    var inputs = node.inputs
    inputs[0] = before.operands[0]
    var patch = GraphPatch(graph, removing: [producer, id])
    let origins = graph.origins(of: [producer, id])
    guard
      patch.replace(
        node.outputs[0], with: .reduction(reduction), inputs, name: node.name, origins: origins,
        in: graph)
    else { return nil }
    return patch
  }
}

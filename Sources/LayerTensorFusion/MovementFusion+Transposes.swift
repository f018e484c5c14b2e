import GraphModel
import KernelModel
import TensorModel

// MARK: - Past other movements

extension MovementFusion {
  /// Only where the result is transposed again: next to a convolution the pad belongs to it.
  static let padOfTranspose = Rule("pad of transpose => transpose of pad") {
    graph, id, node, problem in
    guard case .copy(.pad(let mode, let before, let after)) = problem,
      let value = node.inputs[0], let (_, x, permutation) = transpose(graph, value),
      before.count == permutation.count, after.count == permutation.count,
      graph.consumers(of: node.outputs[0]).contains(where: { isTranspose(graph, $0) })
    else { return nil }
    let inverse = InverseTranspose(permutation)
    let pad = KernelProblem.copy(
      .pad(mode, before: inverse.applied(to: before), after: inverse.applied(to: after)))
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    return finishing(
      graph, node, pad, [x], .copy(.transpose(permutation)), past: value, &patch)
  }

  static let transposeOfPad = Rule("transpose of pad => pad of transpose") {
    graph, id, node, problem in
    guard case .copy(.transpose(let permutation)) = problem, let value = node.inputs[0],
      graph.isReadOnly(value, by: id), let (source, main, inner) = graph.kernel(writing: value),
      case .copy(.pad(let mode, let before, let after)) = inner,
      let x = main.inputs[0], transpose(graph, x) == nil,
      before.count == permutation.count, after.count == permutation.count,
      !graph.consumers(of: node.outputs[0]).contains(where: { isTranspose(graph, $0) })
    else { return nil }
    let pad = KernelProblem.copy(
      .pad(mode, before: permutation.map { before[$0] }, after: permutation.map { after[$0] }))
    var patch = GraphPatch(graph, removing: [source, id])
    guard
      let moved = patch.kernel(
        problem, [x], name: node.name, origins: node.origins, in: graph)?.first,
      patch.replace(
        node.outputs[0], with: pad, [moved], name: main.name, origins: main.origins, in: graph)
    else { return nil }
    return patch
  }

  private static func isTranspose(_ graph: IndexedGraph, _ id: NodeID) -> Bool {
    guard case .kernel(.copy(.transpose))? = graph[id]?.operation else { return false }
    return true
  }

  static let sliceOfTranspose = Rule("slice of transpose => transpose of slice") {
    graph, id, node, problem in
    guard case .copy(.slice(let starts, let sizes, let steps)) = problem,
      let value = node.inputs[0], graph.isReadOnly(value, by: id),
      let (source, x, permutation) = transpose(graph, value), starts.count == permutation.count,
      sizes.count == permutation.count, steps.count == permutation.count
    else { return nil }
    let inverse = InverseTranspose(permutation)
    let slice = KernelProblem.copy(
      .slice(
        starts: inverse.applied(to: starts), sizes: inverse.applied(to: sizes),
        steps: inverse.applied(to: steps)))
    var patch = GraphPatch(graph, removing: [source, id])
    return finishing(
      graph, node, slice, [x], .copy(.transpose(permutation)), past: value, &patch)
  }

  static let concatenationOfTransposes = Rule("concat of transposes => transpose of concat") {
    graph, id, node, problem in
    guard case .copy(.concatenate(let axis)) = problem,
      let permutation = transpose(graph, node.inputs[0])?.permutation,
      permutation.indices.contains(axis)
    else { return nil }
    var sources: [ValueID?] = []
    for input in node.inputs {
      guard let (_, x, other) = transpose(graph, input), other == permutation else { return nil }
      sources.append(x)
    }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: sources))
    return finishing(
      graph, node, .copy(.concatenate(axis: permutation[axis])), sources,
      .copy(.transpose(permutation)), past: node.inputs[0], &patch)
  }

  static let reductionOfTranspose = Rule("reduction of transpose => reduction") {
    graph, id, node, problem in
    guard case .reduction(var reduction) = problem,
      let (source, x, permutation) = transpose(graph, node.inputs[0]),
      node.inputs.count == 1, reduction.axes.allSatisfy(permutation.indices.contains)
    else { return nil }
    reduction.axes = reduction.axes.map { permutation[$0] }.sorted()
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    var after = permutation
    if !reduction.keepsDimensions {
      let left = permutation.filter { !reduction.axes.contains($0) }
      let order = left.sorted()
      after = left.compactMap { order.firstIndex(of: $0) }
    }
    if after == Array(after.indices) {
      let isDone = patch.replace(
        node.outputs[0], with: .reduction(reduction), [x], name: node.name,
        origins: graph.origins(of: [source, id]), in: graph)
      return isDone ? patch : nil
    }
    return finishing(
      graph, node, .reduction(reduction), [x], .copy(.transpose(after)), past: node.inputs[0],
      &patch)
  }

  /// Taking axes apart before they are moved: the result is a view of what went in.
  static let splitOfTranspose = Rule("split of transpose => transpose of split") {
    graph, id, node, problem in
    guard case .copy(.reshape(let target)) = problem,
      let (source, x, permutation) = transpose(graph, node.inputs[0]),
      let from = graph.type(node.inputs[0])?.shape, target.rank > from.rank,
      let blocks = AxisBlocks(from: from, to: target)?.blocks,
      blocks.allSatisfy({ $0.from.count == 1 }), blocks.count == permutation.count
    else { return nil }
    // The parts of each axis, in the order before the transpose.
    let parts = InverseTranspose(permutation).applied(to: blocks.map { Array($0.to) })
    let order = parts.flatMap { $0 }
    var after = order
    for (index, axis) in order.enumerated() { after[axis] = index }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    guard
      let split = patch.kernel(
        .copy(.reshape(Shape(order.map { target[$0] }))), [x], name: node.name,
        origins: node.origins, in: graph)?.first,
      patch.replace(
        node.outputs[0], with: .copy(.transpose(after)), [split], name: node.name,
        origins: graph.origins(of: [source]), in: graph)
    else { return nil }
    return patch
  }

  /// Rows may change places behind a product as well as before it.
  static let matmulOfTranspose = Rule("matmul of transposed rows => transpose of matmul") {
    graph, id, node, problem in
    guard case .matmul(let product) = problem, !product.transposesA,
      let value = node.inputs[0], let (_, x, permutation) = transpose(graph, value),
      permutation.last == permutation.count - 1, node.inputs.count == 2,
      product.epilogue == .operand(0), graph.type(node.inputs[1])?.rank == 2,
      graph.constant(node.inputs[1]) != nil
    else { return nil }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    return finishing(
      graph, node, problem, [x, node.inputs[1]], .copy(.transpose(permutation)), past: value,
      &patch)
  }
}

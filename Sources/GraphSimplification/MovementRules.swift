import GraphModel
import KernelModel
import TensorModel

/// Rules about movement of elements without arithmetic.
enum MovementRules {
  static let all: [Rule] = [
    identity, reshapes, transposes, transposeOfOnes, expandOfOnes, slices, sliceOfConcatenation,
    concatenations, pads, gatherOfOne,
  ]

  static let identity = Rule("movement that changes nothing => nothing") {
    graph, id, node, problem in
    guard case .copy(let copy) = problem, let x = node.inputs[0], let source = graph.type(x),
      source == graph.type(node.outputs[0]), isIdentity(copy, source.shape, node)
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    patch.replace(node.outputs[0], with: x)
    return patch
  }

  private static func isIdentity(_ copy: Copy, _ shape: Shape, _ node: Node) -> Bool {
    switch copy {
    case .reshape, .expand: true
    case .transpose(let permutation): permutation == Array(permutation.indices)
    case .slice(let starts, _, let steps):
      zip(starts, steps).allSatisfy { $0 == 0 && $1 == 1 }
    case .pad(_, let before, let after): (before + after).allSatisfy { $0 == 0 }
    case .concatenate: node.inputs.count == 1
    case .tile(let repeats): repeats.allSatisfy { $0 == 1 }
    }
  }

  static let reshapes = Rule("reshape of reshape => reshape") { graph, id, node, problem in
    guard case .copy(.reshape) = problem,
      let (x, _) = source(
        graph, node,
        { copy in
          if case .reshape = copy { true } else { false }
        })
    else { return nil }
    return ExpressionRules.exchanging(graph, id, node, problem, [x])
  }

  static let transposes = Rule("transpose of transpose => transpose") { graph, id, node, problem in
    guard case .copy(.transpose(let outer)) = problem,
      let (x, copy) = source(graph, node, { _ in true }), case .transpose(let inner) = copy,
      inner.count == outer.count
    else { return nil }
    return ExpressionRules.exchanging(
      graph, id, node, .copy(.transpose(outer.map { inner[$0] })), [x])
  }

  static let transposeOfOnes = Rule("transpose of extents of one => reshape") {
    graph, id, node, problem in
    guard case .copy(.transpose(let permutation)) = problem, let x = node.inputs[0],
      let shape = graph.type(x)?.shape, let target = graph.type(node.outputs[0])?.shape
    else { return nil }
    let moved = permutation.filter { shape[$0] != 1 }
    guard moved == moved.sorted() else { return nil }
    return ExpressionRules.exchanging(graph, id, node, .copy(.reshape(target)), [x])
  }

  static let expandOfOnes = Rule("expand that adds extents of one => reshape") {
    graph, id, node, problem in
    guard case .copy(.expand) = problem, let x = node.inputs[0],
      let shape = graph.type(x)?.shape, let target = graph.type(node.outputs[0])?.shape,
      target.rank > shape.rank, Array(target.dimensions.suffix(shape.rank)) == shape.dimensions,
      target.dimensions.prefix(target.rank - shape.rank).allSatisfy({ $0 == 1 })
    else { return nil }
    return ExpressionRules.exchanging(graph, id, node, .copy(.reshape(target)), [x])
  }

  /// The movement that alone precedes a node, and what it reads.
  private static func source(
    _ graph: IndexedGraph, _ node: Node, _ accepts: (Copy) -> Bool
  ) -> (ValueID, Copy)? {
    guard let (_, source, problem) = graph.kernel(writing: node.inputs[0]),
      case .copy(let copy) = problem, accepts(copy), source.inputs.count == 1,
      let x = source.inputs[0], graph.type(x) != nil
    else { return nil }
    return (x, copy)
  }
}

// MARK: - Slices, concatenations, pads

extension MovementRules {
  static let slices = Rule("slice of slice => slice") { graph, id, node, problem in
    guard case .copy(.slice(let starts, let sizes, let steps)) = problem,
      let (x, copy) = source(graph, node, { _ in true }),
      case .slice(let firstStarts, _, let firstSteps) = copy, starts.count == firstStarts.count
    else { return nil }
    var joinedStarts: [Dimension] = []
    var joinedSteps: [Int] = []
    for axis in starts.indices {
      let (step, overflow) = steps[axis].multipliedReportingOverflow(by: firstSteps[axis])
      guard !overflow else { return nil }
      joinedSteps.append(step)
      joinedStarts.append(firstStarts[axis] + starts[axis] * Dimension(firstSteps[axis]))
    }
    return ExpressionRules.exchanging(
      graph, id, node,
      .copy(.slice(starts: joinedStarts, sizes: sizes, steps: joinedSteps)), [x])
  }

  static let sliceOfConcatenation = Rule("slice of concat inside one part => slice of the part") {
    graph, id, node, problem in
    guard case .copy(.slice(var starts, let sizes, let steps)) = problem,
      let (_, source, inner) = graph.kernel(writing: node.inputs[0]),
      case .copy(.concatenate(let axis)) = inner, steps.indices.contains(axis), steps[axis] == 1
    else { return nil }
    var offset = Dimension(0)
    for case let part? in source.inputs {
      guard let extent = graph.type(part)?.shape[axis] else { return nil }
      let start = starts[axis] - offset
      if contains(extent, start: start, size: sizes[axis]) {
        starts[axis] = start
        let slice = KernelProblem.copy(.slice(starts: starts, sizes: sizes, steps: steps))
        return ExpressionRules.exchanging(graph, id, node, slice, [part])
      }
      offset = offset + extent
    }
    return nil
  }

  private static func contains(_ extent: Dimension, start: Dimension, size: Dimension) -> Bool {
    if start == 0, size == extent { return true }
    guard let start = start.constant, let size = size.constant, start >= 0, size > 0 else {
      return false
    }
    return extent.constant.map { size <= $0 && start <= $0 - size } ?? false
  }

  static let concatenations = Rule("concat of concat => concat") { graph, id, node, problem in
    guard case .copy(.concatenate(let axis)) = problem else { return nil }
    var inputs: [ValueID?] = []
    var isChanged = false
    for input in node.inputs {
      if let input, graph.isReadOnly(input, by: id),
        graph.consumers(of: input).count == 1,
        let (_, source, inner) = graph.kernel(writing: input),
        inner == .copy(.concatenate(axis: axis))
      {
        inputs += source.inputs
        isChanged = true
      } else {
        inputs.append(input)
      }
    }
    return isChanged ? ExpressionRules.exchanging(graph, id, node, problem, inputs) : nil
  }

  static let pads = Rule("pad of pad => pad") { graph, id, node, problem in
    guard case .copy(.pad(.constant(let value), let before, let after)) = problem,
      let (x, copy) = source(graph, node, { _ in true }),
      case .pad(.constant(value), let firstBefore, let firstAfter) = copy,
      before.count == firstBefore.count,
      (before + after + firstBefore + firstAfter).allSatisfy({ ($0.constant ?? -1) >= 0 })
    else { return nil }
    let pad = Copy.pad(
      .constant(value), before: zip(firstBefore, before).map { $0 + $1 },
      after: zip(firstAfter, after).map { $0 + $1 })
    return ExpressionRules.exchanging(graph, id, node, .copy(pad), [x])
  }

  /// One constant index names a slice, which devices read in place.
  static let gatherOfOne = Rule("gather of one index => slice") { graph, id, node, problem in
    guard case .gather(.slices(let axis)) = problem, node.inputs.count == 2,
      let x = node.inputs[0], let shape = graph.type(x)?.shape, shape.rank > axis,
      let target = graph.type(node.outputs[0]), graph.constant(x) == nil,
      let indices = graph.constant(node.inputs[1]), indices.elementCount == 1,
      let index = indices.integers()?.first.flatMap({ Int(exactly: $0) })
    else { return nil }
    let start: Dimension
    if let extent = shape[axis].constant {
      let resolved = index < 0 ? index + extent : index
      guard (0..<extent).contains(resolved) else { return nil }
      start = Dimension(resolved)
    } else {
      // A symbolic extent is at least one; more cannot be told.
      guard index == 0 || index == -1 else { return nil }
      start = index == 0 ? 0 : shape[axis] - 1
    }
    var starts = [Dimension](repeating: 0, count: shape.rank)
    var sizes = shape.dimensions
    starts[axis] = start
    sizes[axis] = 1
    let slice = KernelProblem.copy(
      .slice(starts: starts, sizes: sizes, steps: [Int](repeating: 1, count: shape.rank)))
    var patch = GraphPatch(graph, removing: [id])
    guard
      let part = patch.kernel(
        slice, [x], name: node.name, origins: node.origins, in: graph)?.first,
      patch.replace(
        node.outputs[0], with: .copy(.reshape(target.shape)), [part], name: node.name,
        origins: node.origins, in: graph)
    else { return nil }
    return patch
  }
}

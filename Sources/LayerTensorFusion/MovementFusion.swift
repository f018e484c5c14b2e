import GraphModel
import KernelModel
import TensorModel

/// Transposes and reshapes move towards the outputs, past arithmetic, until they meet their inverse or
/// leave the arithmetic next to the kernel that it belongs to.
enum MovementFusion {
  static let rules: [Rule] = [
    transposes, reshapes, transposedMatrix, pointwiseOfTranspose, pointwiseOfReshape,
    padOfTranspose, transposeOfPad, concatenationOfTransposes, sliceOfTranspose,
    reductionOfTranspose,
  ]

  static let transposes = Rule("transpose of transpose => transpose") { graph, id, node, problem in
    guard case .copy(.transpose(let outer)) = problem,
      let (source, x, inner) = transpose(graph, node.inputs[0])
    else { return nil }
    let permutation = outer.map { inner[$0] }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    if permutation == Array(permutation.indices) {
      patch.replace(node.outputs[0], with: x)
      return patch
    }
    let origins = graph.origins(of: [source, id])
    let isDone = patch.replace(
      node.outputs[0], with: .copy(.transpose(permutation)), [x], name: node.name,
      origins: origins, in: graph)
    return isDone ? patch : nil
  }

  static let reshapes = Rule("reshape of reshape => reshape") { graph, id, node, problem in
    guard case .copy(.reshape(let shape)) = problem, let value = node.inputs[0] else { return nil }
    if let x = reshape(graph, value) {
      var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
      if graph.type(x)?.shape == shape {
        patch.replace(node.outputs[0], with: x)
        return patch
      }
      let isDone = patch.replace(
        node.outputs[0], with: problem, [x], name: node.name, origins: node.origins, in: graph)
      return isDone ? patch : nil
    }
    guard graph.type(value)?.shape == shape else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    patch.replace(node.outputs[0], with: value)
    return patch
  }

  static let transposedMatrix = Rule("matmul of transpose => matmul with transposed operand") {
    graph, id, node, problem in
    guard case .matmul(var product) = problem else { return nil }
    for index in 0..<2 {
      guard let (source, x, permutation) = transpose(graph, node.inputs[index]),
        swapsLastTwo(permutation)
      else { continue }
      if index == 0 { product.transposesA.toggle() } else { product.transposesB.toggle() }
      var inputs = node.inputs
      inputs[index] = x
      var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
      let origins = graph.origins(of: [source, id])
      let isDone = patch.replace(
        node.outputs[0], with: .matmul(product), inputs, name: node.name, origins: origins,
        in: graph)
      return isDone ? patch : nil
    }
    return nil
  }

  private static func swapsLastTwo(_ permutation: [Int]) -> Bool {
    var swapped = Array(permutation.indices)
    guard swapped.count >= 2 else { return false }
    swapped.swapAt(swapped.count - 1, swapped.count - 2)
    return permutation == swapped
  }

  /// The transpose that writes a value.
  static func transpose(_ graph: IndexedGraph, _ value: ValueID?)
    -> (node: NodeID, x: ValueID, permutation: [Int])?
  {
    guard let (id, node, problem) = graph.kernel(writing: value),
      case .copy(.transpose(let permutation)) = problem, let x = node.inputs[0]
    else { return nil }
    return (id, x, permutation)
  }

  /// What the reshape that writes a value reads.
  static func reshape(_ graph: IndexedGraph, _ value: ValueID?) -> ValueID? {
    guard let (_, node, problem) = graph.kernel(writing: value),
      case .copy(.reshape) = problem, let x = node.inputs[0], graph.type(x) != nil
    else { return nil }
    return x
  }

  /// Whether a value comes from a kernel that could compute what follows, were nothing in between.
  static func canFuse(_ graph: IndexedGraph, _ value: ValueID) -> Bool {
    guard let (_, node, problem) = graph.kernel(writing: value), node.outputs.count == 1 else {
      return false
    }
    return problem.epilogue != nil || problem.family == "pointwise"
  }

  /// Whether a pointwise node has an operand whose kernel takes it as it is.
  private static func fusesAlready(_ graph: IndexedGraph, _ id: NodeID, _ node: Node) -> Bool {
    let shape = graph.type(node.outputs[0])?.shape
    return node.inputs.contains { input in
      guard let input else { return false }
      return canFuse(graph, input) && graph.isReadOnly(input, by: id)
        && graph.type(input)?.shape == shape
    }
  }

  /// Whether it pays to compute a pointwise node before the movement of `moved`, from `source`.
  private static func pays(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, moved: [(mover: ValueID, source: ValueID)],
    isInverse: (KernelProblem) -> Bool
  ) -> Bool {
    if fusesAlready(graph, id, node) { return false }
    let movers = Set(moved.map(\.mover))
    // Other operands would have to move the other way, which only fusion pays for.
    let movesOnly = node.inputs.allSatisfy { input in
      guard let input, !movers.contains(input), graph.constant(input) == nil else { return true }
      return graph.type(input)?.shape.dimensions.allSatisfy { $0 == 1 } ?? false
    }
    if movesOnly {
      if movers.count > 1 { return true }
      let readers = graph.consumers(of: node.outputs[0]).compactMap { graph[$0] }
      let meetsInverse = readers.contains { reader in
        if case .kernel(let problem) = reader.operation { isInverse(problem) } else { false }
      }
      if meetsInverse { return true }
    }
    return moved.contains { mover, source in
      canFuse(graph, source) && graph.useCount(source) == 1 && !graph.isOutput(mover)
        && graph.consumers(of: mover).allSatisfy { reader in
          guard case .kernel(.pointwise)? = graph[reader]?.operation else { return false }
          return true
        }
    }
  }
}

// MARK: - Past arithmetic

extension MovementFusion {
  static let pointwiseOfTranspose = Rule("pointwise of transpose => transpose of pointwise") {
    graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem, !pointwise.expression.usesIndex,
      let output = graph.type(node.outputs[0])
    else { return nil }
    let found = node.inputs.compactMap { input in
      transpose(graph, input).map { (mover: input, $0.x, $0.permutation) }
    }
    guard let permutation = found.first(where: { $0.2.count == output.rank })?.2 else { return nil }
    let moved = found.compactMap { item -> (mover: ValueID, source: ValueID)? in
      guard let mover = item.mover, item.2 == permutation, graph.type(mover)?.shape == output.shape
      else { return nil }
      return (mover, item.1)
    }
    guard !moved.isEmpty,
      pays(
        graph, id, node, moved: moved,
        isInverse: { if case .copy(.transpose) = $0 { true } else { false } })
    else { return nil }
    return sinkingTranspose(graph, id, node, pointwise, permutation, moved)
  }

  private static func sinkingTranspose(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ pointwise: Pointwise,
    _ permutation: [Int], _ moved: [(mover: ValueID, source: ValueID)]
  ) -> GraphPatch? {
    let sources = Dictionary(moved.map { ($0.mover, $0.source) }, uniquingKeysWith: { a, _ in a })
    let before = InverseTranspose(permutation)
    let kept: [ValueID?] = node.inputs.map { input in input.map { sources[$0] ?? $0 } }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: kept))
    var inputs: [ValueID?] = []
    for input in node.inputs {
      guard let input else { return nil }
      if let source = sources[input] {
        inputs.append(source)
      } else {
        guard let operand = before.operand(input, graph, node, &patch) else { return nil }
        inputs.append(operand)
      }
    }
    var inner = pointwise
    inner.shape = pointwise.shape.map { before.applied(to: $0) }
    return finishing(
      graph, node, .pointwise(inner), inputs, .copy(.transpose(permutation)),
      past: moved.first?.mover, &patch)
  }

  /// Adds the kernel and then the movement of its result that stands for the node's.
  private static func finishing(
    _ graph: IndexedGraph, _ node: Node, _ problem: KernelProblem, _ inputs: [ValueID?],
    _ movement: KernelProblem, past mover: ValueID?, _ patch: inout GraphPatch
  ) -> GraphPatch? {
    let source = graph.producer(of: mover)?.node ?? node
    guard
      let inner = patch.kernel(
        problem, inputs, name: node.name, origins: node.origins, in: graph)?.first,
      patch.replace(
        node.outputs[0], with: movement, [inner], name: source.name, origins: source.origins,
        in: graph)
    else { return nil }
    return patch
  }

  static let pointwiseOfReshape = Rule("pointwise of reshape => reshape of pointwise") {
    graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem, !pointwise.expression.usesIndex,
      let output = graph.type(node.outputs[0]),
      let mover = node.inputs.compactMap({ $0 }).first(where: { input in
        reshape(graph, input) != nil && graph.type(input)?.shape == output.shape
      }),
      let source = reshape(graph, mover), let from = graph.type(source)?.shape,
      let blocks = AxisBlocks(from: from, to: output.shape)
    else { return nil }
    var moved = [(mover: mover, source: source)]
    for case let input? in node.inputs where input != mover {
      if let x = reshape(graph, input), graph.type(x)?.shape == from,
        graph.type(input)?.shape == output.shape
      {
        moved.append((input, x))
      }
    }
    guard
      pays(
        graph, id, node, moved: moved,
        isInverse: { if case .copy(.reshape(let shape)) = $0 { shape == from } else { false } })
    else { return nil }
    let sources = Dictionary(moved.map { ($0.mover, $0.source) }, uniquingKeysWith: { a, _ in a })
    let kept: [ValueID?] = node.inputs.map { input in input.map { sources[$0] ?? $0 } }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: kept))
    var inputs: [ValueID?] = []
    for input in node.inputs {
      guard let input else { return nil }
      if let x = sources[input] {
        inputs.append(x)
      } else {
        guard let shape = graph.type(input)?.shape,
          let before = blocks.shape(before: shape, from: from, to: output.shape),
          let operand = reshaped(graph, input, before, node, &patch)
        else { return nil }
        inputs.append(operand)
      }
    }
    let inner = Pointwise(pointwise.expression, shape: pointwise.shape == nil ? nil : from)
    return finishing(
      graph, node, .pointwise(inner), inputs, .copy(.reshape(output.shape)), past: mover, &patch)
  }

  /// A value in another shape, constants at once.
  static func reshaped(
    _ graph: IndexedGraph, _ value: ValueID, _ shape: Shape, _ node: Node,
    _ patch: inout GraphPatch
  ) -> ValueID? {
    if graph.type(value)?.shape == shape { return value }
    if let tensor = graph.constant(value), let extents = shape.constants {
      guard let result = try? tensor.reshaped(extents) else { return nil }
      return patch.addConstant(name: graph[value].name, result)
    }
    return patch.kernel(
      .copy(.reshape(shape)), [value], name: node.name, origins: node.origins, in: graph)?.first
  }
}

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
}

/// What an operand looks like before a transpose.
private struct InverseTranspose {
  let permutation: [Int]

  init(_ permutation: [Int]) { self.permutation = permutation }

  func applied<T>(to axes: [T]) -> [T] {
    var result = axes
    for (index, axis) in permutation.enumerated() { result[axis] = axes[index] }
    return result
  }

  func applied(to shape: Shape) -> Shape { Shape(applied(to: shape.dimensions)) }

  /// An operand that broadcasts to the transposed result, in the axes before it; nil where that would
  /// take a transpose of much data.
  func operand(
    _ value: ValueID, _ graph: IndexedGraph, _ node: Node, _ patch: inout GraphPatch
  ) -> ValueID? {
    guard let shape = graph.type(value)?.shape, shape.rank <= permutation.count else { return nil }
    let extended =
      [Dimension](repeating: 1, count: permutation.count - shape.rank) + shape.dimensions
    let wide = extended.count { $0 != 1 }
    if wide == 0 { return value }
    let target = Shape(applied(to: extended))
    if wide == 1 { return MovementFusion.reshaped(graph, value, trimmed(target), node, &patch) }
    guard let tensor = graph.constant(value), let extents = Shape(extended).constants,
      let source = try? tensor.reshaped(extents),
      let moved = source.transposed(applied(to: Array(extents.indices)))
    else { return nil }
    return patch.addConstant(name: graph[value].name, moved)
  }

  private func trimmed(_ shape: Shape) -> Shape {
    Shape(Array(shape.dimensions.drop { $0 == 1 }))
  }
}

extension Tensor {
  private static let transposedBytes = 1 << 24

  /// The elements in another order of axes; nil for strings and for large tensors.
  fileprivate func transposed(_ permutation: [Int]) -> Tensor? {
    let width = dataType.byteCount
    guard width > 0, byteCount <= Self.transposedBytes else { return nil }
    let extents = permutation.map { shape[$0] }
    let sourceStrides = ShapeMath.rowMajorStrides(shape)
    let strides = permutation.map { sourceStrides[$0] }
    guard var result = try? Tensor(uninitialized: dataType, shape: extents) else { return nil }
    result.withUnsafeMutableBytes { target in
      withUnsafeBytes { source in
        var position = [Int](repeating: 0, count: extents.count)
        var offset = 0
        for element in 0..<elementCount {
          for byte in 0..<width { target[element * width + byte] = source[offset * width + byte] }
          for axis in extents.indices.reversed() {
            position[axis] += 1
            offset += strides[axis]
            if position[axis] < extents[axis] { break }
            offset -= strides[axis] * extents[axis]
            position[axis] = 0
          }
        }
      }
    }
    return result
  }
}

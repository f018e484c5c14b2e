import GraphModel
import KernelModel
import TensorModel

/// Transposes and reshapes move towards the outputs, past arithmetic, until they meet their inverse
/// or leave the arithmetic next to the kernel that it belongs to.
enum MovementFusion {
  static let rules: [Rule] = [
    transposes, reshapes, transposedMatrix, pointwiseOfTranspose, pointwiseOfReshape,
    padOfTranspose, transposeOfPad, concatenationOfTransposes, sliceOfTranspose,
    reductionOfTranspose, splitOfTranspose, matmulOfTranspose,
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
  static func finishing(
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

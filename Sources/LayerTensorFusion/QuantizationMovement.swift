import GraphModel
import KernelModel
import TensorModel

/// Tensors stay integers of 8 bits on their way between kernels: movement happens to the integers, and
/// what is quantised again with the scale that it had is left alone.
enum QuantizationMovement {
  static let rules: [Rule] = [
    inverse, copies, gathers, maximumPooling, quantizedCopies, quantizedPooling,
  ]

  /// What reads a tensor of 8 bits as numbers of `float32` reads the integers.
  static let readers: [Rule] = [pointwise, reduction]

  static let inverse = Rule("quantize(dequantize(x)) of one scale => x") {
    graph, id, node, problem in
    guard let quantization = graph.quantization(node, problem),
      let before = graph.dequantization(quantization.x), quantization.isInverse(of: before)
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    patch.replace(node.outputs[0], with: before.source)
    return patch
  }

  // MARK: Dequantisation moves towards the outputs

  static let copies = Rule("movement(dequantize(x)) => dequantize(movement(x))") {
    graph, id, node, problem in
    guard case .copy(let copy) = problem,
      let first = graph.dequantization(node.inputs.first ?? nil),
      first.type.isByte || graph.constant(first.source) != nil
    else { return nil }
    var sources: [ValueID?] = []
    for input in node.inputs {
      guard let part = graph.dequantization(input) else { return nil }
      guard node.inputs.count == 1 || part.hasScale(of: first) else { return nil }
      sources.append(part.source)
    }
    guard let moved = integerCopy(copy, first) else { return nil }
    var axis: Int?
    if let old = first.axis {
      guard let new = channelAxis(old, after: copy, graph, node) else { return nil }
      axis = new
    }
    return dequantizing(graph, id, node, .copy(moved), sources, first, axis: axis)
  }

  /// The movement of integers that is one of the numbers they stand for.
  private static func integerCopy(_ copy: Copy, _ parts: Dequantization) -> Copy? {
    guard case .pad(.constant(let number), let before, let after) = copy else { return copy }
    guard let (scale, zeroPoint) = parts.uniform, let range = parts.type.integerRange else {
      return nil
    }
    let integer = (number / scale + zeroPoint).rounded()
    guard integer >= Double(range.lowerBound), integer <= Double(range.upperBound),
      Float((integer - zeroPoint) * scale) == Float(number)
    else { return nil }
    return .pad(.constant(integer), before: before, after: after)
  }

  /// Where an axis is after a movement; nil where it is not moved as a whole.
  private static func channelAxis(
    _ axis: Int, after copy: Copy, _ graph: IndexedGraph, _ node: Node
  ) -> Int? {
    switch copy {
    case .transpose(let permutation): return permutation.firstIndex(of: axis)
    case .reshape(let target):
      guard let shape = graph.type(node.inputs[0])?.shape else { return nil }
      let before = Dimension.product(shape.dimensions[..<axis])
      return target.dimensions.indices.first { index in
        target[index] == shape[axis] && Dimension.product(target.dimensions[..<index]) == before
      }
    default: return nil
    }
  }

  static let gathers = Rule("gather(dequantize(x)) => dequantize(gather(x))") {
    graph, id, node, problem in
    guard case .gather = problem, node.inputs.count == 2,
      let x = graph.dequantization(node.inputs[0]), x.type.isByte, x.axis == nil
    else { return nil }
    return dequantizing(graph, id, node, problem, [x.source, node.inputs[1]], x, axis: nil)
  }

  static let maximumPooling = Rule("maximum pooling(dequantize(x)) => dequantize(pooling(x))") {
    graph, id, node, problem in
    guard case .window(let window) = problem, window.function == .maximum,
      window.indices == .none, window.epilogue == .operand(0),
      let x = graph.dequantization(node.inputs[0]), x.type.isByte, x.axis == nil
    else { return nil }
    return dequantizing(graph, id, node, problem, [x.source], x, axis: nil)
  }

  private static func dequantizing(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem,
    _ inputs: [ValueID?], _ x: Dequantization, axis: Int?
  ) -> GraphPatch? {
    var patch = GraphPatch(graph, removing: [id])
    guard
      let moved = patch.kernel(
        problem, inputs, name: node.name, origins: node.origins, in: graph)?.first,
      let type = patch.type(moved, in: graph), let name = graph[x.node]?.name
    else { return nil }
    var operands: [ValueID?] = [moved]
    func parameter(_ vector: ChannelVector) -> ScalarExpression? {
      if vector.numbers.allSatisfy({ $0 == vector[0] }) { return .float(vector[0]) }
      guard let axis else { return nil }
      let channels = ChannelAxis(axis: axis, rank: type.rank, count: vector.numbers.count)
      guard let tensor = channels.tensor(vector) else { return nil }
      operands.append(patch.addConstant(name: name, tensor))
      return .operand(operands.count - 1)
    }
    guard let scale = parameter(x.scale), let zeroPoint = parameter(x.zeroPoint) else { return nil }
    var value = ScalarExpression.cast(.operand(0), .float32)
    if !x.zeroPoint.isAll(0) { value = value - zeroPoint }
    guard
      patch.replace(
        node.outputs[0], with: .pointwise(Pointwise(value * scale)), operands, name: name,
        origins: graph[x.node]?.origins ?? [], in: graph)
    else { return nil }
    return patch
  }

  // MARK: Quantisation moves towards the inputs

  static let quantizedCopies = Rule("quantize(movement(x)) => movement(quantize(x))") {
    graph, id, node, problem in
    guard let quantization = graph.quantization(node, problem),
      graph.isReadOnly(quantization.x, by: id),
      let (source, mover, inner) = graph.kernel(writing: quantization.x),
      case .copy(let copy) = inner
    else { return nil }
    switch copy {
    case .reshape, .transpose, .slice, .concatenate: break
    case .expand, .tile, .pad: return nil
    }
    return quantizing(graph, id, node, problem, source, mover, inner)
  }

  static let quantizedPooling = Rule("quantize(maximum pooling(x)) => pooling(quantize(x))") {
    graph, id, node, problem in
    guard let quantization = graph.quantization(node, problem), quantization.scale > 0,
      graph.isReadOnly(quantization.x, by: id),
      let (source, mover, inner) = graph.kernel(writing: quantization.x),
      case .window(let window) = inner, window.function == .maximum, window.indices == .none,
      window.epilogue == .operand(0)
    else { return nil }
    return quantizing(graph, id, node, problem, source, mover, inner)
  }

  private static func quantizing(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ quantization: KernelProblem,
    _ source: NodeID, _ mover: Node, _ movement: KernelProblem
  ) -> GraphPatch? {
    var patch = GraphPatch(graph, removing: [source, id])
    var inputs: [ValueID?] = []
    for input in mover.inputs {
      guard
        let quantized = patch.kernel(
          quantization, [input], name: node.name, origins: node.origins, in: graph)?.first
      else { return nil }
      inputs.append(quantized)
    }
    guard
      patch.replace(
        node.outputs[0], with: movement, inputs, name: mover.name, origins: mover.origins,
        in: graph)
    else { return nil }
    return patch
  }
}

// MARK: - Readers

extension QuantizationMovement {
  /// Also where others read the numbers: 8 bits are read faster than 32, and the arithmetic is cheap.
  static let pointwise = Rule("pointwise(dequantize(x)) => pointwise of x") {
    graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem else { return nil }
    for value in Set(node.inputs.compactMap { $0 }).sorted() {
      guard let x = graph.dequantization(value), x.type.isByte, graph.constant(x.source) == nil,
        let source = graph[x.node], case .kernel(.pointwise(let inner)) = source.operation,
        let before = ValueExpression(inner, inputs: source.inputs),
        let fused = before.followed(by: pointwise, inputs: node.inputs, reading: value),
        fused.isWithinLimits, let shape = graph.type(node.outputs[0])?.shape
      else { continue }
      let (merged, inputs) = fused.pointwise(shape: shape, in: graph)
      var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
      let origins = graph.origins(of: [x.node, id])
      if patch.replace(
        node.outputs[0], with: merged, inputs, name: node.name, origins: origins, in: graph)
      {
        return patch
      }
    }
    return nil
  }

  static let reduction = Rule("reduction(dequantize(x)) => reduction of x") {
    graph, id, node, problem in
    guard case .reduction(var reduction) = problem, let value = node.inputs[0],
      !node.inputs.dropFirst().contains(value),
      let x = graph.dequantization(value), x.type.isByte, graph.constant(x.source) == nil,
      let source = graph[x.node], case .kernel(.pointwise(let inner)) = source.operation,
      source.inputs.count == 1
    else { return nil }
    reduction.prologue = reduction.prologue.substituting([inner.expression])
    var inputs = node.inputs
    inputs[0] = x.source
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
    let origins = graph.origins(of: [x.node, id])
    guard
      patch.replace(
        node.outputs[0], with: .reduction(reduction), inputs, name: node.name, origins: origins,
        in: graph)
    else { return nil }
    return patch
  }
}

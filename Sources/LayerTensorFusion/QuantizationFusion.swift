import GraphModel
import KernelModel
import TensorModel

/// Contractions of numbers that stand for multiples of a scale become contractions of the numbers.
enum QuantizationFusion {
  static let rules: [Rule] = [convolution, matmul]

  static let convolution = Rule(
    "convolution(dequantize(x), dequantize(w)) => dequantize(integer convolution(x, w))"
  ) { graph, id, node, problem in
    // Around the edge, a transposed convolution has fewer terms to correct.
    guard case .convolution(var convolution) = problem, !convolution.isTransposed,
      let x = factor(graph, node), convolution.padValue == 0
    else { return nil }
    convolution.padValue = Int(x.zeroPoint[0])
    return match(graph, id, node, .convolution(convolution), x, weightAxis: 0)
  }

  static let matmul = Rule(
    "matmul(dequantize(x), dequantize(w)) => dequantize(integer matmul(x, w))"
  ) { graph, id, node, problem in
    guard case .matmul(let product) = problem, graph.type(node.inputs[1])?.rank == 2,
      let x = factor(graph, node)
    else { return nil }
    return match(graph, id, node, problem, x, weightAxis: product.transposesB ? 0 : 1)
  }

  /// The first operand, of 8 bits with one scale.
  private static func factor(_ graph: IndexedGraph, _ node: Node) -> Dequantization? {
    guard let x = graph.dequantization(node.inputs[0]), x.type.isByte, x.axis == nil else {
      return nil
    }
    return x
  }

  private static func match(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem,
    _ x: Dequantization, weightAxis: Int
  ) -> GraphPatch? {
    guard let w = graph.dequantization(node.inputs[1]), w.axis ?? weightAxis == weightAxis,
      let tensor = graph.constant(w.source), let output = graph.type(node.outputs[0]),
      let channels = WeightFolding.outputChannels(problem, tensor, output),
      let weights = CenteredWeights(
        tensor, zeroPoints: w.zeroPoint.numbers.map { Int64($0) }, channelAxis: weightAxis),
      weights.isExact, weights.fitsSums,
      let before = ValueExpression(epilogueOf: problem, inputs: node.inputs)
    else { return nil }
    let scale = w.scale.map { Double(Float($0 * x.scale[0])) }
    let zeroPoint = Int64(x.zeroPoint[0])
    var offsets = weights.sums.map { -zeroPoint * $0 }
    var expression = before.expression
    if let bias = IntegerBias(graph, before, channels, scale) {
      offsets = zip(offsets, bias.numbers).map { $0 + $1 }
      expression = expression.replacing(bias.sum, with: .operand(0))
    }
    var patch = GraphPatch(graph, removing: [id])
    var inputs: [ValueID?] = [
      x.source, patch.addConstant(name: graph[w.source].name, weights.tensor),
    ]
    inputs += before.operands
    var sum = ScalarExpression.operand(0)
    if offsets.contains(where: { $0 != 0 }) {
      guard let offset = channels.tensor(integers: offsets) else { return nil }
      inputs.append(patch.addConstant(name: "\(node.name).offset", offset))
      sum = sum + .operand(inputs.count - 2)
    }
    var factor = ScalarExpression.float(scale[0])
    if scale.numbers.count > 1 {
      guard let scales = channels.tensor(scale) else { return nil }
      inputs.append(patch.addConstant(name: "\(node.name).scale", scales))
      factor = .operand(inputs.count - 2)
    }
    var fused = problem
    fused.epilogue = expression.replacing(.operand(0), with: .cast(sum, .float32) * factor)
    guard let compact = ValueExpression(epilogueOf: fused, inputs: inputs)?.compacted() else {
      return nil
    }
    (fused, inputs) = compact.epilogue(of: fused, inputs: inputs)
    let origins = graph.origins(of: [x.node, w.node, id])
    guard
      patch.replace(
        node.outputs[0], with: fused, inputs, name: node.name, origins: origins, in: graph)
    else { return nil }
    return patch
  }
}

/// A bias in the numbers that products of both factors are summed in.
private struct IntegerBias {
  /// The part of the epilogue that adds it.
  let sum: ScalarExpression
  /// One for each channel.
  let numbers: [Int64]

  init?(
    _ graph: IndexedGraph, _ epilogue: ValueExpression, _ channels: ChannelAxis,
    _ scale: ChannelVector
  ) {
    for (index, operand) in epilogue.operands.enumerated() {
      guard let bias = graph.dequantization(operand), bias.type == .int32,
        bias.zeroPoint.isAll(0), let tensor = graph.constant(bias.source),
        let numbers = channels.integers(tensor),
        (0..<channels.count).allSatisfy({ abs(bias.scale[$0] / scale[$0] - 1) < 1e-5 })
      else { continue }
      let value = ScalarExpression.operand(index + 1)
      for sum in [.operand(0) + value, value + .operand(0)] {
        let rest = epilogue.expression.replacing(sum, with: .constant(0, .float32))
        guard rest != epilogue.expression, !rest.uses(operand: 0) else { continue }
        self.sum = sum
        self.numbers = numbers
        return
      }
    }
    return nil
  }
}

extension ChannelAxis {
  /// Integers of which there is one for each channel, in a tensor that broadcasts to the result.
  func integers(_ tensor: Tensor) -> [Int64]? {
    guard tensor.elementCount == count, tensor.shape.count <= rank else { return nil }
    let shift = rank - tensor.shape.count
    for (index, extent) in tensor.shape.enumerated() where extent != 1 && index + shift != axis {
      return nil
    }
    return tensor.integers()
  }

  /// `int32` numbers, one for each channel, modulo 2^32 as kernels add.
  func tensor(integers: [Int64]) -> Tensor? {
    let ones = [Int](repeating: 1, count: rank - axis - 1)
    return try? Tensor(integers.map { Int32(truncatingIfNeeded: $0) }, shape: [count] + ones)
  }
}

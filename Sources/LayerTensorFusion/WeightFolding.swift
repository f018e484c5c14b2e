import GraphModel
import KernelModel
import TensorModel

/// Affine functions around contractions, such as batch normalisation, become part of their weights.
enum WeightFolding {
  static let rules: [Rule] = [
    convolutionScale, matmulScale, affineBeforeConvolution, affineBeforeMatmul,
  ]

  static let convolutionScale = Rule("convolution * scale + shift => convolution + bias") {
    graph, id, node, problem in
    guard case .convolution = problem else { return nil }
    return foldingEpilogue(graph, id, node, problem)
  }

  static let matmulScale = Rule("matmul * scale + shift => matmul + bias") {
    graph, id, node, problem in
    guard case .matmul = problem else { return nil }
    return foldingEpilogue(graph, id, node, problem)
  }

  static let affineBeforeConvolution = Rule("convolution of (x * scale + shift) => convolution") {
    graph, id, node, problem in
    guard case .convolution = problem else { return nil }
    return foldingInput(graph, id, node, problem)
  }

  static let affineBeforeMatmul = Rule("matmul of (x * scale + shift) => matmul") {
    graph, id, node, problem in
    guard case .matmul(let product) = problem, !product.transposesA else { return nil }
    return foldingInput(graph, id, node, problem)
  }
}

// MARK: - Behind the contraction

extension WeightFolding {
  private static func foldingEpilogue(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem
  ) -> GraphPatch? {
    guard let epilogue = ValueExpression(epilogueOf: problem, inputs: node.inputs),
      let weights = graph.constant(node.inputs[1]), weights.dataType == .float32,
      let axis = outputChannels(problem, weights, graph.type(node.outputs[0])),
      let (part, affine) = affinePart(graph, epilogue, axis),
      let scaled = affine.scale.isAll(1)
        ? weights : WeightLayout(problem, weights).scalingOutputs(weights, affine.scale)
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    var replacement = ScalarExpression.operand(0)
    var inputs = node.inputs
    let own = problem.ownOperandCount ?? 2
    if !affine.shift.isAll(0) {
      guard let bias = axis.tensor(affine.shift) else { return nil }
      while inputs.count < own { inputs.append(nil) }
      inputs = inputs.prefix(own) + epilogue.operands
      inputs.append(patch.addConstant(name: "\(node.name).bias", bias))
      replacement = .operand(0) + .operand(epilogue.operands.count + 1)
    } else {
      inputs = inputs.prefix(own) + epilogue.operands
    }
    if !affine.scale.isAll(1) {
      inputs[1] = patch.addConstant(name: weightName(graph, node), scaled)
    }
    var fused = problem
    fused.epilogue = epilogue.expression.replacing(part, with: replacement)
    guard let compact = ValueExpression(epilogueOf: fused, inputs: inputs)?.compacted() else {
      return nil
    }
    (fused, inputs) = compact.epilogue(of: fused, inputs: inputs)
    guard
      patch.replace(
        node.outputs[0], with: fused, inputs, name: node.name, origins: node.origins, in: graph)
    else { return nil }
    return patch
  }

  /// The axis of the result along which weights differ.
  static func outputChannels(_ problem: KernelProblem, _ weights: Tensor, _ output: TensorType?)
    -> ChannelAxis?
  {
    guard let output, output.rank >= 2 else { return nil }
    switch problem {
    case .convolution(let convolution):
      let channels =
        convolution.isTransposed ? weights.shape[1] * convolution.groups : weights.shape[0]
      return ChannelAxis(axis: 1, rank: output.rank, count: channels)
    case .matmul(let product):
      let rank = weights.shape.count
      let columns = weights.shape[product.transposesB ? rank - 2 : rank - 1]
      return ChannelAxis(axis: output.rank - 1, rank: output.rank, count: columns)
    default: return nil
    }
  }

  /// The largest affine part of an epilogue through which all of it sees the result, unless it is
  /// no more than a bias already.
  private static func affinePart(
    _ graph: IndexedGraph, _ epilogue: ValueExpression, _ axis: ChannelAxis
  ) -> (ScalarExpression, ChannelAffine)? {
    guard epilogue.expression != .operand(0) else { return nil }
    var vectors: [Int: ChannelVector] = [:]
    for (index, operand) in epilogue.operands.enumerated() {
      if let vector = axis.vector(graph.constant(operand)) { vectors[index + 1] = vector }
    }
    var parts: [ScalarExpression] = []
    var seen: Set<ScalarExpression> = []
    epilogue.expression.visit { part in
      if part.uses(operand: 0), seen.insert(part).inserted { parts.append(part) }
    }
    // Parents are visited before their parts, so the first that fits is the largest.
    for part in parts {
      guard let affine = ChannelAffine(part, vectors: vectors),
        !epilogue.expression.replacing(part, with: .constant(0, .float32)).uses(operand: 0)
      else { continue }
      return isWorthFolding(part, affine) ? (part, affine) : nil
    }
    return nil
  }

  private static func isWorthFolding(_ part: ScalarExpression, _ affine: ChannelAffine) -> Bool {
    switch part {
    case .operand, .binary(.add, .operand(0), .operand), .binary(.add, .operand, .operand(0)):
      return false
    default: return !affine.scale.isAll(1) || affine.shift.numbers.count > 1
    }
  }

  private static func weightName(_ graph: IndexedGraph, _ node: Node) -> String {
    node.inputs[1].map { graph[$0].name } ?? node.name
  }
}

// MARK: - Before the contraction

extension WeightFolding {
  private static func foldingInput(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem
  ) -> GraphPatch? {
    guard let value = node.inputs[0], graph.isReadOnly(value, by: id),
      !node.inputs.dropFirst().contains(value),
      let (producer, source, inner) = graph.kernel(writing: value),
      case .pointwise(let pointwise) = inner,
      let type = graph.type(value), type.dataType == .float32,
      let weights = graph.constant(node.inputs[1]), weights.dataType == .float32,
      let (x, affine) = inputAffine(graph, pointwise, source, type, problem, weights),
      affine.shift.isAll(0) || !isPadded(problem)
    else { return nil }
    let layout = WeightLayout(problem, weights)
    guard let scaled = layout.scalingInputs(weights, affine.scale) else { return nil }
    var patch = GraphPatch(graph, removing: [producer, id])
    var inputs = node.inputs
    inputs[0] = x
    inputs[1] = patch.addConstant(name: weightName(graph, node), scaled)
    var fused = problem
    if !affine.shift.isAll(0) {
      guard let epilogue = ValueExpression(epilogueOf: problem, inputs: node.inputs),
        let axis = outputChannels(problem, weights, graph.type(node.outputs[0])),
        let sums = layout.summingInputs(weights, affine.shift),
        let bias = axis.tensor(ChannelVector(sums))
      else { return nil }
      let own = problem.ownOperandCount ?? 2
      inputs = inputs.prefix(own) + epilogue.operands
      inputs.append(patch.addConstant(name: "\(node.name).bias", bias))
      let shifted = ScalarExpression.operand(0) + .operand(epilogue.operands.count + 1)
      fused.epilogue = epilogue.expression.replacing(.operand(0), with: shifted)
    }
    let origins = graph.origins(of: [producer, id])
    guard
      patch.replace(
        node.outputs[0], with: fused, inputs, name: node.name, origins: origins, in: graph)
    else { return nil }
    return patch
  }

  private static func inputAffine(
    _ graph: IndexedGraph, _ pointwise: Pointwise, _ node: Node, _ type: TensorType,
    _ problem: KernelProblem, _ weights: Tensor
  ) -> (ValueID, ChannelAffine)? {
    guard let fused = ValueExpression(pointwise, inputs: node.inputs)?.compacted(),
      let count = WeightLayout(problem, weights).inputCount, count > 0
    else { return nil }
    let axis: ChannelAxis
    if case .convolution = problem {
      axis = ChannelAxis(axis: 1, rank: type.rank, count: count)
    } else {
      axis = ChannelAxis(axis: type.rank - 1, rank: type.rank, count: count)
    }
    let variables = fused.operands.filter { graph.constant($0) == nil }
    guard variables.count == 1, graph.type(variables[0]) == type,
      let position = fused.operands.firstIndex(of: variables[0])
    else { return nil }
    // Operand 0 is the variable; the constants come after it.
    var replacements: [ScalarExpression] = []
    var vectors: [Int: ChannelVector] = [:]
    for (index, operand) in fused.operands.enumerated() {
      replacements.append(.operand(index == position ? 0 : index + 1))
      guard index != position else { continue }
      guard let vector = axis.vector(graph.constant(operand)) else { return nil }
      vectors[index + 1] = vector
    }
    let expression = fused.expression.substituting(replacements)
    guard expression != .operand(0),
      let affine = ChannelAffine(expression, vectors: vectors)
    else { return nil }
    return (variables[0], affine)
  }

  private static func isPadded(_ problem: KernelProblem) -> Bool {
    guard case .convolution(let convolution) = problem else { return false }
    return convolution.isTransposed
      || !(convolution.padsBefore + convolution.padsAfter).allSatisfy { $0 == 0 }
  }
}

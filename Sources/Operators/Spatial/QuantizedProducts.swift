import GraphModel
import KernelModel
import TensorModel

/// Convolution of integers. Source: ONNX `ConvInteger`, `QLinearConv`.
struct QuantizedConvOperator: Operator {
  static let spellings = [Spelling.onnx("ConvInteger"), Spelling.onnx("QLinearConv")]

  private let spatial: SpatialAttributes
  private let groups: Int
  /// Whether the result is quantised again.
  private let isQuantized: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    groups = try attributes.int("group", default: 1)
    isQuantized = attributes.name == "QLinearConv"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let weights = try expansion.input(isQuantized ? 3 : 1)
    let extents = try x.spatialExtents()
    guard weights.rank == x.rank else {
      throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)")
    }
    let xZero = expansion.optionalInput(2)
    let weightZero = try expansion.optionalInput(isQuantized ? 5 : 3).map {
      (operand) throws(OperatorError) in
      try expansion.quantizationParameter(operand, for: weights, axis: 0, blockSize: 0)
    }
    let centeredX = try expansion.centered(
      x, zeroPoint: try xZero.map { (zero) throws(OperatorError) in try expansion.asScalar(zero) })
    let centeredWeights = try expansion.centered(weights, zeroPoint: weightZero)
    let pads = try spatial.pads(
      extents: extents, kernel: Array(weights.shape.dimensions[2...]))
    var convolution = Convolution(
      strides: try spatial.strides(extents.count), dilations: try spatial.dilations(extents.count),
      padsBefore: pads.before, padsAfter: pads.after, groups: groups)
    var inputs: [Operand?] = [centeredX, centeredWeights]
    if isQuantized {
      let bias = try expansion.optionalInput(8).map { (bias) throws(OperatorError) in
        try expansion.perChannel(bias, spatialRank: extents.count)
      }
      var weightScale = try expansion.input(4)
      weightScale =
        weightScale.shape.elementCount.constant == 1
        ? try expansion.asScalar(weightScale)
        : try expansion.perChannel(weightScale, spatialRank: extents.count)
      let requantization = try Requantization(
        &expansion, scales: [try expansion.asScalar(try expansion.input(1)), weightScale],
        outputScale: try expansion.asScalar(try expansion.input(6)),
        zeroPoint: try expansion.asScalar(try expansion.input(7)), bias: bias)
      convolution.epilogue = requantization.epilogue
      inputs += requantization.inputs
    }
    expansion.set(0, try expansion.emit(.convolution(convolution), inputs))
  }
}

/// Matrix product of integers. Source: ONNX `MatMulInteger`, `QLinearMatMul`.
struct QuantizedMatMulOperator: Operator {
  static let spellings = [Spelling.onnx("MatMulInteger"), Spelling.onnx("QLinearMatMul")]

  /// Whether the result is quantised again.
  private let isQuantized: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isQuantized = attributes.name == "QLinearMatMul"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let a = try expansion.input(0)
    let b = try expansion.input(isQuantized ? 3 : 1)
    let aZero = try perRow(&expansion, expansion.optionalInput(2), a)
    let bZero = try perColumn(&expansion, expansion.optionalInput(isQuantized ? 5 : 3))
    let centeredA = try expansion.centered(a, zeroPoint: aZero)
    let centeredB = try expansion.centered(b, zeroPoint: bZero)
    guard isQuantized else {
      return expansion.set(0, try expansion.matrixProduct(centeredA, centeredB))
    }
    let aScale = try perRow(&expansion, try expansion.input(1), a)
    let bScale = try perColumn(&expansion, try expansion.input(4))
    let requantization = try Requantization(
      &expansion, scales: [aScale, bScale].compactMap { $0 },
      outputScale: try expansion.asScalar(try expansion.input(6)),
      zeroPoint: try expansion.asScalar(try expansion.input(7)), bias: nil)
    expansion.set(
      0,
      try expansion.matrixProduct(
        centeredA, centeredB, epilogue: requantization.epilogue,
        epilogueInputs: requantization.inputs))
  }

  /// One number, or one for each row of a.
  private func perRow(
    _ expansion: inout Expansion, _ parameter: Operand?, _ a: Operand
  ) throws(OperatorError) -> Operand? {
    guard let parameter else { return nil }
    if parameter.shape.elementCount.constant == 1 { return try expansion.asScalar(parameter) }
    guard a.rank >= 2 else {
      throw OperatorError("a scale or zero point of shape \(parameter.shape) for a vector")
    }
    return parameter.rank == 1 ? try expansion.perChannel(parameter, spatialRank: 1) : parameter
  }

  /// One number, or one for each column of b.
  private func perColumn(
    _ expansion: inout Expansion, _ parameter: Operand?
  ) throws(OperatorError) -> Operand? {
    guard let parameter else { return nil }
    return parameter.shape.elementCount.constant == 1
      ? try expansion.asScalar(parameter) : parameter
  }
}

/// What turns sums of products of quantised numbers into quantised numbers again.
private struct Requantization {
  let epilogue: ScalarExpression
  let inputs: [Operand]

  /// - Parameter bias: added to the sums, in `int32`.
  init(
    _ expansion: inout Expansion, scales: [Operand], outputScale: Operand, zeroPoint: Operand,
    bias: Operand?
  ) throws(OperatorError) {
    let type = zeroPoint.dataType
    func wide(_ index: Int, _ operand: Operand) -> ScalarExpression {
      operand.dataType == .float32 ? .operand(index) : .cast(.operand(index), .float32)
    }
    let operands = scales + [outputScale]
    let product = scales.indices.dropFirst().reduce(wide(0, scales[0])) {
      $0 * wide($1, scales[$1])
    }
    let factor = try expansion.pointwise(
      product / wide(scales.count, outputScale), operands)
    var inputs = [factor]
    var sum = ScalarExpression.operand(0)
    if let bias {
      inputs.append(bias)
      sum = sum + .operand(inputs.count)
    }
    var shift: ScalarExpression?
    if !expansion.isZero(zeroPoint) {
      inputs.append(zeroPoint)
      shift = .cast(.operand(inputs.count), .float32)
    }
    epilogue = try .requantized(
      .cast(sum, .float32) * .operand(1), zeroPoint: shift, to: type)
    self.inputs = inputs
  }
}

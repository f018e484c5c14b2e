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
    let xZero = try expansion.optionalInput(2).map { (zero) throws(OperatorError) in
      try expansion.sameType([x, zero])
      return try expansion.asScalar(zero)
    }
    let bias = try (isQuantized ? expansion.optionalInput(8) : nil).map {
      (bias) throws(OperatorError) in
      try expansion.perChannel(bias, spatialRank: extents.count)
    }
    let pads = try spatial.pads(extents: extents, kernel: Array(weights.shape.dimensions[2...]))
    let convolution = Convolution(
      strides: try spatial.strides(extents.count), dilations: try spatial.dilations(extents.count),
      padsBefore: pads.before, padsAfter: pads.after, groups: groups)
    let sums: Sums
    if let found = try integerSums(&expansion, convolution, x, xZero, weights, bias) {
      sums = found
    } else {
      sums = try wideSums(&expansion, convolution, x, xZero, weights, bias)
    }
    expansion.set(0, try finish(&expansion, sums, spatialRank: extents.count))
  }

  /// A convolution whose sums, once corrected, are those of the operator.
  private struct Sums {
    var convolution: Convolution
    var x: Operand
    var weights: Operand
    var sum: ScalarExpression
    var inputs: [Operand]
  }

  private func weightZeroPoint(_ expansion: Expansion) -> Operand? {
    expansion.optionalInput(isQuantized ? 5 : 3)
  }

  /// On 8-bit numbers as they are; nil where the weights are not known or sums may not fit.
  private func integerSums(
    _ expansion: inout Expansion, _ convolution: Convolution, _ x: Operand, _ xZero: Operand?,
    _ weights: Operand, _ bias: Operand?
  ) throws(OperatorError) -> Sums? {
    guard x.dataType.isByte, expansion.constant(weights) != nil else { return nil }
    var convolution = convolution
    var source = x
    if let xZero, (convolution.padsBefore + convolution.padsAfter).contains(where: { $0 != 0 }) {
      if let zero = expansion.constant(xZero)?.integers()?.first {
        convolution.padValue = Int(zero)
      } else {
        source = try padded(&expansion, x, xZero, &convolution)
      }
    }
    let plain = convolution
    let correction = try ZeroPointCorrection(
      &expansion, x: source, zeroPoint: xZero, weights: weights,
      weightZeroPoint: weightZeroPoint(expansion), bias: bias,
      layout: .init(weightAxis: 0, trailing: x.rank - 2)
    ) { (expansion) throws(OperatorError) in
      // One sum for each group, which must broadcast to its channels.
      guard var shape = weights.shape.constants, groups == 1 || shape[0] == groups else {
        return nil
      }
      shape[0] = groups
      let count = shape.reduce(1, *)
      guard let ones = try? Tensor([Int8](repeating: 1, count: count), shape: shape) else {
        return nil
      }
      return try expansion.emit(.convolution(plain), [source, expansion.constant(ones)])
    }
    guard let correction else { return nil }
    return Sums(
      convolution: convolution, x: source, weights: correction.weights, sum: correction.sum,
      inputs: correction.inputs)
  }

  /// x with its zero point around it, for one that is known only when the engine runs.
  private func padded(
    _ expansion: inout Expansion, _ x: Operand, _ zero: Operand, _ convolution: inout Convolution
  ) throws(OperatorError) -> Operand {
    let pad = KernelProblem.copy(
      .pad(
        .constant(0), before: [0, 0] + convolution.padsBefore,
        after: [0, 0] + convolution.padsAfter))
    var plane = x.shape
    (plane[0], plane[1]) = (1, 1)
    let inside = try expansion.emit(
      pad, [try expansion.expand(try expansion.scalar(1, .bool), to: plane)])
    let zeros = convolution.padsBefore.map { _ in Dimension(0) }
    (convolution.padsBefore, convolution.padsAfter) = (zeros, zeros)
    return try expansion.pointwise(
      .select(.operand(0), .operand(1), .operand(2)),
      [inside, try expansion.emit(pad, [x]), zero])
  }

  /// On numbers widened to `int32`.
  private func wideSums(
    _ expansion: inout Expansion, _ convolution: Convolution, _ x: Operand, _ xZero: Operand?,
    _ weights: Operand, _ bias: Operand?
  ) throws(OperatorError) -> Sums {
    let zero = try weightZeroPoint(expansion).map { (operand) throws(OperatorError) in
      try expansion.quantizationParameter(operand, for: weights, axis: 0, blockSize: 0)
    }
    return Sums(
      convolution: convolution, x: try expansion.centered(x, zeroPoint: xZero),
      weights: try expansion.centered(weights, zeroPoint: zero),
      sum: bias == nil ? .operand(0) : .operand(0) + .operand(1), inputs: bias.map { [$0] } ?? [])
  }

  private func finish(
    _ expansion: inout Expansion, _ sums: Sums, spatialRank: Int
  ) throws(OperatorError) -> Operand {
    var convolution = sums.convolution
    var inputs: [Operand?] = [sums.x, sums.weights]
    if isQuantized {
      var weightScale = try expansion.input(4)
      weightScale =
        weightScale.shape.elementCount.constant == 1
        ? try expansion.asScalar(weightScale)
        : try expansion.perChannel(weightScale, spatialRank: spatialRank)
      let zeroPoint = try expansion.asScalar(try expansion.input(7))
      let requantization = try Requantization(
        &expansion, scales: [try expansion.asScalar(try expansion.input(1)), weightScale],
        sum: sums.sum, sumInputs: sums.inputs,
        outputScale: try expansion.asScalar(try expansion.input(6)), zeroPoint: zeroPoint,
        type: zeroPoint.dataType)
      convolution.epilogue = requantization.epilogue
      inputs += requantization.inputs
    } else {
      convolution.epilogue = sums.sum
      inputs += sums.inputs
    }
    return try expansion.emit(.convolution(convolution), inputs)
  }
}

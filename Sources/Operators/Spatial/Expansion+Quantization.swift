import GraphModel
import KernelModel
import TensorModel

/// Scales and zero points, and the arithmetic of quantised numbers.
extension Expansion {
  /// A scale or zero point that broadcasts against x: one number, one for each place on an axis, or one
  /// for each block of places on an axis.
  mutating func quantizationParameter(
    _ parameter: Operand, for x: Operand, axis: Int, blockSize: Int
  ) throws(OperatorError) -> Operand {
    if parameter.rank == 0 || parameter.shape.elementCount.constant == 1, blockSize == 0 {
      return try asScalar(parameter)
    }
    let axis = try self.axis(axis, rank: x.rank)
    guard blockSize > 0 else {
      guard parameter.rank == 1 else {
        throw OperatorError(
          "a scale or zero point has shape \(parameter.shape), expected a number or one axis")
      }
      return try perChannel(parameter, spatialRank: x.rank - 1 - axis)
    }
    guard parameter.rank == x.rank else {
      throw OperatorError(
        "blocked scales have shape \(parameter.shape), expected the rank of x \(x.shape)")
    }
    // Each number is repeated for its block, and the last block may be cut.
    var split = parameter.shape.dimensions
    split.insert(1, at: axis + 1)
    var repeated = split
    repeated[axis + 1] = Dimension(blockSize)
    var joined = parameter.shape
    joined[axis] = joined[axis] * Dimension(blockSize)
    let blocks = try reshape(
      try expand(try reshape(parameter, Shape(split)), to: Shape(repeated)), joined)
    return blocks.shape == x.shape
      ? blocks : try slice(blocks, axis: axis, start: 0, count: x.shape[axis])
  }

  /// x as `int32` or another wide type, its zero point subtracted.
  mutating func centered(
    _ x: Operand, zeroPoint: Operand?, in type: DataType = .int32
  ) throws(OperatorError) -> Operand {
    let wide = ScalarExpression.cast(.operand(0), type)
    guard let zeroPoint, !isZero(zeroPoint) else { return try pointwise(wide, [x]) }
    try sameType([x, zeroPoint])
    return try pointwise(wide - .cast(.operand(1), type), [x, zeroPoint])
  }

  /// The numbers that 8-bit integers stand for: `(x - zeroPoint) * scale`, each of one number.
  mutating func dequantized(
    _ x: Operand, scale: Operand, zeroPoint: Operand?
  ) throws(OperatorError) -> Operand {
    var inputs = [x, try asScalar(scale)]
    var value = ScalarExpression.cast(.operand(0), .float32)
    if let zeroPoint, !isZero(zeroPoint) {
      try sameType([x, zeroPoint])
      inputs.append(try asScalar(zeroPoint))
      value = value - .cast(.operand(2), .float32)
    }
    return try pointwise(value * .operand(1), inputs)
  }

  /// An expression and its operands, followed by quantisation to a scale and zero point of one number.
  mutating func quantizing(
    _ value: ScalarExpression, _ inputs: [Operand], base: Int = 0, scale: Operand,
    zeroPoint: Operand?, to type: DataType
  ) throws(OperatorError) -> (expression: ScalarExpression, inputs: [Operand]) {
    var inputs = inputs + [try asScalar(scale)]
    let quotient = value / .operand(base + inputs.count - 1)
    var shift: ScalarExpression?
    if let zeroPoint, !isZero(zeroPoint) {
      inputs.append(try asScalar(zeroPoint))
      shift = .cast(.operand(base + inputs.count - 1), .float32)
    }
    return (try .requantized(quotient, zeroPoint: shift, to: type), inputs)
  }
}

extension ScalarExpression {
  /// `value` rounded to even and kept within the range of an integer type, after a zero point of
  /// `float32` is added.
  static func requantized(
    _ value: ScalarExpression, zeroPoint: ScalarExpression?, to type: DataType
  ) throws(OperatorError) -> ScalarExpression {
    guard let range = type.integerRange, type.byteCount <= 2 else {
      throw OperatorError("quantised to \(type), expected an integer of 16 bits or fewer")
    }
    let rounded = ScalarExpression.unary(.round, value)
    let shifted = zeroPoint.map { rounded + $0 } ?? rounded
    return .cast(
      .clamp(shifted, Double(range.lowerBound), Double(range.upperBound), .float32), type)
  }
}

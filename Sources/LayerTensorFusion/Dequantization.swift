import GraphModel
import KernelModel
import TensorModel

/// Integers as multiples of a scale: `(float32(source) - zeroPoint) * scale`.
struct Dequantization {
  var node: NodeID
  var source: ValueID
  var type: DataType
  var scale: ChannelVector
  /// Whole numbers.
  var zeroPoint: ChannelVector
  /// The axis of the source along which scale or zero point differ.
  var axis: Int?

  /// The only scale and zero point of all elements.
  var uniform: (scale: Double, zeroPoint: Double)? {
    guard axis == nil else { return nil }
    return (scale[0], zeroPoint[0])
  }

  /// Whether the numbers of two tensors mean the same.
  func hasScale(of other: Dequantization) -> Bool {
    type == other.type && axis == nil && other.axis == nil && scale == other.scale
      && zeroPoint == other.zeroPoint
  }
}

/// Numbers rounded to multiples of one scale, as integers of 8 bits.
struct Quantization {
  var x: ValueID
  var scale: Double
  var zeroPoint: Double
  var type: DataType

  func isInverse(of dequantization: Dequantization) -> Bool {
    guard let (scale, zeroPoint) = dequantization.uniform else { return false }
    return scale == self.scale && zeroPoint == self.zeroPoint && type == dequantization.type
  }
}

// MARK: - Recognition

extension IndexedGraph {
  /// What a value of `float32` is made of, where that is integers of 8 or 32 bits.
  func dequantization(_ value: ValueID?) -> Dequantization? {
    guard let value, let (id, node, problem) = kernel(writing: value),
      case .pointwise(let pointwise) = problem, let output = type(value),
      output.dataType == .float32, !pointwise.expression.usesIndex,
      let expression = ValueExpression(pointwise, inputs: node.inputs)?.compacted(),
      let position = expression.operands.firstIndex(where: { isInteger($0, output.shape) })
    else { return nil }
    let source = expression.operands[position]
    var vectors: [Int: ChannelVector] = [:]
    var replacements: [ScalarExpression] = []
    var axis: Int?
    for (index, operand) in expression.operands.enumerated() {
      replacements.append(.operand(index == position ? 0 : index + 1))
      guard index != position else { continue }
      guard let tensor = constant(operand), let numbers = tensor.numbers() else { return nil }
      vectors[index + 1] = ChannelVector(numbers)
      guard numbers.count > 1 else { continue }
      guard let found = Self.channelAxis(of: tensor, in: output.shape), axis ?? found == found
      else { return nil }
      axis = found
    }
    // Integers are read as numbers throughout.
    let plain = expression.expression.rewritten { part in
      if case .cast(let operand, .float32) = part, case .operand = operand { operand } else { part }
    }
    guard plain.operands.count == expression.operands.count,
      let affine = ChannelAffine(plain.substituting(replacements), vectors: vectors),
      let zeroPoint = Self.zeroPoint(affine), let type = type(source)?.dataType
    else { return nil }
    return Dequantization(
      node: id, source: source, type: type, scale: affine.scale, zeroPoint: zeroPoint, axis: axis)
  }

  private func isInteger(_ value: ValueID, _ shape: Shape) -> Bool {
    guard let type = type(value), type.shape == shape else { return false }
    return type.dataType.isByte || type.dataType == .int32
  }

  /// The only axis of a result along which a constant differs.
  private static func channelAxis(of tensor: Tensor, in shape: Shape) -> Int? {
    let long = tensor.shape.indices.filter { tensor.shape[$0] != 1 }
    let axis = (long.first ?? 0) + shape.rank - tensor.shape.count
    guard long.count == 1, axis >= 0, shape[axis] == Dimension(tensor.shape[long[0]]) else {
      return nil
    }
    return axis
  }

  private static func zeroPoint(_ affine: ChannelAffine) -> ChannelVector? {
    guard affine.scale.numbers.allSatisfy({ $0 > 0 }) else { return nil }
    let exact = affine.shift * affine.scale.map { -1 / $0 }
    let rounded = exact.map { $0.rounded() }
    let differs = zip(exact.numbers, rounded.numbers).contains { abs($0 - $1) > 1e-4 }
    guard !differs, rounded.numbers.allSatisfy({ abs($0) <= 255 }) else { return nil }
    return rounded
  }

  /// The quantisation that a node is.
  func quantization(_ node: Node, _ problem: KernelProblem) -> Quantization? {
    guard case .pointwise(let pointwise) = problem, node.inputs.count == 1, let x = node.inputs[0],
      type(x)?.dataType == .float32,
      case .cast(let bounded, let type) = pointwise.expression, type.isByte,
      let range = type.integerRange,
      case .binary(.minimum, let raised, .constant(Double(range.upperBound), _)) = bounded,
      case .binary(.maximum, let shifted, .constant(Double(range.lowerBound), _)) = raised
    else { return nil }
    var rounded = shifted
    var zeroPoint = 0.0
    if case .binary(.add, let inner, .constant(let number, _)) = shifted {
      (rounded, zeroPoint) = (inner, number)
    }
    guard case .unary(.round, let quotient) = rounded else { return nil }
    switch quotient {
    case .operand(0): return Quantization(x: x, scale: 1, zeroPoint: zeroPoint, type: type)
    case .binary(.divide, .operand(0), .constant(let scale, _)):
      return Quantization(x: x, scale: scale, zeroPoint: zeroPoint, type: type)
    case .binary(.multiply, .operand(0), .constant(let inverse, _)) where inverse != 0:
      return Quantization(x: x, scale: 1 / inverse, zeroPoint: zeroPoint, type: type)
    default: return nil
    }
  }
}

import KernelModel
package import TensorModel

/// How real numbers are stored as `uint8`: `number = scale * (integer - zeroPoint)`.
package struct QuantizedStorage: Sendable, Hashable {
  /// What zero is stored as, 0 to 255; the same for all channels.
  package var zeroPoint: Int
  /// One for the tensor, or one for each place along `axis`.
  package var scales: [Float]
  /// Nil where one scale serves all.
  package var axis: Int?

  package init(zeroPoint: Int, scales: [Float], axis: Int? = nil) {
    self.zeroPoint = zeroPoint
    self.scales = scales
    self.axis = axis
  }

  /// The numbers that a tensor of integers stands for.
  package func dequantized(_ tensor: Tensor) throws(TensorError) -> Tensor {
    guard let integers = tensor.integers() else {
      throw .wrongType(expected: .uint8, found: tensor.dataType)
    }
    let inner = axis.map { tensor.shape[($0 + 1)...].reduce(1, *) } ?? 1
    let channels = scales.count
    let numbers = integers.indices.map { index in
      let scale = axis == nil ? scales[0] : scales[index / max(inner, 1) % channels]
      return Float(integers[index] - Int64(zeroPoint)) * scale
    }
    return try Tensor(numbers, shape: tensor.shape)
  }

  /// A constant as it is stored.
  func quantized(_ tensor: Tensor) throws(TensorError) -> Tensor {
    let numbers = tensor.numbers() ?? []
    let inner = axis.map { tensor.shape[($0 + 1)...].reduce(1, *) } ?? 1
    let integers = numbers.indices.map { index -> UInt8 in
      let scale = axis == nil ? scales[0] : scales[index / max(inner, 1) % scales.count]
      let level = (numbers[index] / Double(scale)).rounded(.toNearestOrEven) + Double(zeroPoint)
      return UInt8(min(max(level, 0), 255))
    }
    return try Tensor(integers, shape: tensor.shape)
  }

  /// Numbers along the axis, as they broadcast against a tensor of a rank.
  func vector(_ numbers: [Float], rank: Int) throws(TensorError) -> Tensor {
    var shape = [Int](repeating: 1, count: rank)
    if let axis { shape[axis] = numbers.count }
    return try Tensor(numbers, shape: shape)
  }

  /// The integer that stands for the value of an expression.
  ///
  /// - Parameter inverse: the operand that holds the reciprocal scales, where there are several.
  func quantizing(_ value: ScalarExpression, inverse: ScalarExpression?) -> ScalarExpression {
    let factor = inverse ?? .float(Double(1 / scales[0]))
    let level = ScalarExpression.unary(.round, value * factor)
    let shifted = zeroPoint == 0 ? level : level + .float(Double(zeroPoint))
    return .cast(.minimum(.maximum(shifted, .float(0)), .float(255)), .uint8)
  }

  /// The value that an integer stands for.
  ///
  /// - Parameter scale: the operand that holds the scales, where there are several.
  func dequantizing(_ integer: ScalarExpression, scale: ScalarExpression?) -> ScalarExpression {
    let number = ScalarExpression.cast(integer, .float32)
    let centred = zeroPoint == 0 ? number : number - .float(Double(zeroPoint))
    return centred * (scale ?? .float(Double(scales[0])))
  }
}

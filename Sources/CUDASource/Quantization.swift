import KernelModel
import TensorModel

/// `integer(clamp(round(argument) + zero, low, high))`, an expression that becomes an 8-bit integer.
struct Quantization {
  let argument: ScalarExpression
  let zero: Int
  let low: Int
  let high: Int
  let type: DataType

  /// Nil for another expression.
  init?(_ expression: ScalarExpression, to type: DataType) {
    guard type.isByte, let range = type.integerRange else { return nil }
    self.type = type
    var low = Int(range.lowerBound)
    var high = Int(range.upperBound)
    var rest = expression
    // Casts clamp as well, so that limits may be missing.
    while case .binary(let function, let a, .constant(let bound, .float32)) = rest,
      function == .minimum || function == .maximum
    {
      guard let bound = Int(exactly: bound), low <= bound, bound <= high else { return nil }
      // An outer limit holds after an inner one: the inner one only narrows what lies between.
      if function == .minimum { high = bound } else { low = bound }
      rest = a
    }
    var zero = 0
    if case .binary(let function, let a, .constant(let number, .float32)) = rest,
      function == .add || function == .subtract, let number = Int(exactly: number),
      abs(number) <= 255
    {
      zero = function == .add ? number : -number
      rest = a
    }
    guard case .unary(.round, let argument) = rest else { return nil }
    self.argument = argument
    self.zero = zero
    self.low = low
    self.high = high
  }

  /// Whether a divisor and its reciprocal are numbers that quotients can be corrected with.
  static func isOrdinary(_ divisor: Double) -> Bool {
    let size = abs(divisor)
    return size > 0x1p-60 && size < 0x1p60
  }
}

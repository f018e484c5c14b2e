package import GraphModel
package import KernelModel
package import TensorModel

/// Elements in another type: the one that an attribute names, or that of a second input.
package struct Cast: HostOperator {
  package static let spellings = [Spelling.onnx("Cast"), .onnx("CastLike")]

  /// Nil: the type of input 1.
  private let target: DataType?
  private let saturates: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    saturates = try attributes.bool("saturate", default: true)
    let mode = try attributes.string("round_mode", default: "up")
    if attributes.name == "CastLike" {
      target = nil
    } else {
      guard let type = try attributes.dataType("to") else {
        throw OperatorError("attribute 'to' is missing")
      }
      target = type
    }
    guard mode == "up" || target != .float8E8M0 else {
      throw OperatorError("round_mode '\(mode)' is not supported, expected 'up'")
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let type: DataType
    if let target { type = target } else { type = try expansion.input(1).dataType }
    guard x.dataType != type else { return expansion.set(0, x) }
    if x.dataType == .string || type == .string {
      return try emitHostOrFold(&expansion, outputs: [TensorType(type, x.shape)])
    }
    let formula = Self.formula(from: x.dataType, to: type, saturates: saturates)
    expansion.set(0, try expansion.pointwise(formula, [x]))
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let type: DataType
    if let target { type = target } else { type = try HostInputs.tensor(inputs, 1).dataType }
    if type == .string {
      return [try HostInputs.strings(Self.text(x), x.shape)]
    }
    let numbers = try x.strings.map { (text) throws(OperatorError) in try Self.number(text) }
    guard type.isFloatingPoint else {
      let range = type.integerRange ?? Int64.min...Int64.max
      let whole = try zip(x.strings, numbers).map { (text, number) throws(OperatorError) in
        if type == .bool { return Int64(number == 0 ? 0 : 1) }
        guard let value = Int64(text) ?? Int64(exactly: number.rounded(.towardZero)),
          range.contains(value)
        else { throw OperatorError("'\(text)' is not a number of type \(type)") }
        return value
      }
      return [try HostInputs.integers(whole, type, x.shape)]
    }
    return [try HostInputs.numbers(numbers, type, x.shape)]
  }

  private static func number(_ text: String) throws(OperatorError) -> Double {
    guard let number = Double(text) else {
      throw OperatorError("'\(text)' is not a number")
    }
    return number
  }

  private static func text(_ x: Tensor) -> [String] {
    if let integers = x.integers() {
      if x.dataType == .bool { return integers.map { $0 == 0 ? "False" : "True" } }
      return integers.map {
        x.dataType == .uint64 ? "\(UInt64(bitPattern: $0))" : "\($0)"
      }
    }
    return (x.numbers() ?? []).map { number in
      if number.isNaN { return "NaN" }
      if number.isInfinite { return number < 0 ? "-INF" : "INF" }
      return x.dataType == .float64 ? "\(number)" : "\(Float(number))"
    }
  }
}

extension Cast {
  /// What an eight-bit type does with magnitudes beyond its largest: it becomes `excess` from `threshold`
  /// on, where it does not saturate.
  private struct Overflow {
    var largest: Double
    var threshold: Double
    var includesThreshold: Bool
    var excess: Double
  }

  private static func overflow(_ type: DataType) -> Overflow? {
    switch type {
    case .float8E4M3FN:
      Overflow(largest: 448, threshold: 464, includesThreshold: false, excess: .nan)
    case .float8E4M3FNUZ:
      Overflow(largest: 240, threshold: 248, includesThreshold: true, excess: .nan)
    case .float8E5M2:
      Overflow(largest: 57344, threshold: 61440, includesThreshold: true, excess: .infinity)
    case .float8E5M2FNUZ:
      Overflow(largest: 57344, threshold: 61440, includesThreshold: true, excess: .nan)
    default: nil
    }
  }

  package static func formula(
    from source: DataType, to type: DataType, saturates: Bool
  ) -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    if source.isFloatingPoint, type.isInteger, type.bitCount < 8 {
      // Integers lose their higher bits; a cast from a number out of range has no definition.
      return .cast(.cast(x, .int32), type)
    }
    guard source.isFloatingPoint, source.byteCount > 1, let overflow = overflow(type) else {
      return .cast(x, type)
    }
    // Wide enough for every threshold.
    let wide: DataType = source == .float64 ? .float64 : .float32
    let value: ScalarExpression = source == wide ? x : .cast(x, wide)
    func number(_ value: Double) -> ScalarExpression { .constant(value, wide) }
    let clamped = ScalarExpression.maximum(
      .minimum(value, number(overflow.largest)), number(-overflow.largest))
    if saturates { return .cast(clamped, type) }
    let magnitude = ScalarExpression.unary(.absolute, value)
    let threshold = number(overflow.threshold)
    let leaves =
      overflow.includesThreshold
      ? ScalarExpression.greaterOrEqual(magnitude, threshold) : .greater(magnitude, threshold)
    let excess = ScalarExpression.select(
      .less(value, number(0)), .constant(-overflow.excess, type), .constant(overflow.excess, type))
    return .select(leaves, excess, .cast(clamped, type))
  }
}

/// The bits of elements, read as another type of the same width.
package struct BitCast: HostOperator {
  package static let spellings = [Spelling.onnx("BitCast")]

  private let target: DataType

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let type = try attributes.dataType("to") else {
      throw OperatorError("attribute 'to' is missing")
    }
    target = type
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.dataType.bitCount == target.bitCount, x.dataType != .string, target != .string else {
      throw OperatorError("\(x.dataType) and \(target) differ in width")
    }
    guard x.dataType != target else { return expansion.set(0, x) }
    try emitHostOrFold(&expansion, outputs: [TensorType(target, x.shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    var result = try HostInputs.uninitialized(target, x.shape)
    let spare = UInt8(truncatingIfNeeded: 8 - min(target.bitCount, 8))
    let isSigned = target.isSignedInteger
    x.withUnsafeBytes { source in
      result.withUnsafeMutableBytes { bytes in
        for index in 0..<min(source.count, bytes.count) {
          let shifted = source[index] << spare
          bytes[index] =
            isSigned
            ? UInt8(bitPattern: Int8(bitPattern: shifted) >> Int8(bitPattern: spare))
            : shifted >> spare
        }
      }
    }
    return [result]
  }
}

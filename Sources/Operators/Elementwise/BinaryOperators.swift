package import GraphModel
import KernelModel
package import TensorModel

/// Operators that are one scalar function of two operands, broadcast against each other.
package struct BinaryOperator: Operator {
  private static let functions: [(name: String, function: BinaryFunction)] = [
    ("Add", .add),
    ("Sub", .subtract),
    ("Mul", .multiply),
    ("Div", .divide),
    ("And", .logicalAnd),
    ("Or", .logicalOr),
    ("Xor", .logicalXor),
    ("BitwiseAnd", .bitwiseAnd),
    ("BitwiseOr", .bitwiseOr),
    ("BitwiseXor", .bitwiseXor),
    ("Greater", .greater),
    ("Less", .less),
    ("GreaterOrEqual", .greaterOrEqual),
    ("LessOrEqual", .lessOrEqual),
  ]

  package static let spellings = functions.map { Spelling.onnx($0.name) }

  private let function: BinaryFunction
  private let broadcasting: LegacyBroadcasting

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.functions.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not a function of two operands")
    }
    function = row.function
    broadcasting = try LegacyBroadcasting(attributes)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = try broadcasting.operands(&expansion)
    try expansion.sameType([a, b])
    expansion.set(
      0, try expansion.pointwise(.binary(function, .operand(0), .operand(1)), [a, b]))
  }
}

/// How operators before version 7 placed their second operand: its axes begin at `axis` of the first.
package struct LegacyBroadcasting: Sendable {
  private let axis: Int?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = attributes.version < 7 ? try attributes.int("axis") : nil
  }

  /// The two inputs, the second with the axes that NumPy's rules need.
  package func operands(
    _ expansion: inout Expansion
  ) throws(OperatorError) -> (Operand, Operand) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    guard let axis else { return (a, b) }
    let start = axis < 0 ? axis + a.rank : axis
    guard start >= 0, b.rank <= a.rank, start <= a.rank - b.rank else {
      throw OperatorError("axis \(axis) does not place shape \(b.shape) inside \(a.shape)")
    }
    return (a, try expansion.unsqueeze(b, axes: Array(b.rank..<(a.rank - start))))
  }
}

/// Equality, of strings too.
package struct Equal: HostOperator {
  package static let spellings = [Spelling.onnx("Equal")]

  private let broadcasting: LegacyBroadcasting

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    broadcasting = try LegacyBroadcasting(attributes)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = try broadcasting.operands(&expansion)
    try expansion.sameType([a, b])
    guard a.dataType == .string else {
      return expansion.set(
        0, try expansion.pointwise(.binary(.equal, .operand(0), .operand(1)), [a, b]))
    }
    guard let shape = ShapeMath.broadcast(a.shape, b.shape) else {
      throw OperatorError("shapes \(a.shape) and \(b.shape) do not broadcast")
    }
    try emitHostOrFold(&expansion, outputs: [TensorType(.bool, shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let (a, b) = (try HostInputs.tensor(inputs, 0), try HostInputs.tensor(inputs, 1))
    let (shape, pairs) = try HostInputs.broadcastPairs(a, b)
    let values = pairs.map { Int64(a.strings[$0.0] == b.strings[$0.1] ? 1 : 0) }
    return [try HostInputs.integers(values, .bool, shape)]
  }
}

/// A base raised to a power; the types may differ, and the result has the base's.
package struct Pow: Operator {
  package static let spellings = [Spelling.onnx("Pow")]

  private let broadcasting: LegacyBroadcasting

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    broadcasting = try LegacyBroadcasting(attributes)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (base, exponent) = try broadcasting.operands(&expansion)
    let x = ScalarExpression.operand(0)
    if let whole = wholeExponent(base, exponent, expansion) {
      let product = whole == 2 ? x * x : x * x * x
      return expansion.set(0, try expansion.pointwise(product, [base]))
    }
    let type = base.dataType
    let formula: ScalarExpression
    if type == exponent.dataType {
      formula = .binary(.power, x, .operand(1))
    } else if type.isInteger, exponent.dataType.isFloatingPoint {
      formula = .cast(
        .binary(.power, .cast(x, .float64), .cast(.operand(1), .float64)), type)
    } else {
      formula = .binary(.power, x, .cast(.operand(1), type))
    }
    expansion.set(0, try expansion.pointwise(formula, [base, exponent]))
  }

  /// The exponent where it is a constant 2 or 3 that does not widen the base's shape.
  private func wholeExponent(
    _ base: Operand, _ exponent: Operand, _ expansion: Expansion
  ) -> Int? {
    guard exponent.rank <= base.rank, base.dataType.isFloatingPoint,
      let tensor = expansion.constant(exponent), tensor.elementCount == 1,
      let value = tensor.numbers()?.first, value == 2 || value == 3
    else { return nil }
    return Int(value)
  }
}

/// The remainder of a division, with the sign of the divisor, or of the dividend for `fmod`.
package struct Mod: Operator {
  package static let spellings = [Spelling.onnx("Mod")]

  private let truncates: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    truncates = try attributes.bool("fmod", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    try expansion.sameType([a, b])
    let function: BinaryFunction = truncates ? .moduloTruncate : .moduloFloor
    expansion.set(
      0, try expansion.pointwise(.binary(function, .operand(0), .operand(1)), [a, b]))
  }
}

/// Bits shifted by a count; a count that is negative or not less than the width shifts all of them out.
package struct BitShift: Operator {
  package static let spellings = [Spelling.onnx("BitShift")]

  private let isLeft: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    isLeft = try attributes.choice("direction", default: "", ["LEFT": true, "RIGHT": false])
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, y) = (try expansion.input(0), try expansion.input(1))
    try expansion.sameType([x, y])
    guard x.dataType.isInteger else {
      throw OperatorError("inputs are \(x.dataType), expected integers")
    }
    expansion.set(0, try expansion.pointwise(formula(x.dataType), [x, y]))
  }

  private func formula(_ type: DataType) -> ScalarExpression {
    let (value, count) = (ScalarExpression.operand(0), ScalarExpression.operand(1))
    let width = ScalarExpression.constant(Double(type.bitCount), type)
    let zero = ScalarExpression.constant(0, type)
    var fits = ScalarExpression.less(count, width)
    if type.isSignedInteger { fits = .and(.greaterOrEqual(count, zero), fits) }
    let inside = ScalarExpression.select(fits, count, zero)
    let shifted = ScalarExpression.binary(isLeft ? .shiftLeft : .shiftRight, value, inside)
    let isFilledWithSign = !isLeft && type.isSignedInteger
    let excess: ScalarExpression =
      isFilledWithSign
      ? .select(.less(value, zero), .constant(-1, type), zero) : zero
    return .select(fits, shifted, excess)
  }
}

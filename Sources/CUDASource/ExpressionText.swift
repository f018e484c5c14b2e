package import KernelModel
package import TensorModel

/// An expression as C++: statements that come first, and the text of the value.
package struct RenderedExpression: Sendable {
  package var statements: [String]
  /// In the type that arithmetic is done in.
  package var value: String
  package var type: DataType
  /// The value before it is rounded to 16 bits, which storing does too.
  var unrounded: String?

  /// The value as an element of memory.
  package var stored: String { "store<\(type.cudaStorage ?? "float")>(\(unrounded ?? value))" }
}

/// A value that an expression refers to, as text in the type that arithmetic is done in.
package struct OperandText: Sendable {
  package var text: String
  package var type: DataType
  /// Whether it is a number of the type: a 16-bit value that was computed and never stored is not.
  package var isExact: Bool

  package init(_ text: String, _ type: DataType, isExact: Bool = true) {
    self.text = text
    self.type = type
    self.isExact = isExact
  }
}

extension ScalarExpression {
  /// Renders the expression; equal parts are computed once.
  ///
  /// - Parameters:
  ///   - indices: for each axis the text of the result's coordinate.
  ///   - prefix: begins the names of the variables that the statements declare.
  package func cudaText(
    operands: [OperandText], indices: [String] = [], prefix: String = "e"
  ) throws(CUDASourceError) -> RenderedExpression {
    var writer = ExpressionWriter(operands: operands, indices: indices, prefix: prefix)
    if case .cast(let inner, let type) = self, type.isSmallFloat {
      let value = try writer.write(inner)
      if value.type == .float32 {
        return RenderedExpression(
          statements: writer.statements, value: try ScalarFunctionText.cast(value, to: type).text,
          type: type, unrounded: value.text)
      }
    }
    let value = try writer.write(self)
    return RenderedExpression(statements: writer.statements, value: value.text, type: value.type)
  }
}

private struct ExpressionWriter {
  let operands: [OperandText]
  let indices: [String]
  let prefix: String
  var statements: [String] = []
  private var known: [ScalarExpression: OperandText] = [:]

  init(operands: [OperandText], indices: [String], prefix: String) {
    self.operands = operands
    self.indices = indices
    self.prefix = prefix
  }

  mutating func write(_ expression: ScalarExpression) throws(CUDASourceError) -> OperandText {
    switch expression {
    case .operand(let index):
      guard operands.indices.contains(index) else {
        throw CUDASourceError("the expression has no operand \(index)")
      }
      return operands[index]
    case .constant(let value, let type): return OperandText(type.cudaLiteral(value), type)
    case .integer(let value, let type): return OperandText(type.cudaLiteral(value), type).narrowed
    case .index(let axis):
      guard indices.indices.contains(axis) else {
        throw CUDASourceError("the expression has no axis \(axis)")
      }
      return OperandText("(int64_t)(\(indices[axis]))", .int64)
    default: break
    }
    if let same = known[expression] { return same }
    let value = try compute(expression)
    guard let type = value.type.cudaArithmetic else {
      throw CUDASourceError("kernels do not compute with \(value.type)")
    }
    var result = declare(value, type)
    if case .cast = expression {
      result.isExact = true
    } else {
      result.isExact = !value.type.isSmallFloat
    }
    known[expression] = result
    return result
  }

  private mutating func declare(_ value: OperandText, _ type: String) -> OperandText {
    let name = "\(prefix)\(statements.count)"
    statements.append("const \(type) \(name) = \(value.text);")
    return OperandText(name, value.type)
  }

  /// An argument of a discontinuous function: a number of its own type.
  private mutating func writeRounded(
    _ expression: ScalarExpression
  ) throws(CUDASourceError) -> OperandText {
    let value = try write(expression)
    if value.isExact || !value.type.isSmallFloat { return value }
    return declare(try ScalarFunctionText.rounded(value), "float")
  }

  /// Rounding, zero point and limits of an 8-bit integer as one function; nil where the argument is not in
  /// single precision.
  private mutating func write(
    _ quantized: Quantization
  ) throws(CUDASourceError) -> OperandText? {
    let x = try write(quantized.argument)
    guard x.type == .float32, let type = quantized.type.cudaArithmetic else { return nil }
    return OperandText(
      "(\(type))quantized(\(x.text), \(quantized.zero), \(quantized.low), \(quantized.high))",
      quantized.type)
  }

  /// The unit as one function; nil where its argument is not in single precision.
  private mutating func write(_ unit: GaussianUnit) throws(CUDASourceError) -> OperandText? {
    let x = try write(unit.argument)
    guard x.type == .float32 || x.type.isSmallFloat else { return nil }
    return OperandText("gaussian_unit(\(x.text))", x.type)
  }

  private mutating func compute(_ expression: ScalarExpression) throws(CUDASourceError)
    -> OperandText
  {
    if let unit = GaussianUnit(expression), let text = try write(unit) { return text }
    switch expression {
    case .unary(let function, let a):
      let x = try function.isDiscontinuous ? writeRounded(a) : write(a)
      return try ScalarFunctionText.unary(function, x)
    case .binary(.divide, let a, .constant(let divisor, .float32))
    where Quantization.isOrdinary(divisor):
      let x = try write(a)
      let reciprocal = DataType.float32.cudaLiteral(Double(1 / Float(divisor)))
      return OperandText(
        "exact_quotient(\(x.text), \(DataType.float32.cudaLiteral(divisor)), \(reciprocal))",
        .float32)
    case .binary(let function, let a, let b):
      let x = try function.isDiscontinuous ? writeRounded(a) : write(a)
      let y = try function.isDiscontinuous ? writeRounded(b) : write(b)
      return try ScalarFunctionText.binary(function, x, y)
    case .select(let condition, let a, let b):
      let c = try write(condition)
      let x = try write(a)
      let y = try write(b)
      return OperandText("\(c.text) ? \(x.text) : \(y.text)", x.type)
    case .cast(let a, let type):
      if let quantized = Quantization(a, to: type), let text = try write(quantized) { return text }
      let x = try type.isFloatingPoint ? write(a) : writeRounded(a)
      return try ScalarFunctionText.cast(x, to: type)
    case .operand, .constant, .integer, .index: return try write(expression)
    }
  }
}

extension DataType {
  /// Whether arithmetic is done in single precision though elements hold less.
  fileprivate var isSmallFloat: Bool { self == .float16 || self == .bfloat16 }
}

extension UnaryFunction {
  /// Whether a small change of the argument can make a large one of the result: what the argument's own
  /// type cannot hold must not decide.
  fileprivate var isDiscontinuous: Bool {
    switch self {
    case .floor, .ceiling, .round, .truncate, .isInfinite, .isPositiveInfinite,
      .isNegativeInfinite:
      true
    default: false
    }
  }
}

extension BinaryFunction {
  fileprivate var isDiscontinuous: Bool {
    isComparison || [.floorDivide, .moduloFloor, .moduloTruncate].contains(self)
  }
}

/// The text of scalar functions.
private enum ScalarFunctionText {
  static func unary(
    _ function: UnaryFunction, _ a: OperandText
  ) throws(CUDASourceError) -> OperandText {
    if a.type.isFloatingPoint { return floating(function, a) }
    if let text = integer(function, a) { return text }
    // Computed as a real number and truncated.
    let real = floating(function, OperandText("(double)\(a.text)", .float64))
    return try cast(real, to: a.type)
  }

  private static func floating(_ function: UnaryFunction, _ a: OperandText) -> OperandText {
    let isDouble = a.type == .float64
    let x = a.text
    func call(_ name: String) -> String { "\(name)\(isDouble ? "" : "f")(\(x))" }
    let one = isDouble ? "1.0" : "1.0f"
    let infinity = isDouble ? "INFINITY_D" : "INFINITY_F"
    let text: String
    switch function {
    case .negate: text = "-\(x)"
    case .absolute: text = call("fabs")
    case .sign: text = "\(x) > 0 ? \(one) : \(x) < 0 ? -\(one) : \(x)"
    case .reciprocal: text = "\(one) / \(x)"
    case .squareRoot: text = call("sqrt")
    case .reciprocalSquareRoot: text = "\(one) / \(call("sqrt"))"
    case .exponential: text = call("exp")
    case .logarithm: text = call("log")
    case .logarithm1p: text = call("log1p")
    case .exponentialMinus1: text = call("expm1")
    case .sine: text = call("sin")
    case .cosine: text = call("cos")
    case .tangent: text = call("tan")
    case .arcSine: text = call("asin")
    case .arcCosine: text = call("acos")
    case .arcTangent: text = call("atan")
    case .hyperbolicSine: text = call("sinh")
    case .hyperbolicCosine: text = call("cosh")
    case .hyperbolicTangent: text = call("tanh")
    case .areaSine: text = call("asinh")
    case .areaCosine: text = call("acosh")
    case .areaTangent: text = call("atanh")
    case .sigmoid: text = "\(one) / (\(one) + exp\(isDouble ? "" : "f")(-\(x)))"
    case .errorFunction: text = call("erf")
    case .floor: text = call("floor")
    case .ceiling: text = call("ceil")
    case .round: text = call("rint")
    case .truncate: text = call("trunc")
    case .isNaN: return OperandText("\(x) != \(x)", .bool)
    case .isInfinite: return OperandText("\(call("fabs")) == \(infinity)", .bool)
    case .isPositiveInfinite: return OperandText("\(x) == \(infinity)", .bool)
    case .isNegativeInfinite: return OperandText("\(x) == -\(infinity)", .bool)
    case .logicalNot, .bitwiseNot: text = isDouble ? "NAN_D" : "NAN_F"
    }
    return OperandText(text, a.type)
  }

  private static func integer(_ function: UnaryFunction, _ a: OperandText) -> OperandText? {
    let x = a.text
    let type = a.type.cudaArithmetic ?? "int32_t"
    let text: String
    switch function {
    case .negate: text = "(\(type))(0 - (uint64_t)\(x))"
    case .absolute: text = "\(x) < 0 ? (\(type))(0 - (uint64_t)\(x)) : \(x)"
    case .sign: text = "(\(type))(\(x) > 0 ? 1 : \(x) < 0 ? -1 : 0)"
    case .reciprocal: text = "(\(type))(\(x) == 1 || (\(x) < 0 && \(x) + 1 == 0) ? \(x) : 0)"
    case .floor, .ceiling, .round, .truncate: text = x
    case .logicalNot: text = "!\(x)"
    case .bitwiseNot: text = a.type == .bool ? "!\(x)" : "(\(type))(~(uint64_t)\(x))"
    case .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
      return OperandText("false", .bool)
    default: return nil
    }
    return OperandText(text, a.type).narrowed
  }

  static func binary(
    _ function: BinaryFunction, _ a: OperandText, _ b: OperandText
  ) throws(CUDASourceError) -> OperandText {
    let comparisons: [BinaryFunction: String] = [
      .equal: "==", .notEqual: "!=", .less: "<", .lessOrEqual: "<=", .greater: ">",
      .greaterOrEqual: ">=",
    ]
    if let sign = comparisons[function] {
      return OperandText("\(a.text) \(sign) \(b.text)", .bool)
    }
    if a.type.isFloatingPoint { return floating(function, a, b) }
    return integer(function, a, b)
  }

  private static func floating(
    _ function: BinaryFunction, _ a: OperandText, _ b: OperandText
  ) -> OperandText {
    let isDouble = a.type == .float64
    let x = a.text, y = b.text
    func call(_ name: String) -> String { "\(name)\(isDouble ? "" : "f")(\(x), \(y))" }
    let text: String
    switch function {
    case .add: text = "\(x) + \(y)"
    case .subtract: text = "\(x) - \(y)"
    case .multiply: text = "\(x) * \(y)"
    case .divide: text = "\(x) / \(y)"
    case .floorDivide:
      // The quotient of floats in double precision does not round up to an integer.
      text = isDouble ? "floor(\(x) / \(y))" : "(float)floor((double)\(x) / \(y))"
    case .moduloTruncate: text = call("fmod")
    case .moduloFloor: text = "modulo_floor(\(x), \(y))"
    case .power: text = call("pow")
    case .minimum: text = "smaller(\(x), \(y))"
    case .maximum: text = "larger(\(x), \(y))"
    case .arcTangent2: text = call("atan2")
    default: text = isDouble ? "NAN_D" : "NAN_F"
    }
    return OperandText(text, a.type)
  }

  private static func integer(
    _ function: BinaryFunction, _ a: OperandText, _ b: OperandText
  ) -> OperandText {
    let type = a.type.cudaArithmetic ?? "int32_t"
    let x = a.text, y = b.text
    func wrapping(_ sign: String) -> String { "(\(type))((uint64_t)\(x) \(sign) (uint64_t)\(y))" }
    let text: String
    switch function {
    case .add: text = wrapping("+")
    case .subtract: text = wrapping("-")
    case .multiply: text = wrapping("*")
    case .divide: text = "integer_divide(\(x), \(y))"
    case .floorDivide: text = "integer_floor_divide(\(x), \(y))"
    case .moduloFloor: text = "integer_modulo_floor(\(x), \(y))"
    case .moduloTruncate: text = "integer_modulo(\(x), \(y))"
    case .power: text = "integer_power(\(x), \(y))"
    case .minimum: text = "\(x) < \(y) ? \(x) : \(y)"
    case .maximum: text = "\(x) > \(y) ? \(x) : \(y)"
    case .arcTangent2: text = "(\(type))(int64_t)atan2((double)\(x), (double)\(y))"
    case .bitwiseAnd, .logicalAnd: text = "(\(type))(\(x) & \(y))"
    case .bitwiseOr, .logicalOr: text = "(\(type))(\(x) | \(y))"
    case .bitwiseXor, .logicalXor: text = "(\(type))(\(x) ^ \(y))"
    case .shiftLeft: text = "integer_shift_left(\(x), \(y))"
    case .shiftRight: text = "integer_shift_right(\(x), \(y))"
    default: text = x
    }
    return OperandText(text, a.type).narrowed
  }

  /// A value that is not yet a number of its 16-bit type.
  static func rounded(_ a: OperandText) throws(CUDASourceError) -> OperandText {
    try cast(OperandText(a.text, .float32), to: a.type)
  }

  static func cast(_ a: OperandText, to type: DataType) throws(CUDASourceError) -> OperandText {
    guard let target = type.cudaArithmetic else {
      throw CUDASourceError("kernels do not compute with \(type)")
    }
    if a.type == type { return a.isExact || !type.isSmallFloat ? a : try rounded(a) }
    let x = a.text
    switch type {
    case .bool: return OperandText("\(x) != 0", .bool)
    case .float16: return OperandText("half_to_float(float_to_half((float)\(x)))", type)
    case .bfloat16: return OperandText("bfloat_to_float(float_to_bfloat((float)\(x)))", type)
    case .float32, .float64: return OperandText("(\(target))\(x)", type)
    default: break
    }
    guard a.type.isFloatingPoint else { return OperandText("(\(target))\(x)", type).narrowed }
    if type == .uint64 { return OperandText("real_to_unsigned(\(x))", type) }
    guard let range = type.integerRange else {
      throw CUDASourceError("kernels do not compute with \(type)")
    }
    if type == .int32 { return OperandText("real_to_int32(\(x))", type) }
    let isSmall = type.byteCount < 4
    let real: DataType = a.type == .float64 ? .float64 : .float32
    let bounds = [range.lowerBound, range.upperBound].map {
      isSmall ? real.cudaLiteral(Double($0)) : DataType.int64.cudaLiteral($0)
    }
    if isSmall {
      return OperandText("(\(target))real_to_small(\(x), \(bounds[0]), \(bounds[1]))", type)
    }
    return OperandText("(\(target))real_to_integer(\(x), \(bounds[0]), \(bounds[1]))", type)
  }
}

extension OperandText {
  /// Integers of fewer bits than their byte, brought back into range.
  fileprivate var narrowed: OperandText {
    switch type {
    case .int4: OperandText("(int8_t)((int8_t)((\(text)) << 4) >> 4)", type)
    case .int2: OperandText("(int8_t)((int8_t)((\(text)) << 6) >> 6)", type)
    case .uint4: OperandText("(uint8_t)((\(text)) & 15)", type)
    case .uint2: OperandText("(uint8_t)((\(text)) & 3)", type)
    default: self
    }
  }
}

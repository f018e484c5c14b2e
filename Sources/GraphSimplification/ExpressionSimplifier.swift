package import KernelModel
import ReferenceInterpreter
package import TensorModel

/// Writes scalar expressions with fewer functions, in a form that equal expressions share:
/// constants to the right, bounds as `minimum(maximum(x, low), high)`.
///
/// Floating-point results change by no more than the association of constants does.
package struct ExpressionSimplifier {
  private let types: [DataType]

  /// - Parameter types: the types of the operands.
  package init(operands types: [DataType]) { self.types = types }

  /// Rounds of rewriting at one place; each makes the expression smaller or its order fixed.
  private static let maximumRounds = 16
  /// What may be written twice where a power becomes a product.
  private static let repeatedOperations = 4

  package func simplified(_ expression: ScalarExpression) -> ScalarExpression {
    // A NaN is equal to nothing, itself included.
    guard !expression.containsNaN else { return expression }
    return expression.rewritten { part in
      var part = part
      for _ in 0..<Self.maximumRounds {
        guard let next = step(part), next != part else { return part }
        part = next
      }
      return part
    }
  }

  /// One improvement of an expression whose parts are simplified.
  private func step(_ expression: ScalarExpression) -> ScalarExpression? {
    if let folded = folded(expression) { return folded }
    switch expression {
    case .unary(let function, let a): return unary(function, a)
    case .binary(let function, let a, let b): return binary(function, a, b)
    case .select(let condition, let a, let b): return select(condition, a, b)
    case .cast(let a, let type): return cast(a, type)
    case .operand, .constant, .integer, .index: return nil
    }
  }

  private func type(_ expression: ScalarExpression) -> DataType? {
    expression.dataType(operands: types)
  }

  /// The value of an expression of constants.
  private func folded(_ expression: ScalarExpression) -> ScalarExpression? {
    guard !expression.children.isEmpty, expression.children.allSatisfy(\.isConstant),
      let type = type(expression)
    else { return nil }
    let problem = KernelProblem.pointwise(Pointwise(expression))
    guard let tensor = try? Interpreter.evaluate(problem, [], [TensorType(type, [])]).first
    else { return nil }
    return ScalarExpression(element: tensor)
  }
}

// MARK: - Functions of one argument

extension ExpressionSimplifier {
  private func unary(_ function: UnaryFunction, _ a: ScalarExpression) -> ScalarExpression? {
    switch (function, a) {
    case (.negate, .unary(.negate, let x)), (.logicalNot, .unary(.logicalNot, let x)),
      (.bitwiseNot, .unary(.bitwiseNot, let x)):
      return x
    case (.absolute, .unary(.absolute, _)): return a
    case (.absolute, .unary(.negate, let x)): return .unary(.absolute, x)
    case (.logicalNot, .binary(.equal, let x, let y)): return .binary(.notEqual, x, y)
    case (.logicalNot, .binary(.notEqual, let x, let y)): return .binary(.equal, x, y)
    case (.reciprocal, .unary(.squareRoot, let x)): return .unary(.reciprocalSquareRoot, x)
    case (.reciprocal, .binary(.add, let x, let one)) where one.isNumber(1):
      // 1 / (1 + exp(-x))
      guard case .unary(.exponential, .unary(.negate, let inner)) = x else { return nil }
      return .unary(.sigmoid, inner)
    default: return nil
    }
  }

  private func cast(_ a: ScalarExpression, _ target: DataType) -> ScalarExpression? {
    if type(a) == target { return a }
    guard case .cast(let x, let middle) = a, let source = type(x),
      source.isPreserved(through: middle, to: target)
    else { return nil }
    return .cast(x, target)
  }

  private func select(
    _ condition: ScalarExpression, _ a: ScalarExpression, _ b: ScalarExpression
  ) -> ScalarExpression? {
    if a == b { return a }
    if let known = condition.number { return known != 0 ? a : b }
    if case .unary(.logicalNot, let opposite) = condition { return .select(opposite, b, a) }
    if type(a) == .bool, a.isNumber(1), b.isNumber(0) { return condition }
    return nil
  }
}

// MARK: - Functions of two arguments

extension ExpressionSimplifier {
  private func binary(
    _ function: BinaryFunction, _ a: ScalarExpression, _ b: ScalarExpression
  ) -> ScalarExpression? {
    if function.isCommutative, isInWrongOrder(a, b) { return .binary(function, b, a) }
    switch function {
    case .add: return sum(a, b)
    case .subtract: return difference(a, b)
    case .multiply: return product(a, b)
    case .divide: return quotient(a, b)
    case .power: return power(a, b)
    case .maximum, .minimum: return bound(function, a, b)
    case .logicalAnd: return b.isNumber(1) || a == b ? a : b.isNumber(0) ? b : nil
    case .logicalOr: return b.isNumber(0) || a == b ? a : b.isNumber(1) ? b : nil
    case .logicalXor: return b.isNumber(0) ? a : b.isNumber(1) ? .unary(.logicalNot, a) : nil
    case .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight: return b.isNumber(0) ? a : nil
    default: return nil
    }
  }

  /// Constants go last, and what reads earlier operands goes first.
  private func isInWrongOrder(_ a: ScalarExpression, _ b: ScalarExpression) -> Bool {
    if a.isConstant || b.isConstant { return a.isConstant && !b.isConstant }
    guard let i = a.firstOperand, let j = b.firstOperand else { return false }
    return i > j
  }

  private func sum(_ a: ScalarExpression, _ b: ScalarExpression) -> ScalarExpression? {
    if b.isNumber(0) { return a }
    if case .unary(.negate, let x) = b { return a - x }
    if case .unary(.negate, let x) = a { return b - x }
    if b.isConstant, case .binary(.add, let x, let c) = a, c.isConstant {
      return associated(.add, x, c, b)
    }
    return nil
  }

  private func difference(_ a: ScalarExpression, _ b: ScalarExpression) -> ScalarExpression? {
    if b.isNumber(0) { return a }
    if case .unary(.negate, let x) = b { return a + x }
    if a.isNumber(0) { return -b }
    // Unsigned constants have no negative.
    if let type = type(b), type.isFloatingPoint || type.isSignedInteger, b.isConstant,
      let negative = folded(-b)
    {
      return a + negative
    }
    return nil
  }

  private func product(_ a: ScalarExpression, _ b: ScalarExpression) -> ScalarExpression? {
    if b.isNumber(1) { return a }
    if b.isNumber(0), let type = type(a), type.isInteger { return b }
    if b.isNumber(-1) { return -a }
    if case .unary(.negate, let x) = a {
      if case .unary(.negate, let y) = b { return x * y }
      if b.isConstant, let negative = folded(-b) { return x * negative }
    }
    if b.isConstant, case .binary(.multiply, let x, let c) = a, c.isConstant {
      return associated(.multiply, x, c, b)
    }
    return nil
  }

  private func quotient(_ a: ScalarExpression, _ b: ScalarExpression) -> ScalarExpression? {
    if b.isNumber(1) { return a }
    guard let type = type(a), type.isFloatingPoint else { return nil }
    if a.isNumber(1) { return .unary(.reciprocal, b) }
    if b.isNumber(-1) { return -a }
    if let number = b.number, number.isFinite, abs(number.exponent) < 100,
      number.significand == 1
    {
      // The inverse of a power of two is exact.
      return a * .constant(1 / number, type)
    }
    // x / (1 + exp(-x))
    if case .binary(.add, .unary(.exponential, .unary(.negate, let x)), let one) = b,
      one.isNumber(1), x == a
    {
      return a * .unary(.sigmoid, x)
    }
    return nil
  }

  private func power(_ a: ScalarExpression, _ b: ScalarExpression) -> ScalarExpression? {
    guard let exponent = b.number else { return nil }
    if exponent == 1 { return a }
    guard let type = type(a), type.isFloatingPoint else { return nil }
    let isShort = a.operationCount <= Self.repeatedOperations
    switch exponent {
    case 2 where isShort: return a * a
    case 3 where isShort: return a * a * a
    case 0.5: return .unary(.squareRoot, a)
    case -0.5: return .unary(.reciprocalSquareRoot, a)
    case -1: return .unary(.reciprocal, a)
    default: return nil
    }
  }

  /// Nested bounds: at most one of each kind, the lower one inside.
  private func bound(
    _ function: BinaryFunction, _ a: ScalarExpression, _ b: ScalarExpression
  ) -> ScalarExpression? {
    if a == b { return a }
    guard let outer = b.number, type(b) != .uint64 else { return nil }
    if outer.isInfinite, (outer < 0) == (function == .maximum) { return a }
    guard case .binary(let inner, let x, let c) = a, let bound = c.number else { return nil }
    if inner == function {
      let tighter = function == .maximum ? max(outer, bound) : min(outer, bound)
      return .binary(function, x, tighter == outer ? b : c)
    }
    // max(min(x, high), low)
    if function == .maximum, inner == .minimum, outer <= bound {
      return .minimum(.maximum(x, b), c)
    }
    return nil
  }

  /// `(x f c) f d` as `x f (c f d)`, unless the constants leave the range of their type.
  private func associated(
    _ function: BinaryFunction, _ x: ScalarExpression, _ c: ScalarExpression,
    _ d: ScalarExpression
  ) -> ScalarExpression? {
    guard let joined = folded(.binary(function, c, d)), let number = joined.number else {
      return nil
    }
    let magnitude = abs(number)
    let isOrdinary = magnitude < 1e30 && (magnitude > 1e-30 || number == 0)
    guard type(c)?.isFloatingPoint == false || isOrdinary else { return nil }
    return .binary(function, x, joined)
  }
}

// MARK: - Constants

extension BinaryFunction {
  fileprivate var isCommutative: Bool {
    switch self {
    case .add, .multiply, .minimum, .maximum, .bitwiseAnd, .bitwiseOr, .bitwiseXor, .logicalAnd,
      .logicalOr, .logicalXor, .equal, .notEqual:
      true
    default: false
    }
  }
}

extension ScalarExpression {
  var isConstant: Bool {
    switch self {
    case .constant, .integer: true
    default: false
    }
  }

  /// The number, where it is a constant.
  var number: Double? {
    switch self {
    case .constant(let value, _): value
    case .integer(let value, _): Double(value)
    default: nil
    }
  }

  func isNumber(_ value: Double) -> Bool {
    if case .constant(value, _) = self { true } else { false }
  }

  /// The smallest index of an operand that occurs.
  fileprivate var firstOperand: Int? {
    if case .operand(let index) = self { return index }
    return children.compactMap(\.firstOperand).min()
  }

  var containsNaN: Bool {
    var found = false
    visit { if case .constant(let value, _) = $0, value.isNaN { found = true } }
    return found
  }

  /// The first element of a tensor; nil for NaN, and for strings and complex numbers.
  init?(element tensor: Tensor) {
    guard tensor.elementCount > 0, tensor.dataType != .string else { return nil }
    let type = tensor.dataType
    if type.isInteger || type == .bool {
      guard let value = tensor.integers()?.first else { return nil }
      if type != .uint64, value.magnitude <= 1 << 53 {
        self = .constant(Double(value), type)
      } else if type == .uint64, (0...(1 << 53)).contains(value) {
        self = .constant(Double(value), type)
      } else {
        self = .integer(value, type)
      }
      return
    }
    guard type.isFloatingPoint, let value = tensor.numbers()?.first, !value.isNaN else {
      return nil
    }
    self = .constant(value, type)
  }
}

extension DataType {
  /// Whether every value of the type is one of another.
  package func isSubset(of other: DataType) -> Bool {
    if self == other { return true }
    if self == .bool { return other.isInteger || other == .float32 || other == .float64 }
    if let range = integerRange, other.isInteger {
      guard let wider = other.integerRange else { return false }
      return wider.lowerBound <= range.lowerBound && wider.upperBound >= range.upperBound
    }
    switch (self, other) {
    case (.float32, .float64), (.float16, .float32), (.float16, .float64), (.bfloat16, .float32),
      (.bfloat16, .float64):
      return true
    case (_, .float32):
      return integerRange.map { $0.lowerBound >= -(1 << 24) && $0.upperBound <= 1 << 24 } ?? false
    case (_, .float64):
      return integerRange.map { $0.lowerBound >= -(1 << 53) && $0.upperBound <= 1 << 53 } ?? false
    default: return false
    }
  }

  /// Whether casting by way of another type gives what casting at once does.
  func isPreserved(through middle: DataType, to target: DataType) -> Bool {
    guard isSubset(of: middle) else { return false }
    // Integers wrap where they do not fit, floating-point numbers do not.
    if middle.isFloatingPoint, !isFloatingPoint, target.isInteger { return isSubset(of: target) }
    return true
  }
}

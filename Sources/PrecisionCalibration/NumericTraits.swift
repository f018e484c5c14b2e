import KernelModel
import TensorModel

/// What is known of the numbers that an expression or a value takes, as far as 16 bits matter.
struct NumericTraits: OptionSet, Hashable, Sendable {
  let rawValue: Int

  /// Known when the engine is built.
  static let constant = NumericTraits(rawValue: 1)
  /// May leave the range of the type.
  static let wide = NumericTraits(rawValue: 2)
  /// Integers, or multiples of them by constants, which need more digits than the type has.
  static let counted = NumericTraits(rawValue: 4)
  /// Grows or falls so steeply with an operand that the operand's rounding shows.
  static let steep = NumericTraits(rawValue: 8)

  /// What keeps a value in single precision.
  static let single: NumericTraits = [.wide, .counted, .steep]
}

/// Follows traits through expressions.
struct TraitAnalysis {
  let sixteen: SixteenBits
  /// Of each operand.
  let traits: [NumericTraits]
  let types: [DataType]

  /// Above this, an exponential leaves the range of every type of 16 bits.
  private static let largestExponent = 10.0

  func traits(of expression: ScalarExpression) -> NumericTraits {
    traits(expression, bounded: [])
  }

  /// - Parameter bounded: expressions that are known to be no larger than zero here.
  private func traits(
    _ expression: ScalarExpression, bounded: [ScalarExpression]
  ) -> NumericTraits {
    switch expression {
    case .operand(let index): return traits.indices.contains(index) ? traits[index] : []
    case .constant(let value, let type):
      return type.isFloatingPoint && sixteen.isExceeded(by: value) ? [.constant, .wide] : .constant
    case .integer: return .constant
    case .index: return .counted
    case .cast(let a, let type): return cast(a, type, bounded)
    case .unary(let function, let a): return unary(function, a, bounded)
    case .binary(let function, let a, let b): return binary(function, a, b, bounded)
    case .select(let condition, let a, let b):
      let (x, y) = branchBounds(condition)
      return union(
        traits(a, bounded: bounded + x), traits(b, bounded: bounded + y)
      ).union(traits(condition, bounded: bounded).intersection(.steep))
    }
  }

  private func cast(
    _ a: ScalarExpression, _ type: DataType, _ bounded: [ScalarExpression]
  ) -> NumericTraits {
    let inner = traits(a, bounded: bounded)
    let source = a.dataType(operands: types)
    if !type.isFloatingPoint {
      // A real number that becomes an integer decides.
      return source?.isFloatingPoint == true && type != .bool ? [.steep, .counted] : inner
    }
    guard let source, source.isInteger, !inner.contains(.constant) else { return inner }
    return source.byteCount > 1 ? inner.union(.counted) : inner.subtracting(.counted)
  }

  private func unary(
    _ function: UnaryFunction, _ a: ScalarExpression, _ bounded: [ScalarExpression]
  ) -> NumericTraits {
    let inner = traits(a, bounded: bounded)
    switch function {
    case .negate, .absolute, .squareRoot, .floor, .ceiling, .round, .truncate, .bitwiseNot:
      return inner
    case .exponential, .exponentialMinus1:
      if inner.contains(.constant) { return inner }
      let bound = upperBound(a, bounded) ?? .infinity
      return bound <= Self.largestExponent ? [] : steepGrowth
    case .hyperbolicSine, .hyperbolicCosine, .tangent:
      return inner.contains(.constant) ? inner : steepGrowth
    case .logarithm:
      if inner.contains(.constant) { return .constant }
      return hasExponential(a) ? [] : .steep
    case .logicalNot, .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
      return inner.intersection([.steep, .constant])
    case .sign, .reciprocal, .reciprocalSquareRoot, .logarithm1p, .sine, .cosine, .arcSine,
      .arcCosine, .arcTangent, .hyperbolicTangent, .areaSine, .areaCosine, .areaTangent, .sigmoid,
      .errorFunction:
      return inner.intersection(.constant)
    }
  }

  private var steepGrowth: NumericTraits {
    sixteen.largest < 1e30 ? [.steep, .wide] : .steep
  }

  private func binary(
    _ function: BinaryFunction, _ a: ScalarExpression, _ b: ScalarExpression,
    _ bounded: [ScalarExpression]
  ) -> NumericTraits {
    if isClamp(function, a, b) { return [] }
    let x = traits(a, bounded: bounded), y = traits(b, bounded: bounded)
    if function.isComparison { return union(x, y).intersection([.steep, .constant]) }
    switch function {
    case .divide:
      // What makes a divisor large makes a quotient small.
      return union(x, y.subtracting([.wide, .steep]))
    case .power:
      guard case .constant(let exponent, _) = b, [0.5, 1, 2, -0.5, -1].contains(exponent) else {
        return union(x, y).contains(.constant) ? .constant : steepGrowth
      }
      return x
    case .arcTangent2: return union(x, y).intersection(.constant)
    default: return union(x, y)
    }
  }

  /// Of a result of two operands: an ordinary operand makes the result ordinary, unless the other leaves
  /// the range.
  private func union(_ a: NumericTraits, _ b: NumericTraits) -> NumericTraits {
    var result = a.union(b).subtracting([.constant, .counted])
    let isCounted = [a, b].allSatisfy { $0.contains(.constant) || $0.contains(.counted) }
    if a.contains(.constant), b.contains(.constant) {
      result.insert(.constant)
    } else if isCounted {
      result.insert(.counted)
    }
    return result
  }

  private func isClamp(
    _ function: BinaryFunction, _ a: ScalarExpression, _ b: ScalarExpression
  ) -> Bool {
    guard case .binary(let inner, _, let first) = a,
      Set([function, inner]) == [.minimum, .maximum], case .constant(let x, _) = first,
      case .constant(let y, _) = b
    else { return false }
    return abs(x) <= sixteen.largest && abs(y) <= sixteen.largest
  }

  // MARK: Exponentials that stay small

  /// The expressions that a condition shows to be no larger than zero, for each side of a choice.
  private func branchBounds(
    _ condition: ScalarExpression
  ) -> (then: [ScalarExpression], otherwise: [ScalarExpression]) {
    guard case .binary(let function, let x, .constant(let bound, _)) = condition, bound <= 0 else {
      return ([], [])
    }
    switch function {
    case .less, .lessOrEqual: return ([x], [])
    case .greater, .greaterOrEqual: return ([], [x])
    default: return ([], [])
    }
  }

  /// A number that an expression never exceeds, whatever its operands.
  private func upperBound(_ expression: ScalarExpression, _ bounded: [ScalarExpression]) -> Double?
  {
    if bounded.contains(expression) { return 0 }
    switch expression {
    case .constant(let value, _): return value
    case .unary(.negate, .unary(.absolute, _)): return 0
    case .unary(.negate, .binary(.multiply, let a, let b)): return a == b ? 0 : nil
    case .binary(.minimum, let a, let b):
      return [upperBound(a, bounded), upperBound(b, bounded)].compactMap { $0 }.min()
    case .binary(.multiply, let a, .constant(let factor, _)),
      .binary(.multiply, .constant(let factor, _), let a):
      return factor > 0 ? upperBound(a, bounded).map { $0 * factor } : nil
    case .binary(.divide, let a, .constant(let divisor, _)):
      return divisor > 0 ? upperBound(a, bounded).map { $0 / divisor } : nil
    default: return nil
    }
  }

  private func hasExponential(_ expression: ScalarExpression) -> Bool {
    var found = false
    expression.visit {
      switch $0 {
      case .unary(.exponential, _), .unary(.sigmoid, _): found = true
      default: break
      }
    }
    return found
  }
}

import KernelModel
import TensorModel

/// `x * 0.5 * (erf(x / sqrt(2)) + 1)`, in any order: the Gaussian error linear unit, which costs half as much as one
/// function.
struct GaussianUnit {
  let argument: ScalarExpression

  /// Nil for another expression.
  init?(_ expression: ScalarExpression) {
    guard case .binary(.multiply, _, _) = expression else { return nil }
    var factors = Self.factors(expression)
    guard factors.count == 3,
      let half = factors.firstIndex(where: { Self.isConstant($0, 0.5) })
    else { return nil }
    factors.remove(at: half)
    for (sum, x) in [(factors[0], factors[1]), (factors[1], factors[0])] {
      guard case .binary(.add, let a, let b) = sum else { continue }
      for (one, error) in [(a, b), (b, a)] {
        if Self.isConstant(one, 1), case .unary(.errorFunction, let scaled) = error,
          Self.isScaled(scaled, x)
        {
          argument = x
          return
        }
      }
    }
    return nil
  }

  private static func factors(_ expression: ScalarExpression) -> [ScalarExpression] {
    guard case .binary(.multiply, let a, let b) = expression else { return [expression] }
    return factors(a) + factors(b)
  }

  private static func isConstant(_ expression: ScalarExpression, _ value: Double) -> Bool {
    guard case .constant(let number, _) = expression else { return false }
    // Models give constants in 16 bits too.
    return abs(number - value) <= 2e-4 * value
  }

  /// Whether an expression is x divided by the square root of 2.
  private static func isScaled(_ expression: ScalarExpression, _ x: ScalarExpression) -> Bool {
    let root = 2.0.squareRoot()
    switch expression {
    case .binary(.divide, let a, let b): return a == x && isConstant(b, root)
    case .binary(.multiply, let a, let b):
      return a == x && isConstant(b, 1 / root) || b == x && isConstant(a, 1 / root)
    default: return false
    }
  }
}

import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// `factor * gelu(argument)`, however its product is written.
struct GeluPattern {
  var argument: ScalarExpression
  var factor: Float
  var usesTanh: Bool

  /// Nil where the expression is something else.
  init?(_ expression: ScalarExpression, types: [DataType]) {
    var constant = 1.0
    var factors: [ScalarExpression] = []
    Self.flatten(expression, &constant, &factors)
    guard factors.count == 2 else { return nil }
    for (sum, x) in [(factors[0], factors[1]), (factors[1], factors[0])] {
      guard let (function, inner) = Self.sigmoidal(sum),
        x.dataType(operands: types) == .float32
      else { continue }
      let wanted: (Double) -> Double =
        function == .errorFunction
        ? { $0 * 0.5.squareRoot() }
        : { (2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0) }
      guard Self.agrees(inner, of: x, wanted) else { continue }
      argument = x
      factor = Float(2 * constant)
      usesTanh = function == .hyperbolicTangent
      return
    }
    return nil
  }

  private static func flatten(
    _ expression: ScalarExpression, _ constant: inout Double, _ factors: inout [ScalarExpression]
  ) {
    switch expression {
    case .binary(.multiply, let a, let b):
      flatten(a, &constant, &factors)
      flatten(b, &constant, &factors)
    case .binary(.divide, let a, .constant(let divisor, .float32)) where divisor != 0:
      flatten(a, &constant, &factors)
      constant /= divisor
    case .constant(let value, .float32): constant *= value
    default: factors.append(expression)
    }
  }

  /// `1 + erf(y)` or `1 + tanh(y)`.
  private static func sigmoidal(
    _ expression: ScalarExpression
  ) -> (UnaryFunction, ScalarExpression)? {
    switch expression {
    case .binary(.add, .constant(1, _), .unary(let function, let inner)),
      .binary(.add, .unary(let function, let inner), .constant(1, _)):
      function == .errorFunction || function == .hyperbolicTangent ? (function, inner) : nil
    default: nil
    }
  }

  /// Whether an expression is a function of another, to about the precision of its constants.
  private static func agrees(
    _ expression: ScalarExpression, of x: ScalarExpression, _ function: (Double) -> Double
  ) -> Bool {
    for sample in [-2.25, -0.7, 0.4, 1.9] {
      guard let value = evaluate(expression, x, sample),
        abs(value - function(sample)) <= 2e-6 * abs(function(sample))
      else { return false }
    }
    return true
  }

  private static func evaluate(
    _ expression: ScalarExpression, _ x: ScalarExpression, _ sample: Double
  ) -> Double? {
    if expression == x { return sample }
    switch expression {
    case .constant(let value, .float32): return value
    case .unary(.negate, let a): return evaluate(a, x, sample).map { -$0 }
    case .binary(let function, let a, let b):
      guard let a = evaluate(a, x, sample), let b = evaluate(b, x, sample) else { return nil }
      switch function {
      case .add: return a + b
      case .subtract: return a - b
      case .multiply: return a * b
      case .divide: return a / b
      case .power: return pow(a, b)
      default: return nil
      }
    default: return nil
    }
  }
}

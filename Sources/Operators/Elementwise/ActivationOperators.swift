package import GraphModel
import KernelModel
import TensorModel

/// Activations: scalar formulas of one operand with a few parameters.
package struct ActivationOperator: Operator {
  private typealias Formula =
    @Sendable (_ x: ScalarExpression, _ parameters: [ScalarExpression]) -> ScalarExpression

  /// One activation: its parameters with their defaults, and its formula.
  private struct Row: Sendable {
    var name: String
    var domain: String
    var parameters: [(name: String, fallback: Float)]
    var formula: Formula

    init(
      _ name: String, domain: String = "onnx", _ parameters: [(name: String, fallback: Float)] = [],
      _ formula: @escaping Formula
    ) {
      self.name = name
      self.domain = domain
      self.parameters = parameters
      self.formula = formula
    }
  }

  private static let zero = ScalarExpression.float(0)
  private static let one = ScalarExpression.float(1)

  private static let rows: [Row] = [
    Row("Relu") { x, _ in .maximum(x, zero) },
    Row("LeakyRelu", [("alpha", 0.01)]) { x, p in .select(.less(x, zero), p[0] * x, x) },
    Row("ThresholdedRelu", [("alpha", 1)]) { x, p in .select(.greater(x, p[0]), x, zero) },
    Row("Elu", [("alpha", 1)]) { x, p in
      .select(.less(x, zero), p[0] * .unary(.exponentialMinus1, x), x)
    },
    Row("Celu", [("alpha", 1)]) { x, p in
      .select(.less(x, zero), p[0] * .unary(.exponentialMinus1, x / p[0]), x)
    },
    Row("Selu", [("alpha", 1.67326319217681884765625), ("gamma", 1.05070102214813232421875)]) {
      x, p in p[1] * .select(.less(x, zero), p[0] * .unary(.exponentialMinus1, x), x)
    },
    Row("Softplus") { x, _ in softplus(x) },
    Row("Softsign") { x, _ in x / (one + .unary(.absolute, x)) },
    Row("HardSigmoid", [("alpha", 0.2), ("beta", 0.5)]) { x, p in unit(p[0] * x + p[1]) },
    Row("HardSwish") { x, _ in x * unit(x * .float(1.0 / 6) + .float(0.5)) },
    Row("Mish") { x, _ in x * .unary(.hyperbolicTangent, softplus(x)) },
    Row("Shrink", [("bias", 0), ("lambd", 0.5)]) { x, p in
      .select(
        .less(x, -p[1]), x + p[0], .select(.greater(x, p[1]), x - p[0], zero))
    },
    Row("Swish", [("alpha", 1)]) { x, p in x * .unary(.sigmoid, p[0] * x) },
    Row("QuickGelu", domain: "com.microsoft", [("alpha", 1.702)]) { x, p in
      x * .unary(.sigmoid, p[0] * x)
    },
  ]

  /// `log(1 + exp(x))`, without overflow for large x.
  private static func softplus(_ x: ScalarExpression) -> ScalarExpression {
    .maximum(x, zero) + .unary(.logarithm1p, .unary(.exponential, -.unary(.absolute, x)))
  }

  private static func unit(_ x: ScalarExpression) -> ScalarExpression {
    .maximum(.minimum(x, one), zero)
  }

  package static let spellings = rows.map { Spelling.onnx(domain: $0.domain, $0.name) }

  /// The formula of operand 0, in `float32`.
  private let formula: ScalarExpression

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.rows.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not an activation")
    }
    var parameters: [ScalarExpression] = []
    for (name, fallback) in row.parameters {
      let value = try attributes.float(name, default: Double(fallback))
      // A factor of one is no multiplication.
      parameters.append(.float(value))
    }
    formula = row.formula(.operand(0), parameters).withoutFactorsOfOne
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    expansion.set(0, try expansion.pointwise(formula.adapted(to: x.dataType), [x]))
  }
}

extension ScalarExpression {
  /// The expression with `1 * x`, `x * 1` and `x / 1` written as `x`.
  fileprivate var withoutFactorsOfOne: ScalarExpression {
    rewritten { node in
      switch node {
      case .binary(.multiply, .constant(1, _), let x), .binary(.multiply, let x, .constant(1, _)),
        .binary(.divide, let x, .constant(1, _)):
        x
      default: node
      }
    }
  }
}

/// `x * P(X <= x)` for a standard normal X, exact or by its approximation with tanh; the variants of
/// ONNX Runtime add a bias first.
package struct Gelu: Operator {
  package static let spellings = [
    Spelling.onnx("Gelu"), .onnx(domain: "com.microsoft", "Gelu"),
    .onnx(domain: "com.microsoft", "BiasGelu"), .onnx(domain: "com.microsoft", "FastGelu"),
  ]

  private let usesTanh: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    let approximate = try attributes.choice(
      "approximate", default: "none", ["none": false, "tanh": true])
    usesTanh = approximate || attributes.name == "FastGelu"
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    try expansion.sameType(inputs)
    guard let x = inputs.first, inputs.count <= 2 else {
      throw OperatorError("expected one or two inputs, found \(inputs.count)")
    }
    let sum = inputs.count == 2 ? .operand(0) + .operand(1) : ScalarExpression.operand(0)
    let formula = usesTanh ? Self.approximate(sum) : Self.exact(sum)
    expansion.set(0, try expansion.pointwise(formula.adapted(to: x.dataType), inputs))
  }

  private static func exact(_ x: ScalarExpression) -> ScalarExpression {
    .float(0.5) * x * (.float(1) + .unary(.errorFunction, x * .float(0.5.squareRoot())))
  }

  private static func approximate(_ x: ScalarExpression) -> ScalarExpression {
    let cubic = x + .float(0.044715) * (x * x * x)
    let scale = (2 / Double.pi).squareRoot()
    return .float(0.5) * x * (.float(1) + .unary(.hyperbolicTangent, .float(scale) * cubic))
  }
}

/// `swish(a) * b`.
package struct SwiGLU: Operator {
  package static let spellings = [Spelling.onnx("SwiGLU")]

  private let alpha: Double

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    alpha = try attributes.float("alpha", default: 1)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    try expansion.sameType([a, b])
    let gate = ScalarExpression.operand(0)
    let scaled = alpha == 1 ? gate : .float(alpha) * gate
    let formula = gate * .unary(.sigmoid, scaled) * .operand(1)
    expansion.set(0, try expansion.pointwise(formula.adapted(to: a.dataType), [a, b]))
  }
}

/// A leaky rectifier whose slope is an operand, broadcast to x.
package struct PRelu: Operator {
  package static let spellings = [Spelling.onnx("PRelu")]

  private let version: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) { version = attributes.version }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var slope = try expansion.input(1)
    try expansion.sameType([x, slope])
    if version < 7, slope.rank == 1, x.rank > 2, slope.shape[0] != 1 {
      // The slope of a channel.
      slope = try expansion.unsqueeze(slope, axes: Array(1..<(x.rank - 1)))
    }
    guard let shape = ShapeMath.broadcast(slope.shape, x.shape), shape.rank == x.rank else {
      throw OperatorError("a slope of shape \(slope.shape) does not broadcast to \(x.shape)")
    }
    let formula = ScalarExpression.select(
      .less(.operand(0), .constant(0, x.dataType)), .operand(1) * .operand(0), .operand(0))
    expansion.set(0, try expansion.pointwise(formula, [x, slope]))
  }
}

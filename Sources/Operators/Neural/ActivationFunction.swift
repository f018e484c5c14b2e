import GraphModel
import KernelModel
import TensorModel

/// An activation that a layer names in an attribute, with its parameters.
struct ActivationFunction {
  private enum Kind: String {
    case relu, tanh, sigmoid, affine, leakyrelu, thresholdedrelu, scaledtanh, hardsigmoid, elu
    case softsign, softplus, clip, hardswish
  }

  private let kind: Kind
  private let alpha: Double
  private let beta: Double

  /// - Parameter parameters: the numbers that the node gives; those that the function needs are taken
  ///   from the front.
  init(_ name: String, takingFrom parameters: inout [Double]) throws(OperatorError) {
    var none: [Double] = []
    try self.init(name, alphas: &parameters, betas: &none, sharesList: true)
  }

  /// - Parameters:
  ///   - alphas: the values of the attribute for alpha; the first is taken where the function has one.
  ///   - betas: likewise.
  init(
    _ name: String, alphas: inout [Double], betas: inout [Double]
  ) throws(OperatorError) {
    try self.init(name, alphas: &alphas, betas: &betas, sharesList: false)
  }

  private init(
    _ name: String, alphas: inout [Double], betas: inout [Double], sharesList: Bool
  ) throws(OperatorError) {
    guard let kind = Kind(rawValue: name.lowercased()) else {
      throw OperatorError("the activation '\(name)' is not known")
    }
    self.kind = kind
    func take(_ values: inout [Double], _ fallback: Double) -> Double {
      values.isEmpty ? fallback : values.removeFirst()
    }
    func takeBeta(_ fallback: Double) -> Double {
      sharesList ? take(&alphas, fallback) : take(&betas, fallback)
    }
    switch kind {
    case .relu, .tanh, .sigmoid, .softsign, .softplus: (alpha, beta) = (0, 0)
    case .leakyrelu: (alpha, beta) = (take(&alphas, 0.01), 0)
    case .thresholdedrelu, .elu: (alpha, beta) = (take(&alphas, 1), 0)
    case .hardsigmoid: (alpha, beta) = (take(&alphas, 0.2), takeBeta(0.5))
    case .hardswish: (alpha, beta) = (take(&alphas, 1.0 / 6), takeBeta(0.5))
    case .affine, .scaledtanh: (alpha, beta) = (take(&alphas, 1), takeBeta(kind == .affine ? 0 : 1))
    case .clip:
      (alpha, beta) = (
        take(&alphas, -Double.infinity), takeBeta(Double.infinity)
      )
    }
  }

  /// The function of operand 0.
  func expression(_ type: DataType) -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    let zero = ScalarExpression.constant(0, type), one = ScalarExpression.constant(1, type)
    let a = ScalarExpression.constant(alpha, type), b = ScalarExpression.constant(beta, type)
    switch kind {
    case .relu: return .maximum(x, zero)
    case .tanh: return .unary(.hyperbolicTangent, x)
    case .sigmoid: return .unary(.sigmoid, x)
    case .affine: return a * x + b
    case .leakyrelu: return .select(.binary(.less, x, zero), a * x, x)
    case .thresholdedrelu: return .select(.binary(.greater, x, a), x, zero)
    case .scaledtanh: return a * .unary(.hyperbolicTangent, b * x)
    case .hardsigmoid: return .clamp(a * x + b, 0, 1, type)
    case .hardswish: return x * .clamp(a * x + b, 0, 1, type)
    case .elu: return .select(.binary(.less, x, zero), a * .unary(.exponentialMinus1, x), x)
    case .softsign: return x / (one + .unary(.absolute, x))
    case .softplus:
      // max(x, 0) + log(1 + exp(-|x|)) does not overflow.
      return .maximum(x, zero)
        + .unary(.logarithm1p, .unary(.exponential, -.unary(.absolute, x)))
    case .clip: return .minimum(.maximum(x, a), b)
    }
  }
}

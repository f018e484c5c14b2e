import GraphModel
package import KernelModel
import TensorModel

/// Activations in the one spelling that back ends look for.
enum ActivationFusion {
  static let rules: [Rule] = [gelu]

  static let gelu = Rule("x * (1 + erf(x / sqrt 2)) / 2 => x * 0.5 * (erf(x * sqrt 0.5) + 1)") {
    graph, id, node, problem in
    guard let before = ValueExpression(of: node, problem) else { return nil }
    var after = before
    after.expression = before.expression.rewritten { $0.asGELU ?? $0 }
    guard after.expression != before.expression,
      let (changed, inputs) = after.problem(of: node, problem, in: graph)
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    guard node.outputs.count == 1,
      patch.replace(
        node.outputs[0], with: changed, inputs, name: node.name, origins: node.origins, in: graph)
    else { return nil }
    return patch
  }
}

extension ScalarExpression {
  /// Gaussian error linear unit: `x * P(X <= x)` for a standard normal X.
  package static func gelu(_ x: ScalarExpression) -> ScalarExpression {
    (x * .float(0.5))
      * (.unary(.errorFunction, x * .float(Double(Float(0.5.squareRoot())))) + .float(1))
  }

  /// The expression in the spelling of `gelu`, where it is that function in single precision.
  fileprivate var asGELU: ScalarExpression? {
    guard case .binary(let function, _, _) = self, function == .multiply || function == .divide
    else { return nil }
    var factors: [ScalarExpression] = []
    guard let scale = collectFactors(&factors), abs(scale - 0.5) < 1e-6, factors.count == 2 else {
      return nil
    }
    for (x, other) in [(factors[0], factors[1]), (factors[1], factors[0])] {
      if other.isErrorFunctionPlusOne(of: x) {
        let result = Self.gelu(x)
        return result == self ? nil : result
      }
    }
    return nil
  }

  /// Appends the factors that are no numbers and returns the product of those that are.
  private func collectFactors(_ factors: inout [ScalarExpression]) -> Double? {
    switch self {
    case .constant(let number, .float32): return number
    case .binary(.multiply, let a, let b) where factors.count <= 2:
      guard let x = a.collectFactors(&factors), let y = b.collectFactors(&factors) else {
        return nil
      }
      return x * y
    case .binary(.divide, let a, .constant(let number, .float32)) where number != 0:
      return a.collectFactors(&factors).map { $0 / number }
    default:
      factors.append(self)
      return 1
    }
  }

  private func isErrorFunctionPlusOne(of x: ScalarExpression) -> Bool {
    guard case .binary(.add, let a, let b) = self else { return false }
    let argument: ScalarExpression
    switch (a, b) {
    case (.unary(.errorFunction, let inner), .constant(1, .float32)),
      (.constant(1, .float32), .unary(.errorFunction, let inner)):
      argument = inner
    default: return false
    }
    let root = 0.5.squareRoot()
    switch argument {
    case .binary(.multiply, x, .constant(let number, .float32)),
      .binary(.multiply, .constant(let number, .float32), x):
      return abs(number - root) < 1e-6
    case .binary(.divide, x, .constant(let number, .float32)):
      return abs(number * root - 1) < 1e-6
    default: return false
    }
  }
}

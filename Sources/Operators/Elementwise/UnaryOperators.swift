package import GraphModel
import KernelModel
import TensorModel

/// Operators that are one scalar function of one operand.
package struct UnaryOperator: Operator {
  private static let functions: [(name: String, function: UnaryFunction)] = [
    ("Abs", .absolute),
    ("Neg", .negate),
    ("Sign", .sign),
    ("Reciprocal", .reciprocal),
    ("Sqrt", .squareRoot),
    ("Exp", .exponential),
    ("Log", .logarithm),
    ("Sin", .sine),
    ("Cos", .cosine),
    ("Tan", .tangent),
    ("Asin", .arcSine),
    ("Acos", .arcCosine),
    ("Atan", .arcTangent),
    ("Sinh", .hyperbolicSine),
    ("Cosh", .hyperbolicCosine),
    ("Tanh", .hyperbolicTangent),
    ("Asinh", .areaSine),
    ("Acosh", .areaCosine),
    ("Atanh", .areaTangent),
    ("Sigmoid", .sigmoid),
    ("Erf", .errorFunction),
    ("Floor", .floor),
    ("Ceil", .ceiling),
    ("Round", .round),
    ("Not", .logicalNot),
    ("BitwiseNot", .bitwiseNot),
    ("IsNaN", .isNaN),
  ]

  package static let spellings = functions.map { Spelling.onnx($0.name) }

  private let function: UnaryFunction

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.functions.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not a function of one operand")
    }
    function = row.function
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    expansion.set(0, try expansion.pointwise(.unary(function, .operand(0)), [x]))
  }
}

/// Whether elements are infinite, of either sign or of one.
package struct IsInf: Operator {
  package static let spellings = [Spelling.onnx("IsInf")]

  private let detectsNegative: Bool
  private let detectsPositive: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    detectsNegative = try attributes.bool("detect_negative", default: true)
    detectsPositive = try attributes.bool("detect_positive", default: true)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let function: UnaryFunction
    switch (detectsNegative, detectsPositive) {
    case (true, true): function = .isInfinite
    case (true, false): function = .isNegativeInfinite
    case (false, true): function = .isPositiveInfinite
    case (false, false):
      let never = Pointwise(.constant(0, .bool), shape: x.shape)
      return expansion.set(0, try expansion.emit(.pointwise(never), []))
    }
    expansion.set(0, try expansion.pointwise(.unary(function, .operand(0)), [x]))
  }
}

/// The input itself.
package struct Identity: Operator {
  package static let spellings = [Spelling.onnx("Identity")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    expansion.set(0, try expansion.input(0))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Scalar functions of one operand. Source: TensorFlow.
struct TensorFlowUnaryOperator: Operator {
  private typealias Formula = @Sendable (ScalarExpression) -> ScalarExpression

  private static let x = ScalarExpression.operand(0)
  private static let zero = ScalarExpression.float(0)
  private static let one = ScalarExpression.float(1)

  private static func call(_ function: UnaryFunction) -> ScalarExpression { .unary(function, x) }

  private static let formulas: [String: ScalarExpression] = [
    "Abs": call(.absolute), "Neg": call(.negate), "Sign": call(.sign),
    "Reciprocal": call(.reciprocal), "Inv": call(.reciprocal), "Sqrt": call(.squareRoot),
    "Rsqrt": call(.reciprocalSquareRoot), "Square": x * x, "Exp": call(.exponential),
    "Expm1": call(.exponentialMinus1), "Log": call(.logarithm), "Log1p": call(.logarithm1p),
    "Sin": call(.sine), "Cos": call(.cosine), "Tan": call(.tangent), "Asin": call(.arcSine),
    "Acos": call(.arcCosine), "Atan": call(.arcTangent), "Sinh": call(.hyperbolicSine),
    "Cosh": call(.hyperbolicCosine), "Tanh": call(.hyperbolicTangent), "Asinh": call(.areaSine),
    "Acosh": call(.areaCosine), "Atanh": call(.areaTangent), "Sigmoid": call(.sigmoid),
    "Erf": call(.errorFunction), "Floor": call(.floor), "Ceil": call(.ceiling),
    "Rint": call(.round), "Round": call(.round), "LogicalNot": call(.logicalNot),
    "Invert": call(.bitwiseNot), "IsNan": call(.isNaN), "IsInf": call(.isInfinite),
    "IsFinite": .unary(
      .logicalNot, .binary(.logicalOr, call(.isNaN), call(.isInfinite))),
    "Relu": .maximum(x, zero), "Relu6": .minimum(.maximum(x, zero), .float(6)),
    "Elu": .select(.less(x, zero), call(.exponentialMinus1), x),
    "Selu": .float(1.0507009873554805)
      * .select(.less(x, zero), .float(1.6732632423543772) * call(.exponentialMinus1), x),
    "Softplus": .maximum(x, zero)
      + .unary(.logarithm1p, .unary(.exponential, -call(.absolute))),
    "Softsign": x / (one + call(.absolute)), "Erfc": one - call(.errorFunction),
  ]

  private static let predicates: Set<String> = ["IsNan", "IsInf", "IsFinite"]

  static let spellings = formulas.keys.sorted().map { Spelling.tensorflow($0) }

  private let formula: ScalarExpression
  private let isPredicate: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let formula = Self.formulas[attributes.name] else {
      throw OperatorError("'\(attributes.name)' is not a function of one operand")
    }
    self.formula = formula
    isPredicate = Self.predicates.contains(attributes.name)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let formula = isPredicate ? self.formula : self.formula.adapted(to: x.dataType)
    expansion.set(0, try expansion.pointwise(formula, [x]))
  }
}

/// Scalar functions of two operands, broadcast against each other. Source: TensorFlow.
struct TensorFlowBinaryOperator: Operator {
  private static let a = ScalarExpression.operand(0)
  private static let b = ScalarExpression.operand(1)

  private static func call(_ function: BinaryFunction) -> ScalarExpression {
    .binary(function, a, b)
  }

  private static let zero = ScalarExpression.float(0)

  private static let formulas: [String: ScalarExpression] = [
    "Add": a + b, "AddV2": a + b, "Sub": a - b, "Mul": a * b, "Div": a / b, "RealDiv": a / b,
    "TruncateDiv": a / b, "FloorDiv": call(.floorDivide), "FloorMod": call(.moduloFloor),
    "Mod": call(.moduloTruncate), "TruncateMod": call(.moduloTruncate),
    "Maximum": call(.maximum), "Minimum": call(.minimum), "Pow": call(.power),
    "Atan2": call(.arcTangent2), "SquaredDifference": (a - b) * (a - b),
    "DivNoNan": .select(.equal(b, zero), zero, a / b),
    "MulNoNan": .select(.equal(b, zero), zero, a * b),
    "Xlogy": .select(.equal(a, zero), zero, a * .unary(.logarithm, b)),
    "Xlog1py": .select(.equal(a, zero), zero, a * .unary(.logarithm1p, b)),
    "Xdivy": .select(.equal(a, zero), zero, a / b),
    "LeftShift": call(.shiftLeft), "RightShift": call(.shiftRight),
    "Less": call(.less), "LessEqual": call(.lessOrEqual), "Greater": call(.greater),
    "GreaterEqual": call(.greaterOrEqual), "Equal": call(.equal), "NotEqual": call(.notEqual),
    "LogicalAnd": call(.logicalAnd), "LogicalOr": call(.logicalOr),
    "BitwiseAnd": call(.bitwiseAnd), "BitwiseOr": call(.bitwiseOr),
    "BitwiseXor": call(.bitwiseXor),
  ]

  private static let comparisons: Set<String> = [
    "Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual",
  ]

  static let spellings = formulas.keys.sorted().map { Spelling.tensorflow($0) }

  private let formula: ScalarExpression
  private let name: String

  init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let formula = Self.formulas[attributes.name] else {
      throw OperatorError("'\(attributes.name)' is not a function of two operands")
    }
    self.formula = formula
    name = attributes.name
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    try expansion.sameType([a, b])
    guard a.dataType != .string else {
      throw OperatorError("strings are not supported here")
    }
    // One function, or a formula whose numbers are of the operands' type: nothing is computed wider.
    let formula =
      Self.comparisons.contains(name) ? self.formula : self.formula.adapted(to: a.dataType)
    expansion.set(0, try expansion.pointwise(formula, [a, b]))
  }
}

/// A leaky rectifier. Source: TensorFlow `LeakyRelu`.
struct TensorFlowLeakyRelu: Operator {
  static let spellings = [Spelling.tensorflow("LeakyRelu")]

  private let alpha: Double

  init(_ attributes: AttributeReader) throws(OperatorError) {
    alpha = try attributes.float("alpha", default: 0.2)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let formula = ScalarExpression.select(
      .less(.operand(0), .float(0)), .float(alpha) * .operand(0), .operand(0))
    expansion.set(0, try expansion.pointwise(formula.adapted(to: x.dataType), [x]))
  }
}

/// The sum of any number of tensors of one shape. Source: TensorFlow `AddN`.
struct TensorFlowAddN: Operator {
  static let spellings = [Spelling.tensorflow("AddN")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard var sum = inputs.first else { throw OperatorError("it has no inputs") }
    try expansion.sameType(inputs)
    for term in inputs.dropFirst() {
      sum = try expansion.pointwise(.operand(0) + .operand(1), [sum, term])
    }
    expansion.set(0, sum)
  }
}

/// One of two values for each element. Source: TensorFlow `Select`, `SelectV2`.
struct TensorFlowSelect: Operator {
  static let spellings = [Spelling.tensorflow("Select"), .tensorflow("SelectV2")]

  private let alignsFirst: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    alignsFirst = attributes.name == "Select"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var condition = try expansion.input(0)
    let (a, b) = (try expansion.input(1), try expansion.input(2))
    try expansion.sameType([a, b])
    if alignsFirst, condition.rank == 1, a.rank > 1 {
      // A vector chooses rows.
      condition = try expansion.unsqueeze(condition, axes: Array(1..<a.rank))
    }
    let formula = ScalarExpression.select(.operand(0), .operand(1), .operand(2))
    expansion.set(0, try expansion.pointwise(formula, [condition, a, b]))
  }
}

/// Values held between two bounds. Source: TensorFlow `ClipByValue`.
struct TensorFlowClip: Operator {
  static let spellings = [Spelling.tensorflow("ClipByValue")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard inputs.count == 3 else { throw OperatorError("expected 3 inputs") }
    let formula = ScalarExpression.minimum(.maximum(.operand(0), .operand(1)), .operand(2))
    expansion.set(0, try expansion.pointwise(formula, inputs))
  }
}

/// Elements in another type. Source: TensorFlow `Cast`.
struct TensorFlowCast: Operator {
  static let spellings = [Spelling.tensorflow("Cast")]

  private let type: DataType

  init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let type = try attributes.dataType("DstT") else {
      throw OperatorError("attribute 'DstT' is missing")
    }
    self.type = type
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.dataType != .string, type != .string else {
      throw OperatorError("strings are not supported here")
    }
    expansion.set(0, try expansion.cast(x, to: type))
  }
}

/// The input itself. Source: TensorFlow's operators that guard, name or observe a value.
struct TensorFlowIdentity: Operator {
  static let spellings = [
    Spelling.tensorflow("StopGradient"), .tensorflow("PreventGradient"), .tensorflow("Snapshot"),
    .tensorflow("CheckNumerics"), .tensorflow("EnsureShape"), .tensorflow("PlaceholderWithDefault"),
  ]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    expansion.set(0, try expansion.input(0))
  }
}

/// Zeros or ones in the input's shape. Source: TensorFlow `ZerosLike`, `OnesLike`.
struct TensorFlowLike: Operator {
  static let spellings = [Spelling.tensorflow("ZerosLike"), .tensorflow("OnesLike")]

  private let value: Double

  init(_ attributes: AttributeReader) throws(OperatorError) {
    value = attributes.name == "OnesLike" ? 1 : 0
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let filled = Pointwise(.constant(value, x.dataType), shape: x.shape)
    expansion.set(0, try expansion.emit(.pointwise(filled), []))
  }
}

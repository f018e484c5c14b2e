package import GraphModel
import KernelModel
import TensorModel

/// Functions of any number of operands, broadcast against each other.
package struct VariadicOperator: Operator {
  private static let functions: [(name: String, function: BinaryFunction)] = [
    ("Max", .maximum),
    ("Min", .minimum),
    ("Sum", .add),
    ("Mean", .add),
  ]

  /// Longer lists are computed in several kernels.
  private static let operandsOfOneKernel = 8

  package static let spellings = functions.map { Spelling.onnx($0.name) }

  private let function: BinaryFunction
  private let isMean: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.functions.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not a function of any number of operands")
    }
    function = row.function
    isMean = attributes.name == "Mean"
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var inputs = try expansion.allInputs()
    guard !inputs.isEmpty else { throw OperatorError("expected at least one input, found none") }
    try expansion.sameType(inputs)
    let count = inputs.count
    while inputs.count > Self.operandsOfOneKernel {
      let head = Array(inputs.prefix(Self.operandsOfOneKernel))
      let joined = try expansion.pointwise(chain(head.count), head)
      inputs.replaceSubrange(..<head.count, with: [joined])
    }
    guard count > 1 else { return expansion.set(0, inputs[0]) }
    var formula = chain(inputs.count)
    if isMean { formula = formula / .constant(Double(count), inputs[0].dataType) }
    expansion.set(0, try expansion.pointwise(formula, inputs))
  }

  private func chain(_ count: Int) -> ScalarExpression {
    (1..<count).reduce(.operand(0)) { .binary(function, $0, .operand($1)) }
  }
}

/// Elements of one of two operands, chosen by a third.
package struct Where: Operator {
  package static let spellings = [Spelling.onnx("Where")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let condition = try expansion.input(0)
    let (a, b) = (try expansion.input(1), try expansion.input(2))
    guard condition.dataType == .bool else {
      throw OperatorError("the condition is \(condition.dataType), expected bool")
    }
    try expansion.sameType([a, b])
    expansion.set(
      0,
      try expansion.pointwise(
        .select(.operand(0), .operand(1), .operand(2)), [condition, a, b]))
  }
}

/// Elements limited to a range; bounds are attributes before version 11, then optional scalars.
package struct Clip: Operator {
  package static let spellings = [Spelling.onnx("Clip")]

  private let lower: Double?
  private let upper: Double?
  private let readsInputs: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    readsInputs = attributes.version >= 11
    lower = try attributes.float("min")
    upper = try attributes.float("max")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var operands = [x]
    var formula = ScalarExpression.operand(0)
    if let bound = try bound(lower, input: 1, x, &expansion, &operands) {
      formula = .maximum(formula, bound)
    }
    if let bound = try bound(upper, input: 2, x, &expansion, &operands) {
      formula = .minimum(formula, bound)
    }
    guard formula != .operand(0) else { return expansion.set(0, x) }
    expansion.set(0, try expansion.pointwise(formula, operands))
  }

  private func bound(
    _ attribute: Double?, input: Int, _ x: Operand, _ expansion: inout Expansion,
    _ operands: inout [Operand]
  ) throws(OperatorError) -> ScalarExpression? {
    guard readsInputs else {
      guard let value = attribute, value.magnitude < Double(Float.greatestFiniteMagnitude) else {
        return nil
      }
      return .constant(value, x.dataType)
    }
    guard let operand = expansion.optionalInput(input) else { return nil }
    try expansion.sameType([x, operand])
    return try expansion.scalarTerm(operand, appendingTo: &operands)
  }
}

import KernelModel
import TensorModel

extension ScalarExpression {
  /// Whether a part of the expression makes strings of numbers.
  var castsToString: Bool {
    var found = false
    visit { if case .cast(_, .string) = $0 { found = true } }
    return found
  }
}

/// Evaluates expressions over strings: selection, equality and casts.
///
/// Every part that takes strings is evaluated as a tensor of its own and becomes another operand of what
/// is left, which is an expression over numbers.
struct StringExpression {
  private var operands: [Tensor]
  private let shape: [Int]

  init(operands: [Tensor], shape: [Int]) {
    self.operands = operands
    self.shape = shape
  }

  mutating func evaluate(
    _ expression: ScalarExpression, _ output: Output
  ) throws(ProblemError) -> Tensor {
    if output.dataType == .string {
      do { return try Tensor(strings: try strings(expression), shape: output.shape) } catch {
        throw ProblemError("\(error)")
      }
    }
    return try numbers(expression, output.dataType)
  }

  private func dataType(_ expression: ScalarExpression) throws(ProblemError) -> DataType {
    guard let type = expression.dataType(operands: operands.map(\.dataType)) else {
      throw ProblemError("\(expression) does not fit its operands")
    }
    return type
  }

  private func output(_ dataType: DataType) -> Output {
    Output(dataType: dataType, shape: shape, elementCount: shape.reduce(1, *))
  }

  private mutating func numbers(
    _ expression: ScalarExpression, _ dataType: DataType
  ) throws(ProblemError) -> Tensor {
    let rest = try withoutStrings(expression)
    var used: [Tensor] = []
    var positions: [Int: Int] = [:]
    for operand in rest.operands where operands.indices.contains(operand) {
      positions[operand] = used.count
      used.append(operands[operand])
    }
    let renumbered = rest.rewritten { node in
      guard case .operand(let i) = node, let position = positions[i] else { return node }
      return .operand(position)
    }
    return try Interpreter.map(
      renumbered, used.map { .tensor($0) }, output(dataType))
  }

  /// The expression with its parts over strings replaced by further operands.
  private mutating func withoutStrings(
    _ expression: ScalarExpression
  ) throws(ProblemError) -> ScalarExpression {
    switch expression {
    case .operand, .constant, .integer, .index: return expression
    case .unary(let function, let a): return .unary(function, try withoutStrings(a))
    case .select(let c, let a, let b):
      return .select(try withoutStrings(c), try withoutStrings(a), try withoutStrings(b))
    case .cast(let a, let type):
      guard try dataType(a) == .string else { return .cast(try withoutStrings(a), type) }
      return append(try parse(try strings(a), as: type))
    case .binary(let function, let a, let b):
      guard try dataType(a) == .string else {
        return .binary(function, try withoutStrings(a), try withoutStrings(b))
      }
      let x = try strings(a), y = try strings(b)
      guard function == .equal || function == .notEqual else {
        throw ProblemError("\(function.rawValue) of strings")
      }
      let wanted = function == .equal
      let bits: [Int64] = zip(x, y).map { ($0 == $1) == wanted ? 1 : 0 }
      return append(try Numbers.integer(bits).tensor(output(.bool)))
    }
  }

  private mutating func append(_ tensor: Tensor) -> ScalarExpression {
    operands.append(tensor)
    return .operand(operands.count - 1)
  }

  /// The strings of the whole result.
  private mutating func strings(_ expression: ScalarExpression) throws(ProblemError) -> [String] {
    switch expression {
    case .operand(let i) where operands.indices.contains(i) && operands[i].dataType == .string:
      return try Interpreter.expand(operands[i], output(.string)).strings
    case .select(let c, let a, let b):
      let condition = try numbers(c, .bool).wideIntegers()
      let x = try strings(a), y = try strings(b)
      return condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] }
    case .cast(let a, .string):
      let type = try dataType(a)
      if type == .string { return try strings(a) }
      return try spell(try numbers(a, type))
    default: throw ProblemError("\(expression) does not give strings")
    }
  }

  /// Numbers as text: the shortest that reads back as the same number.
  private func spell(_ tensor: Tensor) throws(ProblemError) -> [String] {
    switch tensor.dataType {
    case .bool: return try tensor.wideIntegers().map { $0 != 0 ? "True" : "False" }
    case .uint64: return try tensor.wideIntegers().map { "\(UInt64(bitPattern: $0))" }
    case .float64: return try tensor.doubles().map { "\($0)" }
    case let type where type.isFloatingPoint: return try tensor.doubles().map { "\(Float($0))" }
    default: return try tensor.wideIntegers().map { "\($0)" }
    }
  }

  /// Text as numbers.
  private func parse(_ strings: [String], as type: DataType) throws(ProblemError) -> Tensor {
    if type.isFloatingPoint {
      var values: [Double] = []
      for text in strings {
        guard let value = Double(text.trimmed) else {
          throw ProblemError("\"\(text.prefix(64))\" is not a number")
        }
        values.append(Conversion.rounded(value, type, saturates: type.byteCount == 1))
      }
      return try Numbers.floating(values).tensor(output(type))
    }
    var values: [Int64] = []
    for text in strings {
      if let value = Int64(text.trimmed) {
        values.append(value)
      } else if type == .uint64, let value = UInt64(text.trimmed) {
        values.append(Int64(bitPattern: value))
      } else if let value = Double(text.trimmed) {
        values.append(Conversion.integer(value, type))
      } else {
        throw ProblemError("\"\(text.prefix(64))\" is not a number")
      }
    }
    return try Numbers.integer(values).tensor(output(type))
  }
}

extension String {
  fileprivate var trimmed: Substring {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return rest
  }
}

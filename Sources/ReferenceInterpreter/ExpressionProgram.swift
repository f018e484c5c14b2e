import KernelModel
import TensorModel

/// A scalar expression as a list of steps, each of which computes one node for a block of elements.
struct ExpressionProgram {
  enum Step: Hashable {
    case operand(Int)
    case real(Double)
    case integer(Int64)
    case index(axis: Int)
    case unary(UnaryFunction, Int)
    case binary(BinaryFunction, Int, Int)
    case select(Int, Int, Int)
    case cast(Int)
    /// The argument rounded to its type.
    case round(Int)
  }

  struct Node: Hashable {
    var step: Step
    var dataType: DataType
  }

  /// In an order in which arguments come first; the last is the result.
  private(set) var nodes: [Node] = []
  /// Whether values of a node are numbers of the node's type already.
  private var isExact: [Bool] = []
  private var known: [Node: Int] = [:]
  private let exactOperands: [Bool]

  /// - Parameter exactOperands: whether operands hold numbers of their type, and not intermediate
  ///   results yet to be rounded.
  init(
    _ expression: ScalarExpression, operands: [DataType], exactOperands: [Bool]
  ) throws(ProblemError) {
    self.exactOperands = exactOperands
    _ = try append(expression, operands)
  }

  private mutating func append(
    _ expression: ScalarExpression, _ operands: [DataType]
  ) throws(ProblemError) -> Int {
    switch expression {
    case .operand(let i):
      guard operands.indices.contains(i) else {
        throw ProblemError("operand \(i) of \(operands.count)")
      }
      return try node(.operand(i), operands[i], isExact: exactOperands[i])
    case .constant(let value, let type): return try constant(value, type)
    case .integer(let value, let type):
      if type.isFloatingPoint { return try constant(Double(value), type) }
      return try node(.integer(Conversion.wrapped(value, type)), type, isExact: true)
    case .index(let axis): return try node(.index(axis: axis), .int64, isExact: true)
    case .unary(let function, let a):
      let isTest = [.isInfinite, .isPositiveInfinite, .isNegativeInfinite].contains(function)
      let rounds = isTest || [.floor, .ceiling, .round, .truncate].contains(function)
      let argument = try append(a, operands, rounded: rounds)
      let type = nodes[argument].dataType
      return try node(
        .unary(function, argument), isTest || function == .isNaN ? .bool : type,
        isExact: isExact[argument] && [.negate, .absolute].contains(function))
    case .binary(let function, let a, let b):
      let rounds =
        function.isComparison
        || [.floorDivide, .moduloFloor, .moduloTruncate].contains(function)
      let x = try append(a, operands, rounded: rounds)
      let y = try append(b, operands, rounded: rounds)
      guard nodes[x].dataType == nodes[y].dataType else {
        throw ProblemError("\(function.rawValue) of \(nodes[x].dataType) and \(nodes[y].dataType)")
      }
      return try node(
        .binary(function, x, y), function.isComparison ? .bool : nodes[x].dataType,
        isExact: isExact[x] && isExact[y] && [.minimum, .maximum].contains(function))
    case .select(let condition, let a, let b):
      let c = try append(condition, operands)
      let x = try append(a, operands)
      let y = try append(b, operands)
      guard nodes[c].dataType == .bool, nodes[x].dataType == nodes[y].dataType else {
        throw ProblemError("select of \(nodes[x].dataType) and \(nodes[y].dataType)")
      }
      return try node(.select(c, x, y), nodes[x].dataType, isExact: isExact[x] && isExact[y])
    case .cast(let a, let type):
      let argument = try append(a, operands, rounded: !type.isFloatingPoint)
      return try node(.cast(argument), type, isExact: true)
    }
  }

  private mutating func append(
    _ expression: ScalarExpression, _ operands: [DataType], rounded: Bool
  ) throws(ProblemError) -> Int {
    let argument = try append(expression, operands)
    guard rounded, !isExact[argument] else { return argument }
    return try node(.round(argument), nodes[argument].dataType, isExact: true)
  }

  private mutating func constant(_ value: Double, _ type: DataType) throws(ProblemError) -> Int {
    let step: Step =
      type.isFloatingPoint
      ? .real(Conversion.rounded(value, type)) : .integer(Conversion.integer(value, type))
    return try node(step, type, isExact: true)
  }

  private mutating func node(
    _ step: Step, _ type: DataType, isExact: Bool
  ) throws(ProblemError) -> Int {
    let node = Node(step: step, dataType: type)
    if let index = known[node] { return index }
    guard type.isFloatingPoint || type.isInteger || type == .bool else {
      throw ProblemError("\(type) elements cannot be computed with")
    }
    known[node] = nodes.count
    nodes.append(node)
    self.isExact.append(isExact || !type.isFloatingPoint || type == .float64)
    return nodes.count - 1
  }
}

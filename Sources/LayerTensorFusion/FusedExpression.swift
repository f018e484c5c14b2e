import GraphModel
import KernelModel
import TensorModel

/// Bounds on what one fused kernel may hold, so that it stays within registers and within reason.
enum FusionLimits {
  static let operands = 8
  static let operations = 64
  static let depth = 32

  static func accepts(_ expression: ScalarExpression, operandCount: Int) -> Bool {
    operandCount <= operands && expression.operationCount <= operations
      && expression.depth <= depth
  }
}

/// A scalar expression over values of a graph. Operand `base + k` is `operands[k]`; operands below
/// `base` belong to whoever uses the expression.
struct FusedExpression {
  var expression: ScalarExpression
  private(set) var operands: [ValueID]
  let base: Int

  /// The operand that stands for a value.
  private mutating func operand(_ value: ValueID) -> ScalarExpression {
    if let index = operands.firstIndex(of: value) { return .operand(base + index) }
    operands.append(value)
    return .operand(base + operands.count - 1)
  }

  /// The expression of a pointwise node; nil where an operand is absent.
  init?(_ pointwise: Pointwise, inputs: [ValueID?]) {
    self.init(base: 0, pointwise.expression, inputs: inputs)
  }

  /// The epilogue of a node; nil where it has none.
  init?(epilogueOf problem: KernelProblem, inputs: [ValueID?]) {
    guard let own = problem.ownOperandCount, let epilogue = problem.epilogue else { return nil }
    self.init(base: 1, epilogue, inputs: Array(inputs.dropFirst(own)))
  }

  private init?(base: Int, _ expression: ScalarExpression, inputs: [ValueID?]) {
    self.base = base
    self.expression = expression
    operands = []
    guard let adopted = adopting(expression, base: base, inputs: inputs) else { return nil }
    self.expression = adopted
  }

  /// An expression in which operand `base + k` is `inputs[k]`, in terms of the operands here.
  private mutating func adopting(
    _ expression: ScalarExpression, base: Int, inputs: [ValueID?]
  ) -> ScalarExpression? {
    var replacements: [ScalarExpression] = (0..<base).map { .operand($0) }
    let used = Set(expression.operands)
    for (index, input) in inputs.enumerated() {
      if !used.contains(base + index) {
        replacements.append(.operand(base + index))
      } else if let input {
        replacements.append(operand(input))
      } else {
        return nil
      }
    }
    return expression.substituting(replacements)
  }

  /// The expression of a pointwise node that reads `value`, with `self` in its place.
  func followed(by next: Pointwise, inputs: [ValueID?], reading value: ValueID)
    -> FusedExpression?
  {
    var result = self
    var replacements: [ScalarExpression] = []
    let used = Set(next.expression.operands)
    for (index, input) in inputs.enumerated() {
      if !used.contains(index) {
        replacements.append(.operand(index))
      } else if input == value {
        replacements.append(expression)
      } else if let input {
        replacements.append(result.operand(input))
      } else {
        return nil
      }
    }
    result.expression = next.expression.substituting(replacements)
    return result.compacted()
  }

  /// Without operands that do not occur.
  func compacted() -> FusedExpression {
    let used = expression.operands.filter { $0 >= base }
    guard used.count != operands.count else { return self }
    var result = self
    result.operands = used.map { operands[$0 - base] }
    var replacements: [ScalarExpression] = (0..<(base + operands.count)).map { .operand($0) }
    for (index, old) in used.enumerated() { replacements[old] = .operand(base + index) }
    result.expression = expression.substituting(replacements)
    return result
  }

  /// The expression with one operand's value exchanged.
  func replacing(_ old: ValueID, with new: ValueID) -> FusedExpression {
    var result = self
    result.operands = operands.map { $0 == old ? new : $0 }
    return result
  }

  var isWithinLimits: Bool {
    FusionLimits.accepts(expression, operandCount: operands.count)
  }

  /// The pointwise problem of a given output shape, and its inputs.
  func pointwise(shape: Shape, in graph: IndexedGraph) -> (KernelProblem, [ValueID?]) {
    var joined: Shape? = []
    for operand in operands {
      guard let other = graph.type(operand)?.shape else { continue }
      joined = joined.flatMap { ShapeMath.broadcast($0, other) }
    }
    let fixed = joined == shape ? nil : shape
    return (.pointwise(Pointwise(expression, shape: fixed)), operands)
  }

  /// A problem with this epilogue, and its inputs.
  func epilogue(of problem: KernelProblem, inputs: [ValueID?]) -> (KernelProblem, [ValueID?]) {
    var fused = problem
    fused.epilogue = expression
    let own = problem.ownOperandCount ?? inputs.count
    var result = Array(inputs.prefix(own))
    guard !operands.isEmpty else { return (fused, result) }
    while result.count < own { result.append(nil) }
    return (fused, result + operands)
  }
}

extension ScalarExpression {
  /// Whether operand `index` occurs.
  func uses(operand index: Int) -> Bool {
    switch self {
    case .operand(let i): i == index
    default: children.contains { $0.uses(operand: index) }
    }
  }

  /// With every occurrence of a part replaced.
  func replacing(_ part: ScalarExpression, with other: ScalarExpression) -> ScalarExpression {
    if self == part { return other }
    switch self {
    case .operand, .constant, .integer, .index: return self
    case .unary(let f, let a): return .unary(f, a.replacing(part, with: other))
    case .binary(let f, let a, let b):
      return .binary(f, a.replacing(part, with: other), b.replacing(part, with: other))
    case .select(let a, let b, let c):
      return .select(
        a.replacing(part, with: other), b.replacing(part, with: other),
        c.replacing(part, with: other))
    case .cast(let a, let type): return .cast(a.replacing(part, with: other), type)
    }
  }

  /// Whether every function costs about as much as an addition.
  var isCheap: Bool {
    let own: Bool
    switch self {
    case .operand, .constant, .integer, .index, .select, .cast: own = true
    case .unary(let function, _):
      switch function {
      case .negate, .absolute, .sign, .floor, .ceiling, .round, .truncate, .logicalNot,
        .bitwiseNot, .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
        own = true
      default: own = false
      }
    case .binary(let function, _, _):
      switch function {
      case .add, .subtract, .multiply, .minimum, .maximum, .bitwiseAnd, .bitwiseOr, .bitwiseXor,
        .shiftLeft, .shiftRight, .logicalAnd, .logicalOr, .logicalXor:
        own = true
      default: own = function.isComparison
      }
    }
    return own && children.allSatisfy(\.isCheap)
  }
}

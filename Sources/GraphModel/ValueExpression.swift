package import KernelModel
package import TensorModel

/// A scalar expression over values of a graph. Operand `base + k` is `operands[k]`; operands below
/// `base` belong to whoever uses the expression.
package struct ValueExpression {
  package var expression: ScalarExpression
  package private(set) var operands: [ValueID]
  package let base: Int

  /// The operand that stands for a value.
  private mutating func operand(_ value: ValueID) -> ScalarExpression {
    if let index = operands.firstIndex(of: value) { return .operand(base + index) }
    operands.append(value)
    return .operand(base + operands.count - 1)
  }

  /// The expression of a pointwise node; nil where an operand is absent.
  package init?(_ pointwise: Pointwise, inputs: [ValueID?]) {
    self.init(base: 0, pointwise.expression, inputs: inputs)
  }

  /// The epilogue of a node; nil where it has none.
  package init?(epilogueOf problem: KernelProblem, inputs: [ValueID?]) {
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
  package func followed(by next: Pointwise, inputs: [ValueID?], reading value: ValueID)
    -> ValueExpression?
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
  package func compacted() -> ValueExpression {
    let used = expression.operands.filter { $0 >= base }
    guard used.count != operands.count else { return self }
    var result = self
    result.operands = used.map { operands[$0 - base] }
    var replacements: [ScalarExpression] = (0..<(base + operands.count)).map { .operand($0) }
    for (index, old) in used.enumerated() { replacements[old] = .operand(base + index) }
    result.expression = expression.substituting(replacements)
    return result
  }

  /// The expression with some operands replaced by expressions without operands.
  package func substituting(_ replacements: [ValueID: ScalarExpression]) -> ValueExpression {
    var result = self
    let own: [ScalarExpression] = (0..<base).map { .operand($0) }
    let others = operands.enumerated().map { index, value in
      replacements[value] ?? .operand(base + index)
    }
    result.expression = expression.substituting(own + others)
    return result.compacted()
  }

  /// The expression with one operand's value exchanged.
  package func replacing(_ old: ValueID, with new: ValueID) -> ValueExpression {
    var result = self
    result.operands = operands.map { $0 == old ? new : $0 }
    return result
  }

  /// The pointwise problem of a given output shape, and its inputs.
  package func pointwise(shape: Shape, in graph: IndexedGraph) -> (KernelProblem, [ValueID?]) {
    var joined: Shape? = []
    for operand in operands {
      guard let other = graph.type(operand)?.shape else { continue }
      joined = joined.flatMap { ShapeMath.broadcast($0, other) }
    }
    let fixed = joined == shape ? nil : shape
    return (.pointwise(Pointwise(expression, shape: fixed)), operands)
  }

  /// A problem with this epilogue, and its inputs.
  package func epilogue(of problem: KernelProblem, inputs: [ValueID?]) -> (
    KernelProblem, [ValueID?]
  ) {
    var fused = problem
    fused.epilogue = expression
    let own = problem.ownOperandCount ?? inputs.count
    var result = Array(inputs.prefix(own))
    guard !operands.isEmpty else { return (fused, result) }
    while result.count < own { result.append(nil) }
    return (fused, result + operands)
  }

  /// The expression of a pointwise node, or the epilogue of another.
  package init?(of node: Node, _ problem: KernelProblem) {
    if case .pointwise(let pointwise) = problem {
      self.init(pointwise, inputs: node.inputs)
    } else {
      self.init(epilogueOf: problem, inputs: node.inputs)
    }
  }

  /// The problem of a node with this expression in the place of its own, and its inputs.
  package func problem(of node: Node, _ problem: KernelProblem, in graph: IndexedGraph) -> (
    KernelProblem, [ValueID?]
  )? {
    guard case .pointwise = problem else { return epilogue(of: problem, inputs: node.inputs) }
    guard let shape = graph.type(node.outputs.first)?.shape else { return nil }
    return pointwise(shape: shape, in: graph)
  }
}

extension ScalarExpression {
  /// With every occurrence of a part replaced.
  package func replacing(_ part: ScalarExpression, with other: ScalarExpression) -> ScalarExpression
  {
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
}

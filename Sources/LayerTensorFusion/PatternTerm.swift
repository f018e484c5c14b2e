import GraphModel
import KernelModel
import TensorModel

/// An expression whose operands are values of a graph. Patterns look through the pointwise nodes
/// that compute those values, so that they match however the arithmetic is divided among nodes.
struct Term {
  let expression: ScalarExpression
  let operands: [ValueID?]

  init(_ expression: ScalarExpression, _ operands: [ValueID?]) {
    self.expression = expression
    self.operands = operands
  }

  init(_ value: ValueID) { self.init(.operand(0), [value]) }

  /// The value that the term is, where nothing is computed.
  var value: ValueID? {
    guard case .operand(let index) = expression, operands.indices.contains(index) else {
      return nil
    }
    return operands[index]
  }

  /// The values that occur.
  var usedOperands: [ValueID] {
    expression.operands.compactMap { operands.indices.contains($0) ? operands[$0] : nil }
  }

  func with(_ expression: ScalarExpression) -> Term { Term(expression, operands) }
}

/// A reduction as a pattern sees it.
struct ReducedTerm {
  var function: Reduction.Function
  var axes: [Int]
  /// What is reduced, and the value that the reduction reads.
  var argument: Term
  var input: ValueID
}

extension IndexedGraph {
  private static let maximumSteps = 24

  /// The term behind pointwise and broadcasting nodes.
  func resolved(_ term: Term) -> Term {
    var term = term
    for _ in 0..<Self.maximumSteps {
      guard let value = term.value, let (_, node, problem) = kernel(writing: value) else {
        return term
      }
      switch problem {
      case .pointwise(let pointwise): term = Term(pointwise.expression, node.inputs)
      case .copy(.expand): term = Term(.operand(0), node.inputs)
      default: return term
      }
    }
    return term
  }

  func binary(_ term: Term, _ function: BinaryFunction) -> (Term, Term)? {
    let term = resolved(term)
    guard case .binary(function, let a, let b) = term.expression else { return nil }
    return (term.with(a), term.with(b))
  }

  func unary(_ term: Term, _ function: UnaryFunction) -> Term? {
    let term = resolved(term)
    guard case .unary(function, let a) = term.expression else { return nil }
    return term.with(a)
  }

  /// The number that the term is everywhere.
  func number(_ term: Term) -> Double? {
    let term = resolved(term)
    if case .constant(let number, _) = term.expression { return number }
    guard let tensor = constant(term.value), tensor.elementCount == 1 else { return nil }
    return tensor.numbers()?.first
  }

  /// Two arguments of which one is a number.
  func withNumber(_ term: Term, _ function: BinaryFunction) -> (term: Term, number: Double)? {
    guard let (a, b) = binary(term, function) else { return nil }
    if let number = number(b) { return (a, number) }
    if let number = number(a) { return (b, number) }
    return nil
  }

  /// Whether two terms are the same computation on the same values.
  func isSame(_ a: Term, _ b: Term, depth: Int = 12) -> Bool {
    if let x = a.value, x == b.value { return true }
    guard depth > 0 else { return false }
    let a = resolved(a)
    let b = resolved(b)
    if let x = a.value { return x == b.value }
    func areSame(_ x: ScalarExpression, _ y: ScalarExpression) -> Bool {
      isSame(a.with(x), b.with(y), depth: depth - 1)
    }
    switch (a.expression, b.expression) {
    case (.unary(let f, let x), .unary(let g, let y)): return f == g && areSame(x, y)
    case (.cast(let x, let s), .cast(let y, let t)): return s == t && areSame(x, y)
    case (.binary(let f, let x, let y), .binary(let g, let u, let v)):
      guard f == g else { return false }
      if areSame(x, u), areSame(y, v) { return true }
      return (f == .add || f == .multiply) && areSame(x, v) && areSame(y, u)
    default: return a.expression == b.expression && a.expression.operands.isEmpty
    }
  }

  /// The base of a square, however it is written.
  func squared(_ term: Term) -> Term? {
    if let (a, b) = binary(term, .multiply) { return isSame(a, b) ? a : nil }
    if let (a, b) = binary(term, .power), number(b) == 2 { return a }
    return nil
  }

  /// A reduction that keeps its axes and does nothing else.
  func reduced(_ term: Term) -> ReducedTerm? {
    guard let value = resolved(term).value, let (_, node, problem) = kernel(writing: value),
      case .reduction(let reduction) = problem, reduction.keepsDimensions,
      reduction.epilogue == .operand(0), let input = node.inputs.first ?? nil
    else { return nil }
    return ReducedTerm(
      function: reduction.function, axes: reduction.axes,
      argument: Term(reduction.prologue, [input]), input: input)
  }

  /// A mean, also where it is written as a sum over a count.
  func mean(_ term: Term) -> ReducedTerm? {
    if let reduced = reduced(term) { return reduced.function == .mean ? reduced : nil }
    let scaled: (term: Term, number: Double)?
    if let (a, b) = binary(term, .divide), let count = number(b), count != 0 {
      scaled = (a, 1 / count)
    } else {
      scaled = withNumber(term, .multiply)
    }
    guard let scaled, let sum = reduced(scaled.term), sum.function == .sum,
      let shape = type(sum.input)?.shape,
      let count = Dimension.product(sum.axes.map { shape[$0] }).constant,
      abs(scaled.number * Double(count) - 1) < 1e-6
    else { return nil }
    return sum
  }

  /// The nodes between a node and the values where a pattern ends.
  func region(from root: NodeID, to boundary: [ValueID?]) -> [NodeID] {
    let boundary = Set(boundary.compactMap { $0 })
    var seen: Set<NodeID> = [root]
    var order = [root]
    var head = 0
    while head < order.count {
      let node = self[order[head]]
      head += 1
      for case let input? in node?.inputs ?? [] where !boundary.contains(input) {
        if let (id, _) = producer(of: input), seen.insert(id).inserted { order.append(id) }
      }
    }
    return order
  }
}

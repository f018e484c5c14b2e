import KernelModel

/// An epilogue that begins with a sum of operands.
enum SumEpilogue {
  /// The operands that are added, 0 among them, and what becomes of the sum, as operand 0; nil where
  /// operands are used in another way.
  static func divide(
    _ expression: ScalarExpression
  ) -> (terms: [Int], rest: ScalarExpression?)? {
    if let terms = terms(expression), terms.filter({ $0 == 0 }).count == 1 { return (terms, nil) }
    var sum: ScalarExpression?
    guard let rest = replaced(expression, &sum), let sum, let terms = terms(sum) else { return nil }
    return (terms, rest)
  }

  private static func terms(_ expression: ScalarExpression) -> [Int]? {
    switch expression {
    case .operand(let index): return [index]
    case .binary(.add, let a, let b):
      guard let left = terms(a), let right = terms(b) else { return nil }
      return left + right
    default: return nil
    }
  }

  /// The expression with the sum as operand 0; nil where there are several.
  private static func replaced(
    _ expression: ScalarExpression, _ sum: inout ScalarExpression?
  ) -> ScalarExpression? {
    if let terms = terms(expression), terms.filter({ $0 == 0 }).count == 1 {
      guard sum == nil || sum == expression else { return nil }
      sum = expression
      return .operand(0)
    }
    switch expression {
    case .operand, .index: return nil
    case .constant, .integer: return expression
    case .unary(let function, let a): return replaced(a, &sum).map { .unary(function, $0) }
    case .cast(let a, let type): return replaced(a, &sum).map { .cast($0, type) }
    case .binary(let function, let a, let b):
      guard let x = replaced(a, &sum), let y = replaced(b, &sum) else { return nil }
      return .binary(function, x, y)
    case .select(let condition, let a, let b):
      guard let c = replaced(condition, &sum), let x = replaced(a, &sum),
        let y = replaced(b, &sum)
      else { return nil }
      return .select(c, x, y)
    }
  }
}

import KernelModel

/// An epilogue that is a sum of operands or the greater of that and zero, or begins so.
struct RectifiedSum {
  /// The operands that are added, 0 among them.
  let terms: [Int]
  let isRectified: Bool
  /// What becomes of the result, as operand 0; nil for nothing.
  let rest: ScalarExpression?

  /// Nil where operands are used in another way.
  static func divide(_ expression: ScalarExpression) -> RectifiedSum? {
    if let inner = rectified(expression), let (terms, rest) = SumEpilogue.divide(inner), rest == nil
    {
      return RectifiedSum(terms: terms, isRectified: true, rest: nil)
    }
    return SumEpilogue.divide(expression).map {
      RectifiedSum(terms: $0.terms, isRectified: false, rest: $0.rest)
    }
  }

  /// What the expression is the greater of, beside zero.
  private static func rectified(_ expression: ScalarExpression) -> ScalarExpression? {
    switch expression {
    case .binary(.maximum, let inner, .constant(0, _)): inner
    case .binary(.maximum, .constant(0, _), let inner): inner
    default: nil
    }
  }
}

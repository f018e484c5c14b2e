import KernelModel
import TensorModel

/// An expression over `float32` operands, for operands and a result some of which are stored in 16 bits.
struct ExpressionStorage {
  let sixteen: SixteenBits
  /// The operands' types as the expression was written.
  let before: [DataType]
  /// The operands' types as they are stored now.
  let after: [DataType]

  /// The expression for these operands.
  ///
  /// It is written in the type of 16 bits where nothing in it needs more, which kernels compute in
  /// single precision in any case; else it casts what it reads and what it gives.
  ///
  /// - Parameter isResultSixteen: whether a `float32` result is to have 16 bits.
  func retyped(_ expression: ScalarExpression, isResultSixteen: Bool) -> ScalarExpression {
    let isResultChanged = isResultSixteen && expression.dataType(operands: before) == .float32
    let changed = expression.operands.filter { isChanged($0) }
    guard isResultChanged || !changed.isEmpty else { return expression }
    if isResultChanged, isPlain(expression) {
      return expression.rewritten { part in
        if case .constant(let value, .float32) = part {
          .constant(value, sixteen.dataType)
        } else {
          part
        }
      }
    }
    let body = expression.substituting(
      before.indices.map { isChanged($0) ? .cast(.operand($0), .float32) : .operand($0) })
    guard isResultChanged else { return body }
    // One rounding is enough.
    if case .cast(let inner, .float32) = body { return .cast(inner, sixteen.dataType) }
    return .cast(body, sixteen.dataType)
  }

  private func isChanged(_ index: Int) -> Bool {
    before.indices.contains(index) && before[index] == .float32
      && after[index] == sixteen.dataType
  }

  /// Whether every part is a number that the type holds exactly, an operand stored in it, or arithmetic
  /// that makes no decisions.
  private func isPlain(_ expression: ScalarExpression) -> Bool {
    switch expression {
    case .operand(let index): return isChanged(index)
    case .constant(let value, let type): return type == .float32 && sixteen.isExact(value)
    case .unary(let function, let a):
      switch function {
      case .floor, .ceiling, .round, .truncate, .logicalNot, .bitwiseNot, .isNaN, .isInfinite,
        .isPositiveInfinite, .isNegativeInfinite:
        return false
      default: return isPlain(a)
      }
    case .binary(let function, let a, let b):
      switch function {
      case .add, .subtract, .multiply, .divide, .minimum, .maximum:
        return isPlain(a) && isPlain(b)
      default: return false
      }
    case .integer, .index, .select, .cast: return false
    }
  }
}

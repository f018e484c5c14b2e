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

extension ValueExpression {
  var isWithinLimits: Bool {
    FusionLimits.accepts(expression, operandCount: operands.count)
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

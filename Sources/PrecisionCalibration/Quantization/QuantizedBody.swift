import KernelModel
import TensorModel

/// A problem whose expression is rewritten for integers while operands are added to its node.
struct QuantizedBody {
  private(set) var problem: KernelProblem
  /// Inputs of the node so far.
  private var count: Int

  init(_ problem: KernelProblem, _ inputs: Int) {
    self.problem = problem
    count = max(inputs, problem.ownOperandCount ?? 0)
  }

  /// Whether an expression says what is stored.
  var hasResult: Bool {
    if case .pointwise = problem { return true }
    return problem.epilogue != nil
  }

  /// Whether an expression reads the input.
  func converts(_ input: Int, _ storage: QuantizedStorage) -> Bool {
    // A prologue has no further operands, and so no place for several scales.
    if case .reduction = problem, input == 0 { return storage.axis == nil }
    return problem.convertsOperand(input)
  }

  private func operand(ofInput input: Int) -> Int {
    if case .pointwise = problem { return input }
    return input - (problem.ownOperandCount ?? 0) + 1
  }

  private var expression: ScalarExpression {
    get {
      if case .pointwise(let pointwise) = problem { return pointwise.expression }
      return problem.epilogue ?? .operand(0)
    }
    set {
      if case .pointwise(var pointwise) = problem {
        pointwise.expression = newValue
        problem = .pointwise(pointwise)
      } else {
        problem.epilogue = newValue
      }
    }
  }

  /// The operand that an input added now would be.
  private var nextOperand: ScalarExpression { .operand(operand(ofInput: count)) }

  /// Takes numbers that are stored as integers for real ones.
  ///
  /// - Parameter addsScales: whether their scales are the operand that is added next.
  mutating func dequantize(_ input: Int, _ storage: QuantizedStorage, addsScales: Bool) {
    let scale = addsScales ? nextOperand : nil
    if addsScales { count += 1 }
    if case .reduction(var reduction) = problem, input == 0 {
      let number = storage.dequantizing(.operand(0), scale: scale)
      reduction.prologue = reduction.prologue.substituting([number])
      problem = .reduction(reduction)
      return
    }
    let place = ScalarExpression.operand(operand(ofInput: input))
    let number = storage.dequantizing(place, scale: scale)
    expression = expression.rewritten { $0 == place ? number : $0 }
  }

  /// Takes integer sums for the real ones, by the two operands that are added next.
  mutating func scaleSums() {
    let first = operand(ofInput: count)
    let value = ScalarExpression.cast(.operand(0), .float32) * .operand(first) + .operand(first + 1)
    expression = expression.rewritten { $0 == .operand(0) ? value : $0 }
    count += 2
  }

  /// Stores the result as integers.
  ///
  /// - Parameter addsScales: whether the reciprocal scales are the operand that is added next.
  mutating func quantize(_ storage: QuantizedStorage, addsScales: Bool) {
    expression = storage.quantizing(expression, inverse: addsScales ? nextOperand : nil)
    if addsScales { count += 1 }
  }
}

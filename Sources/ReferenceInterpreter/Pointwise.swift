import KernelModel
import TensorModel

extension Interpreter {
  static func pointwise(
    _ problem: Pointwise, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let tensors = try inputs.all(from: 0)
    if case .operand(let i) = problem.expression, tensors.indices.contains(i) {
      return try expand(tensors[i], output)
    }
    let involvesStrings =
      tensors.contains { $0.dataType == .string } || output.dataType == .string
      || problem.expression.castsToString
    if involvesStrings {
      var strings = StringExpression(operands: tensors, shape: output.shape)
      return try strings.evaluate(problem.expression, output)
    }
    return try map(problem.expression, tensors.map { .tensor($0) }, output)
  }
}

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Code that contractions call on each finished block, for epilogues that they do not apply in registers.
struct EpilogueHook: Sendable {
  /// Nil: nothing is called.
  var hook: ContractionHook?
  /// Positions among the step's inputs, in the order of the kernel's further operands.
  var operands: [Int] = []
  /// What the hook's context points into.
  var retained: [any Sendable] = []

  init() {}

  /// - Parameters:
  ///   - type: of operand 0.
  ///   - firstOperand: where the further operands begin in the kernel's list.
  init?(
    _ expression: ScalarExpression, of type: DataType, request: TacticRequest, channelAxis: Int,
    firstOperand: Int
  ) {
    let step = request.step
    let own = step.problem.ownOperandCount ?? 0
    // The kernel's list has every epilogue operand, in the step's order.
    operands = Array(own..<max(own, step.inputs.count))
    let rowAxes = step.outputs[0].shape.indices.filter { $0 != channelAxis }
    guard
      let block = BlockEpilogue(
        expression, of: type, step: step, own: own, rowAxes: rowAxes, columnAxis: channelAxis,
        kernels: request.kernels.elementwise, place: { firstOperand + $0 - own })
    else { return nil }
    hook = block.hook
    retained = [block.retained]
  }
}

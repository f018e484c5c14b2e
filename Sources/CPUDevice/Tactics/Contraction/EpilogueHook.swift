import CPUKernelInterface
import KernelModel
import ProgramModel

/// Code that contractions call on each finished block, for epilogues that they do not apply in registers.
struct EpilogueHook: Sendable {
  /// Nil: nothing is called.
  var hook: ContractionHook?
  /// Positions among the step's inputs, in the order of the kernel's further operands.
  var operands: [Int] = []
  /// What the hook's context points into.
  var retained: [any Sendable] = []

  init() {}

  /// - Parameter firstOperand: where the further operands begin in the kernel's list.
  init?(_ expression: ScalarExpression, request: TacticRequest, channelAxis: Int, firstOperand: Int)
  {
    return nil
  }
}

import KernelModel
import ProgramModel
import ReferenceExecution
import Synchronization
import TensorModel

/// The tactic of last resort: the reference interpreter, on one thread, with copies.
struct ReferenceTactic: CPUTactic {
  var name: String { "reference" }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let elements = (step.inputs.compactMap { $0 } + step.outputs).reduce(0) { $0 + $1.elementCount }
    return 20e-9 * Double(elements) + 2e-9 * step.multiplyAdds + 5e-6
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    let inputs = step.inputs.indices.filter { step.inputs[$0] != nil }
    let operands =
      inputs.map { KernelPhase.Operand.input($0) } + step.outputs.indices.map { .output($0) }
    let phase = KernelPhase(
      function: runReferenceStep, parameters: ParameterBlock(object: PreparedReferenceStep(step)),
      operands: operands, taskCount: 1)
    return PreparedKernel(phases: [phase])
  }
}

/// A step for the interpreter, and what went wrong when it last ran.
final class PreparedReferenceStep: Sendable {
  let step: Step
  let failure = Mutex<String?>(nil)

  init(_ step: Step) { self.step = step }

  func run(_ operands: UnsafePointer<UnsafeMutableRawPointer>) {
    let inputCount = step.inputs.count { $0 != nil }
    do {
      try ReferenceStep.run(
        step, inputs: (0..<inputCount).map { UnsafeRawPointer(operands[$0]) },
        outputs: step.outputs.indices.map { operands[inputCount + $0] })
    } catch {
      failure.withLock { $0 = error.description }
    }
  }
}

private let runReferenceStep:
  @convention(c) (
    UnsafeRawPointer, UnsafePointer<UnsafeMutableRawPointer>, Int, Int, UnsafeMutableRawPointer
  ) -> Void = { parameters, operands, first, end, _ in
    guard first < end else { return }
    Unmanaged<PreparedReferenceStep>.fromOpaque(parameters).takeUnretainedValue().run(operands)
  }

import CPUKernelInterface
package import DeviceInterface
import DynamicTensorMemory
import MultiStreamExecution
import ProgramModel
import TensorModel

/// A program prepared for the CPU: packed weights, fixed parameters, a schedule and a memory plan. It never
/// changes; contexts share it.
package final class CPUExecutable: Executable {
  let program: Program
  let kernels: [PreparedKernel]
  let schedule: StreamSchedule
  let plan: MemoryPlan
  let device: CPU
  let referenceSteps: [PreparedReferenceStep]
  package let tactics: [Tactic]

  package var arenaBytes: Int { plan.arenaBytes }
  package var arenaLowerBound: Int { plan.lowerBound }
  package var weightBytes: Int {
    kernels.reduce(0) { $0 + $1.packedBytes } + unpackedConstantBytes
  }
  private let unpackedConstantBytes: Int

  /// Steps that no kernel computes, but the reference interpreter.
  package var hostSteps: [Int] {
    tactics.indices.filter { tactics[$0].name == ReferenceTactic().name }
  }

  init(
    _ program: Program, device: CPU, tactics: [Tactic], options: LoadOptions
  ) throws(DeviceError) {
    var prepared: [PreparedKernel] = []
    var used: [Tactic] = []
    var costs: [Double] = []
    for (index, step) in program.steps.enumerated() {
      let request = device.request(step, program)
      let candidates = TacticCatalog.tactics(for: request)
      let wanted = index < tactics.count ? candidates.first { $0.name == tactics[index].name } : nil
      let tactic = wanted ?? candidates[0]
      do { prepared.append(try tactic.prepare(request)) } catch {
        throw DeviceError("step '\(step.name)', tactic '\(tactic.name)': \(error.description)")
      }
      used.append(Tactic(tactic.name))
      costs.append(tactic.estimate(request))
    }
    schedule =
      options.runsBranchesInParallel
      ? StreamSchedule(Dependencies(program), costs: costs, threads: device.threads)
      : StreamSchedule(sequential: program.steps.count)
    do {
      plan = try MemoryPlan(
        program, timeOfStep: schedule.waveOfStep, workspaceBytes: prepared.map(\.workspaceBytes),
        reuses: options.plansMemory)
    } catch { throw DeviceError("planning memory: \(error.description)") }
    referenceSteps = prepared.flatMap(\.phases).compactMap {
      $0.parameters.object(as: PreparedReferenceStep.self)
    }
    self.program = program
    self.device = device
    kernels = prepared
    self.tactics = used
    unpackedConstantBytes = Self.constantsReadInPlace(program, prepared)
  }

  package func makeContext() throws(DeviceError) -> any ExecutableContext { try CPUContext(self) }

  /// Bytes of constants that kernels read as they are, not packed.
  private static func constantsReadInPlace(_ program: Program, _ kernels: [PreparedKernel]) -> Int {
    var read: Set<BufferID> = []
    for (step, kernel) in zip(program.steps, kernels) {
      for phase in kernel.phases {
        for case .input(let index) in phase.operands {
          if let view = step.inputs[index], program.constant(view) != nil {
            read.insert(view.buffer)
          }
        }
      }
    }
    return read.reduce(0) { $0 + program[$1].byteCount }
  }
}

package import CPUKernelInterface
package import DeviceInterface
package import MultiStreamExecution
package import ProgramModel
package import TensorModel

/// The processor of this machine.
package final class CPU: Device {
  package let kernels: CPUKernelTable
  package let threads: Int
  package let pool: ThreadPool
  package let processor: Processor

  /// - Parameters:
  ///   - threads: how many threads compute, the caller's included; nil for all that the process may use.
  ///   - instructionSet: `baseline`, `avx2`, `avx512`, `avx512_vnni` or `avx512_amx`; nil for the best.
  package convenience init(
    threads: Int? = nil, instructionSet: String? = nil
  ) throws(DeviceError) {
    let processor = Processor.current
    let wanted = instructionSet ?? processor.instructionSets[0]
    guard let kernels = processor.kernels(wanted) else {
      throw DeviceError(
        "the processor has no '\(wanted)'; it has \(processor.instructionSets.joined(separator: ", "))"
      )
    }
    self.init(threads: threads, kernels: kernels)
  }

  /// - Parameter kernels: those that are chosen from, which the processor must be able to run.
  package init(threads: Int? = nil, kernels: CPUKernelTable) {
    processor = Processor.current
    self.kernels = kernels
    let pool = ThreadPool(threadCount: threads ?? ThreadPool.availableProcessors)
    self.pool = pool
    self.threads = pool.threadCount
  }

  package var name: String { "cpu" }
  package var summary: String {
    "\(processor.name), \(kernels.instructionSet), \(threads) thread\(threads == 1 ? "" : "s")"
  }
  package var deviceClass: String {
    "cpu/\(kernels.instructionSet)/\(processor.name)/\(threads) threads"
  }

  package func tactics(for step: Step, in program: Program) -> [Tactic] {
    candidates(step, program).map { Tactic($0.name) }
  }

  package func estimate(_ tactic: Tactic, for step: Step, in program: Program) -> Double {
    let request = request(step, program)
    return TacticCatalog.tactics(for: request).first { $0.name == tactic.name }?.estimate(request)
      ?? .infinity
  }

  package func load(
    _ program: Program, tactics: [Tactic], options: LoadOptions
  ) throws(DeviceError) -> any Executable {
    try CPUExecutable(program, device: self, tactics: tactics, options: options)
  }

  package func measure(
    _ tactic: Tactic, for step: Step, in program: Program, budget: MeasurementBudget
  ) throws(DeviceError) -> Double {
    try StepMeasurement(tactic, step, program, device: self).median(budget)
  }

  package var sixteenBitTypes: [DataType] {
    kernels.integer.pairVariants.isEmpty ? [.float16] : [.bfloat16, .float16]
  }

  package var lastResort: Tactic? { Tactic(ReferenceTactic().name) }

  package func workspaceBytes(
    of tactic: Tactic, for step: Step, in program: Program
  ) throws(DeviceError) -> Int {
    guard let found = candidates(step, program).first(where: { $0.name == tactic.name }) else {
      return 0
    }
    let prepared: PreparedKernel
    do { prepared = try found.prepare(request(step, program)) } catch {
      throw DeviceError("step '\(step.name)', tactic '\(tactic.name)': \(error.description)")
    }
    return prepared.workspaceBytes + prepared.scratchBytes * threads
  }

  func request(_ step: Step, _ program: Program) -> TacticRequest {
    TacticRequest(
      step: step, constants: step.inputs.map { program.constant($0) }, threads: threads,
      kernels: kernels)
  }

  func candidates(_ step: Step, _ program: Program) -> [any CPUTactic] {
    TacticCatalog.tactics(for: request(step, program))
  }
}

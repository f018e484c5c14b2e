import CPUKernelInterface
package import DeviceInterface
import DynamicTensorMemory
import MultiStreamExecution
import ProgramModel
import Synchronization
import TensorModel

/// An arena, a scratch area for each thread, and the resolved address of every operand: what one thread
/// uses at a time to run a program.
///
/// `@unchecked Sendable`: whoever holds the context uses it from one thread at a time; the pool's threads
/// write disjoint elements.
package final class CPUContext: ExecutableContext, @unchecked Sendable {
  private let executable: CPUExecutable
  private let arena: TensorStorage
  private let scratch: TensorStorage
  private let operands: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let commands: UnsafeMutablePointer<Command>
  private let commandCount: Int
  private let rounds: UnsafeMutablePointer<Round>
  private let roundCount: Int
  /// The first round of each wave, and the count of rounds at the end.
  private let firstRoundOfWave: [Int]
  /// Addresses that the caller's tensors decide.
  private let bindings: UnsafeMutablePointer<Binding>
  private let bindingCount: Int

  init(_ executable: CPUExecutable) throws(DeviceError) {
    let threads = executable.device.threads
    let scratchBytes = executable.kernels.map(\.scratchBytes).max() ?? 0
    let scratchStride = (scratchBytes + 127) & ~63
    guard let arena = TensorStorage(byteCount: executable.plan.arenaBytes),
      let scratch = TensorStorage(byteCount: scratchStride * threads)
    else { throw DeviceError("no memory for an arena of \(executable.plan.arenaBytes) bytes") }
    self.executable = executable
    self.arena = arena
    self.scratch = scratch
    var builder = CommandBuilder(executable, arena: arena)
    builder.build()
    operands = .allocate(capacity: max(builder.operands.count, 1))
    operands.initialize(from: builder.operands, count: builder.operands.count)
    commandCount = builder.commands.count
    commands = .allocate(capacity: max(commandCount, 1))
    for (index, draft) in builder.commands.enumerated() {
      (commands + index).initialize(
        to: Command(
          function: draft.function, parameters: draft.parameters,
          operands: UnsafePointer(operands + draft.firstOperand), taskCount: draft.taskCount))
    }
    roundCount = builder.rounds.count
    rounds = .allocate(capacity: max(roundCount, 1))
    for (index, range) in builder.rounds.enumerated() {
      (rounds + index).initialize(
        to: Round(
          commands: UnsafePointer(commands + range.lowerBound), count: range.count,
          taskCount: range.reduce(0) { $0 + builder.commands[$1].taskCount },
          scratch: scratch.base, scratchStride: scratchStride))
    }
    firstRoundOfWave = builder.firstRoundOfWave
    bindingCount = builder.bindings.count
    bindings = .allocate(capacity: max(bindingCount, 1))
    bindings.initialize(from: builder.bindings, count: bindingCount)
  }

  deinit {
    operands.deallocate()
    commands.deallocate()
    rounds.deallocate()
    bindings.deallocate()
  }

  package func run(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError) {
    bind(inputs, outputs)
    run(rounds: 0..<roundCount)
    try checkReferenceSteps()
  }

  package func profile(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError) -> [Double] {
    bind(inputs, outputs)
    var seconds = [Double](repeating: 0, count: executable.program.steps.count)
    let clock = ContinuousClock()
    for (wave, steps) in executable.schedule.waves.enumerated() {
      let elapsed = clock.measure {
        run(rounds: firstRoundOfWave[wave]..<firstRoundOfWave[wave + 1])
      }
      for step in steps { seconds[step] = elapsed.seconds / Double(steps.count) }
    }
    try checkReferenceSteps()
    return seconds
  }

  private func bind(
    _ inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    _ outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) {
    for index in 0..<bindingCount {
      let binding = bindings[index]
      let base =
        binding.isOutput
        ? outputs[binding.index] : UnsafeMutableRawPointer(mutating: inputs[binding.index])
      operands[binding.operand] = base + binding.byteOffset
    }
  }

  private func run(rounds range: Range<Int>) {
    let session = ThreadPool.Session(executable.device.pool)
    for index in range {
      let round = rounds + index
      session.run(
        taskCount: round.pointee.taskCount, function: Round.work, context: UnsafeRawPointer(round))
    }
  }

  private func checkReferenceSteps() throws(DeviceError) {
    for step in executable.referenceSteps {
      if let message = step.failure.withLock({ $0 }) { throw DeviceError(message) }
    }
  }
}

extension Duration {
  var seconds: Double {
    let (whole, attoseconds) = components
    return Double(whole) + Double(attoseconds) * 1e-18
  }
}

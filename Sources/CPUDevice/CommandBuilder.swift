import CPUKernelInterface
import DynamicTensorMemory
import MultiStreamExecution
import ProgramModel
import TensorModel

/// A kernel call with every address resolved.
struct Command {
  var function: KernelFunction
  var parameters: UnsafeRawPointer
  var operands: UnsafePointer<UnsafeMutableRawPointer>
  var taskCount: Int
}

/// Commands whose tasks the threads share; a barrier follows.
struct Round {
  var commands: UnsafePointer<Command>
  var count: Int
  var taskCount: Int
  var scratch: UnsafeMutableRawPointer
  var scratchStride: Int

  /// Runs tasks that may belong to several commands.
  static let work: @convention(c) (UnsafeRawPointer?, Int, Int, Int) -> Void = {
    context, worker, firstTask, endTask in
    guard let round = context?.assumingMemoryBound(to: Round.self).pointee else { return }
    let scratch = round.scratch + worker * round.scratchStride
    var base = 0
    for index in 0..<round.count {
      let command = round.commands[index]
      let first = max(firstTask - base, 0)
      let end = min(endTask - base, command.taskCount)
      if first < end {
        command.function(command.parameters, command.operands, first, end, scratch)
      }
      base += command.taskCount
      if base >= endTask { return }
    }
  }
}

/// An operand whose address comes with each run.
struct Binding {
  var operand: Int
  var index: Int
  var isOutput: Bool
  var byteOffset: Int
}

/// Lists the commands of a program in the order of its schedule.
struct CommandBuilder {
  struct Draft {
    var function: KernelFunction
    var parameters: UnsafeRawPointer
    var firstOperand: Int
    var taskCount: Int
  }

  private let executable: CPUExecutable
  private let arena: TensorStorage
  private(set) var operands: [UnsafeMutableRawPointer] = []
  private(set) var commands: [Draft] = []
  private(set) var rounds: [Range<Int>] = []
  private(set) var firstRoundOfWave: [Int] = []
  private(set) var bindings: [Binding] = []

  init(_ executable: CPUExecutable, arena: TensorStorage) {
    self.executable = executable
    self.arena = arena
  }

  mutating func build() {
    for wave in executable.schedule.waves {
      firstRoundOfWave.append(rounds.count)
      let phaseCount = wave.map { executable.kernels[$0].phases.count }.max() ?? 0
      for phase in 0..<phaseCount {
        let start = commands.count
        for step in wave where phase < executable.kernels[step].phases.count {
          add(executable.kernels[step].phases[phase], step: step)
        }
        rounds.append(start..<commands.count)
      }
    }
    firstRoundOfWave.append(rounds.count)
  }

  private mutating func add(_ phase: KernelPhase, step index: Int) {
    let step = executable.program.steps[index]
    let first = operands.count
    for operand in phase.operands {
      switch operand {
      case .input(let i):
        if let view = step.inputs[i] { append(view) }
      case .output(let i): append(step.outputs[i])
      case .workspace(let offset):
        operands.append(arena.base + executable.plan.workspaceOffsets[index] + offset)
      case .constant(let storage, let offset): operands.append(storage.base + offset)
      }
    }
    commands.append(
      Draft(
        function: phase.function, parameters: phase.parameters.address, firstOperand: first,
        taskCount: phase.taskCount))
  }

  private mutating func append(_ view: View) {
    let buffer = executable.program[view.buffer]
    switch buffer.role {
    case .activation:
      let offset = executable.plan.bufferOffsets[view.buffer.index] ?? 0
      operands.append(arena.base + offset + view.byteOffset)
    case .constant(let tensor):
      operands.append(tensor.address + view.byteOffset)
    case .input(let index):
      bindings.append(
        Binding(operand: operands.count, index: index, isOutput: false, byteOffset: view.byteOffset)
      )
      operands.append(arena.base)
    case .output(let index):
      bindings.append(
        Binding(operand: operands.count, index: index, isOutput: true, byteOffset: view.byteOffset))
      operands.append(arena.base)
    }
  }
}

import DeviceInterface
import ProgramModel
import TensorModel

/// Times one step alone, with operands of random numbers.
struct StepMeasurement {
  private let contexts: [any ExecutableContext]
  private let inputs: [TensorStorage]
  private let outputs: [TensorStorage]

  /// Contexts whose operands take turns, so that a small step does not find them in the nearest cache.
  private static let rotation = 2

  init(
    _ tactic: Tactic, _ step: Step, _ program: Program, device: CPU
  ) throws(DeviceError) {
    let alone = Self.isolated(step, program)
    let executable = try CPUExecutable(
      alone, device: device, tactics: [tactic], options: LoadOptions())
    var contexts: [any ExecutableContext] = []
    for _ in 0..<Self.rotation { contexts.append(try executable.makeContext()) }
    self.contexts = contexts
    var inputs: [TensorStorage] = []
    var outputs: [TensorStorage] = []
    for view in alone.inputs {
      inputs.append(try Self.randomBytes(view, alone[view.buffer].byteCount))
    }
    for view in alone.outputs {
      outputs.append(try Self.randomBytes(view, alone[view.buffer].byteCount))
    }
    self.inputs = inputs
    self.outputs = outputs
  }

  /// A program of one step, in which every buffer that is not constant is the caller's.
  private static func isolated(_ step: Step, _ program: Program) -> Program {
    var result = Program(name: step.name)
    var map: [BufferID: BufferID] = [:]
    var copy = step
    func translate(_ view: View, isOutput: Bool) -> View {
      var moved = view
      if let known = map[view.buffer] {
        moved.buffer = known
        return moved
      }
      let buffer = program[view.buffer]
      let role: Buffer.Role
      if case .constant = buffer.role {
        role = buffer.role
      } else if isOutput {
        role = .output(result.outputs.count)
      } else {
        role = .input(result.inputs.count)
      }
      moved.buffer = result.addBuffer(role, byteCount: buffer.byteCount)
      map[view.buffer] = moved.buffer
      if case .input = role { result.inputs.append(moved) }
      if case .output = role { result.outputs.append(moved) }
      return moved
    }
    copy.outputs = step.outputs.map { translate($0, isOutput: true) }
    copy.inputs = step.inputs.map { $0.map { translate($0, isOutput: false) } }
    result.steps = [copy]
    return result
  }

  /// Numbers between -1 and 1 in floating point, zero in integers.
  private static func randomBytes(_ view: View, _ byteCount: Int) throws(DeviceError)
    -> TensorStorage
  {
    guard let storage = TensorStorage(byteCount: byteCount) else {
      throw DeviceError("no memory to measure a step of \(byteCount) bytes")
    }
    storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    guard view.dataType == .float32 else { return storage }
    let numbers = storage.base.assumingMemoryBound(to: Float.self)
    var state: UInt32 = 0x9E37_79B9
    for index in 0..<(byteCount / 4) {
      state = state &* 1_664_525 &+ 1_013_904_223
      numbers[index] = Float(Int32(bitPattern: state)) * 0x1p-31
    }
    return storage
  }

  func median(_ budget: MeasurementBudget) throws(DeviceError) -> Double {
    let clock = ContinuousClock()
    let inputAddresses = inputs.map { UnsafeRawPointer($0.base) }
    let outputAddresses = outputs.map(\.base)
    var times: [Double] = []
    var total = 0.0
    var run = 0
    while total < budget.seconds || times.count < budget.minimumRuns {
      let context = contexts[run % contexts.count]
      var failure: DeviceError?
      let start = clock.now
      inputAddresses.withUnsafeBufferPointer { inputs in
        outputAddresses.withUnsafeBufferPointer { outputs in
          do throws(DeviceError) {
            try context.run(inputs: inputs, outputs: outputs)
          } catch { failure = error }
        }
      }
      let seconds = (clock.now - start).seconds
      if let failure { throw failure }
      run += 1
      total += seconds
      // The first run of each context touches fresh memory.
      if run > contexts.count { times.append(seconds) }
    }
    return times.sorted()[times.count / 2]
  }
}

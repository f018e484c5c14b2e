import CUDADriver
import CUDASource
import DeviceInterface
import DynamicTensorMemory
import KernelModel
import ProgramModel
import TensorModel

/// Times the kernels of one step on the device, many in one graph.
struct StepClock {
  private let executable: CUDAExecutable
  private let places: Places

  init(_ executable: CUDAExecutable, _ places: Places) {
    self.executable = executable
    self.places = places
  }

  /// The time of one run of the step, launch included.
  func seconds(_ step: Int, _ plan: StepPlan, _ stream: GPUStream) throws(CUDAError) -> Double {
    try GraphTimer.median(
      [places], executable, step: step, repetitions: 20, stream: stream,
      budget: MeasurementBudget(seconds: 0, minimumRuns: 3))
  }
}

/// Graphs of one step again and again.
enum GraphTimer {
  /// - Parameter sets: memory to take in turns.
  static func median(
    _ sets: [Places], _ executable: CUDAExecutable, step: Int, repetitions: Int, stream: GPUStream,
    budget: MeasurementBudget
  ) throws(CUDAError) -> Double {
    let gpu = executable.device.gpu
    guard let plan = executable.plans[step], !plan.isEmpty else { return 0 }
    var recorder = try GraphRecorder(gpu)
    var before: [GraphRecorder.Node] = []
    for repetition in 0..<repetitions {
      before = try recorder.add(
        plan, step, executable, sets[repetition % sets.count], after: before)
    }
    let graph = try recorder.finish()
    let began = try GPUEvent(gpu)
    let ended = try GPUEvent(gpu)
    try stream.launch(graph)
    try stream.synchronize()
    var times: [Double] = []
    var total = 0.0
    while times.count < budget.minimumRuns || (total < budget.seconds && times.count < 50) {
      try began.record(on: stream)
      try stream.launch(graph)
      try ended.record(on: stream)
      try ended.synchronize()
      let seconds = try ended.seconds(since: began)
      times.append(seconds / Double(repetitions))
      total += seconds
    }
    return times.sorted()[times.count / 2]
  }
}

/// Times one step alone, with operands of random numbers.
struct StepMeasurement {
  private let executable: CUDAExecutable
  private let memory: [DeviceMemory]
  private let sets: [Places]
  private let stream: GPUStream
  private let guess: Double

  /// Sets of operands that take turns, so that a step does not find its own results in the cache.
  private static let rotation = 3
  private static let largestSet = 512 << 20

  init(
    _ tactic: Tactic, _ step: Step, _ program: Program, device: CUDA
  ) throws(CUDAError) {
    var alone = program
    alone.steps = [step]
    alone.inputs = []
    alone.outputs = []
    for index in alone.buffers.indices {
      if case .constant = alone.buffers[index].role { continue }
      alone.buffers[index].role = .activation
    }
    executable = try CUDAExecutable(
      alone, device: device, tactics: [tactic], options: LoadOptions())
    stream = try GPUStream(device.gpu)
    let bytes = executable.memory.arenaBytes
    let count = bytes > Self.largestSet ? 1 : Self.rotation
    var memory: [DeviceMemory] = []
    for _ in 0..<count { memory.append(try DeviceMemory(device.gpu, byteCount: bytes)) }
    self.memory = memory
    let executable = executable
    sets = memory.map { Places(executable, arena: $0.address, tensors: 0, tensorOffsets: [:]) }
    guess = device.estimate(tactic, for: step, in: program)
    try fill(alone)
  }

  /// Numbers between -1 and 1 in floating point, any 8-bit integers, zero in others, which are indices.
  private func fill(_ program: Program) throws(CUDAError) {
    for (places, memory) in zip(sets, memory) {
      try stream.fill(memory.address, with: 0, byteCount: memory.byteCount)
      for view in program.steps[0].inputs.compactMap({ $0 }) + program.steps[0].outputs {
        guard program.constant(view) == nil, let pattern = Self.pattern(view.dataType) else {
          continue
        }
        let address = try places.buffer(view.buffer)
        let bytes = program[view.buffer].byteCount
        var done = min(pattern.byteCount, bytes)
        try stream.copy(from: pattern.address, to: address, byteCount: done)
        while done < bytes {
          let count = min(done, bytes - done)
          try stream.copy(from: address, to: address + UInt64(done), byteCount: count)
          done += count
        }
      }
    }
    try stream.synchronize()
  }

  private static func pattern(_ type: DataType) -> Tensor? {
    guard type.isFloatingPoint || type.isByte else { return nil }
    let count = 16384
    var state: UInt32 = 0x9E37_79B9
    let numbers = (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      let number = Double(Int32(bitPattern: state)) * 0x1p-31
      return type.isByte ? (number * 127 + (type == .uint8 ? 128 : 0)).rounded() : number
    }
    return try? Tensor(numbers: numbers, dataType: type, shape: [count])
  }

  func median(_ budget: MeasurementBudget) throws(CUDAError) -> Double {
    // A graph long enough for the clock, short enough for slow kernels.
    let repetitions = max(3, min(21, Int(400e-6 / max(guess, 1e-7))))
    return try GraphTimer.median(
      sets, executable, step: 0, repetitions: repetitions, stream: stream, budget: budget)
  }
}

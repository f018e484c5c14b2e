import CUDADriver
import CUDASource
package import DeviceInterface
import DynamicTensorMemory
import KernelModel
import ProgramModel
import ReferenceExecution
import Synchronization
import TensorModel

/// An arena, the callers' tensors in device memory, a stream, and the program as graphs: what one thread
/// uses at a time to run a program.
package final class CUDAContext: ExecutableContext {
  private let executable: CUDAExecutable
  private let stream: GPUStream
  private let arena: DeviceMemory
  private let tensors: DeviceMemory
  /// Inputs and outputs that are copied from and to the host.
  private let tensorOffsets: [BufferID: Int]
  private let places: Places
  private let staging: PinnedMemory
  private let segments: [Segment]
  private let began: GPUEvent
  private let ended: GPUEvent

  /// Steps that one graph holds, or one step of the host between graphs.
  private enum Segment: Sendable {
    case graph(ExecutableGraph)
    /// Kernels one after the other.
    case kernels([BoundLaunch])
    case host(Int)
  }

  private struct BoundLaunch: Sendable {
    var launch: KernelLaunch
    var kernel: Kernel
    var arguments: [KernelValue]
    /// Memory to fill with zeros before.
    var zeros: (address: UInt64, byteCount: Int)
  }

  /// - Parameter bound: where inputs and outputs lie that are not copied, in memory of the caller's.
  init(_ executable: CUDAExecutable, bound: [BufferID: UInt64] = [:]) throws(CUDAError) {
    self.executable = executable
    let gpu = executable.device.gpu
    stream = try GPUStream(gpu)
    arena = try DeviceMemory(gpu, byteCount: executable.memory.arenaBytes)
    var offsets: [BufferID: Int] = [:]
    var total = 0
    for (index, buffer) in executable.program.buffers.enumerated() {
      switch buffer.role {
      case .input where bound[BufferID(index)] == nil, .output where bound[BufferID(index)] == nil:
        offsets[BufferID(index)] = total
        total += (buffer.byteCount + 255) & ~255
      case .input, .output, .activation, .constant: break
      }
    }
    tensorOffsets = offsets
    tensors = try DeviceMemory(gpu, byteCount: total)
    staging = try PinnedMemory(gpu, byteCount: total)
    began = try GPUEvent(gpu)
    ended = try GPUEvent(gpu)
    places = Places(
      executable, arena: arena.address, tensors: tensors.address, tensorOffsets: offsets,
      bound: bound)
    segments = try Self.record(executable, places)
  }

  // MARK: Graphs

  private static func record(
    _ executable: CUDAExecutable, _ places: Places
  ) throws(CUDAError) -> [Segment] {
    var segments: [Segment] = []
    var pending: [Int] = []
    // A library's work is only known as part of a graph.
    func isByLibrary(_ step: Int) -> Bool { executable.plans[step]?.call != nil }
    func close() throws(CUDAError) {
      guard !pending.isEmpty else { return }
      segments.append(
        executable.options.launchesTogether || pending.contains(where: isByLibrary)
          ? .graph(try graph(executable, pending, places))
          : .kernels(try kernels(executable, pending, places)))
      pending = []
    }
    for step in executable.order.sequence {
      if executable.plans[step] == nil {
        try close()
        segments.append(.host(step))
      } else {
        pending.append(step)
      }
    }
    try close()
    return segments
  }

  /// Steps as one graph.
  static func graph(
    _ executable: CUDAExecutable, _ steps: [Int], _ places: Places
  ) throws(CUDAError) -> ExecutableGraph {
    var recorder = try GraphRecorder(executable.device.gpu)
    var last: [Int: [GraphRecorder.Node]] = [:]
    for step in steps {
      guard let plan = executable.plans[step] else { continue }
      let before = executable.order.predecessors[step].flatMap { last[$0] ?? [] }
      // A step of no kernels passes on what it waits for.
      last[step] = try recorder.add(plan, step, executable, places, after: before)
    }
    return try recorder.finish()
  }

  private static func kernels(
    _ executable: CUDAExecutable, _ steps: [Int], _ places: Places
  ) throws(CUDAError) -> [BoundLaunch] {
    var result: [BoundLaunch] = []
    for step in steps {
      guard let plan = executable.plans[step] else { continue }
      for (index, launch) in plan.launches.enumerated() {
        guard let kernel = executable.kernels[launch.source] else { continue }
        result.append(
          BoundLaunch(
            launch: launch, kernel: kernel, arguments: try places.arguments(launch, step),
            zeros: (places.workspace(step), index == 0 ? plan.zeroedWorkspaceBytes : 0)))
      }
    }
    return result
  }

  // MARK: Running

  package func run(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError) {
    do throws(CUDAError) {
      try executable.device.gpu.makeCurrent()
      try upload(inputs)
      for segment in segments { try run(segment) }
      try download(outputs)
    } catch { throw DeviceError(error.description) }
  }

  private func run(_ segment: Segment) throws(CUDAError) {
    switch segment {
    case .graph(let graph): try stream.launch(graph)
    case .kernels(let launches):
      for bound in launches {
        try stream.fill(bound.zeros.address, with: 0, byteCount: bound.zeros.byteCount)
        try stream.launch(bound.launch, bound.kernel, arguments: bound.arguments)
      }
    case .host(let step): try runOnHost(step)
    }
  }

  private static let chunk = 1 << 20

  private func upload(_ inputs: UnsafeBufferPointer<UnsafeRawPointer>) throws(CUDAError) {
    let program = executable.program
    for (index, view) in program.inputs.enumerated() where index < inputs.count {
      guard let offset = tensorOffsets[view.buffer] else { continue }
      let bytes = program[view.buffer].byteCount
      // The copy of one chunk into pinned memory runs beside the transfer of the one before.
      for start in stride(from: 0, to: bytes, by: Self.chunk) {
        let count = min(Self.chunk, bytes - start)
        let place = staging.base + offset + start
        place.copyMemory(from: inputs[index] + start, byteCount: count)
        try stream.copy(
          from: UnsafeRawPointer(place), to: tensors.address + UInt64(offset + start),
          byteCount: count)
      }
    }
  }

  private func download(_ outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>) throws(CUDAError) {
    let program = executable.program
    for (index, view) in program.outputs.enumerated() where index < outputs.count {
      guard let offset = tensorOffsets[view.buffer] else { continue }
      try stream.copy(
        from: tensors.address + UInt64(offset), to: staging.base + offset,
        byteCount: program[view.buffer].byteCount)
    }
    try stream.synchronize()
    for (index, view) in program.outputs.enumerated() where index < outputs.count {
      guard let offset = tensorOffsets[view.buffer] else { continue }
      outputs[index].copyMemory(
        from: staging.base + offset, byteCount: program[view.buffer].byteCount)
    }
  }

  /// Fetches what the step reads, computes it with the reference interpreter, and sends the results back.
  private func runOnHost(_ index: Int) throws(CUDAError) {
    let program = executable.program
    let step = program.steps[index]
    var memory: [BufferID: TensorStorage] = [:]
    for view in step.inputs.compactMap({ $0 }) + step.outputs where memory[view.buffer] == nil {
      if case .constant(let tensor) = program[view.buffer].role {
        memory[view.buffer] = tensor.storage
        continue
      }
      let bytes = program[view.buffer].byteCount
      guard let storage = TensorStorage(byteCount: bytes) else {
        throw CUDAError(.driver, "no memory for the step '\(step.name)' on the host")
      }
      try stream.copy(from: try places.buffer(view.buffer), to: storage.base, byteCount: bytes)
      memory[view.buffer] = storage
    }
    try stream.synchronize()
    func address(_ view: View) -> UnsafeMutableRawPointer? {
      if case .constant(let tensor) = program[view.buffer].role {
        return UnsafeMutableRawPointer(mutating: tensor.address) + view.byteOffset
      }
      return memory[view.buffer].map { $0.base + view.byteOffset }
    }
    do {
      try ReferenceStep.run(
        step, inputs: step.inputs.compactMap { $0.flatMap(address).map { UnsafeRawPointer($0) } },
        outputs: step.outputs.compactMap(address))
    } catch { throw CUDAError(.driver, error.description) }
    for view in step.outputs {
      guard let storage = memory[view.buffer] else { continue }
      try stream.copy(
        from: UnsafeRawPointer(storage.base), to: try places.buffer(view.buffer),
        byteCount: storage.byteCount)
    }
    try stream.synchronize()
  }

  // MARK: Times

  package func deviceSeconds(runs: Int) throws(DeviceError) -> [Double]? {
    do throws(CUDAError) {
      try executable.device.gpu.makeCurrent()
      var times: [Double] = []
      for _ in 0..<runs {
        try began.record(on: stream)
        for segment in segments { try run(segment) }
        try ended.record(on: stream)
        try ended.synchronize()
        times.append(try ended.seconds(since: began))
      }
      return times
    } catch { throw DeviceError(error.description) }
  }

  package func profile(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError) -> [Double] {
    do throws(CUDAError) {
      try executable.device.gpu.makeCurrent()
      try upload(inputs)
      var seconds: [Double] = []
      for (step, plan) in executable.plans.enumerated() {
        if let plan {
          seconds.append(try StepClock(executable, places).seconds(step, plan, stream))
        } else {
          let clock = ContinuousClock()
          let start = clock.now
          try runOnHost(step)
          seconds.append((clock.now - start).seconds)
        }
      }
      return seconds
    } catch { throw DeviceError(error.description) }
  }
}

extension Duration {
  var seconds: Double {
    let (whole, attoseconds) = components
    return Double(whole) + Double(attoseconds) * 1e-18
  }
}

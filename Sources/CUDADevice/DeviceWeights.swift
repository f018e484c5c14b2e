import CUDADriver
import CUDASource
import ProgramModel
import TensorModel

/// The constants of a program in device memory: as they are where kernels read them so, and repacked.
struct DeviceWeights {
  private(set) var bufferAddresses: [BufferID: UInt64] = [:]
  /// For each step the address of each piece of prepared memory.
  private(set) var prepared: [[UInt64]] = []
  private var memory: [DeviceMemory] = []

  var byteCount: Int { memory.reduce(0) { $0 + $1.byteCount } }

  init(
    _ program: Program, _ plans: [StepPlan?], _ kernels: [KernelSource: Kernel], device: CUDA
  ) throws(CUDAError) {
    let stream = try GPUStream(device.gpu)
    let resident = Self.constants(program, plans) { $0.arguments }
    let preparing = Self.constants(program, plans) { $0.preparation.flatMap(\.arguments) }
      .subtracting(resident)
    var kept = Pool()
    let residentOffsets = resident.sorted().map { ($0, kept.add(program[$0].byteCount)) }
    let preparedOffsets = plans.map { plan in (plan?.prepared ?? []).map { kept.add($0) } }
    var temporary = Pool()
    let temporaryOffsets = preparing.sorted().map { ($0, temporary.add(program[$0].byteCount)) }
    let keptMemory = try DeviceMemory(device.gpu, byteCount: kept.byteCount)
    let temporaryMemory = try DeviceMemory(device.gpu, byteCount: temporary.byteCount)
    memory = [keptMemory]
    for (buffer, offset) in residentOffsets {
      bufferAddresses[buffer] = keptMemory.address + UInt64(offset)
    }
    var addresses = bufferAddresses
    for (buffer, offset) in temporaryOffsets {
      addresses[buffer] = temporaryMemory.address + UInt64(offset)
    }
    for (buffer, address) in addresses {
      guard case .constant(let tensor) = program[buffer].role else { continue }
      try stream.copy(from: tensor.address, to: address, byteCount: tensor.byteCount)
    }
    prepared = preparedOffsets.map { $0.map { keptMemory.address + UInt64($0) } }
    try prepare(program, plans, kernels, stream: stream, constants: addresses)
    try stream.synchronize()
  }

  private func prepare(
    _ program: Program, _ plans: [StepPlan?], _ kernels: [KernelSource: Kernel], stream: GPUStream,
    constants: [BufferID: UInt64]
  ) throws(CUDAError) {
    for (index, plan) in plans.enumerated() {
      for launch in plan?.preparation ?? [] {
        var arguments: [KernelValue] = []
        for argument in launch.arguments {
          switch argument {
          case .input(let input):
            guard let view = program.steps[index].inputs[input], let base = constants[view.buffer]
            else { throw CUDAError(.driver, "a preparation reads what is not constant") }
            arguments.append(.address(base + UInt64(view.byteOffset)))
          case .prepared(let place): arguments.append(.address(prepared[index][place]))
          case .output, .workspace, .tensorMap:
            throw CUDAError(.driver, "a preparation writes what is not prepared memory")
          }
        }
        guard let kernel = kernels[launch.source] else { continue }
        try stream.launch(launch, kernel, arguments: arguments)
      }
    }
  }

  /// The constant buffers that the chosen launches read.
  private static func constants(
    _ program: Program, _ plans: [StepPlan?], _ arguments: (StepPlan) -> [KernelLaunch.Argument]
  ) -> Set<BufferID> {
    var result: Set<BufferID> = []
    for (step, plan) in zip(program.steps, plans) {
      for argument in plan.map(arguments) ?? [] {
        guard let index = argument.inputIndex, let view = step.inputs[index],
          program.constant(view) != nil
        else { continue }
        result.insert(view.buffer)
      }
    }
    return result
  }

  /// Places one after the other.
  private struct Pool {
    private(set) var byteCount = 0

    mutating func add(_ bytes: Int) -> Int {
      defer {
        byteCount += (bytes + CUDAExecutable.alignment - 1) & ~(CUDAExecutable.alignment - 1)
      }
      return byteCount
    }
  }
}

extension KernelLaunch.Argument {
  /// The input that the kernel reads through the argument.
  fileprivate var inputIndex: Int? {
    switch self {
    case .input(let index): index
    case .tensorMap(let map):
      if case .input(let index) = map.base { index } else { nil }
    case .output, .workspace, .prepared: nil
    }
  }
}

import CUDADriver
import CUDASource
import DynamicTensorMemory
import ProgramModel
import TensorModel

/// The device addresses of one context.
struct Places {
  private let executable: CUDAExecutable
  private let arena: UInt64
  private let tensors: UInt64
  private let tensorOffsets: [BufferID: Int]
  /// Buffers in memory of the caller's.
  private let bound: [BufferID: UInt64]

  init(
    _ executable: CUDAExecutable, arena: UInt64, tensors: UInt64, tensorOffsets: [BufferID: Int],
    bound: [BufferID: UInt64] = [:]
  ) {
    self.executable = executable
    self.arena = arena
    self.tensors = tensors
    self.tensorOffsets = tensorOffsets
    self.bound = bound
  }

  func buffer(_ buffer: BufferID) throws(CUDAError) -> UInt64 {
    switch executable.program[buffer].role {
    case .activation:
      return arena + UInt64(executable.memory.bufferOffsets[buffer.index] ?? 0)
    case .input, .output: return bound[buffer] ?? tensors + UInt64(tensorOffsets[buffer] ?? 0)
    case .constant:
      guard let address = executable.weights.bufferAddresses[buffer] else {
        throw CUDAError(.driver, "a constant is not in device memory")
      }
      return address
    }
  }

  func workspace(_ step: Int) -> UInt64 {
    arena + UInt64(executable.memory.workspaceOffsets[step])
  }

  /// What a launch takes.
  func arguments(_ launch: KernelLaunch, _ index: Int) throws(CUDAError) -> [KernelValue] {
    var result: [KernelValue] = []
    for argument in launch.arguments {
      let address = try address(argument, index)
      if case .tensorMap(let map) = argument {
        result.append(.tensorMap(try map.encoded(executable.device.gpu, address)))
      } else {
        result.append(.address(address))
      }
    }
    return result
  }

  /// Where what an argument points at lies.
  func address(_ argument: KernelLaunch.Argument, _ index: Int) throws(CUDAError) -> UInt64 {
    let base: TensorMap.Base =
      switch argument {
      case .input(let input): .input(input)
      case .output(let output): .output(output)
      case .workspace(let offset): .workspace(offset)
      case .prepared(let prepared): .prepared(prepared)
      case .tensorMap(let map): map.base
      }
    return try address(base, index)
  }

  private func address(_ base: TensorMap.Base, _ index: Int) throws(CUDAError) -> UInt64 {
    let step = executable.program.steps[index]
    switch base {
    case .input(let input):
      guard let view = step.inputs[input] else {
        throw CUDAError(.driver, "step '\(step.name)': a kernel reads an input that is missing")
      }
      return try buffer(view.buffer) + UInt64(view.byteOffset)
    case .output(let output):
      let view = step.outputs[output]
      return try buffer(view.buffer) + UInt64(view.byteOffset)
    case .workspace(let offset): return workspace(index) + UInt64(offset)
    case .prepared(let place): return executable.weights.prepared[index][place]
    }
  }
}

extension TensorMap {
  /// The 128 bytes that kernels take.
  fileprivate func encoded(_ gpu: GPU, _ address: UInt64) throws(CUDAError) -> [UInt64] {
    // CUtensorMapDataType.
    let types: [DataType: Int32] = [
      .uint8: 0, .int8: 0, .uint16: 1, .uint32: 2, .int32: 3, .uint64: 4, .int64: 5, .float16: 6,
      .float32: 7, .float64: 8, .bfloat16: 9,
    ]
    guard let type = types[dataType] else {
      throw CUDAError(.driver, "no tensor map holds \(dataType)")
    }
    switch window {
    case .tiled(let box):
      return try gpu.tensorMap(
        type: type, address: address, extents: extents, strides: strides, box: box,
        elementStrides: elementStrides, swizzle: swizzle.rawValue)
    case .im2col(let lower, let upper, let channels, let pixels):
      return try gpu.tensorMap(
        type: type, address: address, extents: extents, strides: strides, lower: lower,
        upper: upper, channels: channels, pixels: pixels, elementStrides: elementStrides,
        swizzle: swizzle.rawValue)
    }
  }
}

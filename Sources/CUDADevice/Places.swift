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
      switch argument {
      case .input(let input): result.append(.address(try address(.input(input), index)))
      case .output(let output): result.append(.address(try address(.output(output), index)))
      case .workspace(let offset): result.append(.address(try address(.workspace(offset), index)))
      case .prepared(let place): result.append(.address(try address(.prepared(place), index)))
      case .tensorMap(let map):
        result.append(
          .tensorMap(try map.encoded(executable.device.gpu, address(map.base, index))))
      }
    }
    return result
  }

  /// A library's product, which counts columns where we count rows: both sides are transposed.
  func product(_ product: LibraryProduct, _ index: Int) throws(CUDAError) -> MatrixLibrary.Product {
    func place(_ argument: KernelLaunch.Argument) throws(CUDAError) -> UInt64 {
      switch argument {
      case .input(let input): try address(.input(input), index)
      case .output(let output): try address(.output(output), index)
      case .workspace(let offset): try address(.workspace(offset), index)
      case .prepared(let prepared): try address(.prepared(prepared), index)
      case .tensorMap(let map): try address(map.base, index)
      }
    }
    func matrix(
      _ matrix: LibraryProduct.Matrix, lines: Int, length: Int
    ) throws(CUDAError) -> MatrixLibrary.Matrix {
      MatrixLibrary.Matrix(
        address: try place(matrix.argument), rows: matrix.isTransposed ? lines : length,
        columns: matrix.isTransposed ? length : lines, leading: matrix.leading,
        isTransposed: matrix.isTransposed)
    }
    var bias: UInt64?
    if let argument = product.bias { bias = try place(argument) }
    var added: UInt64?
    if let argument = product.residual { added = try place(argument) }
    return MatrixLibrary.Product(
      a: try matrix(product.b, lines: product.depth, length: product.columns),
      b: try matrix(product.a, lines: product.rows, length: product.depth),
      result: try matrix(product.output, lines: product.rows, length: product.columns),
      added: added, bias: bias, workspace: try place(product.workspace),
      workspaceBytes: product.workspaceBytes, choice: product.choice)
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

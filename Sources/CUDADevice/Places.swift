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

  init(
    _ executable: CUDAExecutable, arena: UInt64, tensors: UInt64, tensorOffsets: [BufferID: Int]
  ) {
    self.executable = executable
    self.arena = arena
    self.tensors = tensors
    self.tensorOffsets = tensorOffsets
  }

  func buffer(_ buffer: BufferID) throws(CUDAError) -> UInt64 {
    switch executable.program[buffer].role {
    case .activation:
      return arena + UInt64(executable.memory.bufferOffsets[buffer.index] ?? 0)
    case .input, .output: return tensors + UInt64(tensorOffsets[buffer] ?? 0)
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
  func addresses(_ launch: KernelLaunch, _ index: Int) throws(CUDAError) -> [UInt64] {
    let step = executable.program.steps[index]
    var result: [UInt64] = []
    for argument in launch.arguments {
      switch argument {
      case .input(let input):
        guard let view = step.inputs[input] else {
          throw CUDAError(.driver, "step '\(step.name)': a kernel reads an input that is missing")
        }
        result.append(try buffer(view.buffer) + UInt64(view.byteOffset))
      case .output(let output):
        let view = step.outputs[output]
        result.append(try buffer(view.buffer) + UInt64(view.byteOffset))
      case .workspace(let offset): result.append(workspace(index) + UInt64(offset))
      case .prepared(let place): result.append(executable.weights.prepared[index][place])
      }
    }
    return result
  }
}

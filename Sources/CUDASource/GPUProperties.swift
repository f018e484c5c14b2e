import KernelModel
package import ProgramModel
import TensorModel

/// What kernel choices depend on, read off a GPU, or of a chip that is known.
package struct GPUProperties: Hashable, Sendable {
  /// Compute capability: 80, 90.
  package var architecture: Int
  package var multiprocessors: Int
  /// The most dynamic shared memory that one block can have.
  package var sharedBytesPerBlock: Int
  package var sharedBytesPerMultiprocessor: Int
  package var cacheBytes: Int
  /// Device memory, bytes per second.
  package var memoryBandwidth: Double
  /// Multiply-adds of FP32 outside the tensor cores, per second and chip.
  package var scalarMultiplyAdds: Double
  /// Multiply-adds of FP16 on the tensor cores, per second and chip.
  package var matrixMultiplyAdds: Double
  /// Whether cuBLASLt is there.
  package var hasMatrixLibrary = false
  /// Whether cuDNN is there.
  package var hasConvolutionLibrary = false

  package init(
    architecture: Int, multiprocessors: Int, sharedBytesPerBlock: Int,
    sharedBytesPerMultiprocessor: Int, cacheBytes: Int, memoryBandwidth: Double,
    scalarMultiplyAdds: Double, matrixMultiplyAdds: Double
  ) {
    self.architecture = architecture
    self.multiprocessors = multiprocessors
    self.sharedBytesPerBlock = sharedBytesPerBlock
    self.sharedBytesPerMultiprocessor = sharedBytesPerMultiprocessor
    self.cacheBytes = cacheBytes
    self.memoryBandwidth = memoryBandwidth
    self.scalarMultiplyAdds = scalarMultiplyAdds
    self.matrixMultiplyAdds = matrixMultiplyAdds
  }

  /// NVIDIA A100 SXM.
  package static let a100 = GPUProperties(
    architecture: 80, multiprocessors: 108, sharedBytesPerBlock: 166_912,
    sharedBytesPerMultiprocessor: 167_936, cacheBytes: 40 << 20, memoryBandwidth: 1.4e12,
    scalarMultiplyAdds: 9.7e12, matrixMultiplyAdds: 130e12)
  /// NVIDIA H200 SXM; rates as measured.
  package static let h200 = GPUProperties(
    architecture: 90, multiprocessors: 132, sharedBytesPerBlock: 232_448,
    sharedBytesPerMultiprocessor: 233_472, cacheBytes: 50 << 20, memoryBandwidth: 4.4e12,
    scalarMultiplyAdds: 26e12, matrixMultiplyAdds: 370e12)

  /// The seconds that no kernel for a step stays under: its operands move through device memory once, its
  /// products through the fastest units for their type.
  package func floorSeconds(of step: Step) -> Double {
    let type = step.inputs.first.flatMap { $0?.dataType }
    let rate =
      switch type {
      case .float16, .bfloat16: matrixMultiplyAdds
      case .int8, .uint8: matrixMultiplyAdds * 2
      case .float32 where step.arithmetic == .tensorFloat32: matrixMultiplyAdds / 3
      case .float32 where architecture == 90: max(scalarMultiplyAdds, matrixMultiplyAdds / 6)
      default: scalarMultiplyAdds
      }
    return max(step.trafficBytes / memoryBandwidth, step.multiplyAdds / rate)
  }

  /// The name that compilers know the chip by; `a`: with the instructions of this generation alone.
  package var compilerArchitecture: String {
    architecture == 90 ? "sm_90a" : "sm_\(architecture)"
  }
}

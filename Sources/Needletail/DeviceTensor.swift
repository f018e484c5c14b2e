import CUDADevice
import DeviceInterface
public import TensorModel

/// The elements of a tensor in a GPU's memory, dense and row-major.
public final class DeviceTensor: Sendable {
  /// The address on the device, as CUDA's functions take it.
  public let address: UInt64
  /// Bytes from the address on that may be used.
  public let byteCount: Int
  private let allocation: GPUAllocation?

  /// Memory that the caller owns and keeps: of `cudaMalloc`, or of another library.
  public init(address: UInt64, byteCount: Int) {
    self.address = address
    self.byteCount = byteCount
    allocation = nil
  }

  /// New memory on a GPU, freed with its last owner.
  ///
  /// - Throws: `NeedletailError` where there is no such GPU or too little memory.
  public init(byteCount: Int, on device: String = "cuda:0") throws(NeedletailError) {
    guard byteCount >= 0, let gpu = try Devices.open(device, threads: nil) as? CUDA else {
      throw NeedletailError(
        .device, "\(byteCount) bytes on '\(device)': give a GPU, such as cuda:0")
    }
    let allocation: GPUAllocation
    do { allocation = try GPUAllocation(gpu, byteCount: byteCount) } catch {
      throw NeedletailError(.device, error.description)
    }
    self.allocation = allocation
    address = allocation.address
    self.byteCount = byteCount
  }

  /// A copy of a tensor in new memory on a GPU.
  ///
  /// - Throws: `NeedletailError` where there is no such GPU or too little memory.
  public convenience init(
    _ tensor: Tensor, on device: String = "cuda:0"
  ) throws(NeedletailError) {
    try self.init(byteCount: tensor.byteCount, on: device)
    try write(tensor)
  }

  /// Copies a tensor into memory that this object allocated, and waits for the end of it.
  ///
  /// - Throws: `NeedletailError` where it does not fit, or the memory is the caller's own.
  public func write(_ tensor: Tensor) throws(NeedletailError) {
    let allocation = try owned()
    guard tensor.byteCount <= byteCount, tensor.dataType != .string else {
      throw NeedletailError(
        .input, "a tensor \(tensor.type) does not fit into \(byteCount) bytes of device memory")
    }
    do {
      try allocation.write(
        UnsafeRawBufferPointer(start: tensor.address, count: tensor.byteCount))
    } catch { throw NeedletailError(.device, error.description) }
  }

  /// A copy of the elements on the host.
  ///
  /// - Throws: `NeedletailError` where the memory is smaller, or the caller's own.
  public func tensor(_ dataType: DataType, shape: [Int]) throws(NeedletailError) -> Tensor {
    let allocation = try owned()
    do {
      var tensor = try Tensor(zeros: dataType, shape: shape)
      guard tensor.byteCount <= byteCount, dataType != .string else {
        throw NeedletailError(
          .input, "a tensor \(tensor.type) has more than the \(byteCount) bytes of device memory")
      }
      var failure: DeviceError?
      tensor.withUnsafeMutableBytes { bytes in
        do throws(DeviceError) { try allocation.read(bytes) } catch { failure = error }
      }
      if let failure { throw failure }
      return tensor
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.device, "\(error)")
    }
  }

  private func owned() throws(NeedletailError) -> GPUAllocation {
    guard let allocation else {
      throw NeedletailError(.input, "the device memory is the caller's own: copy it with CUDA")
    }
    return allocation
  }
}

/// Which inputs and outputs of an engine lie in device memory of the caller's.
struct DeviceBinding {
  private var inputs: [Int: (name: String, tensor: DeviceTensor, byteCount: Int)] = [:]
  private var outputs: [Int: (name: String, tensor: DeviceTensor, byteCount: Int)] = [:]

  init(
    _ tensors: [String: DeviceTensor], _ engine: Engine, _ inputTensors: [Tensor],
    _ outputTensors: [Tensor]
  ) throws(NeedletailError) {
    let inputNames = engine.inputs.map(\.name)
    let outputNames = engine.outputs.map(\.name)
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      if let index = inputNames.firstIndex(of: name), index < inputTensors.count {
        inputs[index] = (name, tensor, inputTensors[index].byteCount)
      } else if let index = outputNames.firstIndex(of: name), index < outputTensors.count {
        outputs[index] = (name, tensor, outputTensors[index].byteCount)
      } else {
        let names = (inputNames + outputNames).map { "'\($0)'" }.joined(separator: ", ")
        throw NeedletailError(
          .input, "there is no input or output '\(name)'; the engine has \(names)")
      }
    }
  }

  func makeContext(
    _ executable: any Executable
  ) throws(NeedletailError) -> any ExecutableContext {
    do {
      guard !inputs.isEmpty || !outputs.isEmpty else { return try executable.makeContext() }
      guard let executable = executable as? CUDAExecutable else {
        throw NeedletailError(
          .device, "tensors in device memory were given, and the engine runs on the CPU")
      }
      let all = inputs.values.map { $0 } + outputs.values.map { $0 }
      for (name, tensor, needed) in all.sorted(by: { $0.name < $1.name }) {
        guard tensor.byteCount >= needed else {
          throw NeedletailError(
            .input, "device memory for '\(name)' has \(tensor.byteCount) bytes, expected \(needed)")
        }
        if let text = try executable.objection(toMemoryAt: tensor.address, byteCount: needed) {
          throw NeedletailError(.input, "device memory for '\(name)': \(text)")
        }
      }
      return try executable.makeContext(
        inputs: inputs.mapValues(\.tensor.address), outputs: outputs.mapValues(\.tensor.address))
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.device, "\(error)")
    }
  }
}

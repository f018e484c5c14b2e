import CUDADriver
package import DeviceInterface

/// Memory of a GPU, for tensors that stay there.
package final class GPUAllocation: Sendable {
  private let device: CUDA
  private let memory: DeviceMemory

  package var address: UInt64 { memory.address }
  package var byteCount: Int { memory.byteCount }

  package init(_ device: CUDA, byteCount: Int) throws(DeviceError) {
    self.device = device
    do { memory = try DeviceMemory(device.gpu, byteCount: byteCount) } catch {
      throw DeviceError(error.description)
    }
  }

  /// Copies bytes of the host, at most `byteCount`, and waits for the end of it.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(DeviceError) {
    guard let base = bytes.baseAddress else { return }
    do throws(CUDAError) {
      try device.gpu.makeCurrent()
      let stream = try GPUStream(device.gpu)
      try stream.copy(from: base, to: address, byteCount: min(bytes.count, byteCount))
      try stream.synchronize()
    } catch { throw DeviceError(error.description) }
  }

  /// Copies bytes to the host, at most `byteCount`, and waits for the end of it.
  package func read(_ bytes: UnsafeMutableRawBufferPointer) throws(DeviceError) {
    guard let base = bytes.baseAddress else { return }
    do throws(CUDAError) {
      try device.gpu.makeCurrent()
      let stream = try GPUStream(device.gpu)
      try stream.copy(from: address, to: base, byteCount: min(bytes.count, byteCount))
      try stream.synchronize()
    } catch { throw DeviceError(error.description) }
  }
}

extension CUDAExecutable {
  /// Why memory of the caller's cannot hold a tensor of so many bytes; nil where it can.
  package func objection(toMemoryAt address: UInt64, byteCount: Int) throws(DeviceError) -> String?
  {
    // Kernels load 16 bytes at once, and so does the copy engine.
    guard address % 16 == 0 else {
      return "address 0x\(String(address, radix: 16)) is no multiple of 16"
    }
    let found: Int?
    do { found = try device.gpu.bytes(from: address) } catch {
      throw DeviceError(error.description)
    }
    guard let found else {
      return "address 0x\(String(address, radix: 16)) is no memory of \(device.name)"
    }
    return found >= byteCount
      ? nil : "\(byteCount) bytes are needed, \(found) were allocated at the address"
  }
}

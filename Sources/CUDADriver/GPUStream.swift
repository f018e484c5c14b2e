/// Work for a GPU in order.
package final class GPUStream: Sendable {
  package let gpu: GPU
  let handle: Handle

  package init(_ gpu: GPU) throws(CUDAError) {
    self.gpu = gpu
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    // Not synchronised with the default stream.
    try gpu.check(gpu.driver.functions.createStream(&pointer, 1), "cuStreamCreate")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no stream") }
    handle = Handle(pointer)
  }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.destroyStream(handle.pointer)
  }

  package func synchronize() throws(CUDAError) {
    try gpu.check(gpu.driver.functions.synchronizeStream(handle.pointer), "cuStreamSynchronize")
  }

  package func copy(
    from host: UnsafeRawPointer, to address: UInt64, byteCount: Int
  ) throws(CUDAError) {
    guard byteCount > 0 else { return }
    try gpu.check(
      gpu.driver.functions.copyToDevice(address, host, byteCount, handle.pointer), "cuMemcpyHtoD")
  }

  package func copy(
    from address: UInt64, to host: UnsafeMutableRawPointer, byteCount: Int
  ) throws(CUDAError) {
    guard byteCount > 0 else { return }
    try gpu.check(
      gpu.driver.functions.copyToHost(host, address, byteCount, handle.pointer), "cuMemcpyDtoH")
  }

  package func copy(
    from source: UInt64, to target: UInt64, byteCount: Int
  ) throws(CUDAError) {
    guard byteCount > 0 else { return }
    try gpu.check(
      gpu.driver.functions.copyOnDevice(target, source, byteCount, handle.pointer), "cuMemcpyDtoD")
  }

  package func fill(_ address: UInt64, with value: UInt8, byteCount: Int) throws(CUDAError) {
    guard byteCount > 0 else { return }
    try gpu.check(
      gpu.driver.functions.fill(address, value, byteCount, handle.pointer), "cuMemset")
  }

  package func launch(_ graph: ExecutableGraph) throws(CUDAError) {
    try gpu.check(
      gpu.driver.functions.launchGraph(graph.handle.pointer, handle.pointer), "cuGraphLaunch")
  }

  /// Launches one kernel.
  package func launch(
    _ kernel: Kernel, grid: (Int, Int, Int), threads: Int, sharedBytes: Int, clusterSize: Int = 1,
    arguments: [KernelValue]
  ) throws(CUDAError) {
    let status = KernelArguments.withPointers(arguments) { pointers in
      withUnsafePointer(to: ClusterAttribute(size: ClusterSize(clusterSize))) { cluster in
        var configuration = LaunchConfiguration(
          gridX: UInt32(grid.0), gridY: UInt32(grid.1), gridZ: UInt32(grid.2),
          blockX: UInt32(threads), sharedBytes: UInt32(sharedBytes), stream: handle.pointer,
          attributes: UnsafeRawPointer(cluster), attributeCount: clusterSize > 1 ? 1 : 0)
        return gpu.driver.functions.launch(&configuration, kernel.handle.pointer, pointers, nil)
      }
    }
    try gpu.check(status, "launch of '\(kernel.name)'")
  }
}

/// A point in a stream's work, with its time.
package final class GPUEvent: Sendable {
  private let gpu: GPU
  private let handle: Handle

  package init(_ gpu: GPU) throws(CUDAError) {
    self.gpu = gpu
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    try gpu.check(gpu.driver.functions.createEvent(&pointer, 0), "cuEventCreate")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no event") }
    handle = Handle(pointer)
  }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.destroyEvent(handle.pointer)
  }

  package func record(on stream: GPUStream) throws(CUDAError) {
    try gpu.check(
      gpu.driver.functions.recordEvent(handle.pointer, stream.handle.pointer), "cuEventRecord")
  }

  package func synchronize() throws(CUDAError) {
    try gpu.check(gpu.driver.functions.synchronizeEvent(handle.pointer), "cuEventSynchronize")
  }

  /// Seconds since an earlier event; both must have happened.
  package func seconds(since earlier: GPUEvent) throws(CUDAError) -> Double {
    var milliseconds: Float = 0
    try gpu.check(
      gpu.driver.functions.elapsed(&milliseconds, earlier.handle.pointer, handle.pointer),
      "cuEventElapsedTime")
    return Double(milliseconds) * 1e-3
  }
}

/// One value that a kernel takes.
package enum KernelValue: Sendable {
  case address(UInt64)
  /// The 128 bytes of a tensor map.
  case tensorMap([UInt64])

  fileprivate var words: [UInt64] {
    switch self {
    case .address(let address): [address]
    case .tensorMap(let words): words
    }
  }
}

/// Values as the array of pointers that launches take.
enum KernelArguments {
  static func withPointers<R>(
    _ arguments: [KernelValue], _ body: (UnsafeMutablePointer<UnsafeMutableRawPointer?>?) -> R
  ) -> R {
    // Tensor maps lie on multiples of 64 bytes.
    let size = 128
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: max(arguments.count, 1) * size, alignment: 128)
    defer { memory.deallocate() }
    var pointers: [UnsafeMutableRawPointer?] = []
    for (index, argument) in arguments.enumerated() {
      let place = memory + index * size
      for (word, value) in argument.words.enumerated() {
        place.storeBytes(of: value, toByteOffset: word * 8, as: UInt64.self)
      }
      pointers.append(place)
    }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress) }
  }
}

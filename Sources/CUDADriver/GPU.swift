/// One GPU with this process's context on it.
///
/// Every method may be called from any thread.
package final class GPU: Sendable {
  package let driver: Driver
  package let index: Int
  package let name: String
  package let memoryBytes: Int
  /// Whether a kernel may begin before the one that it depends on has ended.
  package let overlapsKernels: Bool
  private let device: Int32
  let context: Handle

  package init(_ driver: Driver, index: Int) throws(CUDAError) {
    let count = try driver.gpuCount
    guard (0..<count).contains(index) else {
      throw CUDAError(
        .noDevice,
        "there is no GPU \(index): the driver found \(count == 0 ? "none" : "cuda:0 to cuda:\(count - 1)")"
      )
    }
    self.driver = driver
    self.index = index
    let functions = driver.functions
    var device: Int32 = 0
    try driver.check(functions.device(&device, Int32(index)), "cuDeviceGet")
    self.device = device
    var text = [CChar](repeating: 0, count: 256)
    try driver.check(functions.deviceName(&text, 255, device), "cuDeviceGetName")
    name = text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "GPU" }
    var bytes = 0
    try driver.check(functions.deviceMemory(&bytes, device), "cuDeviceTotalMem")
    memoryBytes = bytes
    var major: Int32 = 0
    try driver.check(
      functions.deviceAttribute(&major, Attribute.architectureMajor.rawValue, device),
      "cuDeviceGetAttribute")
    overlapsKernels = major >= 9
    var context: UnsafeMutableRawPointer?
    try driver.check(functions.retainContext(&context, device), "cuDevicePrimaryCtxRetain")
    guard let context else { throw CUDAError(.driver, "the driver gave no context") }
    self.context = Handle(context)
    try makeCurrent()
  }

  /// Attributes by the numbers of `CUdevice_attribute`.
  package enum Attribute: Int32, Sendable {
    case clockKilohertz = 13
    case multiprocessors = 16
    case memoryClockKilohertz = 36
    case memoryBusBits = 37
    case cacheBytes = 38
    case architectureMajor = 75
    case architectureMinor = 76
    case sharedBytesPerMultiprocessor = 81
    case sharedBytesPerBlock = 97
  }

  package func attribute(_ attribute: Attribute) throws(CUDAError) -> Int {
    var value: Int32 = 0
    try driver.check(
      driver.functions.deviceAttribute(&value, attribute.rawValue, device), "cuDeviceGetAttribute")
    return Int(value)
  }

  /// Makes this GPU the calling thread's.
  package func makeCurrent() throws(CUDAError) {
    try driver.check(driver.functions.setContext(context.pointer), "cuCtxSetCurrent")
  }

  /// Bytes of device memory that nobody has.
  package var freeBytes: Int {
    get throws(CUDAError) {
      try makeCurrent()
      var free = 0
      var total = 0
      try driver.check(driver.functions.memoryInfo(&free, &total), "cuMemGetInfo")
      return free
    }
  }

  /// Bytes from an address to the end of the memory that was allocated there; nil where none was.
  package func bytes(from address: UInt64) throws(CUDAError) -> Int? {
    try makeCurrent()
    // CU_POINTER_ATTRIBUTE_RANGE_START_ADDR and _RANGE_SIZE; both stay zero for what is no device memory.
    let attributes: [Int32] = [11, 12]
    var base: UInt64 = 0
    var size = 0
    let status = withUnsafeMutablePointer(to: &base) { base in
      withUnsafeMutablePointer(to: &size) { size in
        driver.functions.pointerAttributes(
          2, attributes, [UnsafeMutableRawPointer(base), UnsafeMutableRawPointer(size)], address)
      }
    }
    guard status == 0, size > 0, address >= base, address - base < UInt64(size) else { return nil }
    return size - Int(address - base)
  }

  func check(_ status: Int32, _ operation: String) throws(CUDAError) {
    try driver.check(status, operation)
  }
}

/// Memory of a GPU, freed with its owner.
package final class DeviceMemory: Sendable {
  package let address: UInt64
  package let byteCount: Int
  private let gpu: GPU

  package init(_ gpu: GPU, byteCount: Int) throws(CUDAError) {
    self.gpu = gpu
    self.byteCount = byteCount
    var address: UInt64 = 0
    try gpu.makeCurrent()
    let status = gpu.driver.functions.allocate(&address, max(byteCount, 1))
    if status == 2 {
      let free = (try? gpu.freeBytes) ?? 0
      throw CUDAError(
        .outOfMemory,
        "out of device memory: \(byteCount >> 20) MiB are needed, \(free >> 20) MiB of GPU \(gpu.index) "
          + "are free; use a smaller batch, or free memory on the GPU")
    }
    try gpu.check(status, "cuMemAlloc")
    self.address = address
  }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.free(address)
  }
}

/// Memory of the host that the GPU reads and writes by itself.
package final class PinnedMemory: Sendable {
  package var base: UnsafeMutableRawPointer { handle.pointer }
  package let byteCount: Int
  private let handle: Handle
  private let gpu: GPU

  package init(_ gpu: GPU, byteCount: Int) throws(CUDAError) {
    self.gpu = gpu
    self.byteCount = byteCount
    var pointer: UnsafeMutableRawPointer?
    try gpu.makeCurrent()
    try gpu.check(
      gpu.driver.functions.allocateHost(&pointer, max(byteCount, 1), 0), "cuMemHostAlloc")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no pinned memory") }
    handle = Handle(pointer)
  }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.freeHost(handle.pointer)
  }
}

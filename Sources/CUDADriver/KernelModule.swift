/// Compiled kernels in a GPU's memory.
package final class KernelModule: Sendable {
  private let gpu: GPU
  private let handle: Handle

  /// - Parameter image: a cubin.
  package init(_ gpu: GPU, image: [UInt8]) throws(CUDAError) {
    self.gpu = gpu
    try gpu.makeCurrent()
    var pointer: UnsafeMutableRawPointer?
    let status = image.withUnsafeBytes { bytes in
      bytes.baseAddress.map { gpu.driver.functions.loadModule(&pointer, $0) } ?? 200
    }
    try gpu.check(status, "cuModuleLoadData")
    guard let pointer else { throw CUDAError(.driver, "the driver gave no module") }
    handle = Handle(pointer)
  }

  deinit {
    try? gpu.makeCurrent()
    _ = gpu.driver.functions.unloadModule(handle.pointer)
  }

  /// A kernel by its name.
  package func kernel(_ name: String, sharedBytes: Int) throws(CUDAError) -> Kernel {
    var pointer: UnsafeMutableRawPointer?
    try gpu.makeCurrent()
    try gpu.check(
      gpu.driver.functions.function(&pointer, handle.pointer, name), "cuModuleGetFunction")
    guard let pointer else { throw CUDAError(.driver, "the module has no kernel '\(name)'") }
    if sharedBytes > 0 {
      // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
      try gpu.check(
        gpu.driver.functions.setFunctionAttribute(pointer, 8, Int32(sharedBytes)),
        "\(sharedBytes) bytes of shared memory for '\(name)'")
    }
    return Kernel(name: name, handle: Handle(pointer), module: self)
  }
}

/// One kernel of a module, which it keeps loaded.
package struct Kernel: Sendable {
  package let name: String
  let handle: Handle
  private let module: KernelModule

  fileprivate init(name: String, handle: Handle, module: KernelModule) {
    self.name = name
    self.handle = handle
    self.module = module
  }
}

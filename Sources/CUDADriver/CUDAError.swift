/// What went wrong with a GPU, its driver or its compiler: one line, with what to do.
package struct CUDAError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable {
    /// No driver, or no GPU.
    case noDevice
    case oldDriver
    case missingFunction
    case outOfMemory
    /// A kernel failed; the GPU's state in this process is lost.
    case kernelFault
    case noCompiler
    case compilation
    /// A library has no way to do what it was asked for.
    case declined
    case driver
  }

  package var kind: Kind
  package var description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  /// A status of the driver.
  init(status: Int32, name: String, text: String, operation: String) {
    switch status {
    case 2:
      self.init(
        .outOfMemory,
        "out of device memory in \(operation); use a smaller batch, or free memory on the GPU")
    case 3, 100, 101,
      999 where operation == "cuInit":
      self.init(
        .noDevice, "the NVIDIA driver found no usable GPU (\(name): \(text)); see nvidia-smi")
    case 700, 701, 702, 710, 714, 715, 716, 717, 718, 719:
      self.init(
        .kernelFault,
        "a kernel failed on the GPU (\(name): \(text), seen in \(operation)); the GPU cannot be used "
          + "by this process any more, the CPU can; please report it with the output of selftest")
    default: self.init(.driver, "\(operation) failed: \(name) (\(text))")
    }
  }
}

import DynamicLibraries

extension DynamicLibrary {
  /// A function by its name.
  func function<Function>(
    _ name: String, as type: Function.Type = Function.self
  ) throws(CUDAError) -> Function {
    guard let function = symbol(name, as: type) else {
      throw CUDAError(
        .missingFunction, "'\(path)' has no function '\(name)'; install a newer NVIDIA driver")
    }
    return function
  }
}

/// A pointer that a C library gave and that may be used from any thread.
struct Handle: @unchecked Sendable, Hashable {
  let pointer: UnsafeMutableRawPointer
  init(_ pointer: UnsafeMutableRawPointer) { self.pointer = pointer }
}

import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// A shared library that is opened when the program runs, and stays open.
struct DynamicLibrary: Sendable {
  let path: String
  private let handle: Handle

  /// Nil where the system's loader does not find it.
  init?(_ path: String, isGlobal: Bool = false) {
    guard let opened = dlopen(path, RTLD_NOW | (isGlobal ? RTLD_GLOBAL : RTLD_LOCAL)) else {
      return nil
    }
    self.path = path
    handle = Handle(opened)
  }

  /// A function by its name.
  func function<Function>(
    _ name: String, as type: Function.Type = Function.self
  ) throws(CUDAError) -> Function {
    guard let symbol = dlsym(handle.pointer, name) else {
      throw CUDAError(
        .missingFunction, "'\(path)' has no function '\(name)'; install a newer NVIDIA driver")
    }
    return unsafeBitCast(symbol, to: type)
  }
}

/// A pointer that a C library gave and that may be used from any thread.
struct Handle: @unchecked Sendable, Hashable {
  let pointer: UnsafeMutableRawPointer
  init(_ pointer: UnsafeMutableRawPointer) { self.pointer = pointer }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A library of the system that stays open once it is found.
///
/// `@unchecked Sendable`: the handle is only read.
struct SharedLibrary: @unchecked Sendable {
  private let handle: UnsafeMutableRawPointer
  private let name: String

  /// The first of several names that the loader finds.
  init?(_ names: [String]) {
    for name in names {
      if let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) {
        self.handle = handle
        self.name = name
        return
      }
    }
    return nil
  }

  func function<Function>(
    _ symbol: String, as type: Function.Type = Function.self
  ) throws(ImageError) -> Function {
    guard let address = dlsym(handle, symbol) else {
      throw ImageError("cannot be decoded: library '\(name)' has no function '\(symbol)'")
    }
    return unsafeBitCast(address, to: type)
  }
}

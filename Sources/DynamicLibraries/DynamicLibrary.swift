#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A shared library that is opened when the program runs, and stays open.
///
/// `@unchecked Sendable`: the handle is only read.
package struct DynamicLibrary: @unchecked Sendable {
  package let path: String
  private let handle: UnsafeMutableRawPointer

  /// Nil where the system's loader does not find it.
  package init?(_ path: String, isGlobal: Bool = false) {
    guard let opened = dlopen(path, RTLD_NOW | (isGlobal ? RTLD_GLOBAL : RTLD_LOCAL)) else {
      return nil
    }
    self.path = path
    handle = opened
  }

  /// The first of several names that the loader finds.
  package init?(firstOf names: [String]) {
    for name in names {
      if let library = DynamicLibrary(name) {
        self = library
        return
      }
    }
    return nil
  }

  /// A function by its name; nil where the library has none of it.
  package func symbol<Function>(
    _ name: String, as type: Function.Type = Function.self
  ) -> Function? {
    dlsym(handle, name).map { unsafeBitCast($0, to: type) }
  }
}

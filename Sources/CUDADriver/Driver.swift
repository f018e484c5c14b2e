import DynamicLibraries
import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// The NVIDIA driver of this machine.
package final class Driver: Sendable {
  let functions: DriverFunctions
  /// 12040 for CUDA 12.4.
  package let version: Int

  /// Opens the driver.
  ///
  /// - Throws: `CUDAError` where there is none, where it is too old, or where it finds no GPU.
  package init() throws(CUDAError) {
    guard let library = DynamicLibrary("libcuda.so.1") ?? DynamicLibrary("libcuda.so") else {
      throw CUDAError(
        .noDevice,
        "no NVIDIA driver: libcuda.so.1 is not on this machine; install the driver, or use --device cpu"
      )
    }
    let versionOf: @convention(c) (UnsafeMutablePointer<Int32>) -> Int32 = try library.function(
      "cuDriverGetVersion")
    var version: Int32 = 0
    _ = versionOf(&version)
    guard version >= Self.oldestVersion else {
      throw CUDAError(
        .oldDriver,
        "the NVIDIA driver supports CUDA \(Self.name(Int(version))), \(Self.name(Int(Self.oldestVersion))) "
          + "is needed; update the driver")
    }
    self.version = Int(version)
    functions = try DriverFunctions(library)
    try check(functions.initialize(0), "cuInit")
  }

  private static let oldestVersion: Int32 = 12000

  package static func name(_ version: Int) -> String {
    "\(version / 1000).\(version % 1000 / 10)"
  }

  package var gpuCount: Int {
    get throws(CUDAError) {
      var count: Int32 = 0
      try check(functions.deviceCount(&count), "cuDeviceGetCount")
      return Int(count)
    }
  }

  func check(_ status: Int32, _ operation: String) throws(CUDAError) {
    guard status != 0 else { return }
    func text(
      _ function: @convention(c) (Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Int32
    ) -> String {
      var pointer: UnsafePointer<CChar>?
      guard function(status, &pointer) == 0, let pointer else { return "status \(status)" }
      return String(cString: pointer)
    }
    throw CUDAError(
      status: status, name: text(functions.errorName), text: text(functions.errorText),
      operation: operation)
  }
}

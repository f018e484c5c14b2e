import DynamicLibraries
import Foundation

/// NVRTC: CUDA C++ to machine code of one chip. It needs no GPU.
package final class RuntimeCompiler: Sendable {
  private let functions: CompilerFunctions
  /// `13.0`.
  package let version: String
  /// The library in use.
  package let path: String

  /// - Parameter newestMajor: the newest version of CUDA whose code can be loaded.
  package init(newestMajor: Int = 13) throws(CUDAError) {
    guard let library = CompilerSearch(newestMajor: newestMajor).find() else {
      throw CUDAError(
        .noCompiler,
        "CUDA's run-time compiler (libnvrtc, version 12 to \(newestMajor)) was not found: "
          + CompilerSearch.advice)
    }
    functions = try CompilerFunctions(library)
    path = library.path
    var major: Int32 = 0
    var minor: Int32 = 0
    _ = functions.version(&major, &minor)
    version = "\(major).\(minor)"
  }

  /// The options of every compilation.
  package static func options(architecture: String) -> [String] {
    ["-arch=\(architecture)", "-std=c++17"]
  }

  /// Compiles one kernel's text.
  ///
  /// - Returns: a cubin.
  package func compile(_ text: String, architecture: String) throws(CUDAError) -> [UInt8] {
    var program: CompilerFunctions.Program = nil
    guard functions.create(&program, text, "kernel.cu", 0, nil, nil) == 0 else {
      throw CUDAError(.compilation, "NVRTC could not begin a program")
    }
    defer { _ = functions.destroy(&program) }
    let status = Self.withPointers(Self.options(architecture: architecture)) {
      functions.compile(program, Int32($0.count), $0.baseAddress)
    }
    guard status == 0 else {
      throw CUDAError(
        .compilation, "NVRTC \(version) rejects a kernel:\n\(log(program))\(Self.numbered(text))")
    }
    var size = 0
    guard functions.imageSize(program, &size) == 0, size > 0 else {
      throw CUDAError(.compilation, "NVRTC gave no code for \(architecture)")
    }
    var image = [UInt8](repeating: 0, count: size)
    guard functions.image(program, &image) == 0 else {
      throw CUDAError(.compilation, "NVRTC gave no code for \(architecture)")
    }
    return image
  }

  private func log(_ program: CompilerFunctions.Program) -> String {
    var size = 0
    guard functions.logSize(program, &size) == 0, size > 1 else { return "" }
    var bytes = [UInt8](repeating: 0, count: size)
    guard functions.log(program, &bytes) == 0 else { return "" }
    return String(decoding: bytes.dropLast(), as: UTF8.self)
  }

  private static func withPointers<R>(
    _ texts: [String], _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) -> R
  ) -> R {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    let pointers = copies.map { UnsafePointer($0) }
    return pointers.withUnsafeBufferPointer(body)
  }

  private static func numbered(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .map { "\($0.offset + 1)  \($0.element)" }.joined(separator: "\n")
  }
}

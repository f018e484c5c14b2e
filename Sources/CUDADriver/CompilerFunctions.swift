import DynamicLibraries

/// The functions of NVRTC that are used, by our own declarations.
///
/// Source: NVRTC reference, version 12.0 and up.
struct CompilerFunctions: Sendable {
  typealias Status = Int32
  typealias Program = UnsafeMutableRawPointer?

  let version: @convention(c) (UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>) -> Status
  let create:
    @convention(c) (
      UnsafeMutablePointer<Program>, UnsafePointer<CChar>, UnsafePointer<CChar>, Int32,
      UnsafeRawPointer?, UnsafeRawPointer?
    ) -> Status
  let destroy: @convention(c) (UnsafeMutablePointer<Program>) -> Status
  let compile: @convention(c) (Program, Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Status
  let imageSize: @convention(c) (Program, UnsafeMutablePointer<Int>) -> Status
  let image: @convention(c) (Program, UnsafeMutablePointer<UInt8>) -> Status
  let logSize: @convention(c) (Program, UnsafeMutablePointer<Int>) -> Status
  let log: @convention(c) (Program, UnsafeMutablePointer<UInt8>) -> Status

  init(_ library: DynamicLibrary) throws(CUDAError) {
    version = try library.function("nvrtcVersion")
    create = try library.function("nvrtcCreateProgram")
    destroy = try library.function("nvrtcDestroyProgram")
    compile = try library.function("nvrtcCompileProgram")
    imageSize = try library.function("nvrtcGetCUBINSize")
    image = try library.function("nvrtcGetCUBIN")
    logSize = try library.function("nvrtcGetProgramLogSize")
    log = try library.function("nvrtcGetProgramLog")
  }
}

import CPUKernelInterface

/// Arrays that the parameters of a kernel point into.
///
/// `@unchecked Sendable`: filled while a kernel is prepared, then only read.
final class ParameterArena: @unchecked Sendable {
  private var release: [() -> Void] = []

  init() {}

  deinit { for action in release { action() } }

  func store<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafePointer<Element> {
    let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(elements.count, 1))
    pointer.initialize(from: elements, count: elements.count)
    release.append { pointer.deallocate() }
    return UnsafePointer(pointer)
  }

  func store(_ program: CompiledExpression) -> UnsafePointer<VectorProgram> {
    store([
      VectorProgram(
        instructions: store(program.instructions), instructionCount: program.instructions.count,
        operandFormats: store(program.operandFormats), operandCount: program.operandFormats.count,
        registerCount: program.registerCount, resultFormat: program.resultFormat,
        registerBytes: program.registerBytes)
    ])
  }
}

/// Areas of a thread's scratch, one after the other.
struct ScratchLayout {
  private(set) var byteCount = 0

  /// The offset of a new area.
  mutating func reserve(_ bytes: Int) -> Int {
    defer { byteCount += (bytes + 63) & ~63 }
    return byteCount
  }

  mutating func reserve(_ program: CompiledExpression?) -> Int {
    reserve(program?.scratchBytes ?? 0)
  }
}

import CPUKernelInterface
import CPUKernels

#if arch(x86_64)
  import CPUKernelsAVX2
  import CPUKernelsAVX512
  import CPUKernelsVNNI
  import CProcessor
#endif
#if canImport(Glibc)
  import Glibc
#endif

/// What the processor can do, read once.
package struct Processor: Sendable {
  package var name: String
  package var hasAVX2 = false
  package var hasAVX512 = false
  package var hasVNNI = false
  package var hasAMX = false

  package static let current = Processor()

  private init() {
    name = Self.readName()
    #if arch(x86_64)
      let basic = processor_identify(1, 0)
      let savesRegisters = basic.ecx & (1 << 27) != 0
      guard savesRegisters else { return }
      let states = processor_saved_states()
      let extended = processor_identify(7, 0)
      let savesYMM = states & 0x6 == 0x6
      let savesZMM = states & 0xE6 == 0xE6
      let hasFMA = basic.ecx & (1 << 12) != 0
      let convertsHalf = basic.ecx & (1 << 29) != 0
      hasAVX2 = savesYMM && hasFMA && convertsHalf && extended.ebx & (1 << 5) != 0
      // AVX512 F, DQ, CD, BW, VL.
      let wanted: UInt32 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31
      hasAVX512 = hasAVX2 && savesZMM && extended.ebx & wanted == wanted
      hasVNNI = hasAVX512 && extended.ecx & (1 << 11) != 0
      // AMX of bytes and bfloat16, where the operating system grants this process its registers.
      hasAMX =
        hasVNNI && states & 0x60000 == 0x60000 && extended.edx & 0x340_0000 == 0x340_0000
        && processor_requests_tiles()
    #endif
  }

  /// The instruction sets that kernels can be chosen from, best first.
  package var instructionSets: [String] {
    (hasAMX ? ["avx512_amx"] : []) + (hasVNNI ? ["avx512_vnni"] : [])
      + (hasAVX512 ? ["avx512"] : []) + (hasAVX2 ? ["avx2"] : []) + [
        "baseline"
      ]
  }

  /// The kernels of an instruction set; nil where the processor does not have it.
  func kernels(_ instructionSet: String) -> CPUKernelTable? {
    guard instructionSets.contains(instructionSet) else { return nil }
    switch instructionSet {
    #if arch(x86_64)
      case "avx512_vnni", "avx512_amx":
        var table = CPUKernelsAVX512.kernelTable()
        table.instructionSet = instructionSet
        table.integer = CPUKernelsVNNI.integerKernels()
        if instructionSet == "avx512_amx" {
          table.integer.variants.insert(CPUKernelsVNNI.matrixVariant(), at: 0)
          table.integer.pairVariants = [CPUKernelsVNNI.matrixPairVariant()]
        }
        return table
      case "avx512": return CPUKernelsAVX512.kernelTable()
      case "avx2": return CPUKernelsAVX2.kernelTable()
    #endif
    default: return CPUKernels.kernelTable()
    }
  }

  private static func readName() -> String {
    #if canImport(Glibc)
      guard let file = fopen("/proc/cpuinfo", "r") else { return "CPU" }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 512)
      while fgets(&line, Int32(line.count), file) != nil {
        let text = String(
          decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
        return text[text.index(after: colon)...].split(whereSeparator: \.isWhitespace).joined(
          separator: " ")
      }
    #endif
    return "CPU"
  }
}

import CUDASource
import DeviceSelfTest
import Testing

/// Every family of kernels, run on the host and compared with the reference interpreter.
@Suite struct EmulatedKernelTests {
  /// Cases for Hopper's own instructions are too large for an emulator, which has none of them; those of bytes are
  /// for what processors compute and GPUs need not.
  static let families = SelfTest.families.map(\.name).filter {
    !$0.hasPrefix("hopper") && !$0.hasPrefix("bytes")
  }

  @Test(.enabled(if: KernelEmulator.isAvailable), arguments: EmulatedKernelTests.families)
  func agreesWithTheReference(family: String) throws {
    let emulator = try KernelEmulator()
    var count = 0
    try SelfTest.run([family], first: 1, count: 2, on: emulator) { outcome in
      count += 1
      #expect(
        outcome.failure == nil,
        "\(outcome.family) \(outcome.seed), '\(outcome.tactic)': \(outcome.failure ?? "")")
    } progress: { _ in
    }
    #expect(count > 0, "no tactic computes any case of '\(family)'")
  }
}

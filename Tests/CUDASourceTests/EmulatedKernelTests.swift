import CUDASource
import DeviceSelfTest
import Testing

/// Every family of kernels, run on the host and compared with the reference interpreter.
@Suite struct EmulatedKernelTests {
  /// Cases for Hopper's own instructions and for libraries are too large for an emulator, which has neither; those
  /// of bytes are for what processors compute and GPUs need not.
  static let families = SelfTest.families.map(\.name).filter { name in
    !["hopper", "library", "bytes"].contains { name.hasPrefix($0) }
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

import CUDASource
import DeviceSelfTest
import Testing

/// Every family of kernels, run on the host and compared with the reference interpreter.
@Suite struct EmulatedKernelTests {
  @Test(.enabled(if: KernelEmulator.isAvailable), arguments: SelfTest.families.map(\.name))
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

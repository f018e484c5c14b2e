import CPUDevice
import DeviceSelfTest
import Testing

/// Numbers that are stored in 16 bits, with every instruction set of the processor.
@Suite struct SixteenBitKernelTests {
  @Test(arguments: Processor.current.instructionSets)
  func agreesWithTheReference(_ instructionSet: String) throws {
    let cpu = try CPU(threads: 3, instructionSet: instructionSet)
    var tactics: Set<String> = []
    let families = [
      "sixteen bits", "direct depthwise", "direct image pooling", "normalization", "attention",
    ]
    try SelfTest.run(families, first: 8000, count: 12, on: cpu) { outcome in
      tactics.insert(outcome.tactic)
      #expect(
        outcome.failure == nil,
        "\(outcome.family) \(outcome.seed), \(outcome.tactic): \(outcome.problem)")
    } progress: { _ in
    }
    for name in ["depthwise", "pooling", "rows", "attention by heads"] {
      #expect(tactics.contains(name))
    }
    #expect(tactics.contains { $0.hasPrefix("tile") })
  }
}

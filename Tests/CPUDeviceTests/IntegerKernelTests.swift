import CPUDevice
import DeviceSelfTest
import Testing

/// Contractions of 8-bit integers, pooling and quantisation, with every instruction set of the processor.
@Suite struct IntegerKernelTests {
  @Test(arguments: Processor.current.instructionSets)
  func agreesWithTheReference(_ instructionSet: String) throws {
    let cpu = try CPU(threads: 3, instructionSet: instructionSet)
    var tactics: Set<String> = []
    try SelfTest.run(["bytes"], first: 7000, count: 24, on: cpu) { outcome in
      tactics.insert(outcome.tactic)
      #expect(
        outcome.failure == nil,
        "\(outcome.family) \(outcome.seed), \(outcome.tactic): \(outcome.problem)")
    } progress: { _ in
    }
    // Results made in registers and by the vector machine, of dense and of depthwise convolutions.
    for name in ["integer tile", "integer depthwise", "integer depthwise by quads"] {
      #expect(tactics.contains { $0.hasPrefix(name) && !$0.hasSuffix("+ program") })
      #expect(tactics.contains { $0.hasPrefix(name) && $0.contains("+ program") })
    }
    #expect(tactics.contains("pooling"))
  }
}

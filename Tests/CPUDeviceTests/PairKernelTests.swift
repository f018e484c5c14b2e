import CPUDevice
import CPUKernelInterface
import DeviceSelfTest
import Testing

/// All that surrounds the tiles of processors with AMX (packing, copies, borders, results), with a tile in plain Swift.
@Suite struct PairKernelTests {
  @Test(.enabled(if: Processor.current.instructionSets.contains("avx512_vnni")))
  func agreesWithTheReference() throws {
    var kernels = try CPU(threads: 1, instructionSet: "avx512_vnni").kernels
    kernels.integer.pairVariants = [
      IntegerVariant(rows: 32, columns: 32) { sumPairs($0, columns: 32) },
      IntegerVariant(rows: 5, columns: 16) { sumPairs($0, columns: 16) },
    ]
    let cpu = CPU(threads: 3, kernels: kernels)
    var tactics: Set<String> = []
    let families = ["sixteen bits", "direct first layer", "direct matmul"]
    try SelfTest.run(families, tactics: ["bf16"], first: 9000, count: 10, on: cpu) { outcome in
      tactics.insert(outcome.tactic)
      #expect(
        outcome.failure == nil,
        "\(outcome.family) \(outcome.seed), \(outcome.tactic): \(outcome.problem)")
    } progress: { _ in
    }
    for name in ["bf16 tile 32x32", "bf16 tile 5x16"] {
      #expect(tactics.contains { $0.hasPrefix(name) && !$0.contains("+ program") })
      #expect(tactics.contains { $0.hasPrefix(name) && $0.contains("+ program") })
    }
  }
}

/// A register tile of pairs as its interface says it.
private func sumPairs(_ raw: UnsafeRawPointer, columns: Int) {
  let arguments = raw.assumingMemoryBound(to: IntegerTileArguments.self).pointee
  func number(_ bytes: UnsafeRawPointer, _ index: Int) -> Float {
    Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
  }
  for row in 0..<arguments.rows {
    for column in 0..<columns {
      var sum = Float(bitPattern: UInt32(bitPattern: arguments.start[column]))
      for tap in 0..<arguments.taps {
        let x = UnsafeRawPointer(arguments.pointers[tap * arguments.rows + row])
        let weights = UnsafeRawPointer(arguments.weights)
        for k in 0..<arguments.runBytes / 2 {
          let quad = tap * arguments.quads + k / 2
          sum += number(x, k) * number(weights, 2 * (quad * columns + column) + k % 2)
        }
      }
      arguments.sums[row * columns + column] = Int32(bitPattern: sum.bitPattern)
    }
  }
}

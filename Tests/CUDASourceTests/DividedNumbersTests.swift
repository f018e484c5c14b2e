import CUDASource
import Testing

/// Numbers as sums of bfloat16, as they are packed for matrix instructions.
@Suite(.enabled(if: KernelEmulator.isAvailable)) struct DividedNumbersTests {
  private static let count = 96

  /// Of every number of a line its parts, the highest first, by the place of the number.
  private func parts(_ numbers: [Float], _ parts: Int) throws -> [[Float]] {
    let source = KernelSource(
      entry: "divide",
      body: """
        KERNEL(32) divide(const float* x, float* y) {
          auto element = [&](int place) -> float { return x[place]; };
          for (int i = threadIdx.x; i < \(Self.count / 2 * parts); i += 32) y[i] = divided_line_word<\(parts)>(i, element);
        }
        """)
    var x = numbers
    var words = [UInt32](repeating: .max, count: Self.count / 2 * parts)
    try x.withUnsafeMutableBytes { x in
      try words.withUnsafeMutableBytes { y in
        var arguments = [x.baseAddress, y.baseAddress]
        try KernelEmulator().run(source, grid: GridSize(1), threads: 32, &arguments)
      }
    }
    var result = [[Float]](repeating: [], count: Self.count)
    for line in 0..<Self.count / 32 {
      for part in 0..<parts {
        for element in 0..<32 {
          // 0 4 1 5 2 6 3 7, 8 12 9 13 10 14 11 15, and the same again.
          let place = element / 8 * 8 + element % 8 / 2 + element % 2 * 4
          let word = words[(line * parts + part) * 16 + element / 2]
          let bits = element % 2 == 0 ? word << 16 : word & 0xffff_0000
          result[line * 32 + place].append(Float(bitPattern: bits))
        }
      }
    }
    return result
  }

  private func numbers() -> [Float] {
    var numbers = (0..<Self.count).map { _ in
      Float.random(in: -1...1) * Float(sign: .plus, exponent: .random(in: -90...90), significand: 1)
    }
    numbers[0] = 0
    numbers[1] = Float(bitPattern: 0x3fff_ffff)
    numbers[2] = -0x1.fefffep127
    numbers[3] = 0x1p-126
    return numbers
  }

  @Test func threePartsHoldEveryBit() throws {
    let numbers = numbers()
    for (number, parts) in zip(numbers, try parts(numbers, 3)) {
      #expect(parts[0] + (parts[1] + parts[2]) == number)
      #expect(abs(parts[1]) <= abs(parts[0]) * 0x1p-8)
      #expect(abs(parts[2]) <= abs(number) * 0x1p-16)
    }
  }

  @Test func twoPartsHoldSixteenBits() throws {
    let numbers = numbers()
    for (number, parts) in zip(numbers, try parts(numbers, 2)) {
      #expect(abs(parts[0] + parts[1] - number) <= abs(number) * 0x1p-16)
    }
  }
}

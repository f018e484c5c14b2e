/// A sum of `Float` without rounding, so that the order of its terms does not matter: one integer for each
/// exponent.
package struct ExactSum: Sendable, Hashable {
  /// Multiples of 2 to the power of (index - 150).
  private(set) var limbs = [Int64](repeating: 0, count: Self.limbCount)

  private static let limbCount = 256
  /// Terms that no limb overflows by: each is below 2 to the power of 24.
  package static let maximumTerms = 1 << 38

  package init() {}

  /// Limbs from a place on; nil where they do not lie in range.
  init?(first: Int, limbs: [Int64]) {
    guard (0...Self.limbCount).contains(first), limbs.count <= Self.limbCount - first else {
      return nil
    }
    for (index, limb) in limbs.enumerated() { self.limbs[first + index] = limb }
  }

  /// Adds finite numbers and skips others; the caller bounds their count.
  mutating func add(_ numbers: UnsafeBufferPointer<Float>) {
    limbs.withUnsafeMutableBufferPointer { limbs in
      for number in numbers {
        let (index, mantissa) = Self.parts(number)
        if index < 255 { limbs[index] &+= mantissa }
      }
    }
  }

  /// Adds a finite number so many times.
  mutating func add(_ number: Float, times: Int) {
    let (index, mantissa) = Self.parts(number)
    if index < 255 { limbs[index] &+= mantissa &* Int64(times) }
  }

  @inline(__always)
  private static func parts(_ number: Float) -> (index: Int, mantissa: Int64) {
    let bits = number.bitPattern
    let exponent = Int((bits >> 23) & 0xFF)
    let mantissa = Int64(bits & 0x7F_FFFF) | (exponent > 0 ? 0x80_0000 : 0)
    return (max(exponent, 1), bits >> 31 == 0 ? mantissa : -mantissa)
  }

  /// False where a limb overflows.
  mutating func add(_ other: ExactSum) -> Bool {
    for index in limbs.indices {
      let (sum, overflow) = limbs[index].addingReportingOverflow(other.limbs[index])
      if overflow { return false }
      limbs[index] = sum
    }
    return true
  }

  package var value: Double {
    var result = 0.0
    for (index, limb) in limbs.enumerated() where limb != 0 {
      result += Double(limb) * Double(sign: .plus, exponent: index - 150, significand: 1)
    }
    return result
  }
}

extension ExactSum: Codable {
  private enum CodingKeys: String, CodingKey { case first, limbs }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let first = try container.decode(Int.self, forKey: .first)
    let limbs = CountList.parse(try container.decode(String.self, forKey: .limbs), limit: 256)
    guard let limbs, let sum = ExactSum(first: first, limbs: limbs) else {
      throw DecodingError.dataCorruptedError(
        forKey: .limbs, in: container, debugDescription: "the limbs of a sum are out of range")
    }
    self = sum
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let (first, numbers) = CountList.trimmed(limbs)
    try container.encode(first, forKey: .first)
    try container.encode(CountList.text(numbers), forKey: .limbs)
  }
}

/// Integers as one line of text: `3 0x17 5` is 3, seventeen zeros, 5.
enum CountList {
  static func text(_ numbers: [Int64]) -> String {
    var parts: [String] = []
    var zeros = 0
    func flush() {
      if zeros > 0 { parts.append(zeros == 1 ? "0" : "0x\(zeros)") }
      zeros = 0
    }
    for number in numbers {
      if number == 0 {
        zeros += 1
      } else {
        flush()
        parts.append("\(number)")
      }
    }
    flush()
    return parts.joined(separator: " ")
  }

  /// Nil for text of another kind, or more than `limit` numbers.
  static func parse(_ text: String, limit: Int) -> [Int64]? {
    var result: [Int64] = []
    for part in text.split(separator: " ") {
      if part.hasPrefix("0x") {
        guard let count = Int(part.dropFirst(2)), (1...limit).contains(count) else { return nil }
        result.append(contentsOf: repeatElement(0, count: count))
      } else {
        guard let number = Int64(part) else { return nil }
        result.append(number)
      }
      guard result.count <= limit else { return nil }
    }
    return result
  }

  /// Without the zeros at both ends, and where the rest begins.
  static func trimmed(_ numbers: [Int64]) -> (first: Int, numbers: [Int64]) {
    guard let first = numbers.firstIndex(where: { $0 != 0 }),
      let last = numbers.lastIndex(where: { $0 != 0 })
    else { return (0, []) }
    return (first, Array(numbers[first...last]))
  }
}

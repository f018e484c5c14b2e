/// How often the numbers of a tensor lie where, in bins of equal width on both sides of zero.
///
/// The width is a power of two, doubled as larger numbers come: bins of twice the width are exactly pairs of
/// bins, so that the result depends neither on the order of the numbers nor on how they were divided.
package struct ActivationHistogram: Sendable, Hashable {
  /// Bins on each side of zero.
  package static let half = 2048

  /// The width of a bin is 2 to this power; nil while all numbers are zero.
  package private(set) var exponent: Int?
  /// Bin `index` holds the numbers from (index - half) widths to one width more, zeros left out.
  package private(set) var counts: [Int64] = []
  /// Numbers that are zero exactly.
  package private(set) var zeros: Int64 = 0

  package init() {}

  /// Nil where a file says what no histogram is.
  init?(exponent: Int?, first: Int, counts: [Int64], zeros: Int64) {
    guard zeros >= 0, counts.allSatisfy({ $0 >= 0 }) else { return nil }
    self.zeros = zeros
    guard let exponent else {
      if !counts.isEmpty { return nil }
      return
    }
    guard (-160...120).contains(exponent), (0...2 * Self.half).contains(first),
      counts.count <= 2 * Self.half - first
    else { return nil }
    self.exponent = exponent
    self.counts = [Int64](repeating: 0, count: 2 * Self.half)
    for (index, count) in counts.enumerated() { self.counts[first + index] = count }
  }

  package var width: Double {
    exponent.map { Double(sign: .plus, exponent: $0, significand: 1) } ?? 0
  }

  /// The middle of a bin.
  package func centre(_ index: Int) -> Double { (Double(index - Self.half) + 0.5) * width }

  /// Nil where the numbers of a file do not add up.
  package var total: Int64? {
    var sum = zeros
    for count in counts {
      let (next, overflow) = sum.addingReportingOverflow(count)
      if overflow { return nil }
      sum = next
    }
    return sum
  }

  /// How often each magnitude occurs, by bins of the same width.
  package var magnitudes: [Int64] {
    guard !counts.isEmpty else { return [] }
    return (0..<Self.half).map { counts[Self.half + $0] &+ counts[Self.half - 1 - $0] }
  }

  // MARK: Adding

  /// - Parameter largest: the largest magnitude among the finite numbers; others are left out.
  mutating func add(_ numbers: UnsafeBufferPointer<Float>, largest: Float) {
    if largest > 0 { grow(to: Int(largest.exponent) + 1 - Self.half.trailingZeroBitCount) }
    guard let exponent else {
      for number in numbers where number == 0 { zeros &+= 1 }
      return
    }
    let scale = Double(sign: .plus, exponent: -exponent, significand: 1)
    var found: Int64 = 0
    counts.withUnsafeMutableBufferPointer { counts in
      for number in numbers {
        if number == 0 {
          found &+= 1
        } else if number.isFinite {
          let place = (Double(number) * scale).rounded(.down)
          counts[Int(place) &+ Self.half] &+= 1
        }
      }
    }
    zeros &+= found
  }

  private mutating func grow(to wanted: Int) {
    guard let exponent else {
      self.exponent = wanted
      counts = [Int64](repeating: 0, count: 2 * Self.half)
      return
    }
    guard wanted > exponent else { return }
    var wider = [Int64](repeating: 0, count: 2 * Self.half)
    for (index, count) in counts.enumerated() where count != 0 {
      wider[((index - Self.half) >> (wanted - exponent)) + Self.half] &+= count
    }
    counts = wider
    self.exponent = wanted
  }

  /// False where a count overflows.
  mutating func add(_ other: ActivationHistogram) -> Bool {
    var other = other
    if let exponent = other.exponent { grow(to: exponent) }
    if let exponent, other.exponent != nil { other.grow(to: exponent) }
    for (index, count) in other.counts.enumerated() {
      let (sum, overflow) = counts[index].addingReportingOverflow(count)
      if overflow { return false }
      counts[index] = sum
    }
    let (sum, overflow) = zeros.addingReportingOverflow(other.zeros)
    zeros = sum
    return !overflow
  }
}

extension ActivationHistogram: Codable {
  private enum CodingKeys: String, CodingKey { case exponent, first, counts, zeros }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let text = try container.decode(String.self, forKey: .counts)
    guard let counts = CountList.parse(text, limit: 2 * Self.half),
      let histogram = ActivationHistogram(
        exponent: try container.decodeIfPresent(Int.self, forKey: .exponent),
        first: try container.decode(Int.self, forKey: .first), counts: counts,
        zeros: try container.decode(Int64.self, forKey: .zeros))
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .counts, in: container, debugDescription: "a histogram is out of range")
    }
    self = histogram
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    let (first, numbers) = CountList.trimmed(counts)
    try container.encodeIfPresent(exponent, forKey: .exponent)
    try container.encode(first, forKey: .first)
    try container.encode(CountList.text(numbers), forKey: .counts)
    try container.encode(zeros, forKey: .zeros)
  }
}

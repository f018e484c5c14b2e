/// What is seen of one tensor as data runs through a network. Neither the order of the batches nor the order
/// of their elements matters, and two observers merge to what one would have seen.
package struct ActivationObserver: Sendable, Hashable, Codable {
  package private(set) var minimum: Float = .infinity
  package private(set) var maximum: Float = -.infinity
  /// Finite elements.
  package private(set) var count = 0
  /// Infinities and NaN, which no range includes.
  package private(set) var nonFinite = 0
  package private(set) var sum = ExactSum()
  package private(set) var histogram = ActivationHistogram()
  /// Samples of all batches, and the batches' extremes, each as often as its batch has samples.
  package private(set) var samples = 0
  package private(set) var minima = ExactSum()
  package private(set) var maxima = ExactSum()

  package init() {}

  package var isEmpty: Bool { count == 0 }
  package var absoluteMaximum: Double {
    isEmpty ? 0 : Double(Swift.max(abs(minimum), abs(maximum)))
  }
  package var mean: Double { isEmpty ? 0 : sum.value / Double(count) }

  /// Adds the elements of the tensor for a batch.
  ///
  /// - Throws: `CalibrationError.tooMany` beyond what the sums hold.
  package mutating func observe(
    _ numbers: UnsafeBufferPointer<Float>, samples batch: Int
  ) throws(CalibrationError) {
    guard batch > 0, batch < ExactSum.maximumTerms - samples,
      numbers.count < ExactSum.maximumTerms - count
    else { throw .tooMany }
    var low = Float.infinity
    var high = -Float.infinity
    var skipped = 0
    for number in numbers {
      if number.isFinite {
        low = Swift.min(low, number)
        high = Swift.max(high, number)
      } else {
        skipped &+= 1
      }
    }
    nonFinite += skipped
    guard low <= high else { return }
    // Of zero there is one.
    (low, high) = (low + 0, high + 0)
    minimum = Swift.min(minimum, low)
    maximum = Swift.max(maximum, high)
    count += numbers.count - skipped
    samples += batch
    minima.add(low, times: batch)
    maxima.add(high, times: batch)
    sum.add(numbers)
    histogram.add(numbers, largest: Swift.max(abs(low), abs(high)))
  }

  package mutating func observe(_ numbers: [Float], samples: Int) throws(CalibrationError) {
    let result = numbers.withUnsafeBufferPointer { buffer in
      Result { () throws(CalibrationError) in try self.observe(buffer, samples: samples) }
    }
    try result.get()
  }

  package mutating func merge(_ other: ActivationObserver) throws(CalibrationError) {
    guard other.count < ExactSum.maximumTerms - count,
      other.nonFinite < ExactSum.maximumTerms - nonFinite,
      other.samples < ExactSum.maximumTerms - samples,
      sum.add(other.sum), minima.add(other.minima), maxima.add(other.maxima),
      histogram.add(other.histogram)
    else { throw .tooMany }
    minimum = Swift.min(minimum, other.minimum)
    maximum = Swift.max(maximum, other.maximum)
    count += other.count
    nonFinite += other.nonFinite
    samples += other.samples
  }

  /// Whether the parts agree with each other, as those of a file need not.
  var isConsistent: Bool {
    guard (0..<ExactSum.maximumTerms).contains(count), samples >= 0, nonFinite >= 0,
      samples < ExactSum.maximumTerms, nonFinite < ExactSum.maximumTerms,
      histogram.total == Int64(count)
    else { return false }
    if isEmpty { return true }
    guard samples > 0, minimum.isFinite, maximum.isFinite, minimum <= maximum else { return false }
    let end = Double(ActivationHistogram.half) * histogram.width
    return absoluteMaximum <= end || absoluteMaximum == 0
  }

  // MARK: Codable

  private enum CodingKeys: String, CodingKey {
    case minimum, maximum, count, nonFinite, sum, histogram, samples, minima, maxima
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    count = try container.decode(Int.self, forKey: .count)
    nonFinite = try container.decodeIfPresent(Int.self, forKey: .nonFinite) ?? 0
    samples = try container.decode(Int.self, forKey: .samples)
    sum = try container.decode(ExactSum.self, forKey: .sum)
    minima = try container.decode(ExactSum.self, forKey: .minima)
    maxima = try container.decode(ExactSum.self, forKey: .maxima)
    histogram = try container.decode(ActivationHistogram.self, forKey: .histogram)
    if count > 0 {
      minimum = try container.decode(Float.self, forKey: .minimum)
      maximum = try container.decode(Float.self, forKey: .maximum)
    }
    guard isConsistent else {
      throw DecodingError.dataCorruptedError(
        forKey: .count, in: container, debugDescription: "counts and ranges do not agree")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(count, forKey: .count)
    if nonFinite > 0 { try container.encode(nonFinite, forKey: .nonFinite) }
    try container.encode(samples, forKey: .samples)
    try container.encode(sum, forKey: .sum)
    try container.encode(minima, forKey: .minima)
    try container.encode(maxima, forKey: .maxima)
    try container.encode(histogram, forKey: .histogram)
    if !isEmpty {
      try container.encode(minimum, forKey: .minimum)
      try container.encode(maximum, forKey: .maximum)
    }
  }
}

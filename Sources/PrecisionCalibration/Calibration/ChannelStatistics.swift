/// Extremes and mean of every channel of a tensor. Sums are of multiples of a fixed step, so that neither the
/// order nor the division of the data shows.
package struct ChannelStatistics: Sendable, Hashable {
  /// The channels' axis; negative axes count from the end.
  package let axis: Int
  package private(set) var minima: [Float]
  package private(set) var maxima: [Float]
  /// Elements of each channel.
  package private(set) var count: Int
  /// In steps of 2 to the power of -24.
  private var sums: [Int128]

  private static let stepsPerUnit = Float(1 << 24)
  /// Numbers beyond it count as it.
  private static let largestSteps = Float(sign: .plus, exponent: 62, significand: 1)

  package init(axis: Int, channels: Int) {
    self.axis = axis
    minima = [Float](repeating: .infinity, count: channels)
    maxima = [Float](repeating: -.infinity, count: channels)
    sums = [Int128](repeating: 0, count: channels)
    count = 0
  }

  package var channels: Int { minima.count }

  package func mean(_ channel: Int) -> Double {
    count > 0 ? Double(sums[channel]) / Double(Self.stepsPerUnit) / Double(count) : 0
  }

  package func magnitude(_ channel: Int) -> Float {
    minima[channel] <= maxima[channel] ? max(-minima[channel], maxima[channel], 0) : 0
  }

  /// Adds the elements of a contiguous tensor, those that are not finite left out of the extremes and the sums.
  ///
  /// - Throws: `CalibrationError` where the tensor has another count of channels.
  package mutating func observe(
    _ numbers: UnsafeBufferPointer<Float>, shape: [Int]
  ) throws(CalibrationError) {
    let place = axis < 0 ? shape.count + axis : axis
    guard shape.indices.contains(place), shape[place] == channels, channels > 0 else {
      throw .differentChannels(channels, shape.indices.contains(place) ? shape[place] : 0)
    }
    let inner = shape[(place + 1)...].reduce(1, *)
    guard inner > 0, numbers.count % (channels * inner) == 0,
      numbers.count < ExactSum.maximumTerms - count
    else { throw .tooMany }
    let outer = numbers.count / (channels * inner)
    guard let base = numbers.baseAddress else { return }
    for block in 0..<outer {
      let start = base + block * channels * inner
      if inner == 1 { addColumns(start) } else { addRows(start, inner) }
    }
    count += outer * inner
  }

  private mutating func addRows(_ start: UnsafePointer<Float>, _ inner: Int) {
    for channel in 0..<channels {
      let row = start + channel * inner
      var low = minima[channel], high = maxima[channel]
      var sum: Int128 = 0
      for i in 0..<inner {
        let x = row[i]
        guard x.isFinite else { continue }
        low = min(low, x)
        high = max(high, x)
        sum &+= Self.steps(x)
      }
      (minima[channel], maxima[channel]) = (low, high)
      sums[channel] &+= sum
    }
  }

  private mutating func addColumns(_ start: UnsafePointer<Float>) {
    for channel in 0..<channels {
      let x = start[channel]
      guard x.isFinite else { continue }
      minima[channel] = min(minima[channel], x)
      maxima[channel] = max(maxima[channel], x)
      sums[channel] &+= Self.steps(x)
    }
  }

  @inline(__always)
  private static func steps(_ x: Float) -> Int128 {
    Int128(Int64(min(max((x * stepsPerUnit).rounded(), -largestSteps), largestSteps)))
  }

  package mutating func merge(_ other: ChannelStatistics) throws(CalibrationError) {
    guard other.axis == axis, other.channels == channels else {
      throw .differentChannels(channels, other.channels)
    }
    guard other.count < ExactSum.maximumTerms - count else { throw .tooMany }
    count += other.count
    for channel in 0..<channels {
      minima[channel] = min(minima[channel], other.minima[channel])
      maxima[channel] = max(maxima[channel], other.maxima[channel])
      sums[channel] &+= other.sums[channel]
    }
  }
}

extension ChannelStatistics: Codable {
  private enum Key: String, CodingKey { case axis, minima, maxima, sums, count }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(axis, forKey: .axis)
    try container.encode(count, forKey: .count)
    // Channels that held no finite number have no extremes: zeros stand for them.
    try container.encode(minima.map { $0.isFinite ? $0 : 0 }, forKey: .minima)
    try container.encode(maxima.map { $0.isFinite ? $0 : 0 }, forKey: .maxima)
    try container.encode(sums.map(\.description), forKey: .sums)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    axis = try container.decode(Int.self, forKey: .axis)
    count = try container.decode(Int.self, forKey: .count)
    minima = try container.decode([Float].self, forKey: .minima)
    maxima = try container.decode([Float].self, forKey: .maxima)
    sums = try container.decode([String].self, forKey: .sums).compactMap { Int128($0) }
    let fits =
      (-32...32).contains(axis) && (0..<ExactSum.maximumTerms).contains(count)
      && minima.count == maxima.count && sums.count == minima.count
      && zip(minima, maxima).allSatisfy { $0.isFinite && $1.isFinite && $0 <= $1 }
      && sums.allSatisfy { $0.magnitude < Int128.max.magnitude >> 20 }
    guard fits else {
      throw DecodingError.dataCorruptedError(
        forKey: .sums, in: container, debugDescription: "the channels' numbers do not agree")
    }
  }
}

/// The range that 8-bit integers stand for.
package struct QuantizationRange: Sendable, Hashable {
  package var low: Double
  package var high: Double

  package init(low: Double, high: Double) {
    self.low = low
    self.high = high
  }

  package var magnitude: Double { max(abs(low), abs(high)) }
  /// One step of integers from -127 to 127.
  package var symmetricScale: Double { magnitude > 0 ? magnitude / 127 : 1 }
  /// One step of integers from 0 to 255 over a range that includes zero.
  package var asymmetricScale: Double {
    let width = max(high, 0) - min(low, 0)
    return width > 0 ? width / 255 : 1
  }
  /// The integer from 0 to 255 that stands for zero.
  package var zeroPoint: Int {
    Int(min(max((-min(low, 0) / asymmetricScale).rounded(.toNearestOrEven), 0), 255))
  }
}

/// Chooses ranges from what an observer has seen.
package struct RangeSelection {
  private let observer: ActivationObserver
  private let histogram: ActivationHistogram
  private let magnitudes: [Int64]
  private let width: Double

  package init(_ observer: ActivationObserver) {
    self.observer = observer
    histogram = observer.histogram
    magnitudes = observer.histogram.magnitudes
    width = observer.histogram.width
  }

  /// The range of a method; that of the extremes where all numbers are zero.
  package func range(_ method: CalibrationMethod) -> QuantizationRange {
    guard !observer.isEmpty else { return QuantizationRange(low: 0, high: 0) }
    let whole = QuantizationRange(low: Double(observer.minimum), high: Double(observer.maximum))
    guard observer.absoluteMaximum > 0 else { return whole }
    switch method {
    case .minMax: return whole
    case .movingAverage:
      let samples = Double(observer.samples)
      return QuantizationRange(
        low: observer.minima.value / samples, high: observer.maxima.value / samples)
    case .percentile9999: return clipped(whole, percentile(0.9999))
    case .percentile99999: return clipped(whole, percentile(0.99999))
    case .entropy: return clipped(whole, leastDivergence())
    case .meanSquaredError: return clipped(whole, leastError())
    }
  }

  /// The method whose range has the least error, the earlier one where several have; and that error.
  package func best() -> (method: CalibrationMethod, range: QuantizationRange, error: Double) {
    var best = (CalibrationMethod.minMax, range(.minMax), error(range(.minMax)))
    for method in CalibrationMethod.allCases.dropFirst() {
      let range = range(method)
      let error = error(range)
      if error < best.2 { best = (method, range, error) }
    }
    return best
  }

  /// The mean squared error of the integers 0 to 255 over a range, each number taken as the middle of its bin.
  package func error(_ range: QuantizationRange) -> Double {
    guard observer.count > 0, !histogram.counts.isEmpty else { return 0 }
    let step = range.asymmetricScale
    let (low, high) = (min(range.low, 0), max(range.high, 0))
    var sum = 0.0
    for (index, count) in histogram.counts.enumerated() where count > 0 {
      let number = histogram.centre(index)
      let inside = min(max(number, low), high)
      let level = (inside / step).rounded(.toNearestOrEven) * step
      sum += Double(count) * (number - level) * (number - level)
    }
    return sum / Double(observer.count)
  }

  private func clipped(_ range: QuantizationRange, _ magnitude: Double) -> QuantizationRange {
    QuantizationRange(low: max(range.low, -magnitude), high: min(range.high, magnitude))
  }

  /// The end of the first bin with at least this share of all numbers up to it.
  private func percentile(_ share: Double) -> Double {
    let wanted = share * Double(observer.count)
    var sum = Double(histogram.zeros)
    for (index, count) in magnitudes.enumerated() {
      sum += Double(count)
      if sum >= wanted { return min(Double(index + 1) * width, observer.absoluteMaximum) }
    }
    return observer.absoluteMaximum
  }

  private var usedBins: Int { (magnitudes.lastIndex { $0 > 0 } ?? 0) + 1 }

  private func leastError() -> Double {
    let largest = observer.absoluteMaximum
    let whole = QuantizationRange(low: Double(observer.minimum), high: Double(observer.maximum))
    var best = (magnitude: largest, error: error(whole))
    for part in stride(from: 127, to: 0, by: -1) {
      let magnitude = largest * Double(part) / 128
      let error = error(clipped(whole, magnitude))
      if error < best.error { best = (magnitude, error) }
    }
    return best.magnitude
  }

  // MARK: Entropy

  /// Source: S. Migacz, 8-bit Inference with TensorRT, GTC 2017.
  private func leastDivergence() -> Double {
    let levels = 128
    let used = usedBins
    guard used > levels else { return observer.absoluteMaximum }
    let counts = magnitudes.map(Double.init)
    var best = (bins: used, divergence: Double.infinity)
    for bins in Array(stride(from: levels, to: used, by: 8)) + [used] {
      let divergence = divergence(counts, bins: bins, levels: levels)
      if divergence < best.divergence { best = (bins, divergence) }
    }
    return min(Double(best.bins) * width, observer.absoluteMaximum)
  }

  /// Of the numbers clipped to the first bins, from the same numbers in so many levels.
  private func divergence(_ counts: [Double], bins: Int, levels: Int) -> Double {
    let outliers = counts[bins...].reduce(0, +)
    let inside = counts[..<bins].reduce(0, +)
    guard inside > 0 else { return .infinity }
    var result = 0.0
    for level in 0..<levels {
      let span = (level * bins / levels)..<((level + 1) * bins / levels)
      let filled = counts[span].count { $0 > 0 }
      let share = counts[span].reduce(0, +) / Double(max(filled, 1))
      for index in span {
        let p = (counts[index] + (index == bins - 1 ? outliers : 0)) / (inside + outliers)
        guard p > 0 else { continue }
        let q = max(counts[index] > 0 ? share / inside : 0, 1e-12)
        result += p * Self.logarithm(p / q)
      }
    }
    return result
  }

  /// The natural logarithm by exponent and series, the same on every machine.
  private static func logarithm(_ number: Double) -> Double {
    let isLarge = number.significand > 1.4142135623730951
    let fraction = isLarge ? number.significand / 2 : number.significand
    let exponent = Double(number.exponent) + (isLarge ? 1 : 0)
    let ratio = (fraction - 1) / (fraction + 1)
    var power = ratio
    var sum = 0.0
    for term in stride(from: 1.0, to: 24, by: 2) {
      sum += power / term
      power *= ratio * ratio
    }
    return 2 * sum + exponent * 0.6931471805599453
  }
}

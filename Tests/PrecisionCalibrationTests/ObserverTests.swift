import PrecisionCalibration
import Testing

/// Observers against statistics that are computed directly.
@Suite struct ObserverTests {
  private func observer(_ batches: [[Float]], samples: Int = 1) throws -> ActivationObserver {
    var observer = ActivationObserver()
    for batch in batches { try observer.observe(batch, samples: samples) }
    return observer
  }

  /// Sums of four numbers from -1 to 1, times a factor: a bell.
  private func bell(_ count: Int, seed: UInt64, factor: Float = 1) -> [Float] {
    var state = seed
    func next() -> Float {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }
    return (0..<count).map { _ in (next() + next() + next() + next()) * factor }
  }

  @Test func extremesMeanAndCount() throws {
    let numbers = bell(10_000, seed: 3, factor: 5) + [0, 0, -0.0]
    let observer = try observer([numbers])
    #expect(observer.minimum == numbers.min())
    #expect(observer.maximum == numbers.max())
    #expect(observer.count == numbers.count)
    #expect(observer.absoluteMaximum == numbers.map { Double(abs($0)) }.max())
    #expect(observer.histogram.zeros == Int64(numbers.count { $0 == 0 }))
    #expect(observer.histogram.total == Int64(numbers.count))
    let mean = numbers.reduce(0.0) { $0 + Double($1) } / Double(numbers.count)
    #expect(abs(observer.mean - mean) < 1e-12)
  }

  @Test func everyNumberLiesInItsBin() throws {
    let numbers = bell(3_000, seed: 5, factor: 17)
    let histogram = try observer([numbers]).histogram
    var counts = [Int64](repeating: 0, count: 2 * ActivationHistogram.half)
    for number in numbers where number != 0 {
      let place = (Double(number) / histogram.width).rounded(.down)
      counts[Int(place) + ActivationHistogram.half] += 1
    }
    #expect(histogram.counts == counts)
    let largest = numbers.map { Double(abs($0)) }.max() ?? 0
    #expect(largest <= histogram.width * 2048 && largest > histogram.width * 1000)
  }

  @Test func theOrderOfBatchesDoesNotMatter() throws {
    let batches = (0..<9).map { index in
      bell(
        500, seed: UInt64(index), factor: Float(sign: .plus, exponent: index * 3, significand: 1))
    }
    let forwards = try observer(batches)
    #expect(try observer(batches.reversed()) == forwards)
    #expect(try observer(batches.shuffled()) == forwards)
  }

  @Test func mergingEqualsOnePass() throws {
    let batches = (0..<6).map { bell(300, seed: UInt64($0), factor: Float(1 + $0 * $0)) }
    var merged = try observer(Array(batches[..<2]))
    try merged.merge(try observer(Array(batches[2...])))
    #expect(try observer(batches) == merged)
    var fromNothing = ActivationObserver()
    try fromNothing.merge(merged)
    #expect(fromNothing == merged)
  }

  @Test func hugeAndTinyNumbersAreCounted() throws {
    let numbers: [Float] = [
      .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 1, -1,
    ]
    let observer = try observer(numbers.map { [$0] })
    #expect(observer.histogram.total == 5)
    #expect(observer.count == 5)
    #expect(try self.observer([[.leastNonzeroMagnitude]]).histogram.total == 1)
  }

  @Test func infinitiesAndNaNAreLeftOut() throws {
    let observer = try observer([[1, .infinity, .nan, -2]])
    #expect(observer.count == 2)
    #expect(observer.nonFinite == 2)
    #expect(observer.absoluteMaximum == 2)
    #expect(observer.mean == -0.5)
    #expect(try self.observer([[.nan]]).isEmpty)
  }

  // MARK: Ranges

  @Test func minMaxAndMovingAverage() throws {
    let observer = try observer([[-1, 4], [-3, 2]])
    let selection = RangeSelection(observer)
    #expect(selection.range(.minMax) == QuantizationRange(low: -3, high: 4))
    #expect(selection.range(.movingAverage) == QuantizationRange(low: -2, high: 3))
  }

  @Test(arguments: [(CalibrationMethod.percentile9999, 0.9999), (.percentile99999, 0.99999)])
  func percentiles(method: CalibrationMethod, share: Double) throws {
    let numbers = bell(200_000, seed: 1)
    let observer = try observer([numbers])
    let sorted = numbers.map { Double(abs($0)) }.sorted()
    let expected = sorted[Int((share * Double(sorted.count)).rounded(.up)) - 1]
    let found = RangeSelection(observer).range(method).magnitude
    #expect(abs(found - expected) <= observer.histogram.width)
  }

  /// Two outliers among many: a good range leaves them out, and its error is less than that of the extremes.
  @Test(arguments: [CalibrationMethod.entropy, .meanSquaredError, .percentile9999])
  func outliersAreClipped(method: CalibrationMethod) throws {
    let observer = try observer([bell(400_000, seed: 2) + [40, -40]])
    let selection = RangeSelection(observer)
    let range = selection.range(method)
    // The least squared error is near 20, by (2 m / 255)^2 / 12 for rounding and 2 (40 - m)^2 / 400000 for clipping.
    #expect(range.magnitude < 25 && range.magnitude > 1.5)
    #expect(selection.error(range) < selection.error(selection.range(.minMax)))
  }

  @Test func theErrorIsThatOfQuantizedNumbers() throws {
    let numbers = bell(50_000, seed: 8, factor: 3)
    let selection = RangeSelection(try observer([numbers]))
    for magnitude in [12.0, 6, 3] {
      let step = magnitude / 127
      let direct = numbers.reduce(0.0) { sum, number in
        let level = min(max((Double(number) / step).rounded(), -127), 127) * step
        return sum + (Double(number) - level) * (Double(number) - level)
      }
      let found = selection.error(QuantizationRange(low: -magnitude, high: magnitude))
      #expect(abs(found / (direct / Double(numbers.count)) - 1) < 0.1)
    }
  }

  @Test func theBestMethodHasTheLeastError() throws {
    for numbers in [bell(20_000, seed: 1), bell(20_000, seed: 1) + [100], [0, 0], [3]] {
      let selection = RangeSelection(try observer([numbers]))
      let best = selection.best()
      for method in CalibrationMethod.allCases {
        #expect(best.error <= selection.error(selection.range(method)))
      }
    }
  }

  @Test func scalesAndZeroPoints() {
    let range = QuantizationRange(low: -1, high: 3)
    #expect(range.symmetricScale == 3.0 / 127)
    #expect(range.asymmetricScale == 4.0 / 255)
    #expect(range.zeroPoint == 64)
    #expect(QuantizationRange(low: 2, high: 6).zeroPoint == 0)
    #expect(QuantizationRange(low: -6, high: -2).zeroPoint == 255)
    #expect(QuantizationRange(low: 0, high: 0).symmetricScale == 1)
  }
}

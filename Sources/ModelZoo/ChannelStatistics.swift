/// What each channel of a feature map is predicted to look like when the network's input is standard
/// normal.
///
/// Channels are taken as independent but for the latent features that they carry and, before an activation,
/// as normally distributed, which random weights make nearly true. Only exactly rounded operations are used.
struct ChannelStatistics {
  var mean: [Float]
  var variance: [Float]
  /// The share of exact zeros in a map without negative values; nil where values may be negative.
  var zeroShare: [Float]?
  /// Which latent features the channels carry; nil where they carry none.
  var code: ChannelCode?
  /// The share of a channel's variance that is its latent feature's.
  var featureShare: Float = 0
  /// How much neighbouring positions are taken to be correlated.
  var neighbourCorrelation: Float = 0

  var count: Int { mean.count }
  var isCentred: Bool { mean.allSatisfy { $0 == 0 } }

  /// Standard normal channels.
  static func standard(_ count: Int) -> ChannelStatistics {
    ChannelStatistics(
      mean: [Float](repeating: 0, count: count), variance: [Float](repeating: 1, count: count))
  }

  /// The same map with channels of other means and variances.
  func becoming(mean: [Float], variance: [Float]) -> ChannelStatistics {
    ChannelStatistics(
      mean: mean, variance: variance, code: code, featureShare: featureShare,
      neighbourCorrelation: neighbourCorrelation)
  }

  /// The sum of two independent maps of one code.
  func adding(_ other: ChannelStatistics) -> ChannelStatistics {
    becoming(
      mean: zip(mean, other.mean).map { $0 + $1 },
      variance: zip(variance, other.variance).map { $0 + $1 })
  }

  /// The channels of one map behind those of another.
  func appending(_ other: ChannelStatistics) -> ChannelStatistics {
    var result = ChannelStatistics(
      mean: mean + other.mean, variance: variance + other.variance)
    if let first = zeroShare, let second = other.zeroShare { result.zeroShare = first + second }
    result.neighbourCorrelation = neighbourCorrelation
    if let first = code, let second = other.code {
      result.code = first.appending(second)
      result.featureShare = min(featureShare, other.featureShare)
    }
    return result
  }

  /// Each channel as so many features of a vector.
  func flattened(positions: Int) -> ChannelStatistics {
    ChannelStatistics(
      mean: mean.flatMap { [Float](repeating: $0, count: positions) },
      variance: variance.flatMap { [Float](repeating: $0, count: positions) },
      code: code?.flattened(positions: positions), featureShare: featureShare)
  }

  /// Has the channels carry latent features, as much as the results of convolutions do.
  mutating func carry(_ code: ChannelCode?) {
    self.code = code
    featureShare = 0.95
    neighbourCorrelation = 0.3
  }

  /// After the maximum over a window; the factors are those of maps of normal noise.
  func maximum(over window: Window) -> ChannelStatistics {
    let shift: Float = window.size < 3 ? 1.05 : window.stride > 1 ? 1.75 : 1.4
    let factor: Float = window.size < 3 ? 1.25 : 1.15
    var result = self
    for channel in mean.indices {
      result.mean[channel] += shift * variance[channel].squareRoot()
      result.variance[channel] *= factor
    }
    if zeroShare != nil { result.zeroShare = [Float](repeating: 0, count: count) }
    result.featureShare *= 0.65
    return result
  }

  /// After the mean over so many positions, pairs of which are taken to vary as one.
  func averaged(over positions: Int) -> ChannelStatistics {
    let factor = min(1, 2 / Float(positions))
    return becoming(mean: mean, variance: variance.map { $0 * factor })
  }
}

// MARK: - Rectification

extension ChannelStatistics {
  /// After `max(x, 0)`.
  func rectified() -> ChannelStatistics {
    var result = self
    var zeros = [Float](repeating: 0, count: count)
    for channel in mean.indices {
      let moments = RectifiedMoments(mean: mean[channel], variance: variance[channel])
      result.set(channel, mean: moments.first, square: moments.second)
      zeros[channel] = moments.zeroShare
    }
    result.zeroShare = zeros
    result.featureShare *= oddShare
    return result
  }

  /// After `max(self + branch, 0)` with a branch that is normally distributed.
  ///
  /// Where this map is itself rectified the sum is far from normal: the branch is rectified only
  /// where this map is zero or near it.
  func rectifiedSum(with branch: ChannelStatistics) -> ChannelStatistics {
    guard let zeroShare else { return adding(branch).rectified() }
    var result = self
    var zeros = zeroShare
    for channel in mean.indices {
      let (offset, spread) = (branch.mean[channel], branch.variance[channel])
      let square = mean[channel] * mean[channel] + variance[channel]
      let positive = RectifiedMoments(mean: offset, variance: spread)
      let negative = RectifiedMoments(mean: -offset, variance: spread)
      let share = zeroShare[channel]
      let density = 0.57 * share / max(square, 1e-12).squareRoot()
      let first =
        mean[channel] + share * positive.first + (1 - share) * offset
        + density * negative.second / 2
      let second =
        square + 2 * mean[channel] * offset + share * positive.second
        + (1 - share) * (offset * offset + spread)
      result.set(channel, mean: first, square: second)
      zeros[channel] = share * positive.zeroShare + density * negative.first
    }
    result.zeroShare = zeros
    return result
  }

  /// About what share of the variance of `max(x, 0)` is that of its odd part, which is what channels of either
  /// sign pass on: 0.73 where the mean is zero, 0.88 at half the deviation, nearly all above it.
  private var oddShare: Float {
    let ratio = zip(mean, variance).reduce(0) { $0 + max(0, $1.0) / max($1.1, 1e-12).squareRoot() }
    return min(0.73 + 0.3 * ratio / Float(count), 0.96)
  }

  private mutating func set(_ channel: Int, mean first: Float, square second: Float) {
    mean[channel] = first
    variance[channel] = max(second - first * first, 1e-12)
  }
}

/// The first two moments of `max(x, 0)` for a normally distributed `x`, and how often it is zero.
private struct RectifiedMoments {
  let first: Float
  let second: Float
  let zeroShare: Float

  init(mean: Float, variance: Float) {
    let deviation = max(variance, 1e-12).squareRoot()
    let density = Self.density(mean / deviation)
    let probability = Self.probability(mean / deviation)
    first = mean * probability + deviation * density
    second = (mean * mean + variance) * probability + mean * deviation * density
    zeroShare = 1 - probability
  }

  /// The density of the standard normal distribution.
  private static func density(_ x: Float) -> Float {
    // exp(y) is nearly (1 + y / 1024)^1024.
    let base = max(0, 1 - x * x / 2048)
    let power = (0..<10).reduce(base) { value, _ in value * value }
    return 0.398_942_28 * power
  }

  /// Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.17.
  private static func probability(_ x: Float) -> Float {
    let t = 1 / (1 + 0.231_641_9 * abs(x))
    var series: Float = 1.330_274_4
    for coefficient: Float in [-1.821_256, 1.781_477_9, -0.356_563_78, 0.319_381_53] {
      series = series * t + coefficient
    }
    let tail = density(x) * series * t
    return x >= 0 ? 1 - tail : tail
  }
}

// MARK: - Convolution

extension ChannelStatistics {
  /// After a grouped convolution without bias, its weights as `[outputs, inputs / groups, taps]`.
  func convolved(
    _ weights: [Float], outputs: Int, groups: Int, coverage: WindowCoverage
  ) -> ChannelStatistics {
    let inputs = count / groups
    let taps = coverage.shares.count
    let deviations = variance.indices.map { variance[$0].squareRoot() * (code?.signs[$0] ?? 1) }
    let features = code?.features ?? [Int](repeating: 0, count: count)
    var result = ChannelStatistics.standard(outputs)
    var means = [Float](repeating: 0, count: taps)
    var sums = [Float](repeating: 0, count: taps * (code?.featureCount ?? 1))
    weights.withUnsafeBufferPointer { weights in
      for output in 0..<outputs {
        let first = output / (outputs / groups) * inputs
        var position = output * inputs * taps
        var spread: Float = 0
        for tap in means.indices { means[tap] = 0 }
        for index in sums.indices { sums[index] = 0 }
        for channel in first..<first + inputs {
          let terms = weights[position..<position + taps]
          let place = features[channel] * taps
          for tap in 0..<taps {
            means[tap] += terms[position + tap] * mean[channel]
            sums[place + tap] += terms[position + tap] * deviations[channel]
          }
          spread += coverage.power(of: terms, neighbourCorrelation) * variance[channel]
          position += taps
        }
        var common: Float = 0
        for place in stride(from: 0, to: sums.count, by: taps) {
          common += sums.withUnsafeBufferPointer {
            coverage.power(of: $0[place..<place + taps], neighbourCorrelation)
          }
        }
        spread += featureShare * (common - spread)
        result.mean[output] = zip(means, coverage.shares).reduce(0) { $0 + $1.0 * $1.1 }
        result.variance[output] = max(spread + coverage.variance(of: means), 1e-12)
      }
    }
    return result
  }
}

/// How often each tap of a square window lies within the map rather than in its padding, over all
/// positions of the window.
struct WindowCoverage {
  /// By tap, row by row.
  let shares: [Float]
  /// By two taps along one axis: how often both lie within, for rows and for columns.
  private let rows: [[Float]]
  private let columns: [[Float]]
  private let isComplete: Bool

  init(_ window: Window, height: Int, width: Int) {
    rows = Self.pairs(window, extent: height)
    columns = Self.pairs(window, extent: width)
    var shares: [Float] = []
    for row in 0..<window.size {
      for column in 0..<window.size { shares.append(rows[row][row] * columns[column][column]) }
    }
    self.shares = shares
    isComplete = shares.allSatisfy { $0 == 1 }
  }

  /// The variance of the sum of so many times values of variance one whose pairs have a correlation.
  func power(of terms: Slice<UnsafeBufferPointer<Float>>, _ correlation: Float) -> Float {
    var (total, squares): (Float, Float) = (0, 0)
    for tap in shares.indices {
      let term = terms[terms.startIndex + tap]
      total += term * shares[tap]
      squares += term * term * shares[tap]
    }
    return squares + correlation * (total * total - squares)
  }

  /// The variance over positions of the sum of the terms whose taps lie within.
  func variance(of terms: [Float]) -> Float {
    if isComplete { return 0 }
    let size = rows.count
    var result: Float = 0
    for first in terms.indices {
      for second in terms.indices {
        let both =
          rows[first / size][second / size] * columns[first % size][second % size]
        result += terms[first] * terms[second] * (both - shares[first] * shares[second])
      }
    }
    return max(result, 0)
  }

  private static func pairs(_ window: Window, extent: Int) -> [[Float]] {
    let outputs = window.outputExtent(extent)
    return (0..<window.size).map { first in
      (0..<window.size).map { second in
        let count = (0..<outputs).count { output in
          let start = output * window.stride - window.padding
          return start + min(first, second) >= 0 && start + max(first, second) < extent
        }
        return Float(count) / Float(outputs)
      }
    }
  }
}

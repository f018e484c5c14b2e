/// What the channels of a feature map have in common.
///
/// In trained networks many channels respond to the few features that are present, and filters sum them
/// coherently, so that what is known about a feature grows with the number of its channels while rounding
/// errors, which are independent, average out. Independent random weights have nothing of the kind: signal
/// and error pass each layer alike. Here every map has a few latent features; each channel carries one of
/// them, with a sign, beside what is its own. The signs make pairs of rectified channels pass a latent feature
/// on linearly (Balduzzi et al., The Shattered Gradients Problem, 2017: "looks linear"), and each layer maps
/// latent features by an orthogonal matrix at one tap each, which keeps their variance at any depth and for
/// any spectrum (Xiao et al., Dynamical Isometry and a Mean Field Theory of CNNs, 2018: "delta orthogonal").
struct ChannelCode {
  /// How many latent features a map has: a power of two, as its orthogonal matrices are Hadamard's.
  static let latents = 8

  /// By channel: the latent feature it carries; features of several sources are counted on.
  private(set) var features: [Int]
  /// By channel: 1 or -1.
  private(set) var signs: [Float]
  private(set) var featureCount: Int

  /// The code of a convolution's result; it depends on nothing else, so that results can be added.
  init(channels: Int) {
    features = (0..<channels).map { $0 % Self.latents }
    signs = (0..<channels).map(Self.sign)
    featureCount = Self.latents
  }

  static func sign(_ channel: Int) -> Float { channel / latents % 2 == 0 ? 1 : -1 }

  /// The channels of another map behind these; its features are others.
  func appending(_ other: ChannelCode) -> ChannelCode {
    var result = self
    result.features += other.features.map { $0 + featureCount }
    result.signs += other.signs
    result.featureCount += other.featureCount
    return result
  }

  /// Each channel as so many values, whose features are others at each position.
  func flattened(positions: Int) -> ChannelCode {
    var result = self
    result.features = features.flatMap { feature in
      (0..<positions).map { $0 * featureCount + feature }
    }
    result.signs = signs.flatMap { [Float](repeating: $0, count: positions) }
    result.featureCount *= positions
    return result
  }

  /// The size of the common part of a filter's elements where that of the rest is one. It has about as much
  /// power as the rest, or more where few channels carry a feature.
  var amplitude: Float {
    max(1, 5 * (Float(featureCount) / Float(features.count)).squareRoot())
  }
}

/// How a layer's filters share what they have in common.
enum FilterCoherence {
  /// Each output carries a feature of a `ChannelCode`.
  case coded
  /// Each output is a combination of all features, as a class's score is.
  case readout
  /// Filters are independent.
  case none
}

// MARK: - Filters

extension ONNXGraphBuilder {
  /// Elements of the weight called "weight" within the scope, as `[outputs, inputs, taps]`: independent ones of
  /// variance one, and a common part.
  func filters(
    _ x: ChannelStatistics, outputs: Int, size: Int, coherence: FilterCoherence
  ) -> [Float] {
    var weights = random(
      "weight", count: outputs * x.count * size * size, standardDeviation: 1)
    switch (coherence, x.code) {
    case (.none, _): break
    case (_, nil): addPatterns(&weights, inputs: x.count, outputs: outputs, size: size)
    case (_, let code?):
      addMixing(
        &weights, code, outputs: outputs, taps: size * size, isReadout: coherence == .readout)
    }
    return weights
  }

  /// Filters of one channel each: the features' shifts, and independent elements of variance one.
  func depthwiseFilters(_ code: ChannelCode?, channels: Int, taps: Int) -> [Float] {
    var weights = random("weight", count: channels * taps, standardDeviation: 1)
    guard let code else { return weights }
    let places = featureTaps(code.featureCount, taps: taps)
    let amplitude = 3 * Float(taps).squareRoot()
    for channel in 0..<channels {
      weights[channel * taps + places[code.features[channel]]] += amplitude
    }
    return weights
  }

  /// Maps features onto features.
  private func addMixing(
    _ weights: inout [Float], _ code: ChannelCode, outputs: Int, taps: Int, isReadout: Bool
  ) {
    let count = code.featureCount
    let matrix =
      isReadout
      ? random("readout", count: outputs * count, standardDeviation: 1) : orthogonal(count)
    let places = featureTaps(count, taps: taps)
    let amplitude = code.amplitude * Float(taps).squareRoot()
    weights.withUnsafeMutableBufferPointer { weights in
      var position = 0
      for output in 0..<outputs {
        let row = isReadout ? output : output % ChannelCode.latents
        let size = isReadout ? amplitude : amplitude * ChannelCode.sign(output)
        let elements = matrix[row * count..<(row + 1) * count].map { $0 * size }
        for (feature, sign) in zip(code.features, code.signs) {
          weights[position + places[feature]] += elements[feature] * sign
          position += taps
        }
      }
    }
  }

  /// By latent feature of the result and feature of the input: 1 or -1, orthogonal for each source's features
  /// (a Hadamard matrix with the signs of rows and columns drawn).
  private func orthogonal(_ count: Int) -> [Float] {
    let rows = random("rows", count: ChannelCode.latents * count, standardDeviation: 1)
    let columns = random("columns", count: count, standardDeviation: 1)
    return (0..<ChannelCode.latents * count).map { index in
      let (row, column) = (index / count, index % count)
      let source = column / ChannelCode.latents
      let rowSign = rows[row * count + source] < 0
      let isNegative = (row & column % ChannelCode.latents).nonzeroBitCount % 2 == 1
      return isNegative != (rowSign != (columns[column] < 0)) ? -1 : 1
    }
  }

  /// The tap at which a filter has its common part, by feature.
  private func featureTaps(_ count: Int, taps: Int) -> [Int] {
    random("taps", count: count, standardDeviation: 1).map { Int(abs($0) * 4096) % taps }
  }

  /// Filters of the network's input: one smooth pattern for each latent feature.
  private func addPatterns(_ weights: inout [Float], inputs: Int, outputs: Int, size: Int) {
    let count = inputs * size * size
    var patterns = random(
      "patterns", count: ChannelCode.latents * count, standardDeviation: 1)
    for _ in 0..<3 {
      Self.smooth(&patterns, size: size, step: 1)
      Self.smooth(&patterns, size: size, step: size)
    }
    let power = patterns.reduce(0) { $0 + $1 * $1 } / Float(patterns.count)
    let amplitude = 5 / power.squareRoot()
    for output in 0..<outputs {
      let first = output % ChannelCode.latents * count
      let size = amplitude * ChannelCode.sign(output)
      for index in 0..<count { weights[output * count + index] += size * patterns[first + index] }
    }
  }

  /// Each element of squares of so many rows, weighted by two, with its two neighbours along an axis.
  private static func smooth(_ values: inout [Float], size: Int, step: Int) {
    let old = values
    for index in values.indices {
      let place = index / step % size
      let before = place > 0 ? old[index - step] : 0
      let behind = place < size - 1 ? old[index + step] : 0
      values[index] = 2 * old[index] + (before + behind)
    }
  }
}

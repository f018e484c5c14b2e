import GraphModel
import TensorModel

/// Scales for the channels of a value that contractions read: what a channel is divided by as it is rounded,
/// its weights are multiplied by before they are.
///
/// For an output that reads one channel this costs nothing, since its weights have a scale of their own. Where an
/// output sums over many, the difficulty is shared between both factors, by the square root of their extremes
/// (G. Xiao et al., SmoothQuant, 2023; M. Nagel et al., Data-Free Quantization, 2019), if the expected error is
/// then less.
struct ChannelMigration {
  let storage: QuantizedStorage

  init(
    _ graph: Graph, _ layers: [QuantizationAnalysis.Layer], _ statistics: ChannelStatistics,
    range: QuantizationRange, plain: QuantizedStorage, axis: Int
  ) {
    let limit = Float(range.magnitude)
    let channels = 0..<statistics.channels
    // A channel that was quiet in calibration need not stay so.
    let floor = limit / 64
    let lows = channels.map { max(min(statistics.minima[$0], 0), Float(range.low)) }
    let highs = channels.map { min(max(statistics.maxima[$0], 0), Float(range.high)) }
    let magnitudes = channels.map { max(-lows[$0], highs[$0], floor) }
    let mixing = layers.filter { !$0.grid.isDepthwise }
    var factors = magnitudes
    if !mixing.isEmpty {
      var weights = [Float](repeating: 0, count: statistics.channels)
      for layer in mixing {
        guard let tensor = graph[layer.weights].constant else { continue }
        let maxima = QuantizedWeights.channelMaxima(layer.grid, tensor)
        for channel in channels { weights[channel] = max(weights[channel], maxima[channel]) }
      }
      let smallest = max((weights.max() ?? 0) / 1024, .leastNormalMagnitude)
      factors = channels.map { (magnitudes[$0] / max(weights[$0], smallest)).squareRoot() }
    }
    let candidate = Self.storage(lows, highs, factors, axis)
    guard !mixing.isEmpty else {
      storage = candidate
      return
    }
    let powers = channels.map { channel -> Double in
      let mean = statistics.mean(channel)
      let spread = Double(statistics.maxima[channel] - statistics.minima[channel]) / 6
      return mean * mean + spread * spread
    }
    func error(_ storage: QuantizedStorage) -> Double {
      let scale = storage.scales.max() ?? 1
      let factors = channels.map {
        (storage.axis == nil ? storage.scales[0] : storage.scales[$0]) / scale
      }
      return layers.reduce(0) { sum, layer in
        guard let tensor = graph[layer.weights].constant else { return sum }
        return sum
          + QuantizedWeights.expectedError(
            layer.grid, tensor, scale: scale, factors: factors, powers: powers)
      }
    }
    storage = error(candidate) < 0.9 * error(plain) ? candidate : plain
  }

  /// The zero point that all channels share, and the scales that then cover every channel.
  private static func storage(
    _ lows: [Float], _ highs: [Float], _ factors: [Float], _ axis: Int
  ) -> QuantizedStorage {
    let low = zip(lows, factors).map { $0 / $1 }.min() ?? 0
    let high = zip(highs, factors).map { $0 / $1 }.max() ?? 0
    let range = QuantizationRange(low: Double(low), high: Double(high))
    let scale = Float(range.asymmetricScale)
    return QuantizedStorage(
      zeroPoint: range.zeroPoint, scales: factors.map { $0 * scale }, axis: axis)
  }
}

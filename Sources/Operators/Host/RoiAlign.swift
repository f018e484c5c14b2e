package import GraphModel
package import TensorModel

/// Regions of `[N, C, H, W]`, each resampled to a fixed size by averages or maxima of bilinear samples
/// (He et al.: "Mask R-CNN", arXiv 1703.06870).
package struct RoiAlign: HostOperator {
  package static let spellings = [Spelling.onnx("RoiAlign")]

  private let height: Int
  private let width: Int
  private let samples: Int
  private let scale: Double
  private let takesMaximum: Bool
  private let offset: Double

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    height = try attributes.int("output_height", default: 1)
    width = try attributes.int("output_width", default: 1)
    samples = try attributes.int("sampling_ratio", default: 0)
    scale = try attributes.float("spatial_scale", default: 1)
    takesMaximum = try attributes.choice("mode", default: "avg", ["avg": false, "max": true])
    let fallback = attributes.version < 16 ? "output_half_pixel" : "half_pixel"
    offset = try attributes.choice(
      "coordinate_transformation_mode", default: fallback,
      ["half_pixel": 0.5, "output_half_pixel": 0])
    guard (1...(1 << 16)).contains(height), (1...(1 << 16)).contains(width),
      (0...(1 << 10)).contains(samples)
    else { throw OperatorError("an output of \(height) x \(width) from \(samples) samples") }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, regions) = (try expansion.input(0), try expansion.input(1))
    guard x.rank == 4, regions.rank == 2, regions.shape[1].constant ?? 4 == 4 else {
      throw OperatorError("regions of shape \(regions.shape) for an input of \(x.shape)")
    }
    let shape: Shape = [regions.shape[0], x.shape[1], Dimension(height), Dimension(width)]
    try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let values = try HostInputs.numbers(inputs, 0)
    let regions = try HostInputs.numbers(inputs, 1)
    let batches = try HostInputs.integers(inputs, 2)
    guard x.shape.count == 4, regions.count == 4 * batches.count,
      batches.allSatisfy({ (0..<x.shape[0]).contains($0) }), !x.shape.contains(0)
    else { throw OperatorError("\(batches.count) regions for an input of \(x.shape)") }
    let channels = x.shape[1]
    let plane = x.shape[2] * x.shape[3]
    var result: [Double] = []
    for (index, batch) in batches.enumerated() {
      let region = Array(regions[(index * 4)...].prefix(4))
      let bins = try bins(region, x.shape[2], x.shape[3])
      for channel in 0..<channels {
        let base = (batch * channels + channel) * plane
        for taps in bins { result.append(pooled(taps, values, base)) }
      }
    }
    return [
      try HostInputs.numbers(result, x.dataType, [batches.count, channels, height, width])
    ]
  }

  /// One bilinear sample: four elements of a plane and their weights; none far outside.
  private typealias Sample = [(index: Int, weight: Double)]

  private func pooled(_ samples: [Sample], _ values: [Double], _ base: Int) -> Double {
    if takesMaximum {
      return samples.map { sample in
        sample.map { $0.weight * values[base + $0.index] }.max() ?? 0
      }.max() ?? 0
    }
    let sums = samples.map { $0.reduce(0) { $0 + $1.weight * values[base + $1.index] } }
    return sums.reduce(0, +) / Double(max(samples.count, 1))
  }

  /// The samples of each bin of a region, row by row.
  private func bins(
    _ region: [Double], _ rows: Int, _ columns: Int
  ) throws(OperatorError) -> [[Sample]] {
    let left = region[0] * scale - offset
    let top = region[1] * scale - offset
    var extentX = region[2] * scale - offset - left
    var extentY = region[3] * scale - offset - top
    if offset == 0 {
      extentX = max(extentX, 1)
      extentY = max(extentY, 1)
    }
    let (binY, binX) = (extentY / Double(height), extentX / Double(width))
    guard let adaptiveY = Int(exactly: binY.rounded(.up)),
      let adaptiveX = Int(exactly: binX.rounded(.up)), adaptiveY <= 1 << 16, adaptiveX <= 1 << 16
    else { throw OperatorError("region \(region) is out of range") }
    let countY = samples > 0 ? samples : max(adaptiveY, 0)
    let countX = samples > 0 ? samples : max(adaptiveX, 0)
    var result: [[Sample]] = []
    for row in 0..<height {
      for column in 0..<width {
        var bin: [Sample] = []
        for i in 0..<countY {
          let y = top + Double(row) * binY + (Double(i) + 0.5) * binY / Double(countY)
          for j in 0..<countX {
            let x = left + Double(column) * binX + (Double(j) + 0.5) * binX / Double(countX)
            bin.append(sample(y, x, rows, columns))
          }
        }
        result.append(bin)
      }
    }
    return result
  }

  private func sample(_ y: Double, _ x: Double, _ rows: Int, _ columns: Int) -> Sample {
    guard y >= -1, y <= Double(rows), x >= -1, x <= Double(columns) else {
      return []
    }
    func split(_ value: Double, _ extent: Int) -> (low: Int, high: Int, fraction: Double) {
      let inside = max(value, 0)
      let low = Int(inside)
      guard low < extent - 1 else { return (extent - 1, extent - 1, 0) }
      return (low, low + 1, inside - Double(low))
    }
    let (v, h) = (split(y, rows), split(x, columns))
    return [
      (v.low * columns + h.low, (1 - v.fraction) * (1 - h.fraction)),
      (v.low * columns + h.high, (1 - v.fraction) * h.fraction),
      (v.high * columns + h.low, v.fraction * (1 - h.fraction)),
      (v.high * columns + h.high, v.fraction * h.fraction),
    ]
  }
}

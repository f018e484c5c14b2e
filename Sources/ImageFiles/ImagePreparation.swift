/// How a picture becomes the numbers that a network takes: resized so that its shorter side has a given
/// length, cut to the middle, and normalised as `(value / 255 - mean) / deviation`.
package struct ImagePreparation: Sendable {
  /// The shorter side after resizing; nil for the least that covers what is cut out.
  package var shorterSide: Int?
  package var height: Int
  package var width: Int
  /// 3, or 1 for gray.
  package var channels: Int
  /// One for each channel, or one for all.
  package var mean: [Double]
  package var deviation: [Double]
  package var isChannelsLast: Bool

  package init(
    shorterSide: Int?, height: Int, width: Int, channels: Int, mean: [Double],
    deviation: [Double], isChannelsLast: Bool
  ) {
    self.shorterSide = shorterSide
    self.height = height
    self.width = width
    self.channels = channels
    self.mean = mean
    self.deviation = deviation
    self.isChannelsLast = isChannelsLast
  }

  /// The numbers of a picture, in the layout of one sample.
  ///
  /// - Parameter normalizes: false leaves values of 0 to 255.
  package func numbers(
    _ image: Image, normalizes: Bool = true
  ) throws(ImageError) -> [Float] {
    let (tall, wide) = try resizedExtents(image)
    let rows = Taps(from: image.height, to: tall, first: Self.middle(tall, height), count: height)
    let columns = Taps(from: image.width, to: wide, first: Self.middle(wide, width), count: width)
    let planes = resampled(image, rows, columns)
    let area = height * width
    var result = [Float](repeating: 0, count: channels * area)
    for channel in 0..<channels {
      let mean = Float(self.mean[self.mean.count == 1 ? 0 : channel])
      let deviation = Float(self.deviation[self.deviation.count == 1 ? 0 : channel])
      for pixel in 0..<area {
        let value = channels == 1 ? Self.gray(planes, pixel, area) : planes[channel * area + pixel]
        let place = isChannelsLast ? pixel * channels + channel : channel * area + pixel
        result[place] = normalizes ? (value / 255 - mean) / deviation : value
      }
    }
    return result
  }

  /// Source: Recommendation ITU-R BT.601.
  private static func gray(_ planes: [Float], _ pixel: Int, _ area: Int) -> Float {
    0.299 * planes[pixel] + 0.587 * planes[area + pixel] + 0.114 * planes[2 * area + pixel]
  }

  private func resizedExtents(_ image: Image) throws(ImageError) -> (height: Int, width: Int) {
    let (tall, wide) = (Double(image.height), Double(image.width))
    let scale =
      shorterSide.map { Double($0) / min(tall, wide) }
      ?? max(Double(height) / tall, Double(width) / wide)
    let resized = (
      height: max(Int((tall * scale + 1e-6).rounded(.down)), 1),
      width: max(Int((wide * scale + 1e-6).rounded(.down)), 1)
    )
    guard resized.height >= height, resized.width >= width else {
      throw ImageError(
        "has \(resized.height) x \(resized.width) pixels after resizing, fewer than the "
          + "\(height) x \(width) of the network; give a larger --image-size")
    }
    return resized
  }

  private static func middle(_ whole: Int, _ part: Int) -> Int {
    Int((Double(whole - part) / 2).rounded(.toNearestOrEven))
  }

  /// Three planes of the cut, first along rows, then along columns.
  private func resampled(_ image: Image, _ rows: Taps, _ columns: Taps) -> [Float] {
    let span = rows.span
    var narrow = [Float](repeating: 0, count: 3 * span.count * width)
    for (line, row) in span.enumerated() {
      for column in 0..<width {
        for (offset, weight) in columns.weights[column].enumerated() {
          let source = 3 * (row * image.width + columns.starts[column] + offset)
          for channel in 0..<3 {
            narrow[(channel * span.count + line) * width + column] +=
              weight * Float(image.pixels[source + channel])
          }
        }
      }
    }
    var planes = [Float](repeating: 0, count: 3 * height * width)
    for channel in 0..<3 {
      for row in 0..<height {
        for (offset, weight) in rows.weights[row].enumerated() {
          let line = rows.starts[row] + offset - span.lowerBound
          let source = (channel * span.count + line) * width
          let target = (channel * height + row) * width
          for column in 0..<width {
            planes[target + column] += weight * narrow[source + column]
          }
        }
      }
    }
    return planes
  }
}

/// Linear interpolation along one axis; where it shrinks, over all elements that an output covers.
private struct Taps {
  var starts: [Int] = []
  var weights: [[Float]] = []

  /// - Parameters:
  ///   - first: the first of `count` outputs that are wanted.
  init(from extent: Int, to target: Int, first: Int, count: Int) {
    let scale = Double(extent) / Double(target)
    let reach = max(scale, 1)
    for index in first..<(first + count) {
      let center = (Double(index) + 0.5) * scale
      let start = max(Int((center - reach + 0.5).rounded(.down)), 0)
      let end = max(min(Int((center + reach + 0.5).rounded(.down)), extent), start + 1)
      var taps = (start..<end).map { element in
        max(0, 1 - abs((Double(element) + 0.5 - center) / reach))
      }
      let sum = taps.reduce(0, +)
      if sum > 0 { taps = taps.map { $0 / sum } } else { taps[0] = 1 }
      starts.append(min(start, extent - 1))
      weights.append(taps.map { Float($0) })
    }
  }

  /// The elements that are read.
  var span: Range<Int> {
    let ends = zip(starts, weights).map { $0 + $1.count }
    return (starts.min() ?? 0)..<(ends.max() ?? 0)
  }
}

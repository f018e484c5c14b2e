import KernelModel

/// Which elements of an axis each position of a resampled axis is made of, by ONNX's `Resize`.
struct ResamplingTaps {
  struct Tap {
    var index: Int
    var weight: Double
  }

  private(set) var taps: [[Tap]] = []

  private static let maximumTaps = 64

  /// Nil for what is left to the reference interpreter.
  init?(_ problem: Resample, axis: Int, rank: Int, extent: Int, count: Int) {
    guard problem.coordinates != .cropAndResize, extent > 0 else { return nil }
    var scale = Double(count) / Double(extent)
    if let scales = problem.scales {
      guard scales.count == rank else { return nil }
      scale = scales[axis]
    }
    guard scale > 0, scale.isFinite else { return nil }
    for position in 0..<count {
      let place = Self.source(position, problem.coordinates, scale, extent: extent, count: count)
      guard place.magnitude < 0x1p40,
        let taps = Self.taps(problem, at: place, scale: scale, extent: extent),
        taps.count <= Self.maximumTaps
      else { return nil }
      self.taps.append(taps)
    }
  }

  /// Whether every position is the element of the same index.
  func isIdentity(extent: Int) -> Bool {
    taps.count == extent
      && taps.indices.allSatisfy {
        taps[$0].count == 1 && taps[$0][0].index == $0 && taps[$0][0].weight == 1
      }
  }

  /// Where a position lies among the elements.
  private static func source(
    _ position: Int, _ mode: Resample.Coordinates, _ scale: Double, extent: Int, count: Int
  ) -> Double {
    let x = Double(position)
    let resized = scale * Double(extent)
    switch mode {
    case .asymmetric, .cropAndResize: return x / scale
    case .alignCorners: return resized == 1 ? 0 : x * Double(extent - 1) / (resized - 1)
    case .halfPixel: return (x + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return resized > 1 ? (x + 0.5) / scale - 0.5 : 0
    case .halfPixelSymmetric:
      let shift = Double(extent) / 2 * (1 - Double(count) / resized)
      return shift + (x + 0.5) / scale - 0.5
    }
  }

  private static func taps(
    _ problem: Resample, at place: Double, scale: Double, extent: Int
  ) -> [Tap]? {
    switch problem.interpolation {
    case .nearest(let rounding):
      let nearest =
        switch rounding {
        case .floor: place.rounded(.down)
        case .ceiling: place.rounded(.up)
        case .preferFloor: (place - 0.5).rounded(.up)
        case .preferCeiling: (place + 0.5).rounded(.down)
        }
      return [Tap(index: min(max(Int(nearest), 0), extent - 1), weight: 1)]
    case .linear(let antialias):
      let shrink = antialias ? min(scale, 1) : 1
      return weighted(problem, at: place, radius: 1, shrink, extent) { max(0, 1 - $0) }
    case .cubic(let a, let antialias):
      let shrink = antialias ? min(scale, 1) : 1
      return weighted(problem, at: place, radius: 2, shrink, extent) { x in
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0
      }
    }
  }

  /// The elements around a place, weighted by a function of their distance; those beyond the edge are the
  /// element at the edge, or left out.
  private static func weighted(
    _ problem: Resample, at place: Double, radius: Double, _ shrink: Double, _ extent: Int,
    _ weight: (Double) -> Double
  ) -> [Tap]? {
    let reach = radius / shrink
    guard reach <= Double(maximumTaps) else { return nil }
    var taps: [Tap] = []
    var sum = 0.0
    for index in Int((place - reach).rounded(.down))...Int((place + reach).rounded(.up)) {
      let isOutside = index < 0 || index >= extent
      if isOutside, problem.excludesOutside { continue }
      let value = weight(((Double(index) - place) * shrink).magnitude)
      if value == 0 { continue }
      sum += value
      taps.append(Tap(index: min(max(index, 0), extent - 1), weight: value))
    }
    guard sum != 0, shrink < 1 || problem.excludesOutside else { return taps }
    return taps.map { Tap(index: $0.index, weight: $0.weight / sum) }
  }
}

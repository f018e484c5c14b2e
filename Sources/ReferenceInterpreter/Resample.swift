import KernelModel
import TensorModel

extension Interpreter {
  static func resample(
    _ problem: Resample, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    guard x.elementCount > 0 else { throw ProblemError("resampling of \(x.type), which is empty") }
    let rank = x.shape.count
    var axes: [ResampledAxis] = []
    for axis in 0..<rank {
      axes.append(
        try ResampledAxis(problem, axis, rank: rank, extent: x.shape[axis], output.shape[axis]))
    }
    var values = try x.doubles()
    var shape = x.shape
    for axis in 0..<rank where !axes[axis].isIdentity {
      values = axes[axis].apply(values, AxisSplit(shape, axis: axis))
      shape[axis] = output.shape[axis]
    }
    if problem.coordinates == .cropAndResize {
      for (position, coordinates) in Coordinates(output.shape).enumerated() {
        let isOutside = coordinates.indices.contains { axes[$0].isOutside[coordinates[$0]] }
        if isOutside { values[position] = problem.extrapolation }
      }
    }
    return try finish(
      .of(values, as: x.dataType), x.dataType, problem.epilogue, inputs, own: 1, output)
  }
}

/// The elements of one axis that each result is a weighted sum of.
private struct ResampledAxis {
  struct Tap {
    var index: Int
    var weight: Double
  }

  private(set) var taps: [[Tap]] = []
  /// Where the result lies outside the region of interest's source.
  private(set) var isOutside: [Bool] = []
  private let extent: Int

  private static let maximumTaps = 0x1p28

  var isIdentity: Bool {
    taps.count == extent
      && taps.indices.allSatisfy {
        taps[$0].count == 1 && taps[$0][0].index == $0 && taps[$0][0].weight == 1
      }
  }

  init(
    _ problem: Resample, _ axis: Int, rank: Int, extent: Int, _ count: Int
  ) throws(ProblemError) {
    self.extent = extent
    var scale = Double(count) / Double(extent)
    if let scales = problem.scales {
      guard scales.count == rank else {
        throw ProblemError("\(scales.count) scales for rank \(rank)")
      }
      scale = scales[axis]
    }
    guard scale > 0, scale.isFinite else { throw ProblemError("a scale of \(scale)") }
    let region = problem.regionOfInterest
    if problem.coordinates == .cropAndResize, region.count != 2 * rank {
      throw ProblemError("a region of interest of \(region.count) numbers for rank \(rank)")
    }
    let reach = problem.interpolation.antialiases ? 2 / min(scale, 1) : 2
    guard reach * Double(count) <= Self.maximumTaps else {
      throw ProblemError("a scale of \(scale), which takes too many elements for each result")
    }
    let map = CoordinateMap(
      mode: problem.coordinates, scale: scale, extent: extent, count: count,
      start: region.count == 2 * rank ? region[axis] : 0,
      end: region.count == 2 * rank ? region[rank + axis] : 1)
    for position in 0..<count {
      // Beyond these bounds every tap is the same element.
      let x = min(max(map(position), -0x1p40), 0x1p40)
      guard !x.isNaN else { throw ProblemError("a coordinate that is not a number") }
      taps.append(Self.taps(problem, x, scale: scale, extent: extent))
      isOutside.append(x < 0 || x > Double(extent - 1))
    }
  }

  func apply(_ values: [Double], _ split: AxisSplit) -> [Double] {
    var result = [Double](repeating: 0, count: split.outer * taps.count * split.inner)
    result.withUnsafeMutableBufferPointer { result in
      values.withUnsafeBufferPointer { values in
        guard let y = result.baseAddress, let x = values.baseAddress else { return }
        for outer in 0..<split.outer {
          for (position, list) in taps.enumerated() {
            let target = y + (outer * taps.count + position) * split.inner
            for tap in list {
              accumulate(
                tap.weight, x + (outer * split.extent + tap.index) * split.inner, 1, into: target,
                1, count: split.inner)
            }
          }
        }
      }
    }
    return result
  }

  // MARK: - Weights

  private static func taps(
    _ problem: Resample, _ x: Double, scale: Double, extent: Int
  ) -> [Tap] {
    switch problem.interpolation {
    case .nearest(let rounding):
      let index =
        switch rounding {
        case .floor: x.rounded(.down)
        case .ceiling: x.rounded(.up)
        case .preferFloor: (x - 0.5).rounded(.up)
        case .preferCeiling: (x + 0.5).rounded(.down)
        }
      return [Tap(index: clamp(Int(index), extent), weight: 1)]
    case .linear(let antialias):
      return filter(x, radius: 1, antialias ? min(scale, 1) : 1, problem, extent) {
        max(0, 1 - abs($0))
      }
    case .cubic(let coefficient, let antialias):
      return filter(x, radius: 2, antialias ? min(scale, 1) : 1, problem, extent) {
        cubic(abs($0), coefficient)
      }
    }
  }

  /// The elements within `radius / scale` of x, weighted by a function of their distance times `scale`;
  /// those outside are the element at the edge.
  private static func filter(
    _ x: Double, radius: Double, _ scale: Double, _ problem: Resample, _ extent: Int,
    _ weight: (Double) -> Double
  ) -> [Tap] {
    let reach = radius / scale
    var taps: [Tap] = []
    for index in Int((x - reach).rounded(.down))...Int((x + reach).rounded(.up)) {
      let isOutside = index < 0 || index >= extent
      if problem.excludesOutside, isOutside { continue }
      let value = weight((Double(index) - x) * scale)
      if value != 0 { taps.append(Tap(index: clamp(index, extent), weight: value)) }
    }
    let sum = taps.reduce(0) { $0 + $1.weight }
    guard sum != 0, scale < 1 || problem.excludesOutside else { return taps }
    return taps.map { Tap(index: $0.index, weight: $0.weight / sum) }
  }

  /// Keys's kernel.
  private static func cubic(_ x: Double, _ a: Double) -> Double {
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }

  private static func clamp(_ index: Int, _ extent: Int) -> Int { min(max(index, 0), extent - 1) }
}

extension Resample.Interpolation {
  fileprivate var antialiases: Bool {
    switch self {
    case .nearest: false
    case .linear(let antialias), .cubic(_, let antialias): antialias
    }
  }
}

/// Where a result lies in x, along one axis.
private struct CoordinateMap {
  var mode: Resample.Coordinates
  var scale: Double
  var extent: Int
  var count: Int
  var start: Double
  var end: Double

  func callAsFunction(_ position: Int) -> Double {
    let p = Double(position)
    let last = Double(extent - 1)
    // Not rounded, as ONNX's reference has it.
    let resized = scale * Double(extent)
    switch mode {
    case .halfPixel: return (p + 0.5) / scale - 0.5
    case .halfPixelSymmetric:
      let center = Double(extent) / 2
      return center * (1 - Double(count) / resized) + (p + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return resized > 1 ? (p + 0.5) / scale - 0.5 : 0
    case .alignCorners: return resized == 1 ? 0 : p * last / (resized - 1)
    case .asymmetric: return p / scale
    case .cropAndResize:
      return resized == 1
        ? 0.5 * (start + end) * last
        : start * last + p * (end - start) * last / (resized - 1)
    }
  }
}

import Foundation
import KernelModel
import TensorModel

/// Which elements of an axis each position of a resampled axis is made of: the reference's arithmetic, on
/// the host to learn how many, and as a kernel that writes them down when the program is loaded.
struct ResampleAxis: Sendable {
  /// The axis of the tensors.
  let axis: Int
  let extent: Int
  let count: Int
  /// The most elements of one position.
  private(set) var taps = 1
  /// Whether every position is the element of the same number.
  private(set) var isIdentity = true
  /// Whether every position is one element as it is.
  private(set) var isPicked = true
  /// Whether some positions lie outside x and are the extrapolation value.
  private(set) var hasOutside = false
  /// The index of the only element as text of a position, where it is simple.
  private(set) var formula: (@Sendable (String) -> String)?

  private let problem: Resample
  private let scale: Double
  private let map: CoordinateMap

  private static let maximumTaps = 512

  /// Nil where the reference refuses the problem, or positions are made of too many elements.
  init?(_ problem: Resample, axis: Int, extent: Int, count: Int) {
    self.problem = problem
    self.axis = axis
    self.extent = extent
    self.count = count
    let rank = problem.shape.rank
    var scale = Double(count) / Double(extent)
    if let scales = problem.scales {
      guard scales.count == rank else { return nil }
      scale = scales[axis]
    }
    let region = problem.regionOfInterest
    let isCrop = problem.coordinates == .cropAndResize
    guard scale > 0, scale.isFinite, !isCrop || region.count == 2 * rank else { return nil }
    self.scale = scale
    map = CoordinateMap(
      mode: problem.coordinates, scale: scale, extent: extent, count: count,
      start: isCrop ? region[axis] : 0, end: isCrop ? region[rank + axis] : 1)
    var indices: [Int] = []
    for position in 0..<count {
      let x = min(max(map(position), -0x1p40), 0x1p40)
      guard !x.isNaN, let list = Filter(problem, scale, extent).taps(x) else { return nil }
      taps = max(taps, list.count)
      guard taps <= Self.maximumTaps else { return nil }
      isPicked = isPicked && list.count == 1 && list[0].weight == 1
      isIdentity = isIdentity && isPicked && list[0].index == position
      hasOutside = hasOutside || isCrop && (x < 0 || x > Double(extent - 1))
      if isPicked { indices.append(list[0].index) }
    }
    isIdentity = isIdentity && count == extent && !hasOutside
    if isPicked { formula = Self.formula(indices, extent: extent) }
  }

  private static func formula(
    _ indices: [Int], extent: Int
  ) -> (@Sendable (String) -> String)? {
    guard let first = indices.first else { return nil }
    let count = indices.count
    if count % extent == 0, case let times = count / extent,
      indices.indices.allSatisfy({ indices[$0] == $0 / times })
    {
      return { "\($0) / \(times)" }
    }
    if extent % count == 0, case let times = extent / count,
      indices.indices.allSatisfy({ indices[$0] == $0 * times + first })
    {
      return { IndexText.sum([($0, times)], plus: first) }
    }
    return nil
  }

  // MARK: - Tables

  /// Elements of the table of indices: for each position its taps, then whether it is outside.
  var indexCount: Int { count * taps + (hasOutside ? count : 0) }

  /// Fills the tables of indices and, for positions that are sums, of weights.
  func preparation(
    weight: String?, arguments: [KernelLaunch.Argument]
  ) -> KernelLaunch {
    let threads = 128
    var text = KernelText()
    let parameters = "int32_t* index" + (weight.map { ", \($0)* weight" } ?? "")
    text.block("KERNEL(\(threads)) resample_taps(\(parameters))") { text in
      text.line("const int n = blockIdx.x * \(threads) + threadIdx.x;")
      text.line("if (n >= \(count)) return;")
      text.line("const double p = n;")
      text.line("const double x = fmin(fmax(\(map.text), -1099511627776.0), 1099511627776.0);")
      if let weight {
        text.lines(Filter(problem, scale, extent).statements(taps: taps, weight: weight))
      } else {
        let place = "(int64_t)\(nearest)"
        text.line("const int64_t place = \(place);")
        text.line(
          "index[n] = (int)(place < 0 ? 0 : place > \(extent - 1) ? \(extent - 1) : place);")
      }
      if hasOutside {
        text.line("index[\(count * taps) + n] = x < 0 || x > \(Double(extent - 1));")
      }
    }
    return KernelLaunch(
      KernelSource(entry: "resample_taps", body: text.text),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads, arguments: arguments)
  }

  private var nearest: String {
    guard case .nearest(let rounding) = problem.interpolation else { return "rint(x)" }
    return switch rounding {
    case .floor: "floor(x)"
    case .ceiling: "ceil(x)"
    case .preferFloor: "ceil(x - 0.5)"
    case .preferCeiling: "floor(x + 0.5)"
    }
  }
}

/// Where a position lies in x, along one axis.
private struct CoordinateMap: Sendable {
  var mode: Resample.Coordinates
  var scale: Double
  var extent: Int
  var count: Int
  var start: Double
  var end: Double

  private var last: Double { Double(extent - 1) }
  private var resized: Double { scale * Double(extent) }
  private var shift: Double { Double(extent) / 2 * (1 - Double(count) / resized) }

  func callAsFunction(_ position: Int) -> Double {
    let p = Double(position)
    switch mode {
    case .halfPixel: return (p + 0.5) / scale - 0.5
    case .halfPixelSymmetric: return shift + (p + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return resized > 1 ? (p + 0.5) / scale - 0.5 : 0
    case .alignCorners: return resized == 1 ? 0 : p * last / (resized - 1)
    case .asymmetric: return p / scale
    case .cropAndResize:
      return resized == 1
        ? 0.5 * (start + end) * last
        : start * last + p * (end - start) * last / (resized - 1)
    }
  }

  /// The same arithmetic on the position `p`.
  var text: String {
    func literal(_ value: Double) -> String { DataType.float64.cudaLiteral(value) }
    let half = "(p + 0.5) / \(literal(scale))"
    switch mode {
    case .halfPixel: return "\(half) - 0.5"
    case .halfPixelSymmetric: return "\(literal(shift)) + \(half) - 0.5"
    case .pytorchHalfPixel: return resized > 1 ? "\(half) - 0.5" : "0.0"
    case .alignCorners:
      return resized == 1 ? "0.0" : "p * \(literal(last)) / \(literal(resized - 1))"
    case .asymmetric: return "p / \(literal(scale))"
    case .cropAndResize:
      if resized == 1 { return literal(0.5 * (start + end) * last) }
      let moved = "p * \(literal(end - start)) * \(literal(last)) / \(literal(resized - 1))"
      return "\(literal(start * last)) + \(moved)"
    }
  }
}

/// The weights of the elements around a place.
private struct Filter {
  struct Tap {
    var index: Int
    var weight: Double
  }

  private let problem: Resample
  private let extent: Int
  private let scale: Double
  private let radius: Double
  /// Of the cubic filter; nil: linear.
  private let coefficient: Double?

  init(_ problem: Resample, _ scale: Double, _ extent: Int) {
    self.problem = problem
    self.extent = extent
    switch problem.interpolation {
    case .nearest: (self.scale, radius, coefficient) = (1, 0, nil)
    case .linear(let antialias):
      (self.scale, radius, coefficient) = (antialias ? min(scale, 1) : 1, 1, nil)
    case .cubic(let a, let antialias):
      (self.scale, radius, coefficient) = (antialias ? min(scale, 1) : 1, 2, a)
    }
  }

  private var normalizes: Bool { scale < 1 || problem.excludesOutside }

  /// Nil where there are too many.
  func taps(_ x: Double) -> [Tap]? {
    if case .nearest(let rounding) = problem.interpolation {
      let place =
        switch rounding {
        case .floor: x.rounded(.down)
        case .ceiling: x.rounded(.up)
        case .preferFloor: (x - 0.5).rounded(.up)
        case .preferCeiling: (x + 0.5).rounded(.down)
        }
      return [Tap(index: clamp(Int(place)), weight: 1)]
    }
    let reach = radius / scale
    guard reach < 4096 else { return nil }
    var taps: [Tap] = []
    for index in Int((x - reach).rounded(.down))...Int((x + reach).rounded(.up)) {
      if problem.excludesOutside, index < 0 || index >= extent { continue }
      let value = weight((Double(index) - x) * scale)
      if value != 0 { taps.append(Tap(index: clamp(index), weight: value)) }
    }
    let sum = taps.reduce(0) { $0 + $1.weight }
    guard sum != 0, normalizes else { return taps }
    return taps.map { Tap(index: $0.index, weight: $0.weight / sum) }
  }

  private func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    guard let a = coefficient else { return max(0, 1 - x) }
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }

  private func clamp(_ index: Int) -> Int { min(max(index, 0), extent - 1) }

  // MARK: - Text

  /// Statements that write the taps of position `n`, which lies at `x`; unused ones have weight 0.
  func statements(taps: Int, weight: String) -> [String] {
    let reach = DataType.float64.cudaLiteral(radius / scale)
    let skip =
      problem.excludesOutside ? ["if (q < 0 || q >= \(extent)) continue;"] : []
    let loop = "for (int64_t q = low; q <= high; q++) {"
    let distance =
      "const double d = fabs(rounded_product((double)q - x, \(DataType.float64.cudaLiteral(scale))));"
    let value = "const double value = \(weightText);"
    return [
      "const int64_t low = (int64_t)floor(x - \(reach)), high = (int64_t)ceil(x + \(reach));",
      "double sum = 0.0;", loop,
    ] + skip + [
      distance, value, "sum += value;", "}",
      normalizes ? "if (sum == 0.0) sum = 1.0;" : "sum = 1.0;", "int tap = 0;", loop,
    ] + skip + [
      distance, value, "if (value == 0.0) continue;",
      "const int64_t place = q < 0 ? 0 : q > \(extent - 1) ? \(extent - 1) : q;",
      "index[n * \(taps) + tap] = (int)place;",
      "weight[n * \(taps) + tap++] = (\(weight))(value / sum);", "}",
      "for (; tap < \(taps); tap++) {", "index[n * \(taps) + tap] = 0;",
      "weight[n * \(taps) + tap] = 0;", "}",
    ]
  }

  /// The weight at distance `d`, in the order of the reference's operations.
  private var weightText: String {
    guard let a = coefficient else { return "fmax(0.0, 1.0 - d)" }
    func literal(_ value: Double) -> String { DataType.float64.cudaLiteral(value) }
    func product(_ x: String, _ y: String) -> String { "rounded_product(\(x), \(y))" }
    func sum(_ x: String, _ y: String) -> String { "rounded_sum(\(x), \(y))" }
    let near = sum(
      product(product(sum(product(literal(a + 2), "d"), literal(-(a + 3))), "d"), "d"), "1.0")
    let middle = sum(product(literal(a), "d"), literal(-(5 * a)))
    let far = sum(
      product(sum(product(middle, "d"), literal(8 * a)), "d"), literal(-(4 * a)))
    return "d <= 1.0 ? \(near) : d < 2.0 ? \(far) : 0.0"
  }
}

package import GraphModel
package import TensorModel

/// Samples of `[N, C, spatial...]` at the places that a grid `[N, spatial..., axes]` names, which run from
/// -1 to 1; the last axis of the grid counts spatial axes from the innermost.
package struct GridSample: HostOperator {
  package static let spellings = [Spelling.onnx("GridSample")]

  private enum Mode: Sendable { case nearest, linear, cubic }
  private enum Padding: Sendable { case zeros, border, reflection }

  private let mode: Mode
  private let padding: Padding
  private let alignsCorners: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    mode = try attributes.choice(
      "mode", default: "linear",
      [
        "nearest": .nearest, "linear": .linear, "bilinear": .linear, "cubic": .cubic,
        "bicubic": .cubic,
      ])
    padding = try attributes.choice(
      "padding_mode", default: "zeros",
      ["zeros": .zeros, "border": .border, "reflection": .reflection])
    alignsCorners = try attributes.bool("align_corners", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, grid) = (try expansion.input(0), try expansion.input(1))
    guard x.rank >= 3, grid.rank == x.rank,
      grid.shape[grid.rank - 1].constant ?? (x.rank - 2) == x.rank - 2
    else { throw OperatorError("a grid of shape \(grid.shape) for an input of \(x.shape)") }
    let spatial = grid.shape.dimensions.dropFirst().dropLast()
    try emitHostOrFold(
      &expansion,
      outputs: [TensorType(x.dataType, Shape([x.shape[0], x.shape[1]] + spatial))])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let grid = try HostInputs.tensor(inputs, 1)
    let extents = Array(x.shape.dropFirst(2))
    guard x.shape.count >= 3, grid.shape.count == x.shape.count, grid.shape[0] == x.shape[0],
      grid.shape.last == extents.count, !extents.contains(0)
    else { throw OperatorError("a grid of shape \(grid.shape) for an input of \(x.shape)") }
    let places = try HostInputs.numbers(inputs, 1)
    let values = try HostInputs.numbers(inputs, 0)
    let spatial = Array(grid.shape.dropFirst().dropLast())
    let points = spatial.reduce(1, *)
    let (batches, channels) = (x.shape[0], x.shape[1])
    let plane = extents.reduce(1, *)
    var result = [Double](repeating: 0, count: batches * channels * points)
    for batch in 0..<batches {
      for point in 0..<points {
        let start = (batch * points + point) * extents.count
        let place = places[start..<(start + extents.count)].reversed().enumerated().map {
          position($1, extents[$0])
        }
        let taps = taps(place, extents)
        for channel in 0..<channels {
          let base = (batch * channels + channel) * plane
          result[(batch * channels + channel) * points + point] = taps.reduce(0) {
            $0 + $1.weight * values[base + $1.index]
          }
        }
      }
    }
    return [try HostInputs.numbers(result, x.dataType, [batches, channels] + spatial)]
  }

  /// A place of the grid in elements of an axis.
  private func position(_ place: Double, _ extent: Int) -> Double {
    alignsCorners
      ? (place + 1) / 2 * Double(extent - 1) : ((place + 1) * Double(extent) - 1) / 2
  }

  /// An element index brought inside the axis; nil where padding makes it zero.
  private func resolved(_ index: Double, _ extent: Int) -> Int? {
    guard index.isFinite else { return padding == .zeros ? nil : 0 }
    let last = Double(extent - 1)
    switch padding {
    case .zeros: return index >= 0 && index <= last ? Int(index) : nil
    case .border: return Int(min(max(index, 0), last))
    case .reflection:
      let (low, high) = alignsCorners ? (0, last) : (-0.5, last + 0.5)
      return Int(min(max(reflected(index, low, high).rounded(), 0), last))
    }
  }

  private func reflected(_ value: Double, _ low: Double, _ high: Double) -> Double {
    let span = high - low
    guard span > 0 else { return 0 }
    let distance = abs(value - low).truncatingRemainder(dividingBy: 2 * span)
    return distance > span ? high - (distance - span) : low + distance
  }

  /// The place after padding; only border and reflection move it, before it is split into taps.
  private func padded(_ place: Double, _ extent: Int) -> Double {
    guard mode != .cubic, place.isFinite else { return place }
    switch padding {
    case .zeros: return place
    case .border: return min(max(place, 0), Double(extent - 1))
    case .reflection:
      let (low, high) =
        alignsCorners ? (0, Double(extent - 1)) : (-0.5, Double(extent) - 0.5)
      return min(max(reflected(place, low, high), 0), Double(extent - 1))
    }
  }

  /// The elements that a place reads, as positions in the flattened spatial axes, and their weights.
  private func taps(_ place: [Double], _ extents: [Int]) -> [(index: Int, weight: Double)] {
    var result: [(index: Int, weight: Double)] = [(0, 1)]
    for (axis, extent) in extents.enumerated() {
      var next: [(index: Int, weight: Double)] = []
      for (element, weight) in axisTaps(padded(place[axis], extent)) {
        guard weight != 0, let inside = resolved(element, extent) else { continue }
        for tap in result { next.append((tap.index * extent + inside, tap.weight * weight)) }
      }
      result = next
    }
    return result
  }

  private func axisTaps(_ place: Double) -> [(Double, Double)] {
    let base = place.rounded(.down)
    let fraction = place - base
    switch mode {
    case .nearest: return [(place.rounded(.toNearestOrEven), 1)]
    case .linear: return [(base, 1 - fraction), (base + 1, fraction)]
    case .cubic:
      return (-1...2).map { offset in
        (base + Double(offset), Self.cubic(abs(fraction - Double(offset))))
      }
    }
  }

  /// Keys' cubic convolution with a = -0.75.
  private static func cubic(_ distance: Double) -> Double {
    let a = -0.75
    if distance <= 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
    if distance < 2 { return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a }
    return 0
  }
}

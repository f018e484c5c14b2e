package import GraphModel
import KernelModel
import TensorModel

/// Samples of `[N, C, spatial...]` at the places that a grid `[N, spatial..., axes]` names, which run from
/// -1 to 1; the last axis of the grid counts spatial axes from the innermost.
///
/// It becomes one gather of whole pixels for each tap of the interpolation, and their weighted sum.
package struct GridSample: Operator {
  package static let spellings = [Spelling.onnx("GridSample")]

  private let mode: GridPlaces.Mode
  private let padding: GridPlaces.Padding
  private let alignsCorners: Bool

  /// Taps that are summed in one kernel.
  private static let tapsOfOneKernel = 8

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
    let spatial = x.rank - 2
    guard (1...3).contains(spatial), grid.rank == x.rank,
      grid.shape[grid.rank - 1].constant ?? spatial == spatial
    else { throw OperatorError("a grid of shape \(grid.shape) for an input of \(x.shape)") }
    let wide: DataType =
      x.dataType == .float64 || grid.dataType == .float64 ? .float64 : .float32
    var operands: [Operand] = []
    for axis in 0..<spatial {
      let column = try expansion.slice(
        grid, axis: grid.rank - 1, start: Dimension(spatial - 1 - axis), count: 1)
      operands.append(try expansion.cast(column, to: wide))
    }
    var extents: [ScalarExpression] = []
    for axis in 0..<spatial {
      let extent = expansion.symbolic([x.shape[axis + 2]], TensorType(.int64, [Int]()))
      let term = try expansion.scalarTerm(extent, appendingTo: &operands)
      extents.append(.cast(term, wide))
    }
    let places = GridPlaces(
      mode: mode, padding: padding, alignsCorners: alignsCorners, type: wide, extents: extents)
    let pixels = try expansion.transpose(x, [0] + Array(2..<x.rank) + [1])
    let positions = Shape(grid.shape.dimensions.dropLast() + [Dimension(spatial)])
    var taps: [(expression: ScalarExpression, pixels: Operand)] = []
    for offsets in places.taps {
      let indices = try expansion.emit(
        .pointwise(Pointwise(places.coordinate(offsets), shape: positions)), operands)
      let read = try expansion.emit(.gather(.coordinates(batchAxes: 1)), [pixels, indices])
      taps.append((places.weight(offsets), try expansion.cast(read, to: wide)))
    }
    let sum = try self.sum(taps, operands, places, &expansion)
    let result = try expansion.cast(sum, to: x.dataType)
    expansion.set(
      0, try expansion.transpose(result, [0, x.rank - 1] + Array(1..<(x.rank - 1))))
  }

  private func sum(
    _ taps: [(expression: ScalarExpression, pixels: Operand)], _ operands: [Operand],
    _ places: GridPlaces, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    var total: Operand?
    var rest = taps[...]
    while !rest.isEmpty {
      var inputs = operands
      var formula: ScalarExpression?
      if let total {
        formula = .operand(inputs.count)
        inputs.append(total)
      }
      for (index, tap) in rest.prefix(Self.tapsOfOneKernel).enumerated() {
        let value = ScalarExpression.operand(inputs.count)
        inputs.append(tap.pixels)
        let offsets = places.taps[taps.count - rest.count + index]
        let term = places.weighted(value, by: tap.expression, offsets)
        formula = formula.map { $0 + term } ?? term
      }
      rest = rest.dropFirst(Self.tapsOfOneKernel)
      total = try expansion.pointwise(formula ?? .constant(0, places.type), inputs)
    }
    guard let total else { throw OperatorError("an interpolation without taps") }
    return total
  }
}

/// The formulas of grid sampling, over operands that hold the place along each spatial axis.
struct GridPlaces {
  enum Mode: Sendable { case nearest, linear, cubic }
  enum Padding: Sendable { case zeros, border, reflection }

  let mode: Mode
  let padding: Padding
  let alignsCorners: Bool
  let type: DataType
  /// The extent of each spatial axis.
  let extents: [ScalarExpression]

  private func number(_ value: Double) -> ScalarExpression { .constant(value, type) }

  /// For each tap the distance from the element below the place, along each axis.
  var taps: [[Int]] {
    let offsets: [Int]
    switch mode {
    case .nearest: offsets = [0]
    case .linear: offsets = [0, 1]
    case .cubic: offsets = [-1, 0, 1, 2]
    }
    return extents.reduce([[]]) { heads, _ in heads.flatMap { head in offsets.map { head + [$0] } }
    }
  }

  private func last(_ axis: Int) -> ScalarExpression { extents[axis] - number(1) }

  /// The place in elements; border and reflection bring it inside before it is split into taps.
  private func place(_ axis: Int) -> ScalarExpression {
    let grid = ScalarExpression.operand(axis)
    let place =
      alignsCorners
      ? (grid + number(1)) * number(0.5) * last(axis)
      : ((grid + number(1)) * extents[axis] - number(1)) * number(0.5)
    guard mode != .cubic else { return place }
    switch padding {
    case .zeros: return place
    case .border: return clamped(place, axis)
    case .reflection: return clamped(reflected(place, axis), axis)
    }
  }

  /// Inside the axis; a place that is not a number becomes 0.
  private func clamped(_ value: ScalarExpression, _ axis: Int) -> ScalarExpression {
    .select(.greaterOrEqual(value, number(0)), .minimum(value, last(axis)), number(0))
  }

  private func reflected(_ value: ScalarExpression, _ axis: Int) -> ScalarExpression {
    let low = number(alignsCorners ? 0 : -0.5)
    let span = alignsCorners ? last(axis) : extents[axis]
    let distance = ScalarExpression.binary(
      .moduloTruncate, .unary(.absolute, value - low), number(2) * span)
    let folded = ScalarExpression.select(
      .greater(distance, span), number(2) * span - distance, distance)
    return .select(.greater(span, number(0)), low + folded, number(0))
  }

  private func element(_ axis: Int, _ offset: Int) -> ScalarExpression {
    if mode == .nearest { return .unary(.round, place(axis)) }
    let base = ScalarExpression.unary(.floor, place(axis))
    return offset == 0 ? base : base + number(Double(offset))
  }

  /// The coordinate along the axis that the last index of the kernel names.
  func coordinate(_ offsets: [Int]) -> ScalarExpression {
    let lastAxis = extents.count + 1
    var result: ScalarExpression?
    for axis in extents.indices.reversed() {
      var element = element(axis, offsets[axis])
      if padding == .reflection { element = .unary(.round, reflected(element, axis)) }
      let index = clamped(element, axis)
      result =
        result.map {
          .select(.equal(.index(axis: lastAxis), .integer64(axis)), index, $0)
        } ?? index
    }
    return .cast(result ?? number(0), .int64)
  }

  /// The product of the weights along all axes.
  func weight(_ offsets: [Int]) -> ScalarExpression {
    guard mode != .nearest else { return number(1) }
    let factors = extents.indices.map { axis in
      let place = place(axis)
      let fraction = place - .unary(.floor, place)
      return mode == .linear
        ? (offsets[axis] == 0 ? number(1) - fraction : fraction)
        : cubic(fraction, offsets[axis])
    }
    return factors.dropFirst().reduce(factors[0], *)
  }

  /// Keys' cubic convolution with a = -0.75.
  private func cubic(_ fraction: ScalarExpression, _ offset: Int) -> ScalarExpression {
    let a = -0.75
    switch offset {
    case 0, 1:
      let d = offset == 0 ? fraction : number(1) - fraction
      return (number(a + 2) * d - number(a + 3)) * d * d + number(1)
    default:
      let d = offset < 0 ? number(1) + fraction : number(2) - fraction
      return ((number(a) * d - number(5 * a)) * d + number(8 * a)) * d - number(4 * a)
    }
  }

  /// A tap's contribution; zero where zeros surround the input.
  func weighted(
    _ value: ScalarExpression, by weight: ScalarExpression, _ offsets: [Int]
  ) -> ScalarExpression {
    let term = mode == .nearest ? value : weight * value
    guard padding == .zeros else { return term }
    let tests = extents.indices.map { axis in
      let element = element(axis, offsets[axis])
      return ScalarExpression.and(
        .greaterOrEqual(element, number(0)), .lessOrEqual(element, last(axis)))
    }
    let isInside = tests.dropFirst().reduce(tests[0], ScalarExpression.and)
    return .select(isInside, term, number(0))
  }
}

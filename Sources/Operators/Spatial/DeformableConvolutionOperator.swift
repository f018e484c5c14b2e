import GraphModel
import KernelModel
import TensorModel

/// Convolution whose taps are moved by offsets, with values between pixels interpolated. Source: ONNX
/// `DeformConv` in two dimensions.
struct DeformableConvolutionOperator: Operator {
  static let spellings = [Spelling.onnx("DeformConv")]

  private let spatial: SpatialAttributes
  private let groups: Int
  private let offsetGroups: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    groups = try attributes.int("group", default: 1)
    offsetGroups = try attributes.int("offset_group", default: 1)
    guard groups > 0, offsetGroups > 0 else {
      throw OperatorError("\(groups) groups and \(offsetGroups) groups of offsets")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0), weights = try expansion.input(1)
    let offsets = try expansion.input(2)
    guard x.rank == 4, weights.rank == 4, offsets.rank == 4,
      let height = weights.shape[2].constant, let width = weights.shape[3].constant,
      height > 0, width > 0
    else {
      throw OperatorError(
        "x has shape \(x.shape), the weights \(weights.shape) and the offsets \(offsets.shape)")
    }
    let batch = x.shape[0], channels = x.shape[1]
    let places = [offsets.shape[2], offsets.shape[3]]
    let taps = Dimension(height) * Dimension(width)
    let grid = Shape([batch, Dimension(offsetGroups), taps] + places)
    // [N, offset groups, taps, y or x, places]
    let moved = try expansion.reshape(
      offsets, Shape([batch, Dimension(offsetGroups), taps, 2] + places))
    var coordinates: [Operand] = []
    for axis in 0..<2 {
      coordinates.append(try self.coordinates(&expansion, moved, axis: axis, width: width, grid))
    }
    let perGroup = channels.floorDivided(by: Dimension(offsetGroups))
    let pixels = try expansion.transpose(
      try expansion.reshape(
        x, [batch, Dimension(offsetGroups), perGroup, x.shape[2] * x.shape[3]]), [0, 1, 3, 2])
    var columns = try sampled(
      &expansion, pixels, coordinates, height: x.shape[2], width: x.shape[3], grid)
    if let mask = expansion.optionalInput(4) {
      let factors = try expansion.reshape(mask, Shape(grid.dimensions + [1]))
      columns = try expansion.pointwise(.operand(0) * .operand(1), [columns, factors])
    }
    // [N, offset groups, taps, places, channels of the group] to [N, groups, channels * taps, places]
    let ordered = try expansion.transpose(columns, [0, 1, 5, 2, 3, 4])
    let inner = channels.floorDivided(by: Dimension(groups)) * taps
    let right = try expansion.reshape(
      ordered, [batch, Dimension(groups), inner, .product(places)])
    let filters = weights.shape[0].floorDivided(by: Dimension(groups))
    let left = try expansion.reshape(weights, [Dimension(groups), filters, inner])
    let product = try expansion.reshape(
      try expansion.matmul(left, right), Shape([batch, weights.shape[0]] + places))
    guard let bias = expansion.optionalInput(3) else { return expansion.set(0, product) }
    expansion.set(
      0,
      try expansion.pointwise(
        .operand(0) + .operand(1),
        [product, try expansion.perChannel(bias, spatialRank: 2)]))
  }

  /// Where each tap reads along an axis, in pixels.
  private func coordinates(
    _ expansion: inout Expansion, _ offsets: Operand, axis: Int, width: Int, _ grid: Shape
  ) throws(OperatorError) -> Operand {
    let strides = try spatial.strides(2), dilations = try spatial.dilations(2)
    let pads = try spatial.writtenPads(2).before
    guard let pad = pads[axis].constant else { throw OperatorError("pads are not constant") }
    let type = offsets.dataType
    let part = try expansion.reshape(
      try expansion.slice(offsets, axis: 3, start: Dimension(axis), count: 1), grid)
    func whole(_ value: Int) -> ScalarExpression { .constant(Double(value), .int64) }
    let tap = ScalarExpression.binary(
      axis == 0 ? .floorDivide : .moduloFloor, .index(axis: 2), whole(width))
    let place =
      .index(axis: 3 + axis) * whole(strides[axis]) + tap * whole(dilations[axis]) - whole(pad)
    return try expansion.pointwise(.cast(place, type) + .operand(0), [part])
  }

  /// The pixels `[N, G, H * W, C]` at coordinates `[N, G, taps, places]`, zero outside.
  private func sampled(
    _ expansion: inout Expansion, _ pixels: Operand, _ coordinates: [Operand],
    height: Dimension, width: Dimension, _ grid: Shape
  ) throws(OperatorError) -> Operand {
    let type = coordinates[0].dataType
    let extents = [height, width].map {
      expansion.symbolic([$0], TensorType(.int64, [Int]()))
    }
    var sum: Operand?
    for corner in 0..<4 {
      let steps = [corner / 2, corner % 2].map { ScalarExpression.constant(Double($0), type) }
      func position(_ axis: Int) -> ScalarExpression {
        .unary(.floor, .operand(axis)) + steps[axis]
      }
      func share(_ axis: Int) -> ScalarExpression {
        .constant(1, type) - .unary(.absolute, .operand(axis) - position(axis))
      }
      func isInside(_ axis: Int) -> ScalarExpression {
        .binary(
          .logicalAnd, .binary(.greaterOrEqual, position(axis), .constant(0, type)),
          .binary(.less, position(axis), .cast(.operand(2 + axis), type)))
      }
      let operands = coordinates + extents
      let isRead = ScalarExpression.binary(.logicalAnd, isInside(0), isInside(1))
      let row = ScalarExpression.cast(position(0), .int64)
      let column = ScalarExpression.cast(position(1), .int64)
      let indices = try expansion.pointwise(
        .select(isRead, row * .operand(3) + column, .constant(0, .int64)), operands)
      let factors = try expansion.pointwise(
        .select(isRead, share(0) * share(1), .constant(0, type)), operands)
      let values = try expansion.emit(
        .gather(.coordinates(batchAxes: 2)),
        [pixels, try expansion.reshape(indices, Shape(grid.dimensions + [1]))])
      let weighted = try expansion.pointwise(
        .operand(0) * .operand(1),
        [values, try expansion.reshape(factors, Shape(grid.dimensions + [1]))])
      sum =
        try sum.map { (sum) throws(OperatorError) in
          try expansion.pointwise(.operand(0) + .operand(1), [sum, weighted])
        } ?? weighted
    }
    guard let sum else { throw OperatorError("no corners") }
    return sum
  }
}

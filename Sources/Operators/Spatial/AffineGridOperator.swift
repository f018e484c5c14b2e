import GraphModel
import KernelModel
import TensorModel

/// The places that affine maps send a regular grid to. Source: ONNX `AffineGrid`.
struct AffineGridOperator: DataDependentOperator {
  static let spellings = [Spelling.onnx("AffineGrid")]

  private let alignsCorners: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    alignsCorners = try attributes.bool("align_corners", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let theta = try expansion.input(0), size = try expansion.input(1)
    guard theta.rank == 3, theta.dataType.isFloatingPoint, size.rank == 1,
      let rank = size.shape[0].constant ?? theta.shape[1].constant.map({ $0 + 2 }),
      rank == 4 || rank == 5
    else {
      throw OperatorError("theta is \(theta.type) for a grid given by \(size.type)")
    }
    guard let extents = expansion.dimensions(size) else {
      let unknown = expansion.unknownShape(rank: rank - 2).dimensions
      let shape = Shape([theta.shape[0]] + unknown + [Dimension(rank - 2)])
      return try emitHostOrFold(&expansion, outputs: [TensorType(theta.dataType, shape)])
    }
    let spatial = Array(extents[2...])
    let count = Dimension.product(spatial)
    var columns: [Operand] = []
    // The last axis is the first coordinate.
    for axis in spatial.indices.reversed() {
      let coordinates = try self.coordinates(
        &expansion, axis: axis, spatial: spatial, type: theta.dataType)
      columns.append(try expansion.reshape(coordinates, Shape([count, 1])))
    }
    columns.append(
      try expansion.emit(
        .pointwise(Pointwise(.constant(1, theta.dataType), shape: Shape([count, 1]))), []))
    let points = try expansion.concatenate(columns, axis: 1)
    let mapped = try expansion.matmul(points, theta, transposesB: true)
    expansion.set(
      0,
      try expansion.reshape(
        mapped, Shape([theta.shape[0]] + spatial + [Dimension(spatial.count)])))
  }

  /// For each place the coordinate along one axis, from -1 to 1.
  private func coordinates(
    _ expansion: inout Expansion, axis: Int, spatial: [Dimension], type: DataType
  ) throws(OperatorError) -> Operand {
    let extent = try expansion.cast(
      expansion.symbolic([spatial[axis]], TensorType(.int64, [Int]())), to: type)
    let index = ScalarExpression.cast(.index(axis: axis), type)
    let one = ScalarExpression.constant(1, type), two = ScalarExpression.constant(2, type)
    let place =
      alignsCorners
      ? two * index / (.operand(0) - one) - one
      : (two * index + one) / .operand(0) - one
    return try expansion.emit(.pointwise(Pointwise(place, shape: Shape(spatial))), [extent])
  }
}

package import GraphModel
import KernelModel
package import TensorModel

/// Running sums or products along an axis.
package struct CumulativeOperator: DataDependentOperator {
  package static let spellings = [Spelling.onnx("CumSum"), .onnx("CumProd")]

  private let function: Scan.Function
  private let isExclusive: Bool
  private let isReversed: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    function = attributes.name == "CumProd" ? .product : .sum
    isExclusive = try attributes.bool("exclusive", default: false)
    isReversed = try attributes.bool("reverse", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let axes = expansion.integers(try expansion.input(1)) else {
      return expansion.emitHost(outputs: [x.type])
    }
    guard axes.count == 1 else { throw OperatorError("expected one axis, found \(axes)") }
    let scan = Scan(
      function, axis: try expansion.axis(axes[0], rank: x.rank), isExclusive: isExclusive,
      isReversed: isReversed)
    expansion.set(0, try expansion.emit(.scan(scan), [x]))
  }
}

/// The largest or smallest elements of an axis, in order, and their positions.
package struct TopK: DataDependentOperator {
  package static let spellings = [Spelling.onnx("TopK")]

  private let axis: Int
  private let count: Int?
  private let isDescending: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -1)
    count = attributes.version < 10 ? try attributes.requiredInt("k") : nil
    isDescending = try attributes.bool("largest", default: true)
  }

  package func outputCount(for inputs: [Tensor?]) throws(OperatorError) -> Int { 2 }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axis = try expansion.axis(axis, rank: x.rank)
    let known: Dimension?
    if let count {
      known = Dimension(count)
    } else {
      known = expansion.dimensions(try expansion.input(1))?.first
    }
    guard let known else {
      var shape = x.shape
      shape[axis] = expansion.freshSymbol("count")
      let types = [TensorType(x.dataType, shape), TensorType(.int64, shape)]
      return expansion.emitHost(outputs: types.prefixed(expansion.outputCount))
    }
    let sort = Sort(axis: axis, count: known, descending: isDescending)
    for (index, result) in try expansion.emitAll(.sort(sort), [x]).enumerated() {
      expansion.set(index, result)
    }
  }
}

/// The first elements of each sequence of a batch in reverse order.
package struct ReverseSequence: Operator {
  package static let spellings = [Spelling.onnx("ReverseSequence")]

  private let batchAxis: Int
  private let timeAxis: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    batchAxis = try attributes.int("batch_axis", default: 1)
    timeAxis = try attributes.int("time_axis", default: 0)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let lengths = try expansion.cast(try expansion.input(1), to: .int64)
    guard x.rank >= 2, Set([batchAxis, timeAxis]) == [0, 1], lengths.rank == 1 else {
      throw OperatorError(
        "axes \(batchAxis) and \(timeAxis) of shape \(x.shape), lengths \(lengths.shape)")
    }
    let time = ScalarExpression.index(axis: timeAxis)
    let length = ScalarExpression.operand(0)
    let position = ScalarExpression.select(
      .less(time, length), length - .integer64(1) - time, time)
    let grid = [x.shape[0], x.shape[1]]
    if timeAxis == 1 {
      let column = try expansion.unsqueeze(lengths, axes: [1, 2])
      let indices = try expansion.emit(
        .pointwise(Pointwise(position, shape: Shape(grid + [1]))), [column])
      return expansion.set(
        0, try expansion.emit(.gather(.coordinates(batchAxes: 1)), [x, indices]))
    }
    let row = try expansion.unsqueeze(lengths, axes: [0, 2])
    let coordinate = ScalarExpression.select(
      .equal(.index(axis: 2), .integer64(0)), position, .index(axis: 1))
    let indices = try expansion.emit(
      .pointwise(Pointwise(coordinate, shape: Shape(grid + [2]))), [row])
    expansion.set(
      0, try expansion.emit(.gather(.coordinates(batchAxes: 0)), [x, indices]))
  }
}

package import GraphModel
import KernelModel
import TensorModel

/// Reductions over axes; those are an attribute before version 13 (ReduceSum) or 18 (the others).
package struct ReduceOperator: DataDependentOperator {
  private struct Row: Sendable {
    var name: String
    var function: Reduction.Function
    /// What the reduction of a single element computes.
    var single: ScalarExpression
  }

  private static let x = ScalarExpression.operand(0)

  private static let rows = [
    Row(name: "ReduceSum", function: .sum, single: x),
    Row(name: "ReduceMean", function: .mean, single: x),
    Row(name: "ReduceMax", function: .maximum, single: x),
    Row(name: "ReduceMin", function: .minimum, single: x),
    Row(name: "ReduceProd", function: .product, single: x),
    Row(name: "ReduceL1", function: .l1Norm, single: .unary(.absolute, x)),
    Row(name: "ReduceL2", function: .l2Norm, single: .unary(.absolute, x)),
    Row(name: "ReduceLogSum", function: .logSum, single: .unary(.logarithm, x)),
    Row(name: "ReduceLogSumExp", function: .logSumExp, single: x),
    Row(name: "ReduceSumSquare", function: .sumOfSquares, single: x * x),
  ]

  package static let spellings = rows.map { Spelling.onnx($0.name) }

  private let row: Row
  private let axes: AxesOperand
  private let keepsDimensions: Bool
  private let keepsAllWithoutAxes: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.rows.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not a reduction")
    }
    self.row = row
    axes = try AxesOperand(attributes, input: 1, since: row.function == .sum ? 13 : 18)
    keepsDimensions = try attributes.bool("keepdims", default: true)
    keepsAllWithoutAxes = try attributes.bool("noop_with_empty_axes", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var list: [Int] = []
    switch axes.resolve(expansion) {
    case .absent: break
    case .axes(let known): list = try expansion.axes(known, rank: x.rank)
    case .data(let count): return try emitUnknown(x, count, &expansion)
    }
    if list.isEmpty, !keepsAllWithoutAxes { list = Array(0..<x.rank) }
    guard !list.isEmpty else {
      guard row.single != .operand(0) else { return expansion.set(0, x) }
      return expansion.set(0, try expansion.pointwise(row.single, [x]))
    }
    var reduction = Reduction(row.function, axes: list, keepsDimensions: keepsDimensions)
    if x.dataType == .bool {
      reduction.prologue = .cast(.operand(0), .uint8)
      reduction.epilogue = .cast(.operand(0), .bool)
    }
    expansion.set(0, try expansion.emit(.reduction(reduction), [x]))
  }

  private func emitUnknown(
    _ x: Operand, _ count: Int?, _ expansion: inout Expansion
  ) throws(OperatorError) {
    if keepsDimensions {
      let shape = expansion.unknownShape(rank: x.rank)
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    guard let count else {
      throw OperatorError("the count of the axes is not known, nor is the result's rank")
    }
    let reduced = count == 0 && !keepsAllWithoutAxes ? x.rank : count
    let shape = expansion.unknownShape(rank: max(x.rank - reduced, 0))
    expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
  }
}

/// The position of an extremum along an axis.
package struct ArgumentOperator: Operator {
  package static let spellings = [Spelling.onnx("ArgMax"), .onnx("ArgMin")]

  private let function: Reduction.Function
  private let axis: Int
  private let keepsDimensions: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: 0)
    keepsDimensions = try attributes.bool("keepdims", default: true)
    let takesLast = try attributes.bool("select_last_index", default: false)
    function =
      attributes.name == "ArgMax"
      ? (takesLast ? .lastMaximum : .firstMaximum) : (takesLast ? .lastMinimum : .firstMinimum)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    if x.rank == 0, axis == 0 || axis == -1 {
      return expansion.set(0, try expansion.scalar(0, .int64))
    }
    let axis = try expansion.axis(axis, rank: x.rank)
    expansion.set(
      0, try expansion.reduce(function, x, axes: [axis], keepsDimensions: keepsDimensions))
  }
}

/// One at the first maximum along an axis (before version 13: of all axes from `axis`), zero elsewhere.
package struct Hardmax: Operator {
  package static let spellings = [Spelling.onnx("Hardmax")]

  private let axis: Int
  private let flattens: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    flattens = attributes.version < 13
    axis = try attributes.int("axis", default: flattens ? 1 : -1)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard flattens else {
      let axis = try expansion.axis(axis, rank: x.rank)
      return expansion.set(0, try mark(x, axis: axis, &expansion))
    }
    let split = axis < 0 ? axis + x.rank : axis
    guard (0...x.rank).contains(split) else {
      throw OperatorError("axis \(axis) is not in 0...\(x.rank)")
    }
    let dimensions = x.shape.dimensions
    let matrix = try expansion.reshape(
      x, [.product(dimensions[..<split]), .product(dimensions[split...])])
    let marked = try mark(matrix, axis: 1, &expansion)
    expansion.set(0, try expansion.reshape(marked, x.shape))
  }

  private func mark(
    _ x: Operand, axis: Int, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let first = try expansion.reduce(.firstMaximum, x, axes: [axis], keepsDimensions: true)
    let formula = ScalarExpression.select(
      .equal(.index(axis: axis), .operand(0)), .constant(1, x.dataType),
      .constant(0, x.dataType))
    return try expansion.emit(.pointwise(Pointwise(formula, shape: x.shape)), [first])
  }
}

package import GraphModel
import KernelModel
import TensorModel

/// Numbers from a start in steps of a delta, as far as a limit.
package struct RangeOperator: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Range")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard inputs.count == 3 else {
      throw OperatorError("expected 3 inputs, found \(inputs.count)")
    }
    try expansion.sameType(inputs)
    let type = inputs[0].dataType
    guard let count = try count(inputs, expansion) else {
      let unknown = expansion.freshSymbol("count")
      return expansion.emitHost(outputs: [TensorType(type, [unknown])])
    }
    // Small floating-point types lose whole numbers: positions are computed in float32.
    let wide: DataType = type.isFloatingPoint && type.byteCount < 4 ? .float32 : type
    var operands: [Operand] = []
    let start = try expansion.scalarTerm(inputs[0], appendingTo: &operands)
    let delta = try expansion.scalarTerm(inputs[2], appendingTo: &operands)
    func widened(_ term: ScalarExpression) -> ScalarExpression {
      wide == type ? term : .cast(term, wide)
    }
    var formula: ScalarExpression =
      wide == .int64 ? .index(axis: 0) : .cast(.index(axis: 0), wide)
    if delta != .constant(1, type) { formula = formula * widened(delta) }
    if start != .constant(0, type) { formula = widened(start) + formula }
    let range = Pointwise(wide == type ? formula : .cast(formula, type), shape: [count])
    expansion.set(0, try expansion.emit(.pointwise(range), operands))
  }

  /// How many numbers there are; nil where that is data.
  private func count(
    _ inputs: [Operand], _ expansion: Expansion
  ) throws(OperatorError) -> Dimension? {
    if inputs[0].dataType.isFloatingPoint {
      guard let start = expansion.numbers(inputs[0])?.first,
        let limit = expansion.numbers(inputs[1])?.first,
        let delta = expansion.numbers(inputs[2])?.first
      else { return nil }
      guard delta != 0, let count = Int(exactly: ((limit - start) / delta).rounded(.up)) else {
        throw OperatorError("no range from \(start) to \(limit) in steps of \(delta)")
      }
      return Dimension(max(count, 0))
    }
    guard let start = expansion.dimensions(inputs[0])?.first,
      let limit = expansion.dimensions(inputs[1])?.first,
      let delta = expansion.integers(inputs[2])?.first
    else { return nil }
    guard delta != 0, delta != Int.min else {
      throw OperatorError("the step of the range is \(delta)")
    }
    let distance = delta > 0 ? limit - start : start - limit
    let stride = delta > 0 ? Dimension(delta) : Dimension(0) - Dimension(delta)
    return .larger(distance.ceilingDivided(by: stride), 0)
  }
}

/// Ones on a diagonal of a matrix of the input's shape, zeros elsewhere.
package struct EyeLike: Operator {
  package static let spellings = [Spelling.onnx("EyeLike")]

  private let type: DataType?
  private let offset: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    type = try attributes.dataType("dtype")
    offset = try attributes.int("k", default: 0)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 2 else { throw OperatorError("input has rank \(x.rank), expected 2") }
    let type = type ?? x.dataType
    let column = ScalarExpression.index(axis: 0) + .integer64(offset)
    let formula = ScalarExpression.select(
      .equal(.index(axis: 1), column), .constant(1, type), .constant(0, type))
    expansion.set(0, try expansion.emit(.pointwise(Pointwise(formula, shape: x.shape)), []))
  }
}

/// The upper or lower triangle of matrices, zeros elsewhere.
package struct Trilu: Operator {
  package static let spellings = [Spelling.onnx("Trilu")]

  private let keepsUpper: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    keepsUpper = try attributes.bool("upper", default: true)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2 else { throw OperatorError("input has rank \(x.rank), expected 2 or more") }
    var operands = [x]
    var diagonal = ScalarExpression.index(axis: x.rank - 2)
    if let k = expansion.optionalInput(1) {
      let offset = try expansion.scalarTerm(k, appendingTo: &operands)
      if offset != .constant(0, .int64) {
        diagonal = diagonal + (k.dataType == .int64 ? offset : .cast(offset, .int64))
      }
    }
    let column = ScalarExpression.index(axis: x.rank - 1)
    let isKept: ScalarExpression =
      keepsUpper ? .greaterOrEqual(column, diagonal) : .lessOrEqual(column, diagonal)
    let formula = ScalarExpression.select(isKept, .operand(0), .constant(0, x.dataType))
    expansion.set(0, try expansion.pointwise(formula, operands))
  }
}

/// One value at the index that each element names along a new axis, another elsewhere.
package struct OneHot: DataDependentOperator {
  package static let spellings = [Spelling.onnx("OneHot")]

  private let axis: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -1)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (indices, depth) = (try expansion.input(0), try expansion.input(1))
    let values = try expansion.input(2)
    let axis = try expansion.axis(axis, rank: indices.rank + 1)
    guard values.rank == 1, values.shape[0].constant ?? 2 == 2 else {
      throw OperatorError("values have shape \(values.shape), expected 2 elements")
    }
    var shape = indices.shape
    guard let extent = try self.depth(depth, expansion) else {
      shape.dimensions.insert(expansion.freshSymbol("depth"), at: axis)
      return expansion.emitHost(outputs: [TensorType(values.dataType, shape)])
    }
    shape.dimensions.insert(extent, at: axis)
    let column = try expansion.unsqueeze(
      try expansion.cast(indices, to: .int64), axes: [axis])
    var operands = [column]
    let off = try value(0, of: values, &expansion, &operands)
    let on = try value(1, of: values, &expansion, &operands)
    let count: ScalarExpression
    if let constant = extent.constant {
      count = .integer64(constant)
    } else {
      let term = try expansion.scalarTerm(depth, appendingTo: &operands)
      count = depth.dataType == .int64 ? term : .cast(term, .int64)
    }
    let index = ScalarExpression.operand(0)
    let position = ScalarExpression.select(.less(index, .integer64(0)), index + count, index)
    let formula = ScalarExpression.select(.equal(.index(axis: axis), position), on, off)
    expansion.set(
      0, try expansion.emit(.pointwise(Pointwise(formula, shape: shape)), operands))
  }

  private func depth(
    _ operand: Operand, _ expansion: Expansion
  ) throws(OperatorError) -> Dimension? {
    if let known = expansion.dimensions(operand)?.first { return known }
    guard let number = expansion.numbers(operand)?.first else { return nil }
    guard let count = Int(exactly: number.rounded(.towardZero)), count >= 0 else {
      throw OperatorError("the depth is \(number), expected a count")
    }
    return Dimension(count)
  }

  private func value(
    _ index: Int, of values: Operand, _ expansion: inout Expansion, _ operands: inout [Operand]
  ) throws(OperatorError) -> ScalarExpression {
    let element = try expansion.slice(values, axis: 0, start: Dimension(index), count: 1)
    return try expansion.scalarTerm(element, appendingTo: &operands)
  }
}

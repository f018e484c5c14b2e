package import GraphModel
import KernelModel
import TensorModel

/// Elements added around a tensor, or cropped from it where a pad is negative.
package struct Pad: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Pad")]

  private enum Mode: Sendable { case constant, reflect, edge, wrap }

  private let mode: Mode
  private let attribute: [Int]?
  private let value: Double
  private let readsInputs: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    mode = try attributes.choice(
      "mode", default: "constant",
      ["constant": .constant, "reflect": .reflect, "edge": .edge, "wrap": .wrap])
    readsInputs = attributes.version >= 11
    let name = attributes.version == 1 ? "paddings" : "pads"
    attribute = try attributes.ints(name)
    value = try attributes.float("value", default: 0)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let (before, after) = try pads(x, expansion) else {
      return try emitUnknown(x, &expansion)
    }
    guard before.contains(where: { $0 != 0 }) || after.contains(where: { $0 != 0 }) else {
      return expansion.set(0, x)
    }
    let copyMode: Copy.PadMode
    switch mode {
    case .reflect: copyMode = .reflect
    case .edge: copyMode = .edge
    case .wrap: copyMode = .wrap
    case .constant:
      guard readsInputs, let operand = expansion.optionalInput(2) else {
        copyMode = .constant(readsInputs ? 0 : value)
        break
      }
      var operands: [Operand] = []
      let term = try expansion.scalarTerm(operand, appendingTo: &operands)
      guard case .constant(let number, _) = term else {
        return try fill(x, term, operands, before, after, &expansion)
      }
      copyMode = .constant(number)
    }
    expansion.set(
      0, try expansion.emit(.copy(.pad(copyMode, before: before, after: after)), [x]))
  }

  /// Pads with a value that is data, or an integer that no `Double` holds: by selection.
  private func fill(
    _ x: Operand, _ value: ScalarExpression, _ operands: [Operand], _ before: [Dimension],
    _ after: [Dimension], _ expansion: inout Expansion
  ) throws(OperatorError) {
    let problem = KernelProblem.copy(.pad(.constant(0), before: before, after: after))
    let ones = try expansion.emit(
      .pointwise(Pointwise(.constant(1, .bool), shape: x.shape)), [])
    let isInside = try expansion.emit(problem, [ones])
    let padded = try expansion.emit(problem, [x])
    let filling = value.substituting([.operand(2)])
    expansion.set(
      0,
      try expansion.pointwise(
        .select(.operand(0), .operand(1), filling), [isInside, padded] + operands))
  }

  private func axes(_ x: Operand, _ expansion: Expansion) throws(OperatorError) -> [Int]? {
    guard readsInputs, let operand = expansion.optionalInput(3) else { return Array(0..<x.rank) }
    guard let list = expansion.integers(operand) else { return nil }
    _ = try expansion.axes(list, rank: x.rank)
    var result: [Int] = []
    for item in list { result.append(try expansion.axis(item, rank: x.rank)) }
    return result
  }

  private func pads(
    _ x: Operand, _ expansion: Expansion
  ) throws(OperatorError) -> (before: [Dimension], after: [Dimension])? {
    let values: [Dimension]
    if readsInputs {
      guard let known = expansion.dimensions(try expansion.input(1)) else { return nil }
      values = known
    } else {
      values = (attribute ?? []).map { Dimension($0) }
    }
    guard let axes = try axes(x, expansion) else { return nil }
    guard values.count == 2 * axes.count else {
      throw OperatorError("\(values.count) pads for \(axes.count) axes")
    }
    var before = [Dimension](repeating: 0, count: x.rank)
    var after = before
    for (index, axis) in axes.enumerated() {
      before[axis] = values[index]
      after[axis] = values[index + axes.count]
    }
    return (before, after)
  }

  private func emitUnknown(
    _ x: Operand, _ expansion: inout Expansion
  ) throws(OperatorError) {
    var shape = x.shape
    for axis in try axes(x, expansion) ?? Array(0..<x.rank) {
      shape[axis] = expansion.freshSymbol("extent\(axis)")
    }
    expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
  }
}

/// Crops or pads axes with zeros around their centre, to given extents.
package struct CenterCropPad: DataDependentOperator {
  package static let spellings = [Spelling.onnx("CenterCropPad")]

  private let axes: [Int]?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axes = try attributes.ints("axes")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var resolved: [Int] = []
    for axis in axes ?? Array(0..<x.rank) {
      resolved.append(try expansion.axis(axis, rank: x.rank))
    }
    guard let target = expansion.dimensions(try expansion.input(1)) else {
      var shape = x.shape
      for axis in resolved { shape[axis] = expansion.freshSymbol("extent\(axis)") }
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    guard target.count == resolved.count else {
      throw OperatorError("\(target.count) extents for \(resolved.count) axes")
    }
    let zeros = [Dimension](repeating: 0, count: x.rank)
    var (starts, before, after) = (zeros, zeros, zeros)
    var sizes = x.shape.dimensions
    for (axis, wanted) in zip(resolved, target) {
      let extent = x.shape[axis]
      let kept = Dimension.smaller(extent, wanted)
      starts[axis] = (extent - kept).floorDivided(by: 2)
      sizes[axis] = kept
      before[axis] = (wanted - kept).floorDivided(by: 2)
      after[axis] = wanted - kept - before[axis]
    }
    var result = x
    if sizes != x.shape.dimensions {
      let steps = [Int](repeating: 1, count: x.rank)
      result = try expansion.emit(
        .copy(.slice(starts: starts, sizes: sizes, steps: steps)), [result])
    }
    if (before + after).contains(where: { $0 != 0 }) {
      result = try expansion.emit(
        .copy(.pad(.constant(0), before: before, after: after)), [result])
    }
    expansion.set(0, result)
  }
}

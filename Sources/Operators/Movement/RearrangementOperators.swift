package import GraphModel
import KernelModel
package import TensorModel

/// Axes in another order.
package struct Transpose: Operator {
  package static let spellings = [Spelling.onnx("Transpose")]

  private let permutation: [Int]?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    permutation = try attributes.ints("perm")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let permutation else {
      return expansion.set(0, try expansion.transpose(x, Array((0..<x.rank).reversed())))
    }
    var axes: [Int] = []
    for axis in permutation { axes.append(try expansion.axis(axis, rank: x.rank)) }
    expansion.set(0, try expansion.transpose(x, axes))
  }
}

/// Tensors one after the other along an axis.
package struct Concat: Operator {
  package static let spellings = [Spelling.onnx("Concat")]

  private let axis: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis =
      attributes.version < 4
      ? try attributes.int("axis", default: 1) : try attributes.requiredInt("axis")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try expansion.allInputs()
    guard let first = inputs.first else {
      throw OperatorError("expected at least one input, found none")
    }
    let resolved = try expansion.axis(axis, rank: first.rank)
    expansion.set(0, try expansion.concatenate(inputs, axis: resolved))
  }
}

/// Parts of a tensor along an axis, of given or equal extents.
package struct Split: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Split")]

  private let axis: Int
  private let attribute: [Int]?
  private let count: Int?
  private let readsInput: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: 0)
    attribute = try attributes.ints("split")
    count = try attributes.int("num_outputs")
    readsInput = attributes.version >= 13 || attributes.version == 1
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axis = try expansion.axis(axis, rank: x.rank)
    let sizes: [Dimension]
    if readsInput, let operand = expansion.optionalInput(1) {
      if let known = expansion.dimensions(operand) {
        sizes = known
      } else if let known = expansion.constant(operand)?.integers() {
        sizes = known.map { Dimension(Int($0)) }
      } else {
        return emitUnknown(x, axis: axis, &expansion)
      }
    } else if let attribute {
      sizes = attribute.map { Dimension($0) }
    } else {
      let parts = expansion.outputCount
      guard parts > 0, count ?? parts == parts else {
        throw OperatorError("\(count ?? 0) parts for \(parts) outputs")
      }
      sizes = try equalParts(of: x.shape[axis], parts)
    }
    guard sizes.count == expansion.outputCount else {
      throw OperatorError("\(sizes.count) parts for \(expansion.outputCount) outputs")
    }
    let total = sizes.reduce(0, +)
    if let parts = total.constant, let extent = x.shape[axis].constant, parts != extent {
      throw OperatorError("parts \(Shape(sizes)) do not add up to extent \(extent)")
    }
    if sizes.count == 1 { return expansion.set(0, x) }
    var start = Dimension(0)
    for (index, size) in sizes.enumerated() {
      // An empty part begins where every axis has a place for it.
      let begin = size == 0 ? 0 : start
      expansion.set(index, try expansion.slice(x, axis: axis, start: begin, count: size))
      start = start + size
    }
  }

  /// Parts of the rounded-up quotient; the last may be shorter.
  private func equalParts(
    of extent: Dimension, _ parts: Int
  ) throws(OperatorError) -> [Dimension] {
    guard let total = extent.constant else {
      let part =
        count == nil
        ? extent.floorDivided(by: Dimension(parts)) : extent.ceilingDivided(by: Dimension(parts))
      let last = extent - part * Dimension(parts - 1)
      return [Dimension](repeating: part, count: parts - 1) + [last]
    }
    let part = total / parts + (total % parts == 0 ? 0 : 1)
    guard total % parts == 0 || count != nil else {
      throw OperatorError("extent \(total) does not divide into \(parts) equal parts")
    }
    return (0..<parts).map { Dimension(min(max(total - $0 * part, 0), part)) }
  }

  private func emitUnknown(_ x: Operand, axis: Int, _ expansion: inout Expansion) {
    let types = (0..<expansion.outputCount).map { index in
      var shape = x.shape
      shape[axis] = expansion.freshSymbol("part\(index)")
      return TensorType(x.dataType, shape)
    }
    expansion.emitHost(outputs: types)
  }

  package func outputCount(for inputs: [Tensor?]) throws(OperatorError) -> Int {
    try HostInputs.integers(inputs, 1).count
  }
}

/// NumPy's broadcasting to a shape, in both directions.
package struct Expand: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Expand")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, target) = (try expansion.input(0), try expansion.input(1))
    guard let dimensions = expansion.dimensions(target) else {
      guard target.rank == 1, let rank = target.shape[0].constant, rank <= Limits().rank else {
        throw OperatorError("a shape given by \(target.type) leaves the result's rank unknown")
      }
      let unknown = expansion.unknownShape(rank: max(rank, x.rank))
      return expansion.emitHost(outputs: [TensorType(x.dataType, unknown)])
    }
    guard let shape = ShapeMath.broadcast(x.shape, Shape(dimensions)) else {
      throw OperatorError("\(x.shape) does not broadcast to \(Shape(dimensions))")
    }
    expansion.set(0, try expansion.expand(x, to: shape))
  }
}

/// Repetitions of a tensor along each axis.
package struct Tile: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Tile")]

  private let version: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) { version = attributes.version }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, operand) = (try expansion.input(0), try expansion.input(1))
    guard var repeats = expansion.dimensions(operand) else {
      let unknown = expansion.unknownShape(rank: x.rank)
      return expansion.emitHost(outputs: [TensorType(x.dataType, unknown)])
    }
    if version < 6, let list = try expansion.requiredIntegers(2, "axis"), let item = list.first,
      let count = repeats.first
    {
      repeats = [Dimension](repeating: 1, count: x.rank)
      repeats[try expansion.axis(item, rank: x.rank)] = count
    }
    guard repeats.count == x.rank else {
      throw OperatorError("\(repeats.count) repeats for shape \(x.shape)")
    }
    guard repeats.contains(where: { $0 != 1 }) else { return expansion.set(0, x) }
    expansion.set(0, try expansion.emit(.copy(.tile(repeats)), [x]))
  }
}

/// Blocks of channels laid out in space, or blocks of space in channels, of `[N, C, H, W]`.
package struct SpaceDepth: Operator {
  package static let spellings = [Spelling.onnx("DepthToSpace"), .onnx("SpaceToDepth")]

  private let block: Int
  private let putsBlockFirst: Bool
  private let isDepthToSpace: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    block = try attributes.requiredInt("blocksize")
    putsBlockFirst = try attributes.choice("mode", default: "DCR", ["DCR": true, "CRD": false])
    isDepthToSpace = attributes.name == "DepthToSpace"
    guard (1...(1 << 20)).contains(block) else {
      throw OperatorError("blocksize is \(block), expected at least 1")
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 4 else { throw OperatorError("input has rank \(x.rank), expected 4") }
    let b = Dimension(block)
    let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    for (name, extent, divisor) in isDepthToSpace
      ? [("channels", c, b * b)] : [("rows", h, b), ("columns", w, b)]
    {
      if let extent = extent.constant, let divisor = divisor.constant,
        divisor == 0
          || extent % divisor != 0
      {
        throw OperatorError("\(extent) \(name) do not divide into blocks of \(divisor)")
      }
    }
    if isDepthToSpace {
      let depth = c.floorDivided(by: b * b)
      let parts = try expansion.reshape(
        x, putsBlockFirst ? [n, b, b, depth, h, w] : [n, depth, b, b, h, w])
      let moved = try expansion.transpose(
        parts, putsBlockFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3])
      return expansion.set(0, try expansion.reshape(moved, [n, depth, h * b, w * b]))
    }
    let (rows, columns) = (h.floorDivided(by: b), w.floorDivided(by: b))
    let parts = try expansion.reshape(x, [n, c, rows, b, columns, b])
    let moved = try expansion.transpose(
      parts, putsBlockFirst ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4])
    expansion.set(0, try expansion.reshape(moved, [n, c * b * b, rows, columns]))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Blocks of space as members of the batch, and back, as older exporters write dilated convolutions.
/// Source: TensorFlow `SpaceToBatchND`, `BatchToSpaceND`.
struct TensorFlowSpaceBatches: Operator {
  static let spellings = [
    Spelling.tensorflow("SpaceToBatchND"), .tensorflow("BatchToSpaceND"),
  ]

  private let toBatch: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    toBatch = attributes.name == "SpaceToBatchND"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let blocks = try expansion.requiredIntegers(1, "block_shape"),
      let edges = try expansion.requiredIntegers(2, toBatch ? "paddings" : "crops"),
      !blocks.isEmpty, blocks.count < x.rank, edges.count == 2 * blocks.count,
      blocks.allSatisfy({ $0 > 0 }), edges.allSatisfy({ $0 >= 0 })
    else { throw OperatorError("blocks and edges do not fit x of shape \(x.shape)") }
    let sizes = blocks.map { Dimension($0) }
    let before = blocks.indices.map { Dimension(edges[2 * $0]) }
    let after = blocks.indices.map { Dimension(edges[2 * $0 + 1]) }
    expansion.set(
      0,
      toBatch
        ? try gathered(x, sizes, before, after, &expansion)
        : try spread(x, sizes, before, after, &expansion))
  }

  private func gathered(
    _ x: Operand, _ sizes: [Dimension], _ before: [Dimension], _ after: [Dimension],
    _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let count = sizes.count
    let rest = [Dimension](repeating: 0, count: x.rank - 1 - count)
    let padded = try expansion.emit(
      .copy(.pad(.constant(0), before: [0] + before + rest, after: [0] + after + rest)), [x])
    var split = [padded.shape[0]]
    var whole = [Dimension.product(sizes) * padded.shape[0]]
    for axis in 0..<count {
      let blocks = padded.shape[axis + 1].floorDivided(by: sizes[axis])
      split += [blocks, sizes[axis]]
      whole.append(blocks)
    }
    let tail = Array(padded.shape.dimensions[(count + 1)...])
    let order =
      (0..<count).map { 2 * $0 + 2 } + [0] + (0..<count).map { 2 * $0 + 1 }
      + tail.indices.map { $0 + 2 * count + 1 }
    let moved = try expansion.transpose(
      try expansion.reshape(padded, Shape(split + tail)), order)
    return try expansion.reshape(moved, Shape(whole + tail))
  }

  private func spread(
    _ x: Operand, _ sizes: [Dimension], _ before: [Dimension], _ after: [Dimension],
    _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let count = sizes.count
    let batch = x.shape[0].floorDivided(by: .product(sizes))
    let tail = Array(x.shape.dimensions[(count + 1)...])
    let split = sizes + [batch] + Array(x.shape.dimensions[1...count]) + tail
    var order = [count]
    var whole = [batch]
    for axis in 0..<count {
      order += [count + 1 + axis, axis]
      whole.append(x.shape[axis + 1] * sizes[axis])
    }
    order += tail.indices.map { $0 + 2 * count + 1 }
    let moved = try expansion.transpose(try expansion.reshape(x, Shape(split)), order)
    var result = try expansion.reshape(moved, Shape(whole + tail))
    for axis in 0..<count where before[axis] != 0 || after[axis] != 0 {
      result = try expansion.slice(
        result, axis: axis + 1, start: before[axis],
        count: result.shape[axis + 1] - before[axis] - after[axis])
    }
    return result
  }
}

/// Local response normalisation across channels. Source: TensorFlow `LRN`.
struct TensorFlowLocalResponse: Operator {
  static let spellings = [Spelling.tensorflow("LRN")]

  private let radius: Int
  private let alpha: Double
  private let beta: Double
  private let bias: Double

  init(_ attributes: AttributeReader) throws(OperatorError) {
    radius = try attributes.int("depth_radius", default: 5)
    alpha = try attributes.float("alpha", default: 1)
    beta = try attributes.float("beta", default: 0.5)
    bias = try attributes.float("bias", default: 1)
    guard (0...4096).contains(radius) else {
      throw OperatorError("attribute 'depth_radius' is \(radius)")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 4 else { throw OperatorError("x has shape \(x.shape), expected 4 axes") }
    let size = 2 * radius + 1
    let first = try expansion.transpose(x, [0, 3, 1, 2])
    let y = try expansion.emit(
      .normalization(
        Normalization(
          .localResponse(size: size, alpha: alpha * Double(size), beta: beta, bias: bias))),
      [first])
    expansion.set(0, try expansion.transpose(y, [0, 2, 3, 1]))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Rotation of pairs of features by angles that grow with the place in the sequence. Source: ONNX
/// `RotaryEmbedding`, of which ONNX Runtime's has its inputs in another order.
struct RotaryEmbeddingOperator: Operator {
  static let spellings = [
    Spelling.onnx("RotaryEmbedding", 23...99),
    Spelling.onnx(domain: "com.microsoft", "RotaryEmbedding"),
  ]

  private let isInterleaved: Bool
  private let heads: Int
  private let rotatedSize: Int
  private let hasPlacesFirst: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isInterleaved = try attributes.bool("interleaved", default: false)
    heads = try attributes.int("num_heads", default: 0)
    rotatedSize = try attributes.int("rotary_embedding_dim", default: 0)
    hasPlacesFirst = attributes.record.domain == "com.microsoft"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let input = try expansion.input(0)
    var cosines = try expansion.input(hasPlacesFirst ? 2 : 1)
    var sines = try expansion.input(hasPlacesFirst ? 3 : 2)
    let x = try split(&expansion, input, cosines)
    let sequenceAxis = input.rank == 4 ? 2 : 1
    if let places = expansion.optionalInput(hasPlacesFirst ? 1 : 3) {
      let rows = try self.places(&expansion, places, x, sequenceAxis)
      cosines = try expansion.emit(.gather(.slices(axis: 0)), [cosines, rows])
      sines = try expansion.emit(.gather(.slices(axis: 0)), [sines, rows])
    }
    guard cosines.rank == 3, sines.rank == 3 else {
      throw OperatorError("the tables have shapes \(cosines.shape) and \(sines.shape)")
    }
    // [B, S, R / 2] beside [B, H, S, D] or [B, S, H, D].
    let headAxis = 3 - sequenceAxis
    cosines = try expansion.unsqueeze(cosines, axes: [headAxis])
    sines = try expansion.unsqueeze(sines, axes: [headAxis])
    let size = x.shape[3]
    let rotated = rotatedSize > 0 ? Dimension(rotatedSize) : size
    var parts = [try rotate(&expansion, x, rotated, cosines, sines)]
    if rotated != size {
      parts.append(
        try expansion.slice(x, axis: 3, start: rotated, count: size - rotated))
    }
    let y = try expansion.concatenate(parts, axis: 3)
    expansion.set(0, try expansion.reshape(y, input.shape))
  }

  /// `[B, S, H * D]` as `[B, S, H, D]`.
  private func split(
    _ expansion: inout Expansion, _ x: Operand, _ cosines: Operand
  ) throws(OperatorError) -> Operand {
    if x.rank == 4 { return x }
    guard x.rank == 3 else {
      throw OperatorError("x has shape \(x.shape), expected three or four axes")
    }
    let size: Dimension
    if heads > 0 {
      size = x.shape[2].floorDivided(by: Dimension(heads))
    } else if hasPlacesFirst, let half = cosines.shape.dimensions.last {
      size = half * 2
    } else {
      throw OperatorError("x has three axes, and attribute 'num_heads' is missing")
    }
    return try expansion.reshape(
      x, [x.shape[0], x.shape[1], x.shape[2].floorDivided(by: size), size])
  }

  /// A place for each element of each sequence; ONNX Runtime also takes the first place alone.
  private func places(
    _ expansion: inout Expansion, _ places: Operand, _ x: Operand, _ sequenceAxis: Int
  ) throws(OperatorError) -> Operand {
    guard places.rank < 2 else { return places }
    let first = try expansion.cast(try expansion.asScalar(places), to: .int64)
    return try expansion.emit(
      .pointwise(
        Pointwise(.operand(0) + .index(axis: 1), shape: [x.shape[0], x.shape[sequenceAxis]])),
      [first])
  }

  private func rotate(
    _ expansion: inout Expansion, _ x: Operand, _ size: Dimension, _ cosines: Operand,
    _ sines: Operand
  ) throws(OperatorError) -> Operand {
    let half = size.floorDivided(by: 2)
    let first = try expansion.slice(
      x, axis: 3, start: 0, count: half, step: isInterleaved ? 2 : 1)
    let second = try expansion.slice(
      x, axis: 3, start: isInterleaved ? 1 : half, count: half, step: isInterleaved ? 2 : 1)
    let operands = [first, second, cosines, sines]
    let real = try expansion.pointwise(
      .operand(0) * .operand(2) - .operand(1) * .operand(3), operands)
    let imaginary = try expansion.pointwise(
      .operand(0) * .operand(3) + .operand(1) * .operand(2), operands)
    guard isInterleaved else { return try expansion.concatenate([real, imaginary], axis: 3) }
    let pairs = try expansion.concatenate(
      [
        try expansion.unsqueeze(real, axes: [4]), try expansion.unsqueeze(imaginary, axes: [4]),
      ], axis: 4)
    var shape = x.shape
    shape[3] = size
    return try expansion.reshape(pairs, shape)
  }
}

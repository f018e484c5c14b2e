import GraphModel
import KernelModel
import TensorModel

/// Sums of embeddings, layer normalised. Source: ONNX Runtime `EmbedLayerNormalization`.
struct EmbedLayerNormalizationOperator: Operator {
  static let spellings = [Spelling.onnx(domain: "com.microsoft", "EmbedLayerNormalization")]

  private let epsilon: Double

  init(_ attributes: AttributeReader) throws(OperatorError) {
    epsilon = try attributes.float("epsilon", default: 1e-12)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let words = try expansion.input(0)
    guard words.rank == 2 else {
      throw OperatorError("input 0 has shape \(words.shape), expected batch and sequence")
    }
    var terms = [try row(&expansion, of: try expansion.input(2), words)]
    let positions = try expansion.input(3)
    guard positions.rank == 2 else {
      throw OperatorError("input 3 has shape \(positions.shape), expected two axes")
    }
    if let places = expansion.optionalInput(8) {
      terms.append(try row(&expansion, of: positions, places))
    } else {
      terms.append(
        try expansion.slice(positions, axis: 0, start: 0, count: words.shape[1]))
    }
    if let segments = expansion.optionalInput(1), let table = expansion.optionalInput(4) {
      terms.append(try row(&expansion, of: table, segments))
    }
    let sum = try expansion.pointwise(
      (1..<terms.count).reduce(.operand(0)) { $0 + .operand($1) }, terms)
    expansion.set(
      0,
      try expansion.emit(
        .normalization(Normalization(.layer(axis: 2, epsilon: epsilon))),
        [sum, try expansion.input(5), try expansion.input(6)]))
    if expansion.wants(1) { expansion.set(1, try lengths(&expansion, words)) }
    expansion.set(2, sum)
  }

  private func row(
    _ expansion: inout Expansion, of table: Operand, _ indices: Operand
  ) throws(OperatorError) -> Operand {
    try expansion.emit(.gather(.slices(axis: 0)), [table, indices])
  }

  /// How many words of each sequence the mask counts; zeros without a mask.
  private func lengths(
    _ expansion: inout Expansion, _ words: Operand
  ) throws(OperatorError) -> Operand {
    guard let mask = expansion.optionalInput(7) else {
      return try expansion.emit(
        .pointwise(Pointwise(.constant(0, .int32), shape: [words.shape[0]])), [])
    }
    return try expansion.reduce(
      .sum, try expansion.cast(mask, to: .int32), axes: [1], keepsDimensions: false)
  }
}

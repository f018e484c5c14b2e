import GraphModel
import KernelModel
import TensorModel

/// Attention whose scores and probabilities graphs of the model's own may change. Source: ONNX
/// `FlexAttention` of the preview domain.
struct FlexAttentionOperator: Operator {
  static let spellings = [Spelling.onnx(domain: "ai.onnx.preview", "FlexAttention")]

  private let scale: Double?
  private let precision: DataType?
  private let changesScores: Graph?
  private let changesProbabilities: Graph?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    scale = try attributes.float("scale")
    precision = try attributes.optionalType("softmax_precision")
    changesScores = attributes.has("score_mod") ? try attributes.graph("score_mod") : nil
    changesProbabilities = attributes.has("prob_mod") ? try attributes.graph("prob_mod") : nil
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let q = try expansion.input(0), k = try expansion.input(1), v = try expansion.input(2)
    guard q.rank == 4, k.rank == 4, v.rank == 4 else {
      throw OperatorError("the inputs have shapes \(q.shape), \(k.shape) and \(v.shape)")
    }
    guard let factor = scale ?? q.shape[3].constant.map({ 1 / Double(max($0, 1)).squareRoot() })
    else {
      throw OperatorError("the size of a head is \(q.shape[3]); give attribute 'scale'")
    }
    if changesScores == nil, changesProbabilities == nil {
      return expansion.set(
        0, try expansion.emit(.attention(Attention(scale: factor)), [q, k, v]))
    }
    let isSmall = q.dataType == .float16 || q.dataType == .bfloat16
    let type = precision ?? (isSmall ? .float32 : q.dataType)
    let keys = try expansion.repeatedHeads(k, count: q.shape[1])
    let values = try expansion.repeatedHeads(v, count: q.shape[1])
    let product = MatrixProduct(
      transposesB: true, epilogue: .operand(0) * .constant(factor, type))
    var scores = try expansion.emit(
      .matmul(product), [try expansion.cast(q, to: type), try expansion.cast(keys, to: type)])
    scores = try changed(&expansion, scores, by: changesScores)
    var weights = try expansion.emit(.normalization(Normalization(.softmax(axis: 3))), [scores])
    weights = try changed(&expansion, weights, by: changesProbabilities)
    let y = try expansion.matmul(weights, try expansion.cast(values, to: type))
    expansion.set(0, try expansion.cast(y, to: v.dataType))
  }

  private func changed(
    _ expansion: inout Expansion, _ x: Operand, by body: Graph?
  ) throws(OperatorError) -> Operand {
    guard let body else { return x }
    let bodies = try BodyExpansion(expansion)
    let expanded: Graph
    do { expanded = try bodies.expand(body, own: [Value(name: "scores", type: x.type)]) } catch {
      throw OperatorError("in its body, \(error)")
    }
    guard expanded.outputs.count == 1 else {
      throw OperatorError("a body has \(expanded.outputs.count) outputs, expected one")
    }
    let result = expansion.inline(expanded, inputs: [x.value] + bodies.inputs)[0]
    expansion.setUntyped(0, result)
    guard let operand = expansion.results[0], operand.type == x.type else {
      throw OperatorError("a body must give a tensor of type \(x.type)")
    }
    return operand
  }
}

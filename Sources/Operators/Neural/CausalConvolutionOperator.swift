import GraphModel
import KernelModel
import TensorModel

/// Convolution of each channel with what came before, whose end is handed on to the next call. Source: ONNX
/// `CausalConvWithState`.
struct CausalConvolutionOperator: Operator {
  static let spellings = [Spelling.onnx("CausalConvWithState")]

  private let multipliesBySigmoid: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    multipliesBySigmoid = try attributes.choice(
      "activation", default: "none", ["none": false, "silu": true, "swish": true])
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0), weights = try expansion.input(1)
    guard x.rank == 3, weights.rank == 3, let channels = weights.shape[0].constant, channels > 0
    else {
      throw OperatorError("x has shape \(x.shape) and the weights \(weights.shape)")
    }
    let earlier = weights.shape[2] - 1
    let whole: Operand
    if let state = expansion.optionalInput(3) {
      whole = try expansion.concatenate([state, x], axis: 2)
    } else {
      whole = try expansion.emit(
        .copy(.pad(.constant(0), before: [0, 0, earlier], after: [0, 0, 0])), [x])
    }
    var result = ScalarExpression.operand(0)
    var inputs: [Operand?] = [whole, weights]
    if let bias = expansion.optionalInput(2) {
      inputs.append(try expansion.perChannel(bias, spatialRank: 1))
      result = result + .operand(1)
    }
    if multipliesBySigmoid { result = result * .unary(.sigmoid, result) }
    let convolution = Convolution(
      strides: [1], dilations: [1], padsBefore: [0], padsAfter: [0], groups: channels,
      epilogue: result)
    expansion.set(0, try expansion.emit(.convolution(convolution), inputs))
    expansion.set(
      1, try expansion.slice(whole, axis: 2, start: whole.shape[2] - earlier, count: earlier))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Recurrent layers. Source: ONNX `RNN`, `GRU`, `LSTM`.
struct RecurrentOperator: Operator {
  static let spellings = [Spelling.onnx("RNN"), Spelling.onnx("GRU"), Spelling.onnx("LSTM")]

  private let cell: Recurrence.Cell
  private let direction: Recurrence.Direction
  private let hiddenSize: Int?
  private let activations: [ActivationFunction]
  private let clip: Double
  private let resetsAfterLinear: Bool
  private let couplesInputAndForget: Bool
  /// Whether the batch is the first axis, of states too.
  private let isBatchFirst: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    cell = attributes.name == "LSTM" ? .lstm : attributes.name == "GRU" ? .gru : .rnn
    direction = try attributes.choice(
      "direction", default: "forward",
      ["forward": .forward, "reverse": .reverse, "bidirectional": .bidirectional])
    hiddenSize = try attributes.int("hidden_size")
    clip = try attributes.float("clip", default: 0)
    resetsAfterLinear = try attributes.bool("linear_before_reset", default: false)
    couplesInputAndForget = try attributes.bool("input_forget", default: false)
    isBatchFirst = try attributes.bool("layout", default: false)
    let usual: [String] =
      switch cell {
      case .rnn: ["Tanh"]
      case .gru: ["Sigmoid", "Tanh"]
      case .lstm: ["Sigmoid", "Tanh", "Tanh"]
      }
    let directions = direction == .bidirectional ? 2 : 1
    let names =
      try attributes.strings("activations")
      ?? Array(repeating: usual, count: directions).flatMap { $0 }
    guard names.count == usual.count * directions else {
      throw OperatorError(
        "\(names.count) activations are given, expected \(usual.count * directions)")
    }
    var alphas = try attributes.floats("activation_alpha") ?? []
    var betas = try attributes.floats("activation_beta") ?? []
    var activations: [ActivationFunction] = []
    for name in names {
      activations.append(try ActivationFunction(name, alphas: &alphas, betas: &betas))
    }
    self.activations = activations
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let recurrent = try expansion.input(2)
    guard x.rank == 3, recurrent.rank == 3, let hidden = hiddenSize ?? recurrent.shape[2].constant
    else {
      throw OperatorError("x is \(x.type) and the recurrent weights are \(recurrent.type)")
    }
    var inputs: [Operand?] = []
    for index in 0..<min(expansion.inputCount, 8) {
      inputs.append(expansion.optionalInput(index))
    }
    if isBatchFirst {
      for (index, permutation) in [(0, [1, 0, 2]), (5, [1, 0, 2]), (6, [1, 0, 2])]
      where index < inputs.count {
        guard let input = inputs[index] else { continue }
        guard input.rank == 3 else {
          throw OperatorError("input \(index) has shape \(input.shape), expected three axes")
        }
        inputs[index] = try expansion.transpose(input, permutation)
      }
    }
    let recurrence = Recurrence(
      cell: cell, direction: direction, hiddenSize: hidden,
      activations: activations.map { $0.expression(x.dataType) }, clip: clip,
      resetsAfterLinear: resetsAfterLinear, couplesInputAndForget: couplesInputAndForget)
    for (index, output) in try expansion.emitAll(.recurrence(recurrence), inputs).enumerated() {
      guard isBatchFirst, expansion.wants(index) else {
        expansion.set(index, output)
        continue
      }
      expansion.set(
        index, try expansion.transpose(output, output.rank == 4 ? [2, 0, 1, 3] : [1, 0, 2]))
    }
  }
}

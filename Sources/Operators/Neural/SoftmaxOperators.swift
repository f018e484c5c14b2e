import GraphModel
import KernelModel
import TensorModel

/// Source: ONNX `Softmax`, `LogSoftmax`. Before version 13 all axes from the given one are normalised
/// together.
struct SoftmaxOperator: Operator {
  static let spellings = [Spelling.onnx("Softmax"), Spelling.onnx("LogSoftmax")]

  private let axis: Int
  private let joinsAxes: Bool
  private let isLogarithmic: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    try self.init(attributes, version: attributes.version)
  }

  /// - Parameter version: of ONNX's operator set.
  init(_ attributes: AttributeReader, version: Int) throws(OperatorError) {
    joinsAxes = version < 13
    axis = try attributes.int("axis", default: joinsAxes ? 1 : -1)
    isLogarithmic = attributes.name == "LogSoftmax"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    expansion.set(0, try result(&expansion, try expansion.input(0)))
  }

  /// The softmax of x as this operator's attributes say.
  func result(_ expansion: inout Expansion, _ x: Operand) throws(OperatorError) -> Operand {
    // A vector may name the axis after its last one: everything is one row each.
    let axis =
      joinsAxes && axis == x.rank ? axis : try expansion.axis(axis, rank: x.rank)
    let trailing = Dimension.product(x.shape.dimensions.dropFirst(axis + 1))
    guard joinsAxes, axis == x.rank || trailing.constant != 1 else {
      return try softmax(&expansion, x, axis: axis)
    }
    let rows = Dimension.product(x.shape.dimensions[..<axis])
    let columns = Dimension.product(x.shape.dimensions[axis...])
    let flat = try expansion.reshape(x, Shape([rows, columns]))
    return try expansion.reshape(try softmax(&expansion, flat, axis: 1), x.shape)
  }

  private func softmax(
    _ expansion: inout Expansion, _ x: Operand, axis: Int
  ) throws(OperatorError) -> Operand {
    try expansion.emit(
      .normalization(Normalization(isLogarithmic ? .logSoftmax(axis: axis) : .softmax(axis: axis))),
      [x])
  }
}

/// The loss of classification. Source: ONNX `SoftmaxCrossEntropyLoss`, `NegativeLogLikelihoodLoss`.
struct ClassificationLossOperator: Operator {
  static let spellings = [
    Spelling.onnx("SoftmaxCrossEntropyLoss"), Spelling.onnx("NegativeLogLikelihoodLoss"),
  ]

  private enum Combination {
    case none, sum, mean
  }

  private let combination: Combination
  private let ignoredLabel: Int?
  private let takesLogarithm: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    combination = try attributes.choice(
      "reduction", default: "mean", ["none": .none, "sum": .sum, "mean": .mean])
    ignoredLabel = try attributes.int("ignore_index")
    takesLogarithm = attributes.name == "SoftmaxCrossEntropyLoss"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var scores = try expansion.input(0)
    let labels = try expansion.input(1)
    guard scores.rank >= 2, labels.rank == scores.rank - 1, labels.dataType.isInteger else {
      throw OperatorError("scores are \(scores.type) and labels \(labels.type)")
    }
    if takesLogarithm {
      scores = try expansion.emit(
        .normalization(Normalization(.logSoftmax(axis: 1))), [scores])
      expansion.set(1, scores)
    }
    let type = scores.dataType
    let zero = ScalarExpression.constant(0, labels.dataType)
    let isIgnored = ignoredLabel.map {
      ScalarExpression.binary(.equal, .operand(0), .constant(Double($0), labels.dataType))
    }
    // An ignored label may lie outside of the classes.
    let places =
      try isIgnored.map { (condition) throws(OperatorError) in
        try expansion.pointwise(.select(condition, zero, .operand(0)), [labels])
      } ?? labels
    let chosen = try expansion.reshape(
      try expansion.emit(
        .gather(.elements(axis: 1)), [scores, try expansion.unsqueeze(places, axes: [1])]),
      labels.shape)
    let one = ScalarExpression.constant(1, type)
    var inputs = [labels]
    var weight = one
    if let weights = expansion.optionalInput(2) {
      inputs.append(try expansion.emit(.gather(.slices(axis: 0)), [weights, places]))
      weight = .operand(1)
    }
    if let isIgnored { weight = .select(isIgnored, .constant(0, type), weight) }
    let weighting = try expansion.emit(
      .pointwise(Pointwise(weight, shape: labels.shape)), inputs)
    let loss = try expansion.pointwise(-(.operand(0) * .operand(1)), [chosen, weighting])
    expansion.set(0, try combined(&expansion, loss, weighting))
  }

  private func combined(
    _ expansion: inout Expansion, _ loss: Operand, _ weighting: Operand
  ) throws(OperatorError) -> Operand {
    let axes = Array(0..<loss.rank)
    switch combination {
    case .none: return loss
    case .sum: return try expansion.reduce(.sum, loss, axes: axes, keepsDimensions: false)
    case .mean:
      let sum = try expansion.reduce(.sum, loss, axes: axes, keepsDimensions: false)
      let weight = try expansion.reduce(.sum, weighting, axes: axes, keepsDimensions: false)
      return try expansion.pointwise(.operand(0) / .operand(1), [sum, weight])
    }
  }
}

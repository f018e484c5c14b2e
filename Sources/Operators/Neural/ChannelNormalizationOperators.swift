import GraphModel
import KernelModel
import TensorModel

/// Normalisation of each channel, or of groups of channels. Source: ONNX `InstanceNormalization`,
/// `GroupNormalization`.
struct GroupNormalizationOperator: Operator {
  static let spellings = [
    Spelling.onnx("InstanceNormalization"), Spelling.onnx("GroupNormalization"),
  ]

  private let epsilon: Double
  /// Nil: every channel for itself.
  private let groups: Int?
  /// Until version 21, scale and bias have one number for each group.
  private let scalesGroups: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    epsilon = try attributes.float("epsilon", default: 1e-5)
    groups =
      attributes.name == "GroupNormalization" ? try attributes.requiredInt("num_groups") : nil
    scalesGroups = groups != nil && attributes.version < 21
    if let groups, groups < 1 {
      throw OperatorError("attribute 'num_groups' is \(groups), expected 1 or more")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var scale = try expansion.input(1), bias = try expansion.input(2)
    guard x.rank >= 2 else {
      throw OperatorError("x has shape \(x.shape), expected batch, channels and spatial axes")
    }
    if scalesGroups, let groups {
      let channels = x.shape[1].floorDivided(by: Dimension(groups))
      scale = try repeated(&expansion, scale, channels)
      bias = try repeated(&expansion, bias, channels)
    }
    scale = try expansion.cast(scale, to: x.dataType)
    bias = try expansion.cast(bias, to: x.dataType)
    let kind = Normalization.Kind.group(
      groups: groups.map { Dimension($0) } ?? x.shape[1], epsilon: epsilon)
    expansion.set(0, try expansion.emit(.normalization(Normalization(kind)), [x, scale, bias]))
  }

  /// Every number `count` times.
  private func repeated(
    _ expansion: inout Expansion, _ vector: Operand, _ count: Dimension
  ) throws(OperatorError) -> Operand {
    guard vector.rank == 1 else {
      throw OperatorError("scale or bias has shape \(vector.shape), expected one axis")
    }
    let length = vector.shape[0]
    let column = try expansion.unsqueeze(vector, axes: [1])
    let table = try expansion.expand(column, to: Shape([length, count]))
    return try expansion.reshape(table, Shape([length * count]))
  }
}

/// Division by the norm along an axis. Source: ONNX `LpNormalization`.
struct LpNormalizationOperator: Operator {
  static let spellings = [Spelling.onnx("LpNormalization")]

  private let axis: Int
  private let order: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -1)
    order = try attributes.int("p", default: 2)
    guard order == 1 || order == 2 else {
      throw OperatorError("attribute 'p' is \(order), expected 1 or 2")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axis = try expansion.axis(axis, rank: x.rank)
    let norm = try expansion.reduce(
      order == 1 ? .l1Norm : .l2Norm, x, axes: [axis], keepsDimensions: true)
    let zero = ScalarExpression.constant(0, x.dataType)
    // Where the norm is zero, so is the result.
    expansion.set(
      0,
      try expansion.pointwise(
        .select(.binary(.equal, .operand(1), zero), zero, .operand(0) / .operand(1)), [x, norm]))
  }
}

/// Subtraction of the mean and division by the deviation. Source: ONNX `MeanVarianceNormalization`.
struct MeanVarianceNormalizationOperator: Operator {
  static let spellings = [Spelling.onnx("MeanVarianceNormalization")]

  private let axes: [Int]

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axes = try attributes.ints("axes") ?? [0, 2, 3]
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axes = try expansion.axes(axes, rank: x.rank)
    let mean = try expansion.reduce(.mean, x, axes: axes, keepsDimensions: true)
    let centered = try expansion.pointwise(.operand(0) - .operand(1), [x, mean])
    let deviation = try expansion.emit(
      .reduction(
        Reduction(
          .mean, axes: axes, keepsDimensions: true, prologue: .operand(0) * .operand(0),
          epilogue: .unary(.squareRoot, .operand(0)) + .constant(1e-9, x.dataType))), [centered])
    expansion.set(
      0, try expansion.pointwise(.operand(0) / .operand(1), [centered, deviation]))
  }
}

/// Local response normalisation. Source: ONNX `LRN`.
struct LocalResponseNormalizationOperator: Operator {
  static let spellings = [Spelling.onnx("LRN")]

  private let kind: Normalization.Kind

  init(_ attributes: AttributeReader) throws(OperatorError) {
    kind = .localResponse(
      size: try attributes.requiredInt("size"),
      alpha: try attributes.float("alpha", default: 1e-4),
      beta: try attributes.float("beta", default: 0.75),
      bias: try attributes.float("bias", default: 1))
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    expansion.set(0, try expansion.emit(.normalization(Normalization(kind)), [x]))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Normalisation by statistics of whole batches. Source: ONNX `BatchNormalization`.
struct BatchNormalizationOperator: Operator {
  static let spellings = [Spelling.onnx("BatchNormalization")]

  private let epsilon: Double
  private let momentum: Double
  private let isTraining: Bool
  private let isPerChannel: Bool
  private let version: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    epsilon = try attributes.float("epsilon", default: 1e-5)
    momentum = try attributes.float("momentum", default: 0.9)
    isTraining = try attributes.bool("training_mode", default: false)
    isPerChannel = try attributes.bool("spatial", default: true)
    version = attributes.version
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    var vectors: [Operand] = []
    for index in 1...4 { vectors.append(try expansion.input(index)) }
    guard isPerChannel, x.rank >= 2 else {
      throw OperatorError("x has shape \(x.shape), expected batch, channels and spatial axes")
    }
    if isTraining { return try expandTraining(&expansion, x, vectors) }
    for index in 1..<max(expansion.outputCount, 1) where expansion.wants(index) {
      throw OperatorError("output \(index) is that of training, which is not supported")
    }
    expansion.set(0, try normalized(&expansion, x, vectors))
  }

  /// - Parameter vectors: scale, bias, mean and variance.
  private func normalized(
    _ expansion: inout Expansion, _ x: Operand, _ vectors: [Operand]
  ) throws(OperatorError) -> Operand {
    let scale = vectors[0], bias = vectors[1], mean = vectors[2], variance = vectors[3]
    let type = mean.dataType
    let deviation = ScalarExpression.unary(
      .squareRoot, .operand(1) + .constant(epsilon, type))
    let numerator: ScalarExpression =
      scale.dataType == type ? .operand(0) : .cast(.operand(0), type)
    let factor = try expansion.pointwise(numerator / deviation, [scale, variance])
    let start: ScalarExpression = bias.dataType == type ? .operand(0) : .cast(.operand(0), type)
    let shift = try expansion.pointwise(
      start - .operand(1) * .operand(2), [bias, mean, factor])
    var terms: [Operand] = [x]
    for vector in [factor, shift] {
      terms.append(
        try expansion.perChannel(
          try expansion.cast(vector, to: x.dataType), spatialRank: x.rank - 2))
    }
    return try expansion.pointwise(.operand(0) * .operand(1) + .operand(2), terms)
  }

  private func expandTraining(
    _ expansion: inout Expansion, _ x: Operand, _ vectors: [Operand]
  ) throws(OperatorError) {
    let axes = [0] + Array(2..<x.rank)
    let channels = Shape([x.shape[1]])
    let wide = try expansion.cast(x, to: vectors[2].dataType)
    let mean = try expansion.reduce(.mean, wide, axes: axes, keepsDimensions: true)
    let centered = try expansion.pointwise(.operand(0) - .operand(1), [wide, mean])
    let squares = try expansion.pointwise(.operand(0) * .operand(0), [centered])
    let variance = try expansion.reduce(.mean, squares, axes: axes, keepsDimensions: false)
    let flatMean = try expansion.reshape(mean, channels)
    expansion.set(
      0, try normalized(&expansion, x, [vectors[0], vectors[1], flatMean, variance]))
    for (index, current) in [flatMean, variance].enumerated() {
      let type = current.dataType
      let running = try expansion.pointwise(
        .operand(0) * .constant(momentum, type) + .operand(1) * .constant(1 - momentum, type),
        [vectors[2 + index], current])
      expansion.set(1 + index, running)
    }
  }
}

/// Normalisation over the last axes. Source: ONNX `LayerNormalization` and `RMSNormalization`; ONNX Runtime
/// `SimplifiedLayerNormalization`.
struct LayerNormalizationOperator: Operator {
  static let spellings = [
    Spelling.onnx("LayerNormalization"), Spelling.onnx("RMSNormalization"),
    Spelling.onnx("SimplifiedLayerNormalization"),
    Spelling.onnx(domain: "com.microsoft", "SimplifiedLayerNormalization"),
  ]

  private let axis: Int
  private let epsilon: Double
  private let statisticsType: DataType
  private let centers: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -1)
    epsilon = try attributes.float("epsilon", default: 1e-5)
    statisticsType = try attributes.dataType("stash_type") == .bfloat16 ? .bfloat16 : .float32
    centers = attributes.name == "LayerNormalization"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let axis = try expansion.axis(axis, rank: x.rank)
    let scale = try expansion.cast(try expansion.input(1), to: x.dataType)
    let bias = expansion.optionalInput(2)
    let kind: Normalization.Kind =
      centers
      ? .layer(axis: axis, epsilon: epsilon) : .rootMeanSquare(axis: axis, epsilon: epsilon)
    expansion.set(0, try expansion.emit(.normalization(Normalization(kind)), [x, scale, bias]))
    let statistics = Statistics(axis: axis, epsilon: epsilon, type: statisticsType)
    if centers {
      try statistics.set(&expansion, of: x, mean: 1, inverseDeviation: 2)
    } else {
      try statistics.setInverseRootMeanSquare(&expansion, of: x, output: 1)
    }
  }
}

/// Layer normalisation of a sum. Source: ONNX Runtime `SkipLayerNormalization` and
/// `SkipSimplifiedLayerNormalization`.
struct SkipLayerNormalizationOperator: Operator {
  static let spellings = [
    Spelling.onnx(domain: "com.microsoft", "SkipLayerNormalization"),
    Spelling.onnx(domain: "com.microsoft", "SkipSimplifiedLayerNormalization"),
  ]

  private let epsilon: Double
  private let centers: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    epsilon = try attributes.float("epsilon", default: 1e-12)
    centers = attributes.name == "SkipLayerNormalization"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var terms = [try expansion.input(0), try expansion.input(1)]
    let scale = try expansion.input(2)
    if let bias = expansion.optionalInput(centers ? 4 : 3) { terms.append(bias) }
    let sum = try expansion.pointwise(
      terms.count == 3 ? .operand(0) + .operand(1) + .operand(2) : .operand(0) + .operand(1),
      terms)
    guard sum.rank > 0 else { throw OperatorError("x is a scalar") }
    let axis = sum.rank - 1
    let kind: Normalization.Kind =
      centers
      ? .layer(axis: axis, epsilon: epsilon) : .rootMeanSquare(axis: axis, epsilon: epsilon)
    let bias = centers ? expansion.optionalInput(3) : nil
    expansion.set(0, try expansion.emit(.normalization(Normalization(kind)), [sum, scale, bias]))
    let statistics = Statistics(axis: axis, epsilon: epsilon, type: .float32)
    if centers {
      try statistics.set(&expansion, of: sum, mean: 1, inverseDeviation: 2)
    } else {
      try statistics.setInverseRootMeanSquare(&expansion, of: sum, output: 2)
    }
    expansion.set(3, sum)
  }
}

/// The outputs of layer normalisation that only some models read.
struct Statistics {
  let axis: Int
  let epsilon: Double
  let type: DataType

  func set(
    _ expansion: inout Expansion, of x: Operand, mean meanOutput: Int, inverseDeviation: Int
  ) throws(OperatorError) {
    guard expansion.wants(meanOutput) || expansion.wants(inverseDeviation) else { return }
    let wide = try expansion.cast(x, to: type)
    let axes = Array(axis..<x.rank)
    let mean = try expansion.reduce(.mean, wide, axes: axes, keepsDimensions: true)
    let centered = try expansion.pointwise(.operand(0) - .operand(1), [wide, mean])
    expansion.set(meanOutput, mean)
    expansion.set(inverseDeviation, try inverseRoot(&expansion, centered, axes))
  }

  func setInverseRootMeanSquare(
    _ expansion: inout Expansion, of x: Operand, output: Int
  ) throws(OperatorError) {
    guard expansion.wants(output) else { return }
    let wide = try expansion.cast(x, to: type)
    expansion.set(output, try inverseRoot(&expansion, wide, Array(axis..<x.rank)))
  }

  private func inverseRoot(
    _ expansion: inout Expansion, _ x: Operand, _ axes: [Int]
  ) throws(OperatorError) -> Operand {
    let root = ScalarExpression.unary(.squareRoot, .operand(0) + .constant(epsilon, type))
    return try expansion.emit(
      .reduction(
        Reduction(
          .mean, axes: axes, keepsDimensions: true, prologue: .operand(0) * .operand(0),
          epilogue: .unary(.reciprocal, root))), [x])
  }
}

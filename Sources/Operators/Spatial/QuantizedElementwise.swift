import GraphModel
import KernelModel
import TensorModel

/// Scalar functions of quantised numbers. Source: ONNX Runtime `QLinearAdd`, `QLinearMul`,
/// `QLinearSigmoid`, `QLinearLeakyRelu`.
struct QuantizedFormulaOperator: Operator {
  static let spellings = ["QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu"].map {
    Spelling.onnx(domain: "com.microsoft", $0)
  }

  /// The function of its arguments in `float32`.
  private let formula: ScalarExpression
  private let argumentCount: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    let x = ScalarExpression.operand(0), y = ScalarExpression.operand(1)
    switch attributes.name {
    case "QLinearAdd": (formula, argumentCount) = (x + y, 2)
    case "QLinearMul": (formula, argumentCount) = (x * y, 2)
    case "QLinearSigmoid": (formula, argumentCount) = (.unary(.sigmoid, x), 1)
    default:
      let alpha = ScalarExpression.float(
        try attributes.float("alpha", default: Double(Float(0.01))))
      formula = .select(.binary(.less, x, .float(0)), alpha * x, x)
      argumentCount = 1
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var arguments: [Operand] = []
    for index in 0..<argumentCount {
      arguments.append(try expansion.quantizedInput(at: 3 * index))
    }
    let type = try expansion.input(0).dataType
    let output = 3 * argumentCount
    let result = try expansion.quantizing(
      formula, arguments, scale: try expansion.input(output),
      zeroPoint: expansion.optionalInput(output + 1), to: type)
    expansion.set(0, try expansion.pointwise(result.expression, result.inputs))
  }
}

/// Average pooling of quantised numbers. Source: ONNX Runtime `QLinearAveragePool`,
/// `QLinearGlobalAveragePool`.
struct QuantizedPoolOperator: Operator {
  static let spellings = ["QLinearAveragePool", "QLinearGlobalAveragePool"].map {
    Spelling.onnx(domain: "com.microsoft", $0)
  }

  private let spatial: SpatialAttributes
  private let isGlobal: Bool
  private let isChannelsLast: Bool
  private let countsPadding: Bool
  private let roundsUp: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    spatial = try SpatialAttributes(attributes)
    isGlobal = attributes.name == "QLinearGlobalAveragePool"
    isChannelsLast = try attributes.bool("channels_last", default: false)
    countsPadding = try attributes.bool("count_include_pad", default: false)
    roundsUp = try attributes.bool("ceil_mode", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let type = try expansion.input(0).dataType
    var x = try expansion.quantizedInput(at: 0)
    let count = try x.spatialExtents().count
    if isChannelsLast { x = try expansion.transpose(x, [0, x.rank - 1] + Array(1..<(x.rank - 1))) }
    let result = try expansion.quantizing(
      .operand(0), [], base: 1, scale: try expansion.input(3),
      zeroPoint: expansion.optionalInput(4), to: type)
    var problem = KernelProblem.reduction(
      Reduction(.mean, axes: Array(2..<x.rank), keepsDimensions: true))
    if !isGlobal {
      let kernel = try spatial.requiredKernel(count)
      let pads = try spatial.pads(
        extents: try x.spatialExtents(), kernel: kernel.map { Dimension($0) })
      problem = .window(
        Window(
          .average(countsPadding: countsPadding), kernel: kernel,
          strides: try spatial.strides(count), dilations: try spatial.dilations(count),
          padsBefore: pads.before, padsAfter: pads.after, roundsUp: roundsUp))
    }
    problem.epilogue = result.expression
    var pooled = try expansion.emit(problem, [x] + result.inputs)
    if isChannelsLast { pooled = try expansion.transpose(pooled, [0] + Array(2..<x.rank) + [1]) }
    expansion.set(0, pooled)
  }
}

/// Concatenation of numbers of several scales. Source: ONNX Runtime `QLinearConcat`.
struct QuantizedConcatOperator: Operator {
  static let spellings = [Spelling.onnx(domain: "com.microsoft", "QLinearConcat")]

  private let axis: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.requiredInt("axis")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let scale = try expansion.input(0)
    let zeroPoint = try expansion.input(1)
    guard expansion.inputCount >= 5, (expansion.inputCount - 2) % 3 == 0 else {
      throw OperatorError(
        "\(expansion.inputCount) inputs, expected a scale and zero point, then three for each part")
    }
    var parts: [Operand] = []
    for start in stride(from: 2, to: expansion.inputCount, by: 3) {
      let part = try expansion.quantizedInput(at: start)
      let result = try expansion.quantizing(
        .operand(0), [part], scale: scale, zeroPoint: zeroPoint, to: zeroPoint.dataType)
      parts.append(try expansion.pointwise(result.expression, result.inputs))
    }
    let axis = try expansion.axis(axis, rank: parts[0].rank)
    expansion.set(0, try expansion.concatenate(parts, axis: axis))
  }
}

/// Softmax of quantised numbers. Source: ONNX Runtime `QLinearSoftmax`.
struct QuantizedSoftmaxOperator: Operator {
  static let spellings = [Spelling.onnx(domain: "com.microsoft", "QLinearSoftmax")]

  private let softmax: SoftmaxOperator

  init(_ attributes: AttributeReader) throws(OperatorError) {
    softmax = try SoftmaxOperator(attributes, version: try attributes.requiredInt("opset"))
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let type = try expansion.input(0).dataType
    let probabilities = try softmax.result(&expansion, try expansion.quantizedInput(at: 0))
    let result = try expansion.quantizing(
      .operand(0), [probabilities], scale: try expansion.input(3),
      zeroPoint: expansion.optionalInput(4), to: type)
    expansion.set(0, try expansion.pointwise(result.expression, result.inputs))
  }
}

extension Expansion {
  /// Input `index` as numbers; its scale and zero point are the two inputs that follow.
  mutating func quantizedInput(at index: Int) throws(OperatorError) -> Operand {
    try dequantized(
      try input(index), scale: try input(index + 1), zeroPoint: optionalInput(index + 2))
  }
}

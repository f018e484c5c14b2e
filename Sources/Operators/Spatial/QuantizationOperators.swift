import GraphModel
import KernelModel
import TensorModel

/// Numbers as multiples of a scale. Source: ONNX `QuantizeLinear`.
struct QuantizeLinearOperator: Operator {
  static let spellings = [
    Spelling.onnx("QuantizeLinear"), Spelling.onnx(domain: "com.microsoft", "QuantizeLinear"),
  ]

  private let axis: Int
  private let blockSize: Int
  private let saturates: Bool
  private let outputType: DataType?
  private let precision: DataType?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: 1)
    blockSize = try attributes.int("block_size", default: 0)
    saturates = try attributes.bool("saturate", default: true)
    outputType = try attributes.optionalType("output_dtype")
    precision = try attributes.optionalType("precision")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let scale = try expansion.quantizationParameter(
      try expansion.input(1), for: x, axis: axis, blockSize: blockSize)
    let zeroPoint = expansion.optionalInput(2)
    let type = zeroPoint?.dataType ?? outputType ?? .uint8
    let divisionType = precision ?? scale.dataType
    func converted(_ index: Int, _ from: DataType, _ to: DataType) -> ScalarExpression {
      from == to ? .operand(index) : .cast(.operand(index), to)
    }
    var quotient =
      converted(0, x.dataType, divisionType) / converted(1, scale.dataType, divisionType)
    var inputs = [x, scale]
    if type.isFloatingPoint {
      let narrowed = Cast.formula(from: divisionType, to: type, saturates: saturates)
      return expansion.set(
        0, try expansion.pointwise(narrowed.substituting([quotient]), inputs))
    }
    if divisionType != .float32 { quotient = .cast(quotient, .float32) }
    var shift: ScalarExpression?
    if let zeroPoint, !expansion.isZero(zeroPoint) {
      inputs.append(
        try expansion.quantizationParameter(zeroPoint, for: x, axis: axis, blockSize: blockSize))
      shift = .cast(.operand(2), .float32)
    }
    expansion.set(
      0,
      try expansion.pointwise(try .requantized(quotient, zeroPoint: shift, to: type), inputs))
  }
}

/// The numbers that multiples of a scale stand for. Source: ONNX `DequantizeLinear`.
struct DequantizeLinearOperator: Operator {
  static let spellings = [
    Spelling.onnx("DequantizeLinear"), Spelling.onnx(domain: "com.microsoft", "DequantizeLinear"),
  ]

  private let axis: Int
  private let blockSize: Int
  private let outputType: DataType?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: 1)
    blockSize = try attributes.int("block_size", default: 0)
    outputType = try attributes.optionalType("output_dtype")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let scale = try expansion.quantizationParameter(
      try expansion.input(1), for: x, axis: axis, blockSize: blockSize)
    var inputs = [x, scale]
    var value = ScalarExpression.cast(.operand(0), .float32)
    if let zeroPoint = expansion.optionalInput(2), !expansion.isZero(zeroPoint) {
      try expansion.sameType([x, zeroPoint])
      inputs.append(
        try expansion.quantizationParameter(zeroPoint, for: x, axis: axis, blockSize: blockSize))
      value = value - .cast(.operand(2), .float32)
    }
    value =
      value * (scale.dataType == .float32 ? .operand(1) : .cast(.operand(1), .float32))
    let type = outputType ?? scale.dataType
    if type != .float32 { value = .cast(value, type) }
    // Numbers of 8 bits may go into a contraction as they are, and its bias into the sums.
    let isFactor = x.dataType.isByte || x.dataType == .int32
    expansion.set(
      0,
      try expansion.emit(
        .pointwise(Pointwise(value)), inputs,
        folds: !isFactor || x.shape.elementCount.constant == 1))
  }
}

/// `uint8` numbers whose scale and zero point cover the range of x. Source: ONNX `DynamicQuantizeLinear`.
struct DynamicQuantizeLinearOperator: Operator {
  static let spellings = [Spelling.onnx("DynamicQuantizeLinear")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.dataType == .float32 else {
      throw OperatorError("x is \(x.dataType), expected float32")
    }
    let axes = Array(0..<x.rank)
    let zero = ScalarExpression.float(0)
    let low = try expansion.emit(
      .reduction(
        Reduction(
          .minimum, axes: axes, keepsDimensions: false, epilogue: .minimum(.operand(0), zero))),
      [x])
    let high = try expansion.emit(
      .reduction(
        Reduction(
          .maximum, axes: axes, keepsDimensions: false, epilogue: .maximum(.operand(0), zero))),
      [x])
    let span = ScalarExpression.operand(1) - .operand(0)
    let scale = try expansion.pointwise(
      .select(.binary(.equal, span, zero), .float(1), span) / .float(255), [low, high])
    let zeroPoint = try expansion.pointwise(
      .cast(.unary(.round, .clamp(zero - .operand(0) / .operand(1), 0, 255, .float32)), .uint8),
      [low, scale])
    let y = try expansion.pointwise(
      try .requantized(
        .operand(0) / .operand(1), zeroPoint: .cast(.operand(2), .float32), to: .uint8),
      [x, scale, zeroPoint])
    expansion.set(0, y)
    expansion.set(1, scale)
    expansion.set(2, zeroPoint)
  }
}

extension AttributeReader {
  /// An element type, where the attribute names one; 0 stands for none.
  func optionalType(_ name: String) throws(OperatorError) -> DataType? {
    if case .int(0)? = record.attributes[name] { return nil }
    return try dataType(name)
  }
}

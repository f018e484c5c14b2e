import GraphModel
import KernelModel
import TensorModel

/// Matrix product of integers. Source: ONNX `MatMulInteger`, `QLinearMatMul`; ONNX Runtime `QGemm`.
struct QuantizedMatMulOperator: Operator {
  static let spellings = [
    Spelling.onnx("MatMulInteger"), Spelling.onnx("QLinearMatMul"),
    Spelling.onnx(domain: "com.microsoft", "QGemm"),
  ]

  private enum Kind { case integer, quantized, general }

  private let kind: Kind
  private let transposesA: Bool
  private let transposesB: Bool
  private let alpha: Double

  init(_ attributes: AttributeReader) throws(OperatorError) {
    switch attributes.name {
    case "MatMulInteger": kind = .integer
    case "QGemm": kind = .general
    default: kind = .quantized
    }
    transposesA = try attributes.bool("transA", default: false)
    transposesB = try attributes.bool("transB", default: false)
    alpha = try attributes.float("alpha", default: 1)
  }

  /// The inputs of all spellings.
  private struct Inputs {
    var a: Operand
    var b: Operand
    var aZero: Operand?
    var bZero: Operand?
    var aScale: Operand?
    var bScale: Operand?
    var bias: Operand?
    var outputScale: Operand?
    var outputZero: Operand?
  }

  /// A product whose sums, once corrected, are those of the operator.
  private struct Sums {
    var a: Operand
    var b: Operand
    var sum: ScalarExpression
    var inputs: [Operand]
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let inputs = try read(&expansion)
    let sums = try sums(&expansion, inputs)
    var epilogue = sums.sum
    var operands = sums.inputs
    if kind == .integer {
      epilogue = sums.a.dataType == .float32 ? .cast(sums.sum, .int32) : sums.sum
    } else {
      var scales = [inputs.aScale, inputs.bScale].compactMap { $0 }
      if alpha != 1 { scales.append(try expansion.scalar(alpha, .float32)) }
      let requantization = try Requantization(
        &expansion, scales: scales, sum: sums.sum, sumInputs: sums.inputs,
        outputScale: inputs.outputScale, zeroPoint: inputs.outputZero,
        type: inputs.outputZero?.dataType ?? inputs.a.dataType)
      (epilogue, operands) = (requantization.epilogue, requantization.inputs)
    }
    // Products of floats have kernels that write floats.
    let isFloat = sums.a.dataType == .float32
    let product = try expansion.matrixProduct(
      sums.a, sums.b, transposesA: transposesA, transposesB: transposesB,
      epilogue: isFloat ? .operand(0) : epilogue, epilogueInputs: isFloat ? [] : operands)
    expansion.set(
      0, isFloat ? try expansion.pointwise(epilogue, [product] + operands) : product)
  }

  private func read(_ expansion: inout Expansion) throws(OperatorError) -> Inputs {
    let a = try expansion.input(0)
    if kind == .integer {
      return Inputs(
        a: a, b: try expansion.input(1),
        aZero: try perRow(&expansion, expansion.optionalInput(2), a),
        bZero: try perColumn(&expansion, expansion.optionalInput(3)))
    }
    let output = kind == .general ? 7 : 6
    var inputs = Inputs(
      a: a, b: try expansion.input(3), aZero: try perRow(&expansion, expansion.optionalInput(2), a),
      bZero: try perColumn(&expansion, expansion.optionalInput(5)),
      aScale: try perRow(&expansion, try expansion.input(1), a),
      bScale: try perColumn(&expansion, try expansion.input(4)))
    if kind == .general {
      inputs.bias = expansion.optionalInput(6)
      guard a.rank == 2, inputs.b.rank == 2 else {
        throw OperatorError("a has shape \(a.shape) and b \(inputs.b.shape), expected two matrices")
      }
    } else {
      _ = try expansion.input(output)
    }
    inputs.outputScale = try expansion.optionalInput(output).map { (scale) throws(OperatorError) in
      try expansion.asScalar(scale)
    }
    inputs.outputZero = try expansion.optionalInput(output + 1).map {
      (zero) throws(OperatorError) in try expansion.asScalar(zero)
    }
    return inputs
  }

  // MARK: Sums

  private func sums(_ expansion: inout Expansion, _ inputs: Inputs) throws(OperatorError) -> Sums {
    if let sums = try integerSums(&expansion, inputs) { return sums }
    if let sums = try floatSums(&expansion, inputs) { return sums }
    return try wideSums(&expansion, inputs)
  }

  /// On 8-bit numbers as they are; nil where b is not known or sums may not fit.
  private func integerSums(
    _ expansion: inout Expansion, _ inputs: Inputs
  ) throws(OperatorError) -> Sums? {
    let b = inputs.b
    guard inputs.a.rank > 0, b.rank == 2 else { return nil }
    let correction = try ZeroPointCorrection(
      &expansion, x: inputs.a, zeroPoint: inputs.aZero, weights: b, weightZeroPoint: inputs.bZero,
      bias: inputs.bias, layout: .init(weightAxis: transposesB ? 0 : 1, trailing: 0)
    ) { (expansion) throws(OperatorError) in
      guard let depth = b.shape[transposesB ? 1 : 0].constant,
        let ones = try? Tensor([Int8](repeating: 1, count: depth), shape: [depth, 1])
      else { return nil }
      return try expansion.matrixProduct(
        inputs.a, expansion.constant(ones), transposesA: transposesA)
    }
    guard let correction else { return nil }
    return Sums(
      a: inputs.a, b: correction.weights, sum: correction.sum, inputs: correction.inputs)
  }

  /// On numbers widened to `float32`: exact as long as sums are integers that it holds. Longer sums are rounded
  /// far below a step of what they are quantised to; where they are the result, they must be exact.
  private func floatSums(
    _ expansion: inout Expansion, _ inputs: Inputs
  ) throws(OperatorError) -> Sums? {
    let a = inputs.a, b = inputs.b
    guard a.dataType.isByte, b.dataType.isByte, a.rank > 0, b.rank > 1, inputs.bias == nil else {
      return nil
    }
    if kind == .integer {
      guard let depth = a.shape[transposesA ? 0 : a.rank - 1].constant,
        depth <= (1 << 24) / (255 * 255)
      else { return nil }
    }
    return Sums(
      a: try expansion.centered(a, zeroPoint: inputs.aZero, in: .float32),
      b: try expansion.centered(b, zeroPoint: inputs.bZero, in: .float32), sum: .operand(0),
      inputs: [])
  }

  /// On numbers widened to `int32`.
  private func wideSums(
    _ expansion: inout Expansion, _ inputs: Inputs
  ) throws(OperatorError) -> Sums {
    Sums(
      a: try expansion.centered(inputs.a, zeroPoint: inputs.aZero),
      b: try expansion.centered(inputs.b, zeroPoint: inputs.bZero),
      sum: inputs.bias == nil ? .operand(0) : .operand(0) + .operand(1),
      inputs: inputs.bias.map { [$0] } ?? [])
  }

  // MARK: Scales and zero points

  /// One number, or one for each row of a.
  private func perRow(
    _ expansion: inout Expansion, _ parameter: Operand?, _ a: Operand
  ) throws(OperatorError) -> Operand? {
    guard let parameter else { return nil }
    if parameter.shape.elementCount.constant == 1 { return try expansion.asScalar(parameter) }
    guard a.rank >= 2 else {
      throw OperatorError("a scale or zero point of shape \(parameter.shape) for a vector")
    }
    return parameter.rank == 1 ? try expansion.perChannel(parameter, spatialRank: 1) : parameter
  }

  /// One number, or one for each column of b.
  private func perColumn(
    _ expansion: inout Expansion, _ parameter: Operand?
  ) throws(OperatorError) -> Operand? {
    guard let parameter else { return nil }
    return parameter.shape.elementCount.constant == 1
      ? try expansion.asScalar(parameter) : parameter
  }
}

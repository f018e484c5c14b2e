import GraphModel
import KernelModel
import TensorModel

/// NumPy's matrix product. Source: ONNX `MatMul`; ONNX Runtime `FusedMatMul`, which transposes and scales.
struct MatMulOperator: Operator {
  static let spellings = [
    Spelling.onnx("MatMul"), Spelling.onnx(domain: "com.microsoft", "FusedMatMul"),
  ]

  private let alpha: Double
  private let transposesA: Bool
  private let transposesB: Bool
  private let transposesBatchA: Bool
  private let transposesBatchB: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    alpha = try attributes.float("alpha", default: 1)
    transposesA = try attributes.bool("transA", default: false)
    transposesB = try attributes.bool("transB", default: false)
    transposesBatchA = try attributes.bool("transBatchA", default: false)
    transposesBatchB = try attributes.bool("transBatchB", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var a = try expansion.input(0), b = try expansion.input(1)
    try expansion.sameType([a, b])
    if transposesBatchA { a = try batchLast(&expansion, a) }
    if transposesBatchB { b = try batchLast(&expansion, b) }
    let result = ScalarExpression.operand(0)
    expansion.set(
      0,
      try expansion.matrixProduct(
        a, b, transposesA: transposesA && a.rank > 1, transposesB: transposesB && b.rank > 1,
        epilogue: alpha == 1 ? result : result * .constant(alpha, a.dataType)))
  }

  /// The first axis moved behind the other batch axes and the rows.
  private func batchLast(
    _ expansion: inout Expansion, _ x: Operand
  ) throws(OperatorError) -> Operand {
    guard x.rank > 2 else { return x }
    return try expansion.transpose(x, Array(1..<(x.rank - 1)) + [0, x.rank - 1])
  }
}

/// `alpha * a * b + beta * c` for matrices. Source: ONNX `Gemm`; ONNX Runtime `FusedGemm`, which applies an
/// activation.
struct GemmOperator: Operator {
  static let spellings = [
    Spelling.onnx("Gemm"), Spelling.onnx(domain: "com.microsoft", "FusedGemm"),
  ]

  private let alpha: Double
  private let beta: Double
  private let transposesA: Bool
  private let transposesB: Bool
  private let activation: ActivationFunction?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    alpha = try attributes.float("alpha", default: 1)
    beta = try attributes.float("beta", default: 1)
    transposesA = try attributes.bool("transA", default: false)
    transposesB = try attributes.bool("transB", default: false)
    let name = try attributes.string("activation", default: "")
    var parameters: [Double] = []
    for key in ["activation_alpha", "activation_beta"] {
      if let value = try attributes.float(key) { parameters.append(value) }
    }
    activation = name.isEmpty ? nil : try ActivationFunction(name, takingFrom: &parameters)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let a = try expansion.input(0), b = try expansion.input(1)
    guard a.rank == 2, b.rank == 2 else {
      throw OperatorError("a has shape \(a.shape) and b \(b.shape), expected two matrices")
    }
    func scaled(_ x: ScalarExpression, by factor: Double) -> ScalarExpression {
      factor == 1 ? x : x * .constant(factor, a.dataType)
    }
    var epilogue = scaled(.operand(0), by: alpha)
    var inputs: [Operand] = []
    if let c = expansion.optionalInput(2), beta != 0 {
      try expansion.sameType([a, b, c])
      inputs.append(c)
      epilogue = epilogue + scaled(.operand(1), by: beta)
    }
    if let activation { epilogue = activation.expression(a.dataType).substituting([epilogue]) }
    expansion.set(
      0,
      try expansion.matrixProduct(
        a, b, transposesA: transposesA, transposesB: transposesB, epilogue: epilogue,
        epilogueInputs: inputs))
  }
}

extension Expansion {
  /// The product of matrices, batches of matrices and vectors: a vector is a row on the left, a column on
  /// the right, and that axis is gone from the result.
  mutating func matrixProduct(
    _ a: Operand, _ b: Operand, transposesA: Bool = false, transposesB: Bool = false,
    epilogue: ScalarExpression = .operand(0), epilogueInputs: [Operand] = []
  ) throws(OperatorError) -> Operand {
    guard a.rank > 0, b.rank > 0 else {
      throw OperatorError("matrix product of shapes \(a.shape) and \(b.shape)")
    }
    let left = a.rank == 1 ? try unsqueeze(a, axes: [0]) : a
    let right = b.rank == 1 ? try unsqueeze(b, axes: [1]) : b
    let product = try emit(
      .matmul(
        MatrixProduct(transposesA: transposesA, transposesB: transposesB, epilogue: epilogue)),
      [left, right] + epilogueInputs)
    var dimensions = product.shape.dimensions
    if b.rank == 1 { dimensions.removeLast() }
    if a.rank == 1 { dimensions.remove(at: dimensions.count - (b.rank == 1 ? 1 : 2)) }
    return try reshape(product, Shape(dimensions))
  }
}

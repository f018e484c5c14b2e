package import TensorModel

extension DataType {
  /// Whether kernels read and write it as numbers that they compute with in single precision.
  package var isRealStorage: Bool { self == .float32 || isSixteenBitReal }

  package var isSixteenBitReal: Bool { self == .float16 || self == .bfloat16 }

  /// The nearest number of a type of 16 bits.
  package func rounded(_ value: Double) -> Double {
    isSixteenBitReal ? SmallFloat.decode(SmallFloat.encode(value, self), self) : value
  }
}

/// What kernels compute, apart from how operands and results are stored: patterns are looked for in this form.
extension ScalarExpression {
  /// The expression in single precision, but for explicit roundings inside and the result's, which storing does:
  /// operands are widened as they are read.
  ///
  /// - Parameters:
  ///   - types: of the operands.
  ///   - result: the type of the result.
  package func inSingle(_ types: [DataType], result: DataType) -> ScalarExpression {
    let singles = types.map { $0.isSixteenBitReal ? .float32 : $0 }
    var body = self
    if case .cast(let inner, result) = self, result.isSixteenBitReal { body = inner }
    return body.rewritten { part in
      switch part {
      case .constant(let value, let type) where type.isSixteenBitReal:
        .constant(type.rounded(value), .float32)
      case .cast(.cast(_, let type), .float32) where type.isSixteenBitReal: part
      case .cast(let inner, .float32)
      where inner.dataType(operands: singles) == .float32:
        inner
      default: part
      }
    }
  }

  /// An expression in single precision for operands and a result that are stored in these types.
  package func stored(_ types: [DataType], result: DataType) -> ScalarExpression {
    let body = substituting(
      types.enumerated().map {
        $1.isSixteenBitReal ? .cast(.operand($0), .float32) : .operand($0)
      })
    return result.isSixteenBitReal ? .cast(body, result) : body
  }
}

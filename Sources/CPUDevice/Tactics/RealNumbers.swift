import CPUKernelInterface
import KernelModel
import TensorModel

extension DataType {
  /// Whether kernels read and write it as numbers that they compute with in single precision.
  var isRealStorage: Bool { self == .float32 || isSixteenBitReal }

  var isSixteenBitReal: Bool { self == .float16 || self == .bfloat16 }

  /// The nearest number of a type of 16 bits.
  func rounded(_ value: Double) -> Double {
    isSixteenBitReal ? SmallFloat.decode(SmallFloat.encode(value, self), self) : value
  }
}

extension ElementFormat {
  /// The format of a type of `isRealStorage`.
  init(real type: DataType) {
    switch type {
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    default: self = .float32
    }
  }
}

extension Tensor {
  /// The element at an offset, of a type of `isRealStorage`.
  func realNumber(_ offset: Int) -> Float {
    if dataType == .float32 { return address.assumingMemoryBound(to: Float.self)[offset] }
    let bits = address.assumingMemoryBound(to: UInt16.self)[offset]
    return Float(SmallFloat.decode(bits, dataType))
  }
}

extension ScalarExpression {
  /// The expression in single precision, but for explicit roundings inside and the result's, which storing does:
  /// operands are widened as they are read.
  ///
  /// - Parameters:
  ///   - types: of the operands.
  ///   - result: the type of the result.
  func inSingle(_ types: [DataType], result: DataType) -> ScalarExpression {
    var body = self
    if case .cast(let inner, result) = self, result.isSixteenBitReal { body = inner }
    return body.rewritten { part in
      switch part {
      case .constant(let value, let type) where type.isSixteenBitReal:
        .constant(type.rounded(value), .float32)
      case .cast(.cast(_, let type), .float32) where type.isSixteenBitReal: part
      case .cast(let inner, .float32)
      where inner.dataType(operands: types)?.isRealStorage ?? true:
        inner
      default: part
      }
    }
  }
}

import CPUKernelInterface
import KernelModel
import TensorModel

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

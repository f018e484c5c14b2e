import TensorModel

extension DataType {
  /// The integer type of the same size: elements that are only moved are not looked at.
  var bits: DataType {
    switch byteCount {
    case 1: .uint8
    case 2: .uint16
    case 4: .uint32
    default: .uint64
    }
  }

  /// The element that a number is stored as, as text of the type `bits`.
  func bitsText(_ value: Double) -> String {
    let pattern: UInt64
    switch self {
    case .float64: pattern = value.bitPattern
    case .float32: pattern = UInt64(Float(value).bitPattern)
    case .float16, .bfloat16: pattern = UInt64(SmallFloat.encode(value, self))
    default: pattern = UInt64(bitPattern: integer(value))
    }
    let mask = byteCount == 8 ? UInt64.max : (1 << UInt64(8 * byteCount)) - 1
    return "(\(bits.cudaStorage ?? "uint64_t"))\(pattern & mask)ull"
  }
}

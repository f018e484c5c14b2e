/// Elements of any type as 64-bit numbers, for code that is not in a hurry.
extension Tensor {
  /// Integer and `bool` elements; nil for other types. `uint64` keeps its bits.
  package func integers() -> [Int64]? {
    func widened<T: TensorElement & FixedWidthInteger>(_ type: T.Type) -> [Int64]? {
      (try? elements(as: type))?.map { Int64(truncatingIfNeeded: $0) }
    }
    return withUnsafeBytes { bytes -> [Int64]? in
      switch dataType {
      case .int64: widened(Int64.self)
      case .int32: widened(Int32.self)
      case .int16: widened(Int16.self)
      case .uint64: widened(UInt64.self)
      case .uint32: widened(UInt32.self)
      case .uint16: widened(UInt16.self)
      case .int8, .int4, .int2: bytes.map { Int64(Int8(bitPattern: $0)) }
      case .uint8, .uint4, .uint2: bytes.map { Int64($0) }
      case .bool: bytes.map { $0 == 0 ? 0 : 1 }
      default: nil
      }
    }
  }

  /// Elements of any real type as `Double`; nil for strings and complex numbers.
  package func numbers() -> [Double]? {
    if let integers = integers() {
      return dataType == .uint64
        ? integers.map { Double(UInt64(bitPattern: $0)) } : integers.map { Double($0) }
    }
    switch dataType {
    case .float32: return (try? elements(as: Float.self))?.map { Double($0) }
    case .float64: return try? elements(as: Double.self)
    case .float16, .bfloat16, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ,
      .float8E8M0, .float4E2M1:
      return withUnsafeBytes { bytes in
        (0..<elementCount).map { index in
          let bits =
            dataType.byteCount == 2
            ? UInt16(bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
            : UInt16(bytes[index])
          return SmallFloat.decode(bits, dataType)
        }
      }
    default: return nil
    }
  }

  /// Integers stored as a type, wrapped to its width.
  package init(integers: [Int64], dataType: DataType, shape: [Int]) throws(TensorError) {
    try self.init(uninitialized: dataType, shape: shape)
    guard integers.count == elementCount else {
      throw .wrongCount(expected: elementCount, found: integers.count)
    }
    withUnsafeMutableBytes { bytes in
      for (index, value) in integers.enumerated() {
        switch dataType {
        case .int64, .uint64: bytes.storeBytes(of: value, toByteOffset: index * 8, as: Int64.self)
        case .int32, .uint32:
          bytes.storeBytes(
            of: Int32(truncatingIfNeeded: value), toByteOffset: index * 4, as: Int32.self)
        case .int16, .uint16:
          bytes.storeBytes(
            of: Int16(truncatingIfNeeded: value), toByteOffset: index * 2, as: Int16.self)
        case .bool: bytes[index] = value == 0 ? 0 : 1
        case .int4: bytes[index] = UInt8(bitPattern: Int8(truncatingIfNeeded: (value << 60) >> 60))
        case .int2: bytes[index] = UInt8(bitPattern: Int8(truncatingIfNeeded: (value << 62) >> 62))
        case .uint4: bytes[index] = UInt8(truncatingIfNeeded: value & 15)
        case .uint2: bytes[index] = UInt8(truncatingIfNeeded: value & 3)
        default: bytes[index] = UInt8(truncatingIfNeeded: value)
        }
      }
    }
  }

  /// Real numbers stored as a floating-point type, rounded to nearest even.
  package init(numbers: [Double], dataType: DataType, shape: [Int]) throws(TensorError) {
    try self.init(uninitialized: dataType, shape: shape)
    guard numbers.count == elementCount else {
      throw .wrongCount(expected: elementCount, found: numbers.count)
    }
    withUnsafeMutableBytes { bytes in
      for (index, value) in numbers.enumerated() {
        switch dataType {
        case .float32: bytes.storeBytes(of: Float(value), toByteOffset: index * 4, as: Float.self)
        case .float64: bytes.storeBytes(of: value, toByteOffset: index * 8, as: Double.self)
        case .float16, .bfloat16:
          bytes.storeBytes(
            of: SmallFloat.encode(value, dataType), toByteOffset: index * 2, as: UInt16.self)
        default: bytes[index] = UInt8(truncatingIfNeeded: SmallFloat.encode(value, dataType))
        }
      }
    }
  }
}

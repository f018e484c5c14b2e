/// The type of one element of a tensor.
///
/// Types of fewer than eight bits are stored one element per byte in memory; files pack them.
public enum DataType: String, Sendable, Hashable, CaseIterable, Codable {
  case float32, float64, float16, bfloat16
  case float8E4M3FN, float8E4M3FNUZ, float8E5M2, float8E5M2FNUZ, float8E8M0, float4E2M1
  case int64, int32, int16, int8, int4, int2
  case uint64, uint32, uint16, uint8, uint4, uint2
  case bool, string, complex64, complex128

  /// Bytes of one element in memory; zero for strings, which are not kept as bytes.
  public var byteCount: Int {
    switch self {
    case .complex128: 16
    case .float64, .int64, .uint64, .complex64: 8
    case .float32, .int32, .uint32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0, .float4E2M1,
      .int8, .int4, .int2, .uint8, .uint4, .uint2, .bool:
      1
    case .string: 0
    }
  }

  /// Whether elements are real floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float32, .float64, .float16, .bfloat16, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2,
      .float8E5M2FNUZ, .float8E8M0, .float4E2M1:
      true
    default: false
    }
  }

  /// Whether elements are integers, signed or not; `bool` is not an integer.
  public var isInteger: Bool { isSignedInteger || isUnsignedInteger }

  package var isSignedInteger: Bool {
    switch self {
    case .int64, .int32, .int16, .int8, .int4, .int2: true
    default: false
    }
  }

  package var isUnsignedInteger: Bool {
    switch self {
    case .uint64, .uint32, .uint16, .uint8, .uint4, .uint2: true
    default: false
    }
  }

  /// Significant bits of one element, as files pack it.
  package var bitCount: Int {
    switch self {
    case .int4, .uint4, .float4E2M1: 4
    case .int2, .uint2: 2
    default: byteCount * 8
    }
  }

  /// The smallest and largest value of an integer type, as 64-bit patterns.
  package var integerRange: ClosedRange<Int64>? {
    switch self {
    case .int64: Int64.min...Int64.max
    case .int32: Int64(Int32.min)...Int64(Int32.max)
    case .int16: Int64(Int16.min)...Int64(Int16.max)
    case .int8: -128...127
    case .int4: -8...7
    case .int2: -2...1
    case .uint32: 0...Int64(UInt32.max)
    case .uint16: 0...65535
    case .uint8: 0...255
    case .uint4: 0...15
    case .uint2: 0...3
    case .bool: 0...1
    default: nil
    }
  }
}

extension DataType: CustomStringConvertible {
  /// The name of the type, as messages and tables print it.
  public var description: String { rawValue }
}

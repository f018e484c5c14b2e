import Foundation
package import TensorModel

extension DataType {
  /// The type of an element in memory; nil for types that kernels do not hold.
  package var cudaStorage: String? {
    switch self {
    case .float32: "float"
    case .float64: "double"
    case .float16: "half_t"
    case .bfloat16: "bfloat_t"
    case .int64: "int64_t"
    case .int32: "int32_t"
    case .int16: "int16_t"
    case .int8, .int4, .int2: "int8_t"
    case .uint64: "uint64_t"
    case .uint32: "uint32_t"
    case .uint16: "uint16_t"
    case .uint8, .uint4, .uint2: "uint8_t"
    case .bool: "bool_t"
    case .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ, .float8E8M0, .float4E2M1,
      .string, .complex64, .complex128:
      nil
    }
  }

  /// The type that arithmetic is done in: 16-bit floating point computes in single precision and is
  /// rounded where it is stored.
  package var cudaArithmetic: String? {
    switch self {
    case .float16, .bfloat16: "float"
    case .bool: "bool"
    default: cudaStorage
    }
  }

  /// An 8-bit integer's name in matrix instructions.
  package var byteName: String { self == .int8 ? "s8" : "u8" }

  /// A type of the same size that moves without being understood.
  package var cudaBits: String? {
    switch byteCount {
    case 1: "uint8_t"
    case 2: "uint16_t"
    case 4: "uint32_t"
    case 8: "uint64_t"
    default: nil
    }
  }

  /// A number of this type as C++ text, in the type that arithmetic is done in: rounded to the type,
  /// towards zero and clamped where it is an integer type.
  package func cudaLiteral(_ value: Double) -> String {
    switch self {
    case .float64: Self.floating(value, suffix: "")
    case .float32: Self.floating(value, suffix: "f")
    case .float16, .bfloat16:
      Self.floating(SmallFloat.decode(SmallFloat.encode(value, self), self), suffix: "f")
    default: cudaLiteral(integer(value))
    }
  }

  /// A number rounded towards zero and clamped to an integer type, as 64 bits; `bool`: whether it is not
  /// 0.
  package func integer(_ value: Double) -> Int64 {
    if self == .bool { return value == 0 ? 0 : 1 }
    if value.isNaN { return 0 }
    if self == .uint64 {
      if value <= 0 { return 0 }
      return value >= 0x1p64 ? -1 : Int64(bitPattern: UInt64(value))
    }
    let range = integerRange ?? Int64.min...Int64.max
    if value >= 0x1p63 { return range.upperBound }
    if value < -0x1p63 { return range.lowerBound }
    return min(max(Int64(value), range.lowerBound), range.upperBound)
  }

  package func cudaLiteral(_ value: Int64) -> String {
    switch self {
    case .float64, .float32, .float16, .bfloat16: cudaLiteral(Double(value))
    case .bool: value != 0 ? "true" : "false"
    case .uint64: "\(UInt64(bitPattern: value))ull"
    case .int64: value == .min ? "(-9223372036854775807ll - 1)" : "(\(value)ll)"
    default: "((\(cudaStorage ?? "int32_t"))(\(value)ll))"
    }
  }

  private static func floating(_ value: Double, suffix: String) -> String {
    let isSingle = suffix == "f"
    if value.isNaN { return isSingle ? "NAN_F" : "NAN_D" }
    let rounded = isSingle ? Double(Float(value)) : value
    if rounded.isInfinite {
      return (rounded < 0 ? "(-" : "(") + (isSingle ? "INFINITY_F)" : "INFINITY_D)")
    }
    // Seventeen digits name a double, nine a float, exactly.
    let text = String(format: isSingle ? "%.9g" : "%.17g", rounded)
    let hasPoint = text.contains { $0 == "." || $0 == "e" }
    return "(\(text)\(hasPoint ? "" : ".0")\(suffix))"
  }
}

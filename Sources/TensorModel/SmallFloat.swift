/// Floating-point formats of 16 bits and fewer, as bit patterns.
///
/// Sources: IEEE 754 binary16; bfloat16; "FP8 Formats for Deep Learning" (arXiv 2209.05433); the `FNUZ`
/// variants as ONNX defines them; the OCP Microscaling formats E8M0 and E2M1.
package enum SmallFloat {
  private struct Format {
    var exponentBits: Int
    var mantissaBits: Int
    var bias: Int
    /// IEEE: an all-ones exponent is infinity or NaN.
    var isIEEE = true
    /// The pattern of NaN, without the sign; nil for none.
    var notANumber: UInt16?
    /// FNUZ: no negative zero; its pattern is NaN.
    var isUnsignedZero = false
  }

  private static func format(_ type: DataType) -> Format? {
    switch type {
    case .float16: Format(exponentBits: 5, mantissaBits: 10, bias: 15, notANumber: 0x7E00)
    case .bfloat16: Format(exponentBits: 8, mantissaBits: 7, bias: 127, notANumber: 0x7FC0)
    case .float8E5M2: Format(exponentBits: 5, mantissaBits: 2, bias: 15, notANumber: 0x7F)
    case .float8E4M3FN:
      Format(exponentBits: 4, mantissaBits: 3, bias: 7, isIEEE: false, notANumber: 0x7F)
    case .float8E4M3FNUZ:
      Format(
        exponentBits: 4, mantissaBits: 3, bias: 8, isIEEE: false, notANumber: 0x80,
        isUnsignedZero: true)
    case .float8E5M2FNUZ:
      Format(
        exponentBits: 5, mantissaBits: 2, bias: 16, isIEEE: false, notANumber: 0x80,
        isUnsignedZero: true)
    case .float4E2M1: Format(exponentBits: 2, mantissaBits: 1, bias: 1, isIEEE: false)
    default: nil
    }
  }

  /// The number that a pattern stands for; NaN for a type that is not small.
  package static func decode(_ bits: UInt16, _ type: DataType) -> Double {
    if type == .float8E8M0 { return bits == 0xFF ? .nan : scaled(1, by: Int(bits) - 127) }
    guard let format = format(type) else { return .nan }
    let width = 1 + format.exponentBits + format.mantissaBits
    let sign = (bits >> UInt16(width - 1)) & 1 == 1
    let mantissa = Int(bits & ((1 << UInt16(format.mantissaBits)) - 1))
    let exponent = Int(
      (bits >> UInt16(format.mantissaBits)) & ((1 << UInt16(format.exponentBits)) - 1))
    if format.isUnsignedZero, bits == format.notANumber { return .nan }
    if format.isIEEE, exponent == (1 << format.exponentBits) - 1 {
      return mantissa != 0 ? .nan : sign ? -.infinity : .infinity
    }
    if !format.isUnsignedZero, let pattern = format.notANumber, !format.isIEEE,
      bits & 0x7F == pattern
    {
      return .nan
    }
    let magnitude =
      exponent == 0
      ? scaled(Double(mantissa), by: 1 - format.bias - format.mantissaBits)
      : scaled(
        Double(mantissa + (1 << format.mantissaBits)),
        by: exponent - format.bias - format.mantissaBits)
    return sign ? -magnitude : magnitude
  }

  /// The nearest pattern, ties to even. A number out of range becomes infinity where the format has one and
  /// `saturates` is false, NaN where it has none, and the largest number where `saturates` is true.
  package static func encode(_ value: Double, _ type: DataType, saturates: Bool = false) -> UInt16 {
    if type == .float8E8M0 { return encodeExponent(value) }
    guard let format = format(type) else { return 0 }
    let signShift = UInt16(format.exponentBits + format.mantissaBits)
    let sign: UInt16 = value.sign == .minus ? 1 << signShift : 0
    if value.isNaN {
      guard let pattern = format.notANumber else { return sign }
      return format.isUnsignedZero ? pattern : pattern | sign
    }
    let largest = largestPattern(format)
    let magnitude = abs(value)
    var pattern: UInt16
    if magnitude.isInfinite {
      pattern = largest &+ 1
    } else {
      pattern = rounded(magnitude, format)
    }
    if pattern > largest {
      if saturates || (format.notANumber == nil) {
        pattern = largest
      } else if format.isIEEE {
        pattern = ((1 << UInt16(format.exponentBits)) - 1) << UInt16(format.mantissaBits)
      } else if let notANumber = format.notANumber {
        return format.isUnsignedZero ? notANumber : notANumber | sign
      }
    }
    if format.isUnsignedZero, pattern == 0 { return 0 }
    return pattern | sign
  }

  private static func largestPattern(_ format: Format) -> UInt16 {
    let all = (UInt16(1) << UInt16(format.exponentBits + format.mantissaBits)) &- 1
    if format.isIEEE {
      return (((1 << UInt16(format.exponentBits)) - 1) << UInt16(format.mantissaBits)) - 1
    }
    if format.isUnsignedZero || format.notANumber == nil { return all }
    return all - 1
  }

  /// The pattern of a finite magnitude, which may lie beyond the largest.
  private static func rounded(_ magnitude: Double, _ format: Format) -> UInt16 {
    if magnitude == 0 { return 0 }
    let exponent = max(Int(magnitude.exponent), 1 - format.bias)
    if exponent > 1 << format.exponentBits { return UInt16.max >> 1 }
    let steps = scaled(magnitude, by: format.mantissaBits - exponent).rounded(.toNearestOrEven)
    let pattern = Int(steps) + ((exponent + format.bias - 1) << format.mantissaBits)
    return UInt16(clamping: min(pattern, Int(UInt16.max >> 1)))
  }

  private static func encodeExponent(_ value: Double) -> UInt16 {
    if value.isNaN { return 0xFF }
    let magnitude = abs(value)
    if magnitude.isInfinite { return 0xFE }
    if magnitude == 0 { return 0 }
    var exponent = Int(magnitude.exponent)
    if magnitude.significand > 1 { exponent += 1 }
    return UInt16(clamping: min(max(exponent + 127, 0), 254))
  }

  private static func scaled(_ value: Double, by exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: value)
  }
}

import CPUKernelInterface

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Functions that are rare in models, one lane after the other.
extension VectorMachine {
  @inline(__always)
  private func lane(_ i: VectorInstruction, _ count: Int, _ f: (Float) -> Float) {
    let a = slots[Int(i.a)].assumingMemoryBound(to: Float.self)
    let target = slots[Int(i.target)].assumingMemoryBound(to: Float.self)
    for index in 0..<count { target[index] = f(a[index]) }
  }

  @inline(__always)
  private func lane(_ i: VectorInstruction, _ count: Int, _ f: (Float, Float) -> Float) {
    let a = slots[Int(i.a)].assumingMemoryBound(to: Float.self)
    let b = slots[Int(i.b)].assumingMemoryBound(to: Float.self)
    let target = slots[Int(i.target)].assumingMemoryBound(to: Float.self)
    for index in 0..<count { target[index] = f(a[index], b[index]) }
  }

  func scalarFunction(_ i: VectorInstruction, _ count: Int) {
    switch i.operation {
    case .sine: lane(i, count) { a in sinf(a) }
    case .cosine: lane(i, count) { a in cosf(a) }
    case .tangent: lane(i, count) { a in tanf(a) }
    case .arcSine: lane(i, count) { a in asinf(a) }
    case .arcCosine: lane(i, count) { a in acosf(a) }
    case .arcTangent: lane(i, count) { a in atanf(a) }
    case .hyperbolicSine: lane(i, count) { a in sinhf(a) }
    case .hyperbolicCosine: lane(i, count) { a in coshf(a) }
    case .areaSine: lane(i, count) { a in asinhf(a) }
    case .areaCosine: lane(i, count) { a in acoshf(a) }
    case .areaTangent: lane(i, count) { a in atanhf(a) }
    case .power: lane(i, count) { a, b in powf(a, b) }
    // In double, as an inexact quotient must not be rounded up to a whole number.
    case .floorDivide:
      lane(i, count) { a, b in Float((Double(a) / Double(b)).rounded(.down)) }
    case .moduloFloor:
      lane(i, count) { a, b in
        let remainder = fmodf(a, b)
        return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder
      }
    case .moduloTruncate: lane(i, count) { a, b in fmodf(a, b) }
    case .arcTangent2: lane(i, count) { a, b in atan2f(a, b) }
    default: break
    }
  }

  // MARK: - Masks and integers

  @inline(__always)
  private func lane<A: BitwiseCopyable, R: BitwiseCopyable>(
    _ i: VectorInstruction, _ count: Int, _ f: (A) -> R
  ) {
    let a = slots[Int(i.a)].assumingMemoryBound(to: A.self)
    let target = slots[Int(i.target)].assumingMemoryBound(to: R.self)
    for index in 0..<count { target[index] = f(a[index]) }
  }

  @inline(__always)
  private func lane<A: BitwiseCopyable, R: BitwiseCopyable>(
    _ i: VectorInstruction, _ count: Int, _ f: (A, A) -> R
  ) {
    let a = slots[Int(i.a)].assumingMemoryBound(to: A.self)
    let b = slots[Int(i.b)].assumingMemoryBound(to: A.self)
    let target = slots[Int(i.target)].assumingMemoryBound(to: R.self)
    for index in 0..<count { target[index] = f(a[index], b[index]) }
  }

  @inline(__always)
  private func bitwise(
    _ i: VectorInstruction, _ count: Int, _ f: (IntVector, IntVector) -> IntVector
  ) {
    each(i, count) { a, b in FloatVector(bits: f(a.bits, b.bits)) }
  }

  func conversion(_ i: VectorInstruction, _ count: Int) {
    switch i.operation {
    case .maskAnd: bitwise(i, count) { a, b in a & b }
    case .maskOr: bitwise(i, count) { a, b in a | b }
    case .maskXor: bitwise(i, count) { a, b in a ^ b }
    case .maskNot: each(i, count) { a in FloatVector(bits: ~a.bits) }
    case .select:
      each(i, count) { c, a, b in b.replacing(with: a, where: c.bits .!= IntVector.zero) }
    case .selectWide: selectWide(i, count)
    case .integer32: integer(i, count, Int32.self)
    case .integer64: integer(i, count, Int64.self)
    case .splat32:
      lane(i, count) { (_: Int32) -> Int32 in Int32(truncatingIfNeeded: i.integer) }
    case .splat64: lane(i, count) { (_: Int64) -> Int64 in i.integer }
    case .floatToMask:
      each(i, count) { a in
        FloatVector(bits: IntVector(repeating: -1).replacing(with: 0, where: a .== FloatVector(0)))
      }
    case .int32ToFloat: each(i, count) { a in FloatVector(converting: a.bits) }
    case .maskToFloat:
      each(i, count) { a in FloatVector(bits: a.bits & FloatVector(1).bits) }
    case .maskToInt32:
      each(i, count) { a in FloatVector(bits: a.bits & IntVector(repeating: 1)) }
    case .int32ToMask:
      lane(i, count) { (a: Int32) -> Int32 in a == 0 ? 0 : -1 }
    case .floatToInt32: each(i, count) { a in FloatVector(bits: a.truncatedAndSaturated) }
    case .floatToInt64: lane(i, count) { (a: Float) -> Int64 in Self.saturated(a) }
    case .int64ToFloat: lane(i, count) { (a: Int64) -> Float in Float(a) }
    case .int32ToInt64: lane(i, count) { (a: Int32) -> Int64 in Int64(a) }
    case .int64ToInt32: lane(i, count) { (a: Int64) -> Int32 in Int32(truncatingIfNeeded: a) }
    case .maskToInt64: lane(i, count) { (a: Int32) -> Int64 in Int64(a & 1) }
    case .int64ToMask: lane(i, count) { (a: Int64) -> Int32 in a == 0 ? 0 : -1 }
    case .wrap: wrap(i, count)
    case .saturate: saturate(i, count)
    case .roundTo:
      NumberConversion.round(
        slots[Int(i.a)].assumingMemoryBound(to: Float.self),
        slots[Int(i.target)].assumingMemoryBound(to: Float.self),
        i.function == ElementFormat.float16.rawValue, count)
    default: break
    }
  }

  private func selectWide(_ i: VectorInstruction, _ count: Int) {
    let c = slots[Int(i.a)].assumingMemoryBound(to: Int32.self)
    let a = slots[Int(i.b)].assumingMemoryBound(to: Int64.self)
    let b = slots[Int(i.c)].assumingMemoryBound(to: Int64.self)
    let target = slots[Int(i.target)].assumingMemoryBound(to: Int64.self)
    for index in 0..<count { target[index] = c[index] != 0 ? a[index] : b[index] }
  }

  /// Rounded towards zero and clamped; NaN gives 0.
  @inline(__always)
  private static func saturated<Result: FixedWidthInteger>(_ a: Float) -> Result {
    if a != a { return 0 }
    if a >= -Float(Result.min) { return Result.max }
    return a < Float(Result.min) ? Result.min : Result(a)
  }

  private func wrap(_ i: VectorInstruction, _ count: Int) {
    switch ElementFormat(rawValue: i.function) {
    case .int16: lane(i, count) { (a: Int32) -> Int32 in Int32(Int16(truncatingIfNeeded: a)) }
    case .uint16: lane(i, count) { (a: Int32) -> Int32 in a & 0xFFFF }
    case .int8: lane(i, count) { (a: Int32) -> Int32 in Int32(Int8(truncatingIfNeeded: a)) }
    default: lane(i, count) { (a: Int32) -> Int32 in a & 0xFF }
    }
  }

  private func saturate(_ i: VectorInstruction, _ count: Int) {
    let range: (Int32, Int32) =
      switch ElementFormat(rawValue: i.function) {
      case .int16: (-32768, 32767)
      case .uint16: (0, 65535)
      case .int8: (-128, 127)
      default: (0, 255)
      }
    let lowest = IntVector(repeating: range.0), highest = IntVector(repeating: range.1)
    each(i, count) { a in FloatVector(bits: a.bits.clamped(lowest, highest)) }
  }

  private func integer<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ i: VectorInstruction, _ count: Int, _ type: T.Type
  ) {
    switch IntegerFunction(rawValue: i.function) ?? .add {
    case .add: lane(i, count) { (a: T, b: T) -> T in a &+ b }
    case .subtract: lane(i, count) { (a: T, b: T) -> T in a &- b }
    case .multiply: lane(i, count) { (a: T, b: T) -> T in a &* b }
    case .minimum: lane(i, count) { (a: T, b: T) -> T in min(a, b) }
    case .maximum: lane(i, count) { (a: T, b: T) -> T in max(a, b) }
    case .and: lane(i, count) { (a: T, b: T) -> T in a & b }
    case .or: lane(i, count) { (a: T, b: T) -> T in a | b }
    case .xor: lane(i, count) { (a: T, b: T) -> T in a ^ b }
    case .negate: lane(i, count) { (a: T) -> T in 0 &- a }
    case .absolute: lane(i, count) { (a: T) -> T in a < 0 ? 0 &- a : a }
    case .not: lane(i, count) { (a: T) -> T in ~a }
    case .equal: lane(i, count) { (a: T, b: T) -> Int32 in a == b ? -1 : 0 }
    case .notEqual: lane(i, count) { (a: T, b: T) -> Int32 in a != b ? -1 : 0 }
    case .less: lane(i, count) { (a: T, b: T) -> Int32 in a < b ? -1 : 0 }
    case .lessOrEqual: lane(i, count) { (a: T, b: T) -> Int32 in a <= b ? -1 : 0 }
    case .greater: lane(i, count) { (a: T, b: T) -> Int32 in a > b ? -1 : 0 }
    case .greaterOrEqual: lane(i, count) { (a: T, b: T) -> Int32 in a >= b ? -1 : 0 }
    }
  }
}

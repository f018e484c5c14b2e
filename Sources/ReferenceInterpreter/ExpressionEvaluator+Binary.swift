import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension ExpressionEvaluator {
  func binary(_ function: BinaryFunction, _ a: Int, _ b: Int, into node: Int, count: Int) {
    let type = dataType(a)
    if type.isFloatingPoint {
      if function.isComparison {
        compare(function, doubles(a), doubles(b), integers(node), count)
      } else {
        real(function, doubles(a), doubles(b), doubles(node), count)
      }
    } else if type == .uint64 {
      func unsigned(_ index: Int) -> UnsafeMutablePointer<UInt64> {
        UnsafeMutableRawPointer(integers(index)).assumingMemoryBound(to: UInt64.self)
      }
      if function.isComparison {
        compare(function, unsigned(a), unsigned(b), integers(node), count)
      } else {
        integer(function, unsigned(a), unsigned(b), unsigned(node), count)
      }
    } else if function.isComparison {
      compare(function, integers(a), integers(b), integers(node), count)
    } else {
      let result = integers(node)
      integer(function, integers(a), integers(b), result, count)
      for i in 0..<count { result[i] = Conversion.wrapped(result[i], type) }
    }
  }

  @inline(__always)
  private func each<A, R>(
    _ count: Int, _ x: UnsafePointer<A>, _ y: UnsafePointer<A>, _ r: UnsafeMutablePointer<R>,
    _ f: (A, A) -> R
  ) {
    for i in 0..<count { r[i] = f(x[i], y[i]) }
  }

  private func compare<T: Comparable>(
    _ function: BinaryFunction, _ x: UnsafePointer<T>, _ y: UnsafePointer<T>,
    _ r: UnsafeMutablePointer<Int64>, _ count: Int
  ) {
    switch function {
    case .equal: each(count, x, y, r) { $0 == $1 ? 1 : 0 }
    case .notEqual: each(count, x, y, r) { $0 != $1 ? 1 : 0 }
    case .less: each(count, x, y, r) { $0 < $1 ? 1 : 0 }
    case .lessOrEqual: each(count, x, y, r) { $0 <= $1 ? 1 : 0 }
    case .greater: each(count, x, y, r) { $0 > $1 ? 1 : 0 }
    default: each(count, x, y, r) { $0 >= $1 ? 1 : 0 }
    }
  }

  private func real(
    _ function: BinaryFunction, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>,
    _ r: UnsafeMutablePointer<Double>, _ count: Int
  ) {
    switch function {
    case .add: each(count, x, y, r) { $0 + $1 }
    case .subtract: each(count, x, y, r) { $0 - $1 }
    case .multiply: each(count, x, y, r) { $0 * $1 }
    case .divide: each(count, x, y, r) { $0 / $1 }
    case .floorDivide: each(count, x, y, r) { ($0 / $1).rounded(.down) }
    case .moduloFloor:
      each(count, x, y, r) {
        let remainder = fmod($0, $1)
        return remainder != 0 && (remainder < 0) != ($1 < 0) ? remainder + $1 : remainder
      }
    case .moduloTruncate: each(count, x, y, r) { fmod($0, $1) }
    case .power: each(count, x, y, r) { pow($0, $1) }
    case .minimum: each(count, x, y, r) { $0.isNaN || $0 < $1 ? $0 : $1 }
    case .maximum: each(count, x, y, r) { $0.isNaN || $0 > $1 ? $0 : $1 }
    case .arcTangent2: each(count, x, y, r) { atan2($0, $1) }
    case .bitwiseAnd, .bitwiseOr, .bitwiseXor, .shiftLeft, .shiftRight, .logicalAnd, .logicalOr,
      .logicalXor, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual:
      each(count, x, y, r) { _, _ in .nan }
    }
  }

  private func integer<T: FixedWidthInteger>(
    _ function: BinaryFunction, _ x: UnsafePointer<T>, _ y: UnsafePointer<T>,
    _ r: UnsafeMutablePointer<T>, _ count: Int
  ) {
    switch function {
    case .add: each(count, x, y, r) { $0 &+ $1 }
    case .subtract: each(count, x, y, r) { $0 &- $1 }
    case .multiply: each(count, x, y, r) { $0 &* $1 }
    case .divide: each(count, x, y, r) { Self.quotient($0, $1) }
    case .floorDivide:
      each(count, x, y, r) {
        let quotient = Self.quotient($0, $1)
        let isInexact = $1 != 0 && quotient &* $1 != $0
        return isInexact && ($0 < 0) != ($1 < 0) ? quotient &- 1 : quotient
      }
    case .moduloFloor:
      each(count, x, y, r) {
        let remainder = Self.remainder($0, $1)
        return remainder != 0 && (remainder < 0) != ($1 < 0) ? remainder &+ $1 : remainder
      }
    case .moduloTruncate: each(count, x, y, r) { Self.remainder($0, $1) }
    case .power: each(count, x, y, r) { Self.power($0, $1) }
    case .minimum: each(count, x, y, r) { min($0, $1) }
    case .maximum: each(count, x, y, r) { max($0, $1) }
    case .arcTangent2: each(count, x, y, r) { T(atan2(Double($0), Double($1))) }
    case .bitwiseAnd, .logicalAnd: each(count, x, y, r) { $0 & $1 }
    case .bitwiseOr, .logicalOr: each(count, x, y, r) { $0 | $1 }
    case .bitwiseXor, .logicalXor: each(count, x, y, r) { $0 ^ $1 }
    case .shiftLeft: each(count, x, y, r) { $0 << $1 }
    case .shiftRight: each(count, x, y, r) { $0 >> $1 }
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: break
    }
  }

  @inline(__always)
  private static func quotient<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    b == 0 ? 0 : a.dividedReportingOverflow(by: b).partialValue
  }

  @inline(__always)
  private static func remainder<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    b == 0 ? 0 : a &- quotient(a, b) &* b
  }

  /// The power modulo 2^64; with a negative exponent, the reciprocal rounded towards zero.
  private static func power<T: FixedWidthInteger>(_ base: T, _ exponent: T) -> T {
    if exponent < 0 {
      if base == 1 { return 1 }
      guard T.isSigned, base == 0 &- 1 else { return 0 }
      return exponent & 1 == 0 ? 1 : base
    }
    var result: T = 1
    var square = base
    var rest = exponent
    while rest > 0 {
      if rest & 1 == 1 { result = result &* square }
      square = square &* square
      rest >>= 1
    }
    return result
  }
}

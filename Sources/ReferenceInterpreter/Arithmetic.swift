/// Numbers that sums of products are accumulated in; integers wrap.
protocol Accumulator: BitwiseCopyable, Comparable {
  static var zero: Self { get }
  static func sum(_ a: Self, _ b: Self) -> Self
  static func product(_ a: Self, _ b: Self) -> Self
}

extension Double: Accumulator {
  @inline(__always) static func sum(_ a: Double, _ b: Double) -> Double { a + b }
  @inline(__always) static func product(_ a: Double, _ b: Double) -> Double { a * b }
}

extension Int64: Accumulator {
  @inline(__always) static func sum(_ a: Int64, _ b: Int64) -> Int64 { a &+ b }
  @inline(__always) static func product(_ a: Int64, _ b: Int64) -> Int64 { a &* b }
}

/// `target[i * targetStride] += factor * source[i * sourceStride]`.
@inline(__always)
func accumulate<Value: Accumulator>(
  _ factor: Value, _ source: UnsafePointer<Value>, _ sourceStride: Int,
  into target: UnsafeMutablePointer<Value>, _ targetStride: Int, count: Int
) {
  if sourceStride == 1, targetStride == 1 {
    for i in 0..<count {
      target[i] = .sum(target[i], .product(factor, source[i]))
    }
  } else {
    for i in 0..<count {
      target[i * targetStride] = .sum(
        target[i * targetStride], .product(factor, source[i * sourceStride]))
    }
  }
}

/// The quotient rounded towards minus infinity, of a positive divisor.
func floorDivide(_ a: Int, _ b: Int) -> Int {
  let quotient = a / b
  return a % b < 0 ? quotient - 1 : quotient
}

/// The quotient rounded towards infinity, of a positive divisor.
func ceilingDivide(_ a: Int, _ b: Int) -> Int { -floorDivide(-a, b) }

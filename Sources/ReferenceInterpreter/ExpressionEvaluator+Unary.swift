import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension ExpressionEvaluator {
  func unary(_ function: UnaryFunction, _ a: Int, into node: Int, count: Int) {
    let type = dataType(a)
    if type.isFloatingPoint {
      if dataType(node) == .bool, function != .logicalNot {
        test(function, doubles(a), integers(node), count)
      } else {
        real(function, doubles(a), doubles(node), count)
      }
    } else {
      integer(function, integers(a), integers(node), type, count)
    }
  }

  private func test(
    _ function: UnaryFunction, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Int64>,
    _ count: Int
  ) {
    switch function {
    case .isNaN: each(count, x, y) { $0.isNaN ? 1 : 0 }
    case .isPositiveInfinite: each(count, x, y) { $0 == .infinity ? 1 : 0 }
    case .isNegativeInfinite: each(count, x, y) { $0 == -.infinity ? 1 : 0 }
    default: each(count, x, y) { $0.isInfinite ? 1 : 0 }
    }
  }

  private func real(
    _ function: UnaryFunction, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>,
    _ count: Int
  ) {
    switch function {
    case .negate: each(count, x, y) { -$0 }
    case .absolute: each(count, x, y) { abs($0) }
    case .sign: each(count, x, y) { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
    case .reciprocal: each(count, x, y) { 1 / $0 }
    case .squareRoot: each(count, x, y) { $0.squareRoot() }
    case .reciprocalSquareRoot: each(count, x, y) { 1 / $0.squareRoot() }
    case .exponential: each(count, x, y) { exp($0) }
    case .logarithm: each(count, x, y) { log($0) }
    case .logarithm1p: each(count, x, y) { log1p($0) }
    case .exponentialMinus1: each(count, x, y) { expm1($0) }
    case .sine: each(count, x, y) { sin($0) }
    case .cosine: each(count, x, y) { cos($0) }
    case .tangent: each(count, x, y) { tan($0) }
    case .arcSine: each(count, x, y) { asin($0) }
    case .arcCosine: each(count, x, y) { acos($0) }
    case .arcTangent: each(count, x, y) { atan($0) }
    case .hyperbolicSine: each(count, x, y) { sinh($0) }
    case .hyperbolicCosine: each(count, x, y) { cosh($0) }
    case .hyperbolicTangent: each(count, x, y) { tanh($0) }
    case .areaSine: each(count, x, y) { asinh($0) }
    case .areaCosine: each(count, x, y) { acosh($0) }
    case .areaTangent: each(count, x, y) { atanh($0) }
    case .sigmoid: each(count, x, y) { 1 / (1 + exp(-$0)) }
    case .errorFunction: each(count, x, y) { erf($0) }
    case .floor: each(count, x, y) { $0.rounded(.down) }
    case .ceiling: each(count, x, y) { $0.rounded(.up) }
    case .round: each(count, x, y) { $0.rounded(.toNearestOrEven) }
    case .truncate: each(count, x, y) { $0.rounded(.towardZero) }
    case .logicalNot, .bitwiseNot, .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
      each(count, x, y) { _ in .nan }
    }
  }

  private func integer(
    _ function: UnaryFunction, _ x: UnsafePointer<Int64>, _ y: UnsafeMutablePointer<Int64>,
    _ type: DataType, _ count: Int
  ) {
    let isUnsigned = type == .uint64
    switch function {
    case .negate: each(count, x, y) { Conversion.wrapped(0 &- $0, type) }
    case .absolute:
      each(count, x, y) { $0 < 0 && !isUnsigned ? Conversion.wrapped(0 &- $0, type) : $0 }
    case .sign: each(count, x, y) { $0 == 0 ? 0 : $0 < 0 && !isUnsigned ? -1 : 1 }
    case .reciprocal: each(count, x, y) { $0 == 1 || $0 == -1 && !isUnsigned ? $0 : 0 }
    case .floor, .ceiling, .round, .truncate: each(count, x, y) { $0 }
    case .logicalNot: each(count, x, y) { $0 == 0 ? 1 : 0 }
    case .bitwiseNot:
      each(count, x, y) { type == .bool ? 1 - $0 : Conversion.wrapped(~$0, type) }
    case .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
      each(count, x, y) { _ in 0 }
    default:
      var values = (0..<count).map {
        isUnsigned ? Double(UInt64(bitPattern: x[$0])) : Double(x[$0])
      }
      values.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        real(function, base, base, count)
        each(count, base, y) { Conversion.integer($0, type) }
      }
    }
  }

  @inline(__always)
  private func each<A, R>(
    _ count: Int, _ x: UnsafePointer<A>, _ y: UnsafeMutablePointer<R>, _ f: (A) -> R
  ) {
    for i in 0..<count { y[i] = f(x[i]) }
  }

  // MARK: - Casts

  func cast(_ a: Int, into node: Int, count: Int) {
    let source = dataType(a), target = dataType(node)
    switch (source.isFloatingPoint, target.isFloatingPoint) {
    case (true, true):
      let saturates = target.byteCount == 1
      each(count, doubles(a), doubles(node)) {
        Conversion.rounded($0, target, saturates: saturates)
      }
    case (true, false): each(count, doubles(a), integers(node)) { Conversion.integer($0, target) }
    case (false, false): each(count, integers(a), integers(node)) { Conversion.wrapped($0, target) }
    case (false, true):
      let isUnsigned = source == .uint64
      each(count, integers(a), doubles(node)) {
        if target == .float32 {
          return Double(isUnsigned ? Float(UInt64(bitPattern: $0)) : Float($0))
        }
        let value = isUnsigned ? Double(UInt64(bitPattern: $0)) : Double($0)
        return Conversion.rounded(value, target, saturates: target.byteCount == 1)
      }
    }
  }
}

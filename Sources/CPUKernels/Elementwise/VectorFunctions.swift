#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// Functions of vectors, accurate to about two units in the last place; infinities and NaN are as in C.
///
/// Polynomials are fits of least maximum relative error over the range named beside them.
enum VectorFunction {
  // MARK: - Exponential

  /// `x = n * log(2) + remainder`; the whole number `n` as a float, and in the low bits of `shifted`.
  @inline(__always)
  private static func reduced(
    _ x: FloatVector
  ) -> (shifted: FloatVector, n: FloatVector, remainder: FloatVector) {
    // Adding 1.5 * 2^23 rounds to a whole number.
    let magic = FloatVector(12_582_912)
    let shifted = x.multiplyAdd(FloatVector(1.442_695_04), magic)
    let n = shifted - magic
    let high = n.multiplyAdd(FloatVector(-0.693_359_375), x)
    return (shifted, n, n.multiplyAdd(FloatVector(2.121_944_4e-4), high))
  }

  /// `exp(r) - 1` for `|r| <= log(2) / 2`.
  @inline(__always)
  private static func exponentialMinus1OfRemainder(_ r: FloatVector) -> FloatVector {
    var p = FloatVector(0.001_388_239_325).multiplyAdd(r, FloatVector(0.008_367_180_825))
    p = p.multiplyAdd(r, FloatVector(0.041_667_222_977))
    p = p.multiplyAdd(r, FloatVector(0.166_665_390_134))
    p = p.multiplyAdd(r, FloatVector(0.499_999_97))
    return p.multiplyAdd(r * r, r)
  }

  /// `x * 2^n`, for `n` in `-150 ... 129`.
  @inline(__always)
  private static func scaled(
    _ x: FloatVector, _ n: FloatVector, shifted: FloatVector
  ) -> FloatVector {
    #if NEEDLETAIL_AVX512
      return _mm512_scalef_ps(x, n)
    #else
      let whole = shifted.bits &- IntVector(repeating: 0x4B40_0000)
      let half = whole &>> IntVector(repeating: 1)
      let first = (half &+ IntVector(repeating: 127)) &<< IntVector(repeating: 23)
      let second = (whole &- half &+ IntVector(repeating: 127)) &<< IntVector(repeating: 23)
      return x * FloatVector(bits: first) * FloatVector(bits: second)
    #endif
  }

  @inline(__always)
  static func exponential(_ x: FloatVector) -> FloatVector {
    let bounded = x.orGreater(FloatVector(-105)).orLess(FloatVector(89))
    let (shifted, n, r) = reduced(bounded)
    return scaled(exponentialMinus1OfRemainder(r) + FloatVector(1), n, shifted: shifted)
  }

  /// `exp(x)` of a score below the greatest, whose own is 1: zero where it would be less than 2^-115. Subnormal weights,
  /// and subnormal products with them, would cost more than a hundred times as much as others.
  @inline(__always)
  static func weight(_ x: FloatVector) -> FloatVector {
    let bounded = x.orGreater(FloatVector(-81)).orLess(FloatVector(89))
    let (shifted, n, r) = reduced(bounded)
    return scaled(exponentialMinus1OfRemainder(r) + FloatVector(1), n, shifted: shifted)
      .replacing(with: FloatVector(0), where: x .< FloatVector(-80))
  }

  @inline(__always)
  static func exponentialMinus1(_ x: FloatVector) -> FloatVector {
    let bounded = x.orGreater(FloatVector(-30)).orLess(FloatVector(80))
    let (shifted, _, r) = reduced(bounded)
    let power = (shifted.bits &<< IntVector(repeating: 23)) &+ IntVector(repeating: 0x3F80_0000)
    let scale = FloatVector(bits: power)
    let near = exponentialMinus1OfRemainder(r).multiplyAdd(scale, scale - FloatVector(1))
    return near.replacing(with: exponential(x), where: x .> FloatVector(80))
      .withSign(of: x)
  }

  // MARK: - Logarithm

  @_transparent
  static func logarithm(_ x: FloatVector) -> FloatVector {
    let isSmall = x .< FloatVector(Float.leastNormalMagnitude)
    let normal = x.replacing(with: x * FloatVector(8_388_608), where: isSmall)
    // m in sqrt(1/2) ..< sqrt(2).
    let distance = normal.bits &- IntVector(repeating: 0x3F35_04F3)
    let mantissa =
      (distance & IntVector(repeating: 0x007F_FFFF)) &+ IntVector(repeating: 0x3F35_04F3)
    let f = FloatVector(bits: mantissa) - FloatVector(1)
    let whole = FloatVector(converting: distance &>> IntVector(repeating: 23))
    let exponent = whole.replacing(with: whole - FloatVector(23), where: isSmall)
    var p = FloatVector(-0.076_344_296).multiplyAdd(f, FloatVector(0.127_615_497))
    p = p.multiplyAdd(f, FloatVector(-0.131_601_945))
    p = p.multiplyAdd(f, FloatVector(0.142_017_618))
    p = p.multiplyAdd(f, FloatVector(-0.166_233_569))
    p = p.multiplyAdd(f, FloatVector(0.200_012_267))
    p = p.multiplyAdd(f, FloatVector(-0.250_008_225))
    p = p.multiplyAdd(f, FloatVector(0.333_333_313))
    let square = f * f
    var rest = exponent.multiplyAdd(FloatVector(-2.121_944_4e-4), p * f * square)
    rest = square.multiplyAdd(FloatVector(-0.5), rest)
    var result = exponent.multiplyAdd(FloatVector(0.693_359_375), f + rest)
    result = result.replacing(with: x, where: x .== FloatVector(Float.infinity))
    result = result.replacing(with: FloatVector(-Float.infinity), where: x .== FloatVector(0))
    return result.replacing(with: FloatVector(Float.nan), where: .!(x .>= FloatVector(0)))
  }

  @inline(__always)
  static func logarithm1p(_ x: FloatVector) -> FloatVector {
    let sum = FloatVector(1) + x
    // What rounding took from x is made good to first order.
    let result = logarithm(sum) * (x / (sum - FloatVector(1)))
    return result.replacing(with: x, where: (sum .== FloatVector(1)))
      .replacing(with: x, where: x .== FloatVector(Float.infinity))
  }

  // MARK: - Sigmoids

  /// `1 + exp(x)`, bounded so that neither the power nor the reciprocal of the sum is subnormal.
  @inline(__always)
  private static func onePlusExponential(_ x: FloatVector) -> FloatVector {
    let (shifted, n, r) = reduced(x.orGreater(FloatVector(-87)).orLess(FloatVector(87)))
    let power = scaled(exponentialMinus1OfRemainder(r) + FloatVector(1), n, shifted: shifted)
    return FloatVector(1) + power
  }

  @inline(__always)
  static func sigmoid(_ x: FloatVector) -> FloatVector {
    onePlusExponential(-x).reciprocalOfNormal
  }

  /// `x * sigmoid(x)`.
  @inline(__always)
  static func swish(_ x: FloatVector) -> FloatVector { x * sigmoid(x) }

  @inline(__always)
  static func hyperbolicTangent(_ x: FloatVector) -> FloatVector {
    let square = x * x
    // |x| < 0.63.
    var p = FloatVector(-0.005_666_980_5).multiplyAdd(square, FloatVector(0.020_606_180_7))
    p = p.multiplyAdd(square, FloatVector(-0.053_730_007_3))
    p = p.multiplyAdd(square, FloatVector(0.133_313_313))
    p = p.multiplyAdd(square, FloatVector(-0.333_332_777))
    let near = (p * square).multiplyAdd(x, x)
    let size = x.magnitude
    let far = FloatVector(1) - FloatVector(2) * onePlusExponential(size + size).reciprocalOfNormal
    return far.withSign(of: x).replacing(with: near, where: size .< FloatVector(0.625))
  }

  @inline(__always)
  static func errorFunction(_ x: FloatVector) -> FloatVector {
    let square = x * x
    // |x| < 1.
    var p = FloatVector(7.854_008_4e-05).multiplyAdd(square, FloatVector(-0.000_801_024_2))
    p = p.multiplyAdd(square, FloatVector(0.005_188_333_8))
    p = p.multiplyAdd(square, FloatVector(-0.026_853_814_7))
    p = p.multiplyAdd(square, FloatVector(0.112_835_854))
    p = p.multiplyAdd(square, FloatVector(-0.376_126_26))
    p = p.multiplyAdd(square, FloatVector(1.128_379_106_5))
    let size = x.magnitude
    // log(1 - erf(a)) for a in 0.95 ... 4.
    let a = size.orLess(FloatVector(4))
    var q = FloatVector(-2.144_559_2e-05).multiplyAdd(a, FloatVector(0.000_438_530_23))
    q = q.multiplyAdd(a, FloatVector(-0.004_190_857_06))
    q = q.multiplyAdd(a, FloatVector(0.025_171_812_6))
    q = q.multiplyAdd(a, FloatVector(-0.108_361_557))
    q = q.multiplyAdd(a, FloatVector(-0.633_272_409))
    q = q.multiplyAdd(a, FloatVector(-1.129_552_007))
    q = q.multiplyAdd(a, FloatVector(0.000_182_460_484))
    let far = FloatVector(1) - exponential(q)
    return far.withSign(of: x).replacing(with: p * x, where: size .< FloatVector(1))
  }

  /// `x * (1 + erf(x / sqrt(2))) / 2`.
  @inline(__always)
  static func gelu(_ x: FloatVector) -> FloatVector {
    // log(1 - erf(z)) / z for z in 0 ... 5.
    let z = x.magnitude * FloatVector(0.707_106_78)
    let a = z.orLess(FloatVector(5))
    var q = FloatVector(6.517_597_5e-08).multiplyAdd(a, FloatVector(-1.841_489_4e-06))
    q = q.multiplyAdd(a, FloatVector(2.276_354_64e-05))
    q = q.multiplyAdd(a, FloatVector(-0.000_160_756_419))
    q = q.multiplyAdd(a, FloatVector(0.000_696_969_684))
    q = q.multiplyAdd(a, FloatVector(-0.001_696_238_18))
    q = q.multiplyAdd(a, FloatVector(0.000_125_923_76))
    q = q.multiplyAdd(a, FloatVector(0.019_203_823))
    q = q.multiplyAdd(a, FloatVector(-0.102_802_046))
    q = q.multiplyAdd(a, FloatVector(-0.636_614_74))
    q = q.multiplyAdd(a, FloatVector(-1.128_379_464))
    let tail = (exponential(q * a) * FloatVector(0.5))
      .replacing(with: FloatVector(0), where: z .>= FloatVector(5))
    let share = (FloatVector(1) - tail).replacing(with: tail, where: x .< FloatVector(0))
    return x * share
  }

  /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.
  @inline(__always)
  static func geluTanh(_ x: FloatVector) -> FloatVector {
    let inner = (x * x).multiplyAdd(FloatVector(0.071_354_816_3), FloatVector(1.595_769_12)) * x
    return x * onePlusExponential(-inner).reciprocalOfNormal
  }

  // MARK: - Rounding

  /// To the nearest whole number, ties to even.
  @inline(__always)
  static func round(_ x: FloatVector) -> FloatVector {
    let size = x.magnitude
    let limit = FloatVector(8_388_608)
    let whole = ((size + limit) - limit).withSign(of: x)
    return x.replacing(with: whole, where: size .< limit)
  }

  @inline(__always)
  static func floor(_ x: FloatVector) -> FloatVector {
    let whole = round(x)
    return whole.replacing(with: whole - FloatVector(1), where: whole .> x)
  }

  @inline(__always)
  static func ceiling(_ x: FloatVector) -> FloatVector {
    let whole = round(x)
    return whole.replacing(with: (whole + FloatVector(1)).withSign(of: x), where: whole .< x)
  }

  @inline(__always)
  static func truncate(_ x: FloatVector) -> FloatVector {
    floor(x.magnitude).withSign(of: x)
  }

  @inline(__always)
  static func sign(_ x: FloatVector) -> FloatVector {
    x.replacing(with: FloatVector(1), where: x .> FloatVector(0))
      .replacing(with: FloatVector(-1), where: x .< FloatVector(0))
  }
}

#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

#if NEEDLETAIL_AVX512
  typealias FloatVector = SIMD16<Float>
  typealias IntVector = SIMD16<Int32>
#elseif NEEDLETAIL_AVX2
  typealias FloatVector = SIMD8<Float>
  typealias IntVector = SIMD8<Int32>
#else
  typealias FloatVector = SIMD4<Float>
  typealias IntVector = SIMD4<Int32>
#endif

typealias Mask = SIMDMask<IntVector>

/// Floats of a vector register.
@inline(__always) var vectorWidth: Int { FloatVector.scalarCount }

extension FloatVector {
  @inline(__always)
  static func load(_ address: UnsafeRawPointer) -> FloatVector {
    address.loadUnaligned(as: FloatVector.self)
  }

  @inline(__always)
  func store(_ address: UnsafeMutableRawPointer) {
    address.storeBytes(of: self, as: FloatVector.self)
  }

  @inline(__always)
  init(_ value: Float) { self.init(repeating: value) }

  @inline(__always)
  var bits: IntVector { unsafeBitCast(self, to: IntVector.self) }

  @inline(__always)
  init(bits: IntVector) { self = unsafeBitCast(bits, to: FloatVector.self) }

  /// `self * factor + addend`, rounded once where the processor can.
  @inline(__always)
  func multiplyAdd(_ factor: FloatVector, _ addend: FloatVector) -> FloatVector {
    #if NEEDLETAIL_AVX512
      _mm512_fmadd_ps(self, factor, addend)
    #elseif NEEDLETAIL_AVX2
      _mm256_fmadd_ps(self, factor, addend)
    #elseif arch(x86_64)
      self * factor + addend
    #else
      addend.addingProduct(self, factor)
    #endif
  }

  /// The greater, or `self` where either is not a number.
  @inline(__always)
  func orGreater(_ other: FloatVector) -> FloatVector {
    #if NEEDLETAIL_AVX512
      _mm512_max_ps(other, self)
    #elseif NEEDLETAIL_AVX2
      _mm256_max_ps(other, self)
    #elseif arch(x86_64)
      _mm_max_ps(other, self)
    #else
      replacing(with: other, where: other .> self)
    #endif
  }

  /// The lesser, or `self` where either is not a number.
  @inline(__always)
  func orLess(_ other: FloatVector) -> FloatVector {
    #if NEEDLETAIL_AVX512
      _mm512_min_ps(other, self)
    #elseif NEEDLETAIL_AVX2
      _mm256_min_ps(other, self)
    #elseif arch(x86_64)
      _mm_min_ps(other, self)
    #else
      replacing(with: other, where: other .< self)
    #endif
  }

  /// NaN where either is.
  @inline(__always)
  func maximum(_ other: FloatVector) -> FloatVector {
    orGreater(other).replacing(with: other, where: other .!= other)
  }

  /// NaN where either is.
  @inline(__always)
  func minimum(_ other: FloatVector) -> FloatVector {
    orLess(other).replacing(with: other, where: other .!= other)
  }

  @inline(__always)
  var magnitude: FloatVector { FloatVector(bits: bits & IntVector(repeating: 0x7FFF_FFFF)) }

  @inline(__always)
  var signBits: IntVector { bits & IntVector(repeating: Int32.min) }

  /// The magnitude with the sign of another vector.
  @inline(__always)
  func withSign(of other: FloatVector) -> FloatVector {
    FloatVector(bits: (bits & IntVector(repeating: 0x7FFF_FFFF)) | other.signBits)
  }

  @inline(__always)
  init(converting values: IntVector) {
    #if NEEDLETAIL_AVX512
      self = _mm512_cvtepi32_ps(unsafeBitCast(values, to: SIMD8<Int64>.self))
    #elseif NEEDLETAIL_AVX2
      self = _mm256_cvtepi32_ps(unsafeBitCast(values, to: SIMD4<Int64>.self))
    #elseif arch(x86_64)
      self = _mm_cvtepi32_ps(unsafeBitCast(values, to: SIMD2<Int64>.self))
    #else
      self.init(values)
    #endif
  }

  /// Rounded towards zero and clamped; 0 where not a number.
  @inline(__always)
  var truncatedAndSaturated: IntVector {
    let huge = FloatVector(0x1p31)
    #if NEEDLETAIL_AVX512
      let numbers = unsafeBitCast(_mm512_cvttps_epi32(self), to: IntVector.self)
    #elseif NEEDLETAIL_AVX2
      let numbers = unsafeBitCast(_mm256_cvttps_epi32(self), to: IntVector.self)
    #elseif arch(x86_64)
      let numbers = unsafeBitCast(_mm_cvttps_epi32(self), to: IntVector.self)
    #else
      let small = replacing(with: 0, where: self .!= self .| (magnitude .>= huge))
      let numbers = IntVector(small, rounding: .towardZero)
        .replacing(with: Int32.min, where: self .<= -huge)
    #endif
    return numbers.replacing(with: Int32.max, where: self .>= huge)
      .replacing(with: 0, where: self .!= self)
  }

  /// `1 / self` to about one unit in the last place, where neither is subnormal or infinite.
  @inline(__always)
  var reciprocalOfNormal: FloatVector {
    #if NEEDLETAIL_AVX512
      // One step of Newton's doubles the 14 bits of the estimate.
      let estimate = _mm512_rcp14_ps(self)
      let rest = _mm512_fnmadd_ps(self, estimate, FloatVector(1))
      return _mm512_fmadd_ps(estimate, rest, estimate)
    #else
      FloatVector(1) / self
    #endif
  }

  @inline(__always)
  var horizontalSum: Float {
    #if NEEDLETAIL_AVX512
      let half = lowHalf + highHalf
      let quarter = half.lowHalf + half.highHalf
    #elseif NEEDLETAIL_AVX2
      let quarter = lowHalf + highHalf
    #else
      let quarter = self
    #endif
    let pair = quarter.lowHalf + quarter.highHalf
    return pair[0] + pair[1]
  }

  /// `combine` over the lanes, in no particular order.
  @inline(__always)
  func reduced(_ combine: (Float, Float) -> Float) -> Float {
    var result = self[0]
    for lane in 1..<Self.scalarCount { result = combine(result, self[lane]) }
    return result
  }
}

extension IntVector {
  @inline(__always)
  func clamped(_ lowest: IntVector, _ highest: IntVector) -> IntVector {
    #if NEEDLETAIL_AVX512
      typealias Register = SIMD8<Int64>
      let a = unsafeBitCast(self, to: Register.self)
      let low = unsafeBitCast(lowest, to: Register.self)
      let high = unsafeBitCast(highest, to: Register.self)
      return unsafeBitCast(
        _mm512_min_epi32(_mm512_max_epi32(a, low), high), to: IntVector.self)
    #elseif NEEDLETAIL_AVX2
      typealias Register = SIMD4<Int64>
      let a = unsafeBitCast(self, to: Register.self)
      let low = unsafeBitCast(lowest, to: Register.self)
      let high = unsafeBitCast(highest, to: Register.self)
      return unsafeBitCast(
        _mm256_min_epi32(_mm256_max_epi32(a, low), high), to: IntVector.self)
    #else
      let above = replacing(with: lowest, where: self .< lowest)
      return above.replacing(with: highest, where: above .> highest)
    #endif
  }
}

/// The greater, or NaN where either is.
@inline(__always)
func maximum(_ a: Float, _ b: Float) -> Float { a > b || a != a ? a : b }

/// The lesser, or NaN where either is.
@inline(__always)
func minimum(_ a: Float, _ b: Float) -> Float { a < b || a != a ? a : b }

extension Int {
  /// The least multiple of `unit` that is not smaller.
  @inline(__always)
  func roundedUp(to unit: Int) -> Int { (self + unit - 1) / unit * unit }
}

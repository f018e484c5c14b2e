import CPUIntrinsics

#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// The vector operations of integer contractions.
///
/// A quad is four neighbouring bytes of the reduction. `QuadInput` is one quad of x, unsigned, in every lane;
/// `QuadWeights` holds a quad of signed weights for each lane's column. The sum of a quad's products is exact on every
/// instruction set: where there is no instruction for bytes, even and odd bytes are widened to 16 bits, whose products
/// are summed in 32.
#if NEEDLETAIL_AVX512
  typealias IntegerVector = SIMD8<Int64>
  typealias RealVector = SIMD16<Float>

  enum IntegerLanes {
    @inline(__always) static var count: Int { 16 }
    @inline(__always) static var zero: IntegerVector { _mm512_setzero_si512() }
    @inline(__always) static func load(_ p: UnsafePointer<Int32>) -> IntegerVector {
      _mm512_loadu_si512(p)
    }
    @inline(__always) static func store(_ x: IntegerVector, _ p: UnsafeMutableRawPointer) {
      _mm512_storeu_si512(p, x)
    }
    @inline(__always) static func real(_ x: IntegerVector) -> RealVector { _mm512_cvtepi32_ps(x) }
    /// To the nearest integer, ties to even.
    @inline(__always) static func rounded(_ x: RealVector) -> IntegerVector {
      _mm512_cvtps_epi32(x)
    }
    @inline(__always) static func bits(_ x: RealVector) -> IntegerVector { _mm512_castps_si512(x) }
    @inline(__always) static func real(bits x: IntegerVector) -> RealVector {
      _mm512_castsi512_ps(x)
    }
    @inline(__always) static func loadReal(_ p: UnsafePointer<Float>) -> RealVector {
      _mm512_loadu_ps(p)
    }
    @inline(__always) static func broadcast(_ x: Float) -> RealVector { _mm512_set1_ps(x) }
    @inline(__always) static func multiplyAdd(
      _ x: RealVector, _ y: RealVector, _ sum: RealVector
    ) -> RealVector { _mm512_fmadd_ps(x, y, sum) }
    @inline(__always) static func clamped(
      _ x: RealVector, _ lower: RealVector, _ upper: RealVector
    ) -> RealVector { _mm512_min_ps(upper, _mm512_max_ps(lower, x)) }
    @inline(__always) static func loadUnsigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm512_cvtepu8_epi32(UnsafeRawPointer(p).loadUnaligned(as: SIMD2<Int64>.self))
    }
    @inline(__always) static func loadSigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm512_cvtepi8_epi32(UnsafeRawPointer(p).loadUnaligned(as: SIMD2<Int64>.self))
    }
  }
#elseif NEEDLETAIL_AVX2
  typealias IntegerVector = SIMD4<Int64>
  typealias RealVector = SIMD8<Float>

  enum IntegerLanes {
    @inline(__always) static var count: Int { 8 }
    @inline(__always) static var zero: IntegerVector { _mm256_setzero_si256() }
    @inline(__always) static func load(_ p: UnsafePointer<Int32>) -> IntegerVector {
      UnsafeRawPointer(p).loadUnaligned(as: IntegerVector.self)
    }
    @inline(__always) static func store(_ x: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: x, as: IntegerVector.self)
    }
    @inline(__always) static func real(_ x: IntegerVector) -> RealVector { _mm256_cvtepi32_ps(x) }
    /// To the nearest integer, ties to even.
    @inline(__always) static func rounded(_ x: RealVector) -> IntegerVector {
      _mm256_cvtps_epi32(x)
    }
    @inline(__always) static func bits(_ x: RealVector) -> IntegerVector { _mm256_castps_si256(x) }
    @inline(__always) static func real(bits x: IntegerVector) -> RealVector {
      _mm256_castsi256_ps(x)
    }
    @inline(__always) static func loadReal(_ p: UnsafePointer<Float>) -> RealVector {
      _mm256_loadu_ps(p)
    }
    @inline(__always) static func broadcast(_ x: Float) -> RealVector { _mm256_set1_ps(x) }
    @inline(__always) static func multiplyAdd(
      _ x: RealVector, _ y: RealVector, _ sum: RealVector
    ) -> RealVector { _mm256_fmadd_ps(x, y, sum) }
    @inline(__always) static func clamped(
      _ x: RealVector, _ lower: RealVector, _ upper: RealVector
    ) -> RealVector { _mm256_min_ps(upper, _mm256_max_ps(lower, x)) }
    @inline(__always) static func loadUnsigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm256_cvtepu8_epi32(SIMD2(UnsafeRawPointer(p).loadUnaligned(as: Int64.self), 0))
    }
    @inline(__always) static func loadSigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm256_cvtepi8_epi32(SIMD2(UnsafeRawPointer(p).loadUnaligned(as: Int64.self), 0))
    }
  }
#elseif arch(x86_64)
  typealias IntegerVector = SIMD2<Int64>
  typealias RealVector = SIMD4<Float>

  enum IntegerLanes {
    @inline(__always) static var count: Int { 4 }
    @inline(__always) static var zero: IntegerVector { _mm_setzero_si128() }
    @inline(__always) static func load(_ p: UnsafePointer<Int32>) -> IntegerVector {
      UnsafeRawPointer(p).loadUnaligned(as: IntegerVector.self)
    }
    @inline(__always) static func store(_ x: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: x, as: IntegerVector.self)
    }
    @inline(__always) static func real(_ x: IntegerVector) -> RealVector { _mm_cvtepi32_ps(x) }
    /// To the nearest integer, ties to even.
    @inline(__always) static func rounded(_ x: RealVector) -> IntegerVector { _mm_cvtps_epi32(x) }
    @inline(__always) static func bits(_ x: RealVector) -> IntegerVector { _mm_castps_si128(x) }
    @inline(__always) static func real(bits x: IntegerVector) -> RealVector { _mm_castsi128_ps(x) }
    @inline(__always) static func loadReal(_ p: UnsafePointer<Float>) -> RealVector {
      _mm_loadu_ps(p)
    }
    @inline(__always) static func broadcast(_ x: Float) -> RealVector { _mm_set1_ps(x) }
    @inline(__always) static func multiplyAdd(
      _ x: RealVector, _ y: RealVector, _ sum: RealVector
    ) -> RealVector { _mm_add_ps(_mm_mul_ps(x, y), sum) }
    @inline(__always) static func clamped(
      _ x: RealVector, _ lower: RealVector, _ upper: RealVector
    ) -> RealVector { _mm_min_ps(upper, _mm_max_ps(lower, x)) }
    /// Four bytes, each the highest of a lane.
    @inline(__always) private static func loadHigh(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      let bytes = _mm_cvtsi32_si128(UnsafeRawPointer(p).loadUnaligned(as: Int32.self))
      return _mm_unpacklo_epi16(zero, _mm_unpacklo_epi8(zero, bytes))
    }
    @inline(__always) static func loadUnsigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm_srli_epi32(loadHigh(p), 24)
    }
    @inline(__always) static func loadSigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      _mm_srai_epi32(loadHigh(p), 24)
    }
  }
#else
  typealias IntegerVector = SIMD4<Int32>
  typealias RealVector = SIMD4<Float>

  enum IntegerLanes {
    @inline(__always) static var count: Int { 4 }
    @inline(__always) static var zero: IntegerVector { .zero }
    @inline(__always) static func load(_ p: UnsafePointer<Int32>) -> IntegerVector {
      UnsafeRawPointer(p).loadUnaligned(as: IntegerVector.self)
    }
    @inline(__always) static func store(_ x: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: x, as: IntegerVector.self)
    }
    @inline(__always) static func real(_ x: IntegerVector) -> RealVector { RealVector(x) }
    /// To the nearest integer, ties to even; of numbers that `Int32` holds.
    @inline(__always) static func rounded(_ x: RealVector) -> IntegerVector {
      IntegerVector(truncatingIfNeeded: SIMD4<Int64>(x.rounded(.toNearestOrEven)))
    }
    @inline(__always) static func bits(_ x: RealVector) -> IntegerVector {
      unsafeBitCast(x, to: IntegerVector.self)
    }
    @inline(__always) static func real(bits x: IntegerVector) -> RealVector {
      unsafeBitCast(x, to: RealVector.self)
    }
    @inline(__always) static func loadReal(_ p: UnsafePointer<Float>) -> RealVector {
      UnsafeRawPointer(p).loadUnaligned(as: RealVector.self)
    }
    @inline(__always) static func broadcast(_ x: Float) -> RealVector { .init(repeating: x) }
    @inline(__always) static func multiplyAdd(
      _ x: RealVector, _ y: RealVector, _ sum: RealVector
    ) -> RealVector { sum.addingProduct(x, y) }
    @inline(__always) static func clamped(
      _ x: RealVector, _ lower: RealVector, _ upper: RealVector
    ) -> RealVector { x.clamped(lowerBound: lower, upperBound: upper) }
    @inline(__always) static func loadUnsigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      IntegerVector(truncatingIfNeeded: UnsafeRawPointer(p).loadUnaligned(as: SIMD4<UInt8>.self))
    }
    @inline(__always) static func loadSigned(_ p: UnsafePointer<UInt8>) -> IntegerVector {
      IntegerVector(truncatingIfNeeded: UnsafeRawPointer(p).loadUnaligned(as: SIMD4<Int8>.self))
    }
  }
#endif

extension IntegerLanes {
  @inline(__always)
  static func add(_ a: IntegerVector, _ b: IntegerVector) -> IntegerVector {
    #if NEEDLETAIL_AVX512
      _mm512_add_epi32(a, b)
    #elseif NEEDLETAIL_AVX2
      _mm256_add_epi32(a, b)
    #elseif arch(x86_64)
      _mm_add_epi32(a, b)
    #else
      a &+ b
    #endif
  }
}

// MARK: - Products

#if NEEDLETAIL_VNNI
  struct QuadInput {
    var bytes: IntegerVector

    @inline(__always)
    init(bytes: IntegerVector) { self.bytes = bytes }

    @inline(__always)
    init(_ p: UnsafePointer<UInt8>) {
      bytes = _mm512_set1_epi32(UnsafeRawPointer(p).loadUnaligned(as: Int32.self))
    }
  }

  struct QuadWeights {
    var bytes: IntegerVector

    @inline(__always)
    init(_ p: UnsafePointer<Int8>) { bytes = _mm512_loadu_si512(p) }
  }

  extension IntegerLanes {
    @inline(__always)
    static func addProducts(_ x: QuadInput, _ w: QuadWeights, _ sum: IntegerVector)
      -> IntegerVector
    { _mm512_dpbusd_epi32(sum, x.bytes, w.bytes) }
  }
#else
  struct QuadInput {
    var even: IntegerVector
    var odd: IntegerVector

    @inline(__always)
    init(_ p: UnsafePointer<UInt8>) {
      let quad = UnsafeRawPointer(p).loadUnaligned(as: Int32.self)
      #if NEEDLETAIL_AVX512
        self.init(bytes: _mm512_set1_epi32(quad))
      #elseif NEEDLETAIL_AVX2
        self.init(bytes: _mm256_set1_epi32(quad))
      #elseif arch(x86_64)
        self.init(bytes: _mm_set1_epi32(quad))
      #else
        self.init(bytes: IntegerVector(repeating: quad))
      #endif
    }

    @inline(__always)
    init(bytes: IntegerVector) {
      #if NEEDLETAIL_AVX512
        even = _mm512_and_si512(bytes, _mm512_set1_epi16(0xFF))
        odd = _mm512_srli_epi16(bytes, 8)
      #elseif NEEDLETAIL_AVX2
        even = _mm256_and_si256(bytes, _mm256_set1_epi16(0xFF))
        odd = _mm256_srli_epi16(bytes, 8)
      #elseif arch(x86_64)
        even = _mm_and_si128(bytes, _mm_set1_epi16(0xFF))
        odd = _mm_srli_epi16(bytes, 8)
      #else
        even = bytes & 0xFF00FF
        odd = (bytes &>> 8) & 0xFF00FF
      #endif
    }
  }

  struct QuadWeights {
    var even: IntegerVector
    var odd: IntegerVector

    @inline(__always)
    init(_ p: UnsafePointer<Int8>) {
      let bytes = UnsafeRawPointer(p).loadUnaligned(as: IntegerVector.self)
      #if NEEDLETAIL_AVX512
        even = _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8)
        odd = _mm512_srai_epi16(bytes, 8)
      #elseif NEEDLETAIL_AVX2
        even = _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8)
        odd = _mm256_srai_epi16(bytes, 8)
      #elseif arch(x86_64)
        even = _mm_srai_epi16(_mm_slli_epi16(bytes, 8), 8)
        odd = _mm_srai_epi16(bytes, 8)
      #else
        let words = unsafeBitCast(bytes, to: SIMD8<Int16>.self)
        even = unsafeBitCast((words &<< 8) &>> 8, to: IntegerVector.self)
        odd = unsafeBitCast(words &>> 8, to: IntegerVector.self)
      #endif
    }
  }

  extension IntegerLanes {
    @inline(__always)
    static func addProducts(_ x: QuadInput, _ w: QuadWeights, _ sum: IntegerVector)
      -> IntegerVector
    { add(add(sum, pairs(x.even, w.even)), pairs(x.odd, w.odd)) }

    /// The sums of two neighbouring products of 16-bit numbers.
    @inline(__always)
    private static func pairs(_ a: IntegerVector, _ b: IntegerVector) -> IntegerVector {
      #if NEEDLETAIL_AVX512
        return _mm512_madd_epi16(a, b)
      #elseif NEEDLETAIL_AVX2
        return _mm256_madd_epi16(a, b)
      #elseif arch(x86_64)
        return _mm_madd_epi16(a, b)
      #else
        let low = ((a &<< 16) &>> 16) &* ((b &<< 16) &>> 16)
        return low &+ (a &>> 16) &* (b &>> 16)
      #endif
    }
  }
#endif

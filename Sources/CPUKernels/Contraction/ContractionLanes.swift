import CPUIntrinsics

#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// The vector operations of contractions, each one instruction (multiply and add are two where there is no FMA).
///
/// On x86-64 they are the compiler's own intrinsics: the generic operations of `SIMD` become the same instructions,
/// but after so many steps that loops over registers are no longer unrolled.
#if NEEDLETAIL_AVX512
  typealias ContractionVector = SIMD16<Float>

  enum Lanes {
    @inline(__always) static var count: Int { 16 }
    @inline(__always) static var zero: ContractionVector { _mm512_setzero_ps() }
    @inline(__always) static func broadcast(_ x: Float) -> ContractionVector { _mm512_set1_ps(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> ContractionVector {
      _mm512_loadu_ps(p)
    }
    @inline(__always) static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>) {
      _mm512_storeu_ps(p, x)
    }
    @inline(__always) static func multiplyAdd(
      _ x: ContractionVector, _ y: ContractionVector, _ sum: ContractionVector
    ) -> ContractionVector { _mm512_fmadd_ps(x, y, sum) }
    @inline(__always) static func add(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm512_add_ps(x, y) }
    @inline(__always) static func subtract(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm512_sub_ps(x, y) }
    @inline(__always) static func multiply(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm512_mul_ps(x, y) }
    /// The greater, or `x` where it is not a number.
    @inline(__always) static func maximum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm512_max_ps(bound, x) }
    /// The lesser, or `x` where it is not a number.
    @inline(__always) static func minimum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm512_min_ps(bound, x) }
  }
#elseif NEEDLETAIL_AVX2
  typealias ContractionVector = SIMD8<Float>

  enum Lanes {
    @inline(__always) static var count: Int { 8 }
    @inline(__always) static var zero: ContractionVector { _mm256_setzero_ps() }
    @inline(__always) static func broadcast(_ x: Float) -> ContractionVector { _mm256_set1_ps(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> ContractionVector {
      _mm256_loadu_ps(p)
    }
    @inline(__always) static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>) {
      _mm256_storeu_ps(p, x)
    }
    @inline(__always) static func multiplyAdd(
      _ x: ContractionVector, _ y: ContractionVector, _ sum: ContractionVector
    ) -> ContractionVector { _mm256_fmadd_ps(x, y, sum) }
    @inline(__always) static func add(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm256_add_ps(x, y) }
    @inline(__always) static func subtract(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm256_sub_ps(x, y) }
    @inline(__always) static func multiply(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm256_mul_ps(x, y) }
    /// The greater, or `x` where it is not a number.
    @inline(__always) static func maximum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm256_max_ps(bound, x) }
    /// The lesser, or `x` where it is not a number.
    @inline(__always) static func minimum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm256_min_ps(bound, x) }
  }
#elseif arch(x86_64)
  typealias ContractionVector = SIMD4<Float>

  enum Lanes {
    @inline(__always) static var count: Int { 4 }
    @inline(__always) static var zero: ContractionVector { _mm_setzero_ps() }
    @inline(__always) static func broadcast(_ x: Float) -> ContractionVector { _mm_set1_ps(x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> ContractionVector {
      _mm_loadu_ps(p)
    }
    @inline(__always) static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>) {
      _mm_storeu_ps(p, x)
    }
    @inline(__always) static func multiplyAdd(
      _ x: ContractionVector, _ y: ContractionVector, _ sum: ContractionVector
    ) -> ContractionVector { _mm_add_ps(_mm_mul_ps(x, y), sum) }
    @inline(__always) static func add(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm_add_ps(x, y) }
    @inline(__always) static func subtract(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm_sub_ps(x, y) }
    @inline(__always) static func multiply(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { _mm_mul_ps(x, y) }
    /// The greater, or `x` where it is not a number.
    @inline(__always) static func maximum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm_max_ps(bound, x) }
    /// The lesser, or `x` where it is not a number.
    @inline(__always) static func minimum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { _mm_min_ps(bound, x) }
  }
#else
  typealias ContractionVector = SIMD4<Float>

  enum Lanes {
    @inline(__always) static var count: Int { 4 }
    @inline(__always) static var zero: ContractionVector { .zero }
    @inline(__always) static func broadcast(_ x: Float) -> ContractionVector { .init(repeating: x) }
    @inline(__always) static func load(_ p: UnsafePointer<Float>) -> ContractionVector {
      UnsafeRawPointer(p).loadUnaligned(as: ContractionVector.self)
    }
    @inline(__always) static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>) {
      UnsafeMutableRawPointer(p).storeBytes(of: x, as: ContractionVector.self)
    }
    @inline(__always) static func multiplyAdd(
      _ x: ContractionVector, _ y: ContractionVector, _ sum: ContractionVector
    ) -> ContractionVector { sum.addingProduct(x, y) }
    @inline(__always) static func add(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { x + y }
    @inline(__always) static func subtract(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { x - y }
    @inline(__always) static func multiply(_ x: ContractionVector, _ y: ContractionVector)
      -> ContractionVector
    { x * y }
    /// The greater, or `x` where it is not a number.
    @inline(__always) static func maximum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { x.replacing(with: bound, where: x .< bound) }
    /// The lesser, or `x` where it is not a number.
    @inline(__always) static func minimum(_ x: ContractionVector, _ bound: ContractionVector)
      -> ContractionVector
    { x.replacing(with: bound, where: x .> bound) }
  }
#endif

extension Lanes {
  /// Asks for a cache line that will be read.
  @inline(__always)
  static func prefetch(_ p: UnsafeRawPointer) {
    prefetchForReading(p)
  }

  #if NEEDLETAIL_AVX512
    /// The first `count` elements at `p`, and zeros.
    @inline(__always)
    static func load(_ p: UnsafePointer<Float>, count: Int) -> ContractionVector {
      _mm512_maskz_loadu_ps(UInt16(truncatingIfNeeded: (1 &<< count) &- 1), p)
    }

    @inline(__always)
    static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>, count: Int) {
      _mm512_mask_storeu_ps(p, UInt16(truncatingIfNeeded: (1 &<< count) &- 1), x)
    }
  #elseif NEEDLETAIL_AVX2
    @inline(__always)
    private static func mask(_ count: Int) -> __m256i {
      _mm256_cmpgt_epi32(
        _mm256_set1_epi32(Int32(truncatingIfNeeded: count)),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
    }

    /// The first `count` elements at `p`, and zeros.
    @inline(__always)
    static func load(_ p: UnsafePointer<Float>, count: Int) -> ContractionVector {
      _mm256_maskload_ps(p, mask(count))
    }

    @inline(__always)
    static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>, count: Int) {
      _mm256_maskstore_ps(p, mask(count), x)
    }
  #else
    /// The first `count` elements at `p`, and zeros.
    @inline(__always)
    static func load(_ p: UnsafePointer<Float>, count: Int) -> ContractionVector {
      var x = ContractionVector.zero
      for lane in 0..<count { x[lane] = p[lane] }
      return x
    }

    @inline(__always)
    static func store(_ x: ContractionVector, _ p: UnsafeMutablePointer<Float>, count: Int) {
      for lane in 0..<count { p[lane] = x[lane] }
    }
  #endif

  @inline(__always)
  static func activate(_ x: ContractionVector, _ activation: Int, _ lower: Float, _ upper: Float)
    -> ContractionVector
  {
    switch activation {
    case 1: return maximum(x, zero)
    case 2: return minimum(maximum(x, broadcast(lower)), broadcast(upper))
    case 3: return multiplyAdd(minimum(x, zero), broadcast(lower), maximum(x, zero))
    default: return x
    }
  }
}

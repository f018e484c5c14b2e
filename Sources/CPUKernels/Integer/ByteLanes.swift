#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// Whole numbers in 32-bit lanes on their way to bytes: shifted by a zero point, bounded, and packed.
struct ByteLanes {
  #if arch(x86_64)
    private let zeroPoint: IntegerVector
    private let lowest: IntegerVector
    private let highest: IntegerVector
  #else
    private let zeroPoint: Int32
    private let lowest: Int32
    private let highest: Int32
  #endif
  let isSigned: Bool

  @inline(__always)
  init(zeroPoint: Int32, lowest: Int32, highest: Int32, isSigned: Bool) {
    #if arch(x86_64)
      self.zeroPoint = Self.words(zeroPoint)
      self.lowest = Self.words(lowest)
      self.highest = Self.words(highest)
    #else
      self.zeroPoint = zeroPoint
      self.lowest = lowest
      self.highest = highest
    #endif
    self.isSigned = isSigned
  }

  #if NEEDLETAIL_AVX512
    @inline(__always)
    private static func words(_ x: Int32) -> IntegerVector {
      _mm512_set1_epi16(Int16(truncatingIfNeeded: x))
    }

    @inline(__always)
    private func narrowed(_ a: IntegerVector, _ b: IntegerVector) -> IntegerVector {
      let sum = _mm512_adds_epi16(_mm512_packs_epi32(a, b), zeroPoint)
      return _mm512_min_epi16(_mm512_max_epi16(sum, lowest), highest)
    }

    /// The bytes of four vectors of which those that are not wanted repeat.
    @inline(__always)
    private func packed(_ a: IntegerVector, _ b: IntegerVector) -> IntegerVector {
      let bytes = isSigned ? _mm512_packs_epi16(a, b) : _mm512_packus_epi16(a, b)
      let order = unsafeBitCast(
        SIMD16<Int32>(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
        to: IntegerVector.self)
      return _mm512_permutexvar_epi32(order, bytes)
    }

    @inline(__always)
    func store(
      _ a: IntegerVector, _ b: IntegerVector, _ c: IntegerVector, _ d: IntegerVector,
      _ p: UnsafeMutableRawPointer
    ) {
      _mm512_storeu_si512(p, packed(narrowed(a, b), narrowed(c, d)))
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ b: IntegerVector, _ p: UnsafeMutableRawPointer) {
      let words = narrowed(a, b)
      p.storeBytes(of: packed(words, words).lowHalf, as: SIMD4<Int64>.self)
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ p: UnsafeMutableRawPointer) {
      let words = narrowed(a, a)
      p.storeBytes(of: packed(words, words).lowHalf.lowHalf, as: SIMD2<Int64>.self)
    }
  #elseif NEEDLETAIL_AVX2
    @inline(__always)
    private static func words(_ x: Int32) -> IntegerVector {
      _mm256_set1_epi16(Int16(truncatingIfNeeded: x))
    }

    @inline(__always)
    private func packed(_ a: IntegerVector, _ b: IntegerVector) -> IntegerVector {
      let sum = _mm256_adds_epi16(_mm256_packs_epi32(a, b), zeroPoint)
      let words = _mm256_min_epi16(_mm256_max_epi16(sum, lowest), highest)
      let bytes = isSigned ? _mm256_packs_epi16(words, words) : _mm256_packus_epi16(words, words)
      let order = unsafeBitCast(SIMD8<Int32>(0, 4, 1, 5, 2, 6, 3, 7), to: IntegerVector.self)
      return _mm256_permutevar8x32_epi32(bytes, order)
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ b: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: packed(a, b).lowHalf, as: SIMD2<Int64>.self)
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: packed(a, a)[0], as: Int64.self)
    }
  #elseif arch(x86_64)
    @inline(__always)
    private static func words(_ x: Int32) -> IntegerVector {
      _mm_set1_epi16(Int16(truncatingIfNeeded: x))
    }

    @inline(__always)
    private func packed(_ a: IntegerVector, _ b: IntegerVector) -> Int64 {
      let sum = _mm_adds_epi16(_mm_packs_epi32(a, b), zeroPoint)
      let words = _mm_min_epi16(_mm_max_epi16(sum, lowest), highest)
      let bytes = isSigned ? _mm_packs_epi16(words, words) : _mm_packus_epi16(words, words)
      return bytes[0]
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ b: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: packed(a, b), as: Int64.self)
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ p: UnsafeMutableRawPointer) {
      p.storeBytes(of: Int32(truncatingIfNeeded: packed(a, a)), as: Int32.self)
    }
  #else
    @inline(__always)
    func store(_ a: IntegerVector, _ p: UnsafeMutableRawPointer) {
      let words = a.clamped(
        lowerBound: IntegerVector(repeating: -0x8000), upperBound: IntegerVector(repeating: 0x7FFF))
      let numbers = (words &+ zeroPoint).clamped(
        lowerBound: IntegerVector(repeating: lowest), upperBound: IntegerVector(repeating: highest))
      p.storeBytes(of: SIMD4<UInt8>(truncatingIfNeeded: numbers), as: SIMD4<UInt8>.self)
    }

    @inline(__always)
    func store(_ a: IntegerVector, _ b: IntegerVector, _ p: UnsafeMutableRawPointer) {
      store(a, p)
      store(b, p + IntegerLanes.count)
    }
  #endif

  /// The bytes of a row of vectors.
  @inline(__always)
  func store<let vectors: Int>(
    _ row: InlineArray<vectors, IntegerVector>, _ p: UnsafeMutableRawPointer
  ) {
    let width = IntegerLanes.count
    var v = 0
    #if NEEDLETAIL_AVX512
      if vectors >= 4 {
        store(row[0], row[1], row[2], row[3], p)
        v = 4
      }
    #endif
    if vectors &- v >= 2 {
      store(row[v], row[v &+ 1], p + v &* width)
      v &+= 2
    }
    if v < vectors { store(row[v], p + v &* width) }
  }
}

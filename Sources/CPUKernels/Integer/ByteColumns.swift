#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// The bytes of a register, of neighbouring channels, and four such registers of four rows as quads.
///
/// Quads come in the order in which instructions interleave within 128 bits; sums are brought back into the order of
/// their channels before they are stored.
enum ByteColumns {
  typealias Block = InlineArray<4, IntegerVector>

  /// Channels that are taken together.
  @inline(__always) static var channels: Int { IntegerLanes.count * 4 }

  /// Bytes whose sign bits are flipped.
  @inline(__always)
  static func flipped(_ x: IntegerVector, _ flip: IntegerVector) -> IntegerVector { x ^ flip }

  @inline(__always)
  static func repeated(_ byte: UInt8) -> IntegerVector {
    let word = UInt64(byte) &* 0x0101_0101_0101_0101
    #if arch(x86_64)
      return IntegerVector(repeating: Int64(bitPattern: word))
    #else
      return IntegerVector(repeating: Int32(truncatingIfNeeded: word))
    #endif
  }

  /// The first `count` bytes at `p`; no others are read.
  @inline(__always)
  static func load(_ p: UnsafePointer<UInt8>, count: Int) -> IntegerVector {
    #if NEEDLETAIL_AVX512
      return _mm512_maskz_loadu_epi8(UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- count), p)
    #else
      if count >= channels { return UnsafeRawPointer(p).loadUnaligned(as: IntegerVector.self) }
      var bytes = IntegerLanes.zero
      withUnsafeMutableBytes(of: &bytes) { memory in
        memory.baseAddress.unsafelyUnwrapped.copyMemory(from: p, byteCount: count)
      }
      return bytes
    #endif
  }

  /// Quads of the bytes of four rows.
  @inline(__always)
  static func interleaved(
    _ a: IntegerVector, _ b: IntegerVector, _ c: IntegerVector, _ d: IntegerVector
  ) -> Block {
    #if NEEDLETAIL_AVX512
      let lowAB = _mm512_unpacklo_epi8(a, b), highAB = _mm512_unpackhi_epi8(a, b)
      let lowCD = _mm512_unpacklo_epi8(c, d), highCD = _mm512_unpackhi_epi8(c, d)
      return [
        _mm512_unpacklo_epi16(lowAB, lowCD), _mm512_unpackhi_epi16(lowAB, lowCD),
        _mm512_unpacklo_epi16(highAB, highCD), _mm512_unpackhi_epi16(highAB, highCD),
      ]
    #elseif NEEDLETAIL_AVX2
      let lowAB = _mm256_unpacklo_epi8(a, b), highAB = _mm256_unpackhi_epi8(a, b)
      let lowCD = _mm256_unpacklo_epi8(c, d), highCD = _mm256_unpackhi_epi8(c, d)
      return [
        _mm256_unpacklo_epi16(lowAB, lowCD), _mm256_unpackhi_epi16(lowAB, lowCD),
        _mm256_unpacklo_epi16(highAB, highCD), _mm256_unpackhi_epi16(highAB, highCD),
      ]
    #elseif arch(x86_64)
      let lowAB = _mm_unpacklo_epi8(a, b), highAB = _mm_unpackhi_epi8(a, b)
      let lowCD = _mm_unpacklo_epi8(c, d), highCD = _mm_unpackhi_epi8(c, d)
      return [
        _mm_unpacklo_epi16(lowAB, lowCD), _mm_unpackhi_epi16(lowAB, lowCD),
        _mm_unpacklo_epi16(highAB, highCD), _mm_unpackhi_epi16(highAB, highCD),
      ]
    #else
      typealias Bytes = SIMD16<UInt8>
      let rows = [a, b, c, d].map { unsafeBitCast($0, to: Bytes.self) }
      var result = Block(repeating: IntegerLanes.zero)
      for vector in 0..<4 {
        var bytes = Bytes.zero
        for index in 0..<16 { bytes[index] = rows[index & 3][vector &* 4 &+ index &>> 2] }
        result[vector] = unsafeBitCast(bytes, to: IntegerVector.self)
      }
      return result
    #endif
  }

  /// The channel whose quad is at a place of the interleaved registers.
  @inline(__always)
  static func channel(vector: Int, lane: Int) -> Int {
    (lane &>> 2) &* 16 &+ vector &* 4 &+ lane & 3
  }

  @inline(__always)
  static func addProducts(_ x: Block, _ weights: UnsafePointer<Int8>, to sums: inout Block) {
    for v in 0..<4 {
      sums[v] = IntegerLanes.addProducts(
        QuadInput(bytes: x[v]), QuadWeights(weights + v &* IntegerLanes.count &* 4), sums[v])
    }
  }

  /// Stores sums in the order of interleaved registers.
  @inline(__always)
  static func storeInterleaved(_ sums: Block, _ target: UnsafeMutablePointer<Int32>) {
    for v in 0..<4 { IntegerLanes.store(sums[v], target + v &* IntegerLanes.count) }
  }

  /// Loads what `storeInterleaved` has stored.
  @inline(__always)
  static func load(_ source: UnsafePointer<Int32>) -> Block {
    var sums = Block(repeating: IntegerLanes.zero)
    for v in 0..<4 { sums[v] = IntegerLanes.load(source + v &* IntegerLanes.count) }
    return sums
  }

  /// Stores sums of interleaved channels in the channels' order, with what they start from added.
  @inline(__always)
  static func store(
    _ sums: Block, start: UnsafePointer<Int32>, _ target: UnsafeMutablePointer<Int32>
  ) {
    let ordered = ordered(sums)
    for v in 0..<4 {
      let place = v &* IntegerLanes.count
      IntegerLanes.store(
        IntegerLanes.add(ordered[v], IntegerLanes.load(start + place)), target + place)
    }
  }

  @inline(__always)
  private static func ordered(_ x: Block) -> Block {
    #if NEEDLETAIL_AVX512
      let low = SIMD8<Int64>(0, 1, 2, 3, 8, 9, 10, 11)
      let high = SIMD8<Int64>(4, 5, 6, 7, 12, 13, 14, 15)
      let even = SIMD8<Int64>(0, 1, 4, 5, 8, 9, 12, 13)
      let odd = SIMD8<Int64>(2, 3, 6, 7, 10, 11, 14, 15)
      let a = _mm512_permutex2var_epi64(x[0], low, x[1])
      let b = _mm512_permutex2var_epi64(x[0], high, x[1])
      let c = _mm512_permutex2var_epi64(x[2], low, x[3])
      let d = _mm512_permutex2var_epi64(x[2], high, x[3])
      return [
        _mm512_permutex2var_epi64(a, even, c), _mm512_permutex2var_epi64(a, odd, c),
        _mm512_permutex2var_epi64(b, even, d), _mm512_permutex2var_epi64(b, odd, d),
      ]
    #elseif NEEDLETAIL_AVX2
      return [
        IntegerVector(lowHalf: x[0].lowHalf, highHalf: x[1].lowHalf),
        IntegerVector(lowHalf: x[2].lowHalf, highHalf: x[3].lowHalf),
        IntegerVector(lowHalf: x[0].highHalf, highHalf: x[1].highHalf),
        IntegerVector(lowHalf: x[2].highHalf, highHalf: x[3].highHalf),
      ]
    #else
      return x
    #endif
  }
}

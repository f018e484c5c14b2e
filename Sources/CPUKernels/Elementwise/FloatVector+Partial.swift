#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

extension FloatVector {
  /// The first `count` lanes from memory, `0 < count < vectorWidth`, the others `filler`.
  @_transparent
  static func loadPartial(
    _ address: UnsafeRawPointer, _ count: Int, filler: Float = 0
  ) -> FloatVector {
    #if NEEDLETAIL_AVX512
      return _mm512_mask_loadu_ps(
        FloatVector(filler), __mmask16(truncatingIfNeeded: (1 << count) - 1), address)
    #else
      var result = FloatVector(filler)
      let source = address.assumingMemoryBound(to: Float.self)
      for lane in 0..<count { result[lane] = source[lane] }
      return result
    #endif
  }

  /// Stores the first `count` lanes.
  @_transparent
  func storePartial(_ address: UnsafeMutableRawPointer, _ count: Int) {
    #if NEEDLETAIL_AVX512
      _mm512_mask_storeu_ps(address, __mmask16(truncatingIfNeeded: (1 << count) - 1), self)
    #else
      let target = address.assumingMemoryBound(to: Float.self)
      for lane in 0..<count { target[lane] = self[lane] }
    #endif
  }
}

/// Loops over the floats of one array in vectors.
enum VectorLoop {
  /// `body(accumulator, vector)` over all vectors in four independent chains; the last, partial vector is
  /// filled up with `filler`.
  @_transparent
  static func fold(
    _ source: UnsafePointer<Float>, _ count: Int, _ initial: Float, filler: Float,
    _ body: (FloatVector, FloatVector) -> FloatVector,
    joining join: (FloatVector, FloatVector) -> FloatVector
  ) -> FloatVector {
    var a = FloatVector(initial), b = a, c = a, d = a
    var index = 0
    let width = vectorWidth
    while index + 4 * width <= count {
      a = body(a, .load(source + index))
      b = body(b, .load(source + index + width))
      c = body(c, .load(source + index + 2 * width))
      d = body(d, .load(source + index + 3 * width))
      index += 4 * width
    }
    while index + width <= count {
      a = body(a, .load(source + index))
      index += width
    }
    if index < count {
      b = body(b, .loadPartial(source + index, count - index, filler: filler))
    }
    return join(join(a, b), join(c, d))
  }

  /// `target[i] = body(source[i])`.
  @_transparent
  static func map(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ count: Int,
    _ body: (FloatVector) -> FloatVector
  ) {
    var index = 0
    while index + vectorWidth <= count {
      body(.load(source + index)).store(target + index)
      index += vectorWidth
    }
    if index < count {
      body(.loadPartial(source + index, count - index))
        .storePartial(target + index, count - index)
    }
  }

  /// `target[i] = body(source[i], a[i], b[i])`.
  @_transparent
  static func map(
    _ source: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>, _ count: Int,
    _ body: (FloatVector, FloatVector, FloatVector) -> FloatVector
  ) {
    var index = 0
    while index + vectorWidth <= count {
      body(.load(source + index), .load(a + index), .load(b + index)).store(target + index)
      index += vectorWidth
    }
    let rest = count - index
    if rest > 0 {
      body(
        .loadPartial(source + index, rest), .loadPartial(a + index, rest),
        .loadPartial(b + index, rest)
      )
      .storePartial(target + index, rest)
    }
  }
}

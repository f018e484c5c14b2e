#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

extension FloatVector {
  /// The first `count` lanes from memory, `0 < count < vectorWidth`, the others `filler`.
  @inline(__always)
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
  @inline(__always)
  func storePartial(_ address: UnsafeMutableRawPointer, _ count: Int) {
    #if NEEDLETAIL_AVX512
      _mm512_mask_storeu_ps(address, __mmask16(truncatingIfNeeded: (1 << count) - 1), self)
    #else
      let target = address.assumingMemoryBound(to: Float.self)
      for lane in 0..<count { target[lane] = self[lane] }
    #endif
  }
}

/// What a loop over vectors combines; `parameter` is the same for all of them.
protocol VectorFold {
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector
  /// Joins the results of independent chains.
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector
}

enum SumFold: VectorFold {
  @inline(__always)
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector { sum + x }
  @inline(__always)
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a + b }
}

/// The sum of squared distances from the parameter.
enum SquaredDistanceFold: VectorFold {
  @inline(__always)
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector {
    let distance = x - parameter
    return distance.multiplyAdd(distance, sum)
  }
  @inline(__always)
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a + b }
}

/// The largest number; NaN is passed over.
enum LargestFold: VectorFold {
  @inline(__always)
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector { sum.orGreater(x) }
  @inline(__always)
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a.orGreater(b) }
}

/// The sum of exponentials of the distances from the parameter.
enum ExponentialFold: VectorFold {
  @inline(__always)
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector { sum + VectorFunction.weight(x - parameter) }
  @inline(__always)
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a + b }
}

/// Loops over the floats of arrays in vectors.
enum VectorLoop {
  /// All vectors combined in four independent chains; the last, partial vector is filled up with `filler`.
  @inline(__always)
  static func fold<Rule: VectorFold>(
    _ rule: Rule.Type, _ source: UnsafePointer<Float>, _ count: Int, initial: Float, filler: Float,
    parameter: FloatVector = FloatVector(0)
  ) -> FloatVector {
    var a = FloatVector(initial), b = a, c = a, d = a
    var index = 0
    let width = vectorWidth
    while index + 4 * width <= count {
      a = Rule.combine(a, .load(source + index), parameter)
      b = Rule.combine(b, .load(source + index + width), parameter)
      c = Rule.combine(c, .load(source + index + 2 * width), parameter)
      d = Rule.combine(d, .load(source + index + 3 * width), parameter)
      index += 4 * width
    }
    while index + width <= count {
      a = Rule.combine(a, .load(source + index), parameter)
      index += width
    }
    if index < count {
      b = Rule.combine(
        b, .loadPartial(source + index, count - index, filler: filler), parameter)
    }
    return Rule.join(Rule.join(a, b), Rule.join(c, d))
  }

  /// `target[i] = body(source[i])`.
  @inline(__always)
  static func map(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ count: Int,
    _ body: (FloatVector) -> FloatVector
  ) {
    // One call of the body, so that it is inlined.
    var index = 0
    while index < count {
      let rest = count - index
      let isWhole = rest >= vectorWidth
      let result = body(isWhole ? .load(source + index) : .loadPartial(source + index, rest))
      if isWhole {
        result.store(target + index)
      } else {
        result.storePartial(target + index, rest)
      }
      index += vectorWidth
    }
  }
}

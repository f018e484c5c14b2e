import CPUIntrinsics
import CPUKernelInterface

#if arch(x86_64)
  import _Builtin_intrinsics.intel
#endif

/// Numbers as they lie in memory, which kernels compute with in single precision.
protocol NumberStorage {
  associatedtype Element: BitwiseCopyable
  static func load(_ p: UnsafePointer<Element>) -> FloatVector
  static func loadOne(_ p: UnsafePointer<Element>) -> Float
  /// Rounded to nearest, ties to even.
  static func store(_ x: FloatVector, _ p: UnsafeMutablePointer<Element>)
}

extension NumberStorage {
  /// The first `count` elements at `p`, and zeros.
  @inline(__always)
  static func load(_ p: UnsafePointer<Element>, count: Int) -> FloatVector {
    var memory = FloatVector.zero
    return withUnsafeMutableBytes(of: &memory) { memory in
      let place = memory.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Element.self)
      place.update(from: p, count: count)
      return load(place)
    }
  }

  /// Stores the first `count` lanes.
  @inline(__always)
  static func store(_ x: FloatVector, _ p: UnsafeMutablePointer<Element>, count: Int) {
    var memory = FloatVector.zero
    withUnsafeMutableBytes(of: &memory) { memory in
      let place = memory.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: Element.self)
      store(x, place)
      p.update(from: place, count: count)
    }
  }
}

enum SingleNumbers: NumberStorage {
  @inline(__always) static func load(_ p: UnsafePointer<Float>) -> FloatVector { .load(p) }
  @inline(__always) static func loadOne(_ p: UnsafePointer<Float>) -> Float { p[0] }
  @inline(__always) static func store(_ x: FloatVector, _ p: UnsafeMutablePointer<Float>) {
    x.store(p)
  }
}

/// IEEE binary16.
enum HalfNumbers: NumberStorage {
  @inline(__always) static func loadOne(_ p: UnsafePointer<UInt16>) -> Float {
    SmallFloats.float16(p[0])
  }

  @inline(__always)
  static func load(_ p: UnsafePointer<UInt16>) -> FloatVector {
    #if NEEDLETAIL_AVX512
      return _mm512_cvtph_ps(UnsafeRawPointer(p).loadUnaligned(as: SIMD4<Int64>.self))
    #elseif NEEDLETAIL_AVX2
      return _mm256_cvtph_ps(UnsafeRawPointer(p).loadUnaligned(as: SIMD2<Int64>.self))
    #else
      let bits = Words.load(p)
      // The exponent moved to its place is 112 too small; a product makes that good, also for subnormals.
      let size = FloatVector(bits: (bits & 0x7FFF) &<< 13) * 0x1p112
      let special = size.bits | 0x7F80_0000
      let magnitude = size.bits.replacing(with: special, where: bits & 0x7C00 .== 0x7C00)
      return FloatVector(bits: magnitude | ((bits & 0x8000) &<< 16))
    #endif
  }

  @inline(__always)
  static func store(_ x: FloatVector, _ p: UnsafeMutablePointer<UInt16>) {
    #if NEEDLETAIL_AVX512
      UnsafeMutableRawPointer(p).storeBytes(of: narrowedToHalf16(x), as: SIMD4<Int64>.self)
    #elseif NEEDLETAIL_AVX2
      UnsafeMutableRawPointer(p).storeBytes(of: narrowedToHalf8(x), as: SIMD2<Int64>.self)
    #else
      let size = x.magnitude.bits
      let tie = (size &>> 13) & 1
      var half = (size &- 0x3800_0000 &+ 0xFFF &+ tie) &>> 13
      // The last place of this sum is that of the smallest number.
      let small = (FloatVector(bits: size) + 0.5).bits &- 0x3F00_0000
      half.replace(with: small, where: size .< 0x3880_0000)
      half.replace(with: 0x7C00, where: size .>= 0x4780_0000)
      half.replace(with: 0x7E00, where: size .> 0x7F80_0000)
      Words.store((half &<< 16 | x.signBits) &>> 16, p)
    #endif
  }
}

/// The upper halves of single precision.
enum BrainNumbers: NumberStorage {
  @inline(__always) static func loadOne(_ p: UnsafePointer<UInt16>) -> Float {
    SmallFloats.bfloat16(p[0])
  }

  @inline(__always)
  static func load(_ p: UnsafePointer<UInt16>) -> FloatVector {
    FloatVector(bits: Words.load(p) &<< 16)
  }

  @inline(__always)
  static func store(_ x: FloatVector, _ p: UnsafeMutablePointer<UInt16>) {
    let bits = x.bits
    let rounded = bits &+ 0x7FFF &+ ((bits &>> 16) & 1)
    Words.store(rounded.replacing(with: bits | 0x40_0000, where: x .!= x) &>> 16, p)
  }
}

/// Lanes that hold integers of 16 bits.
private enum Words {
  /// Without sign.
  @inline(__always)
  static func load(_ p: UnsafePointer<UInt16>) -> IntVector {
    let p = UnsafeRawPointer(p)
    #if NEEDLETAIL_AVX512
      let words = _mm512_cvtepu16_epi32(p.loadUnaligned(as: SIMD4<Int64>.self))
    #elseif NEEDLETAIL_AVX2
      let words = _mm256_cvtepu16_epi32(p.loadUnaligned(as: SIMD2<Int64>.self))
    #elseif arch(x86_64)
      let words = _mm_unpacklo_epi16(
        SIMD2<Int64>(p.loadUnaligned(as: Int64.self), 0), _mm_setzero_si128())
    #else
      let words = IntVector(truncatingIfNeeded: p.loadUnaligned(as: SIMD4<UInt16>.self))
    #endif
    return unsafeBitCast(words, to: IntVector.self)
  }

  /// Of integers with sign.
  @inline(__always)
  static func store(_ x: IntVector, _ p: UnsafeMutableRawPointer) {
    #if NEEDLETAIL_AVX512
      let words = _mm512_cvtepi32_epi16(unsafeBitCast(x, to: SIMD8<Int64>.self))
      p.storeBytes(of: words, as: SIMD4<Int64>.self)
    #elseif NEEDLETAIL_AVX2
      let words = _mm_packs_epi32(
        unsafeBitCast(x.lowHalf, to: SIMD2<Int64>.self),
        unsafeBitCast(x.highHalf, to: SIMD2<Int64>.self))
      p.storeBytes(of: words, as: SIMD2<Int64>.self)
    #elseif arch(x86_64)
      let lanes = unsafeBitCast(x, to: SIMD2<Int64>.self)
      p.storeBytes(of: _mm_packs_epi32(lanes, lanes)[0], as: Int64.self)
    #else
      p.storeBytes(of: SIMD4<Int16>(truncatingIfNeeded: x), as: SIMD4<Int16>.self)
    #endif
  }
}

/// Rows of floats.
struct NumberRows {
  let address: UnsafeMutablePointer<Float>
  let stride: Int

  @inline(__always)
  init(_ address: UnsafeMutablePointer<Float>, _ stride: Int) {
    self.address = address
    self.stride = stride
  }
}

/// Runs of numbers from one storage to the other.
enum NumberConversion {
  /// - Parameter sourceStride: elements between rows.
  static func widen(
    _ source: UnsafeRawPointer, _ sourceStride: Int, _ format: ElementFormat,
    _ target: NumberRows, rows: Int, columns: Int
  ) {
    let bytes = sourceStride &* format.size
    switch format {
    case .float16:
      for row in 0..<rows {
        widen(
          HalfNumbers.self, source + row &* bytes, target.address + row &* target.stride, columns)
      }
    case .bfloat16:
      for row in 0..<rows {
        widen(
          BrainNumbers.self, source + row &* bytes, target.address + row &* target.stride, columns)
      }
    default:
      for row in 0..<rows {
        UnsafeMutableRawPointer(target.address + row &* target.stride).copyMemory(
          from: source + row &* bytes, byteCount: columns &* 4)
      }
    }
  }

  /// - Parameter targetStride: elements between rows.
  static func narrow(
    _ source: NumberRows, _ target: UnsafeMutableRawPointer, _ targetStride: Int,
    _ format: ElementFormat, rows: Int, columns: Int
  ) {
    let bytes = targetStride &* format.size
    switch format {
    case .float16:
      for row in 0..<rows {
        narrow(
          HalfNumbers.self, source.address + row &* source.stride, target + row &* bytes, columns)
      }
    case .bfloat16:
      for row in 0..<rows {
        narrow(
          BrainNumbers.self, source.address + row &* source.stride, target + row &* bytes, columns)
      }
    default:
      for row in 0..<rows {
        (target + row &* bytes).copyMemory(
          from: source.address + row &* source.stride, byteCount: columns &* 4)
      }
    }
  }

  static func widen(
    _ source: UnsafeRawPointer, _ format: ElementFormat, _ target: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    switch format {
    case .float16: widen(HalfNumbers.self, source, target, count)
    case .bfloat16: widen(BrainNumbers.self, source, target, count)
    default: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: count &* 4)
    }
  }

  static func narrow(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutableRawPointer, _ format: ElementFormat,
    _ count: Int
  ) {
    switch format {
    case .float16: narrow(HalfNumbers.self, source, target, count)
    case .bfloat16: narrow(BrainNumbers.self, source, target, count)
    default: target.copyMemory(from: source, byteCount: count &* 4)
    }
  }

  /// Rounds numbers to a format.
  static func round(
    _ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ isHalf: Bool,
    _ count: Int
  ) {
    if isHalf {
      round(HalfNumbers.self, source, target, count)
    } else {
      round(BrainNumbers.self, source, target, count)
    }
  }

  @inline(__always)
  private static func widen<Numbers: NumberStorage>(
    _ numbers: Numbers.Type, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    let source = source.assumingMemoryBound(to: Numbers.Element.self)
    var index = 0
    while index &+ 2 &* vectorWidth <= count {
      let a = Numbers.load(source + index), b = Numbers.load(source + (index &+ vectorWidth))
      a.store(target + index)
      b.store(target + (index &+ vectorWidth))
      index &+= 2 &* vectorWidth
    }
    while index &+ vectorWidth <= count {
      Numbers.load(source + index).store(target + index)
      index &+= vectorWidth
    }
    while index < count {
      target[index] = Numbers.loadOne(source + index)
      index &+= 1
    }
  }

  @inline(__always)
  private static func narrow<Numbers: NumberStorage>(
    _ numbers: Numbers.Type, _ source: UnsafePointer<Float>, _ target: UnsafeMutableRawPointer,
    _ count: Int
  ) {
    let target = target.assumingMemoryBound(to: Numbers.Element.self)
    var index = 0
    while index &+ vectorWidth <= count {
      Numbers.store(.load(source + index), target + index)
      index &+= vectorWidth
    }
    if index == count { return }
    let rest = count &- index
    Numbers.store(.loadPartial(source + index, rest), target + index, count: rest)
  }

  /// Whole vectors.
  @inline(__always)
  private static func round<Numbers: NumberStorage>(
    _ numbers: Numbers.Type, _ source: UnsafePointer<Float>,
    _ target: UnsafeMutablePointer<Float>, _ count: Int
  ) where Numbers.Element == UInt16 {
    var memory = FloatVector.zero
    withUnsafeMutableBytes(of: &memory) { memory in
      let place = memory.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt16.self)
      var index = 0
      while index < count {
        Numbers.store(.load(source + index), place)
        Numbers.load(place).store(target + index)
        index &+= vectorWidth
      }
    }
  }
}

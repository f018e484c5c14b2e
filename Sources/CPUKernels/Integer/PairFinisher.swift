#if NEEDLETAIL_VNNI
  import CPUIntrinsics
  import CPUKernelInterface
  import _Builtin_intrinsics.intel

  /// Makes results of blocks of sums in single precision.
  struct PairFinisher {
    private let epilogue: PairEpilogue

    // The raw values of `ElementFormat` and `ContractionActivation`, whose own getters are calls into another module.
    private static var float32: UInt8 { 0 }
    private static var float16: UInt8 { 1 }
    private static var relu: Int { 1 }
    private static var clamp: Int { 2 }

    init(_ epilogue: PairEpilogue) { self.epilogue = epilogue }

    /// The strides of results and residuals are in bytes.
    func finish(
      _ sums: UnsafePointer<Int32>, _ sumStride: Int, _ output: UnsafeMutableRawPointer,
      _ outputStride: Int, _ residual: UnsafeRawPointer?, _ residualStride: Int, rows: Int,
      columns: Int
    ) {
      let residualSize = epilogue.residual == Self.float32 ? 4 : 2
      let resultSize = epilogue.result == Self.float32 ? 4 : 2
      for row in 0..<rows {
        let first = sums + row &* sumStride
        var column = 0
        while column < columns {
          let count = min(columns &- column, IntegerLanes.count)
          var value = IntegerLanes.real(bits: IntegerLanes.load(first + column))
          if let residual {
            let place = residual + (row &* residualStride &+ column &* residualSize)
            value = _mm512_add_ps(value, loadResidual(place, count))
          }
          store(
            activated(value), output + (row &* outputStride &+ column &* resultSize), count)
          column &+= IntegerLanes.count
        }
      }
    }

    @inline(__always)
    private func mask(_ count: Int) -> UInt16 { UInt16(truncatingIfNeeded: (1 &<< count) &- 1) }

    @inline(__always)
    private func activated(_ x: RealVector) -> RealVector {
      switch epilogue.activation {
      case Self.relu: _mm512_max_ps(_mm512_setzero_ps(), x)
      case Self.clamp:
        _mm512_min_ps(
          IntegerLanes.broadcast(epilogue.upper),
          _mm512_max_ps(IntegerLanes.broadcast(epilogue.lower), x))
      default: x
      }
    }

    @inline(__always)
    private func loadResidual(_ place: UnsafeRawPointer, _ count: Int) -> RealVector {
      if epilogue.residual == Self.float32 { return _mm512_maskz_loadu_ps(mask(count), place) }
      let words = _mm256_maskz_loadu_epi16(mask(count), place)
      if epilogue.residual == Self.float16 { return _mm512_cvtph_ps(words) }
      let wide = unsafeBitCast(_mm512_cvtepu16_epi32(words), to: SIMD16<UInt32>.self)
      return unsafeBitCast(wide &<< 16, to: RealVector.self)
    }

    @inline(__always)
    private func store(_ x: RealVector, _ place: UnsafeMutableRawPointer, _ count: Int) {
      if epilogue.result == Self.float32 {
        _mm512_mask_storeu_ps(place, mask(count), x)
        return
      }
      if epilogue.result == Self.float16 {
        _mm256_mask_storeu_epi16(place, mask(count), narrowedToHalf16(x))
        return
      }
      let bits = unsafeBitCast(x, to: SIMD16<UInt32>.self)
      let rounded = bits &+ 0x7FFF &+ ((bits &>> 16) & 1)
      let result = rounded.replacing(with: bits | 0x40_0000, where: x .!= x) &>> 16
      let words = _mm512_cvtepi32_epi16(unsafeBitCast(result, to: IntegerVector.self))
      _mm256_mask_storeu_epi16(place, mask(count), words)
    }
  }
#endif

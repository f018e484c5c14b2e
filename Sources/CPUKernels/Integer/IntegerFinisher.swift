import CPUKernelInterface

/// Makes results of blocks of sums.
struct IntegerFinisher {
  private let epilogue: IntegerEpilogue
  private let bytes: ByteLanes
  private let resultBytes: Int
  private let residualBytes: Int

  // The raw values of `IntegerResult` and `IntegerResidual`, whose own getters are calls into another module.
  private enum Result {
    @inline(__always) static var int32: Int { 0 }
    @inline(__always) static var uint8: Int { 2 }
    @inline(__always) static var int8: Int { 3 }
  }
  private enum Residual {
    @inline(__always) static var uint8: Int { 1 }
    @inline(__always) static var int8: Int { 2 }
    @inline(__always) static var float32: Int { 3 }
  }

  init(_ epilogue: IntegerEpilogue) {
    self.epilogue = epilogue
    bytes = ByteLanes(
      zeroPoint: epilogue.zeroPoint, lowest: epilogue.lowest, highest: epilogue.highest,
      isSigned: epilogue.result == Result.int8)
    resultBytes = epilogue.result >= Result.uint8 ? 1 : 4
    residualBytes = epilogue.residual == Residual.float32 ? 4 : 1
  }

  /// A block of results: where its sums, results and residuals are, and the bytes between rows.
  struct Block {
    var sums: UnsafePointer<Int32>
    var sumStride: Int
    var output: UnsafeMutableRawPointer
    var outputStride: Int
    var residual: UnsafeRawPointer?
    var residualStride: Int
    var rows: Int
    var columns: Int
    /// The first of the epilogue's columns.
    var column: Int
  }

  func finish(_ block: Block) {
    let width = IntegerLanes.count
    var column = 0
    #if NEEDLETAIL_AVX512
      while column &+ 4 &* width <= block.columns {
        finish(block, column, InlineArray<4, RealVector>.self)
        column &+= 4 &* width
      }
    #endif
    while column &+ 2 &* width <= block.columns {
      finish(block, column, InlineArray<2, RealVector>.self)
      column &+= 2 &* width
    }
    while column &+ width <= block.columns {
      finish(block, column, InlineArray<1, RealVector>.self)
      column &+= width
    }
    if column < block.columns { finishRest(block, column) }
  }

  /// Fewer columns than a vector has, by way of memory of their own.
  private func finishRest(_ block: Block, _ column: Int) {
    let columns = block.columns &- column
    var memory = InlineArray<2, RealVector>(repeating: IntegerLanes.broadcast(0))
    withUnsafeMutableBytes(of: &memory) { memory in
      guard let results = memory.baseAddress else { return }
      let residuals = results + MemoryLayout<RealVector>.size
      var one = block
      one.rows = 1
      one.outputStride = 0
      for row in 0..<block.rows {
        one.sums = block.sums + row &* block.sumStride
        one.output = results - column &* resultBytes
        if let residual = block.residual {
          residuals.copyMemory(
            from: residual + (row &* block.residualStride &+ column &* residualBytes),
            byteCount: columns &* residualBytes)
          one.residual = UnsafeRawPointer(residuals) - column &* residualBytes
        }
        finish(one, column, InlineArray<1, RealVector>.self)
        (block.output + (row &* block.outputStride &+ column &* resultBytes)).copyMemory(
          from: results, byteCount: columns &* resultBytes)
      }
    }
  }

  @inline(__always)
  private func finish<let vectors: Int>(
    _ block: Block, _ column: Int, _ shape: InlineArray<vectors, RealVector>.Type
  ) {
    let width = IntegerLanes.count
    if epilogue.result == Result.int32 {
      for row in 0..<block.rows {
        for v in 0..<vectors {
          let place = column &+ v &* width
          IntegerLanes.store(
            IntegerLanes.load(block.sums + row &* block.sumStride + place),
            block.output + (row &* block.outputStride &+ place &* 4))
        }
      }
      return
    }
    var scale = InlineArray<vectors, RealVector>(repeating: IntegerLanes.broadcast(0))
    var shift = scale
    var factor = scale
    var lower = scale
    var upper = scale
    for v in 0..<vectors {
      let place = block.column &+ column &+ v &* width
      scale[v] = IntegerLanes.loadReal(epilogue.scale + place)
      shift[v] = IntegerLanes.loadReal(epilogue.shift + place)
      factor[v] = IntegerLanes.loadReal(epilogue.residualScale + place)
      if epilogue.isLimited {
        lower[v] = IntegerLanes.loadReal(epilogue.lower + place)
        upper[v] = IntegerLanes.loadReal(epilogue.upper + place)
      }
    }
    for row in 0..<block.rows {
      var values = scale
      let sums = block.sums + (row &* block.sumStride &+ column)
      for v in 0..<vectors {
        values[v] = IntegerLanes.multiplyAdd(
          IntegerLanes.real(IntegerLanes.load(sums + v &* width)), scale[v], shift[v])
      }
      if epilogue.hasInner { values = requantized(values) }
      if let residual = block.residual {
        let place = residual + (row &* block.residualStride &+ column &* residualBytes)
        for v in 0..<vectors {
          values[v] = IntegerLanes.multiplyAdd(
            loadResidual(place + v &* width &* residualBytes), factor[v], values[v])
        }
      }
      if epilogue.isLimited {
        for v in 0..<vectors { values[v] = IntegerLanes.clamped(values[v], lower[v], upper[v]) }
      }
      store(values, block.output + (row &* block.outputStride &+ column &* resultBytes))
    }
  }

  @inline(__always)
  private func requantized<let vectors: Int>(
    _ numbers: InlineArray<vectors, RealVector>
  ) -> InlineArray<vectors, RealVector> {
    let stage = epilogue.inner
    let lower = IntegerLanes.broadcast(stage.lower), upper = IntegerLanes.broadcast(stage.upper)
    let scale = IntegerLanes.broadcast(stage.scale), shift = IntegerLanes.broadcast(stage.shift)
    var values = numbers
    for v in 0..<vectors {
      let whole = IntegerLanes.rounded(IntegerLanes.clamped(values[v], lower, upper))
      values[v] = IntegerLanes.multiplyAdd(IntegerLanes.real(whole), scale, shift)
    }
    return values
  }

  @inline(__always)
  private func loadResidual(_ place: UnsafeRawPointer) -> RealVector {
    switch epilogue.residual {
    case Residual.uint8:
      IntegerLanes.real(IntegerLanes.loadUnsigned(place.assumingMemoryBound(to: UInt8.self)))
    case Residual.int8:
      IntegerLanes.real(IntegerLanes.loadSigned(place.assumingMemoryBound(to: UInt8.self)))
    default: IntegerLanes.loadReal(place.assumingMemoryBound(to: Float.self))
    }
  }

  @inline(__always)
  private func store<let vectors: Int>(
    _ values: InlineArray<vectors, RealVector>, _ place: UnsafeMutableRawPointer
  ) {
    if resultBytes == 4 {
      for v in 0..<vectors {
        IntegerLanes.store(
          IntegerLanes.bits(values[v]), place + v &* IntegerLanes.count &* 4)
      }
      return
    }
    var whole = InlineArray<vectors, IntegerVector>(repeating: IntegerLanes.zero)
    for v in 0..<vectors { whole[v] = IntegerLanes.rounded(values[v]) }
    bytes.store(whole, place)
  }
}

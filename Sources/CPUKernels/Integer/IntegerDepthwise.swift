import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a depthwise convolution of bytes.
///
/// Products are summed as real numbers, which is exact as long as sums stay below 2^24.
func runIntegerDepthwise(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerDepthwiseParameters.self)
  if p.pointee.isSigned {
    runRows(p, operands, firstTask, endTask, scratch, SignedBytes.self)
  } else {
    runRows(p, operands, firstTask, endTask, scratch, UnsignedBytes.self)
  }
}

private protocol ByteSource {
  static func load(_ p: UnsafePointer<UInt8>) -> RealVector
}

private enum UnsignedBytes: ByteSource {
  @inline(__always)
  static func load(_ p: UnsafePointer<UInt8>) -> RealVector {
    IntegerLanes.real(IntegerLanes.loadUnsigned(p))
  }
}

private enum SignedBytes: ByteSource {
  @inline(__always)
  static func load(_ p: UnsafePointer<UInt8>) -> RealVector {
    IntegerLanes.real(IntegerLanes.loadSigned(p))
  }
}

extension ByteSource {
  /// Of the first `count` bytes at `p`; no others are read.
  @inline(__always)
  static func load(_ p: UnsafePointer<UInt8>, count: Int) -> RealVector {
    var bytes = SIMD16<UInt8>.zero
    return withUnsafeMutableBytes(of: &bytes) { memory in
      let base = memory.baseAddress.unsafelyUnwrapped
      base.copyMemory(from: p, byteCount: count)
      return load(UnsafePointer(base.assumingMemoryBound(to: UInt8.self)))
    }
  }
}

private func runRows<Source: ByteSource>(
  _ p: UnsafePointer<IntegerDepthwiseParameters>,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int,
  _ scratch: UnsafeMutableRawPointer, _ source: Source.Type
) {
  let finisher = DepthwiseFinisher(p, operands, scratch)
  let rowBlocks = p.pointee.rowBlocks
  for task in firstTask..<endTask {
    let (image, rowBlock) = task.quotientAndRemainder(dividingBy: rowBlocks)
    let firstRow = rowBlock &* p.pointee.rowsPerTask
    let endRow = min(firstRow &+ p.pointee.rowsPerTask, p.pointee.outputHeight)
    var channel = 0
    while channel < p.pointee.channels {
      let channels = min(p.pointee.channelsPerPass, p.pointee.channels &- channel)
      for y in firstRow..<endRow {
        let row = IntegerDepthwiseRow<Source>(
          p, operands, finisher, scratch, image: image, y: y, channel: channel,
          channels: channels)
        row.compute()
      }
      channel &+= channels
    }
  }
}

/// One output row of a block of channels.
private struct IntegerDepthwiseRow<Source: ByteSource> {
  let p: UnsafePointer<IntegerDepthwiseParameters>
  let operands: UnsafePointer<UnsafeMutableRawPointer>
  let finisher: DepthwiseFinisher
  let scratch: UnsafeMutableRawPointer
  let image: Int
  let y: Int
  let channel: Int
  let channels: Int
  let window: ContractionWindow
  let pixelStride: Int
  /// x at the first kernel row inside, and pixel 0.
  let input: UnsafePointer<UInt8>
  let firstTapRow: Int
  let tapRows: Int

  init(
    _ p: UnsafePointer<IntegerDepthwiseParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ finisher: DepthwiseFinisher,
    _ scratch: UnsafeMutableRawPointer, image: Int, y: Int, channel: Int, channels: Int
  ) {
    self.p = p
    self.operands = operands
    self.finisher = finisher
    self.scratch = scratch
    self.image = image
    self.y = y
    self.channel = channel
    self.channels = channels
    window = p.pointee.window
    pixelStride = p.pointee.input.pixel
    let top = y &* window.strideHeight &- window.padTop
    var first = 0
    var end = window.height
    while first < end && top &+ first &* window.dilationHeight < 0 { first &+= 1 }
    while end > first && top &+ (end &- 1) &* window.dilationHeight >= window.inputHeight {
      end &-= 1
    }
    firstTapRow = first
    tapRows = end &- first
    input =
      UnsafePointer(operands[p.pointee.operands.input].assumingMemoryBound(to: UInt8.self))
      + (image &* p.pointee.input.batch &+ channel
        &+ (top &+ first &* window.dilationHeight) &* p.pointee.input.row)
  }

  func compute() {
    // Padding of zeros adds nothing; other padding is added tap by tap.
    let skipsPadding = p.pointee.padValue == 0
    let reach = (window.width &- 1) &* window.dilationWidth
    var x = 0
    while x < p.pointee.outputWidth {
      let left = x &* window.strideWidth &- window.padLeft
      let isInside =
        left >= 0 && left &+ reach < window.inputWidth
        && (skipsPadding || tapRows == window.height)
      if isInside {
        let inside = min(
          (window.inputWidth &- 1 &- reach &- left) / window.strideWidth &+ 1,
          p.pointee.outputWidth &- x)
        computeInside(x, inside)
        x &+= inside
      } else {
        if skipsPadding { computeBorder(x, left) } else { computePadded(x, left) }
        x &+= 1
      }
    }
  }

  /// A pixel some of whose columns of taps lie outside of the input.
  private func computeBorder(_ x: Int, _ left: Int) {
    var first = 0
    var end = window.width
    while first < end && left &+ first &* window.dilationWidth < 0 { first &+= 1 }
    while end > first && left &+ (end &- 1) &* window.dilationWidth >= window.inputWidth {
      end &-= 1
    }
    IntegerDepthwiseTile<Source, 1, 0, 0>.compute(self, x, first, end)
    finish(x, 1)
  }

  /// A pixel some of whose taps are padding other than zero.
  private func computePadded(_ x: Int, _ left: Int) {
    let pad = IntegerLanes.broadcast(Float(p.pointee.padValue))
    let width = IntegerLanes.count
    var first = 0
    while first < channels {
      let count = min(width, channels &- first)
      var sum = IntegerLanes.broadcast(0)
      var weights = self.weights(first)
      for row in 0..<window.height {
        let isRowInside = row >= firstTapRow && row < firstTapRow &+ tapRows
        let line =
          input + ((row &- firstTapRow) &* window.dilationHeight &* p.pointee.input.row &+ first)
        for column in 0..<window.width {
          let position = left &+ column &* window.dilationWidth
          let isInside = isRowInside && position >= 0 && position < window.inputWidth
          let value =
            !isInside
            ? pad
            : count == width
              ? Source.load(line + position &* pixelStride)
              : Source.load(line + position &* pixelStride, count: count)
          sum = IntegerLanes.multiplyAdd(value, IntegerLanes.loadReal(weights), sum)
          weights += width
        }
      }
      store(sum, pixel: 0, first)
      first &+= width
    }
    finish(x, 1)
  }

  /// `count` pixels from `x`, all taps of which lie inside.
  private func computeInside(_ x: Int, _ count: Int) {
    switch (window.dilationWidth == 1 ? window.width : 0, window.strideWidth) {
    case (3, 1): computeInside(x, count, IntegerWindow<3, 1>.self)
    case (3, 2): computeInside(x, count, IntegerWindow<3, 2>.self)
    case (5, 1): computeInside(x, count, IntegerWindow<5, 1>.self)
    case (5, 2): computeInside(x, count, IntegerWindow<5, 2>.self)
    default: computeInside(x, count, IntegerWindow<0, 0>.self)
    }
  }

  @inline(__always)
  private func computeInside<let width: Int, let step: Int>(
    _ first: Int, _ count: Int, _ shape: IntegerWindow<width, step>.Type
  ) {
    var x = first
    let end = first &+ count
    while x < end {
      let rest = end &- x
      let pixels: Int
      if rest >= 6 {
        pixels = 6
        IntegerDepthwiseTile<Source, 6, width, step>.compute(self, x, 0, window.width)
      } else if rest >= 2 {
        pixels = 2
        IntegerDepthwiseTile<Source, 2, width, step>.compute(self, x, 0, window.width)
      } else {
        pixels = 1
        IntegerDepthwiseTile<Source, 1, width, step>.compute(self, x, 0, window.width)
      }
      finish(x, pixels)
      x &+= pixels
    }
  }

  /// The weights of the vector of channels that begins `first` channels after this block's.
  @inline(__always)
  func weights(_ first: Int) -> UnsafePointer<Float> {
    p.pointee.weights + (channel &+ first) &* window.height &* window.width
  }

  /// Holds the sums of a pixel's vector of channels.
  @inline(__always)
  func store(_ sum: RealVector, pixel: Int, _ first: Int) {
    let start = IntegerLanes.load(p.pointee.epilogue.start + (channel &+ first))
    IntegerLanes.store(
      IntegerLanes.add(IntegerLanes.rounded(sum), start),
      scratch + (pixel &* p.pointee.channelsPerPass &+ first) &* 4)
  }

  /// Makes the results of the pixels whose sums are held.
  private func finish(_ x: Int, _ pixels: Int) {
    finisher.finish(
      image: image, y: y, x: x, pixels: pixels, channel: channel, channels: channels)
  }
}

/// The width and the stride of windows that have code of their own; 0 for all others.
private struct IntegerWindow<let width: Int, let step: Int> {}

/// `count` neighbouring output pixels, a vector of channels at a time.
private struct IntegerDepthwiseTile<
  Source: ByteSource, let count: Int, let width: Int, let step: Int
> {
  typealias Sums = InlineArray<count, RealVector>

  /// From pixel `x`, over the tap columns `firstTap ..< endTap`, all of which lie inside.
  @inline(never)
  static func compute(
    _ row: IntegerDepthwiseRow<Source>, _ x: Int, _ firstTap: Int, _ endTap: Int
  ) {
    let lanes = IntegerLanes.count
    let left =
      x &* row.window.strideWidth &- row.window.padLeft &+ firstTap &* row.window.dilationWidth
    let input = row.input + left &* row.pixelStride
    let skipped = (row.firstTapRow &* row.window.width &+ firstTap) &* lanes
    var first = 0
    while first &+ lanes <= row.channels {
      compute(row, first, input + first, row.weights(first) + skipped, endTap &- firstTap) {
        Source.load($0)
      }
      first &+= lanes
    }
    let rest = row.channels &- first
    if rest > 0 {
      compute(row, first, input + first, row.weights(first) + skipped, endTap &- firstTap) {
        Source.load($0, count: rest)
      }
    }
  }

  @inline(__always)
  private static func compute(
    _ row: IntegerDepthwiseRow<Source>, _ first: Int, _ input: UnsafePointer<UInt8>,
    _ weights: UnsafePointer<Float>, _ tapColumns: Int,
    _ load: (UnsafePointer<UInt8>) -> RealVector
  ) {
    var sums = Sums(repeating: IntegerLanes.broadcast(0))
    var line = input
    var rowWeights = weights
    let pixel = row.pixelStride
    let lineStride = row.window.dilationHeight &* row.p.pointee.input.row
    for _ in 0..<row.tapRows {
      if width > 0 {
        addColumn(0, &sums, line, rowWeights, pixel, load)
        if width > 1 { addColumn(1, &sums, line, rowWeights, pixel, load) }
        if width > 2 { addColumn(2, &sums, line, rowWeights, pixel, load) }
        if width > 3 { addColumn(3, &sums, line, rowWeights, pixel, load) }
        if width > 4 { addColumn(4, &sums, line, rowWeights, pixel, load) }
      } else {
        var tap = line
        for column in 0..<tapColumns {
          let weight = IntegerLanes.loadReal(rowWeights + column &* IntegerLanes.count)
          for i in 0..<count {
            sums[i] = IntegerLanes.multiplyAdd(
              load(tap + i &* row.window.strideWidth &* pixel), weight, sums[i])
          }
          tap += row.window.dilationWidth &* pixel
        }
      }
      line += lineStride
      rowWeights += row.window.width &* IntegerLanes.count
    }
    for i in 0..<count { row.store(sums[i], pixel: i, first) }
  }

  /// Adds the products of one column of taps, whose number is constant so that columns share their loads.
  @inline(__always)
  private static func addColumn(
    _ column: Int, _ sums: inout Sums, _ line: UnsafePointer<UInt8>,
    _ rowWeights: UnsafePointer<Float>, _ pixel: Int, _ load: (UnsafePointer<UInt8>) -> RealVector
  ) {
    let weight = IntegerLanes.loadReal(rowWeights + column &* IntegerLanes.count)
    for i in 0..<count {
      sums[i] = IntegerLanes.multiplyAdd(
        load(line + (i &* step &+ column) &* pixel), weight, sums[i])
    }
  }
}

/// Packs the weights of depthwise convolutions as real numbers: `[channels / lanes][tap][lanes]`, zero padded.
///
/// A task is a vector of channels. Operands: the weights, the packed weights.
func runIntegerDepthwisePack(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerPackParameters.self).pointee
  let source = UnsafePointer(operands[0].assumingMemoryBound(to: UInt8.self))
  let packed = operands[1].assumingMemoryBound(to: Float.self)
  let lanes = IntegerLanes.count
  let taps = p.height &* p.width
  for task in firstTask..<endTask {
    let target = packed + task &* taps &* lanes
    for y in 0..<p.height {
      for x in 0..<p.width {
        for lane in 0..<lanes {
          let channel = task &* lanes &+ lane
          var value: Float = 0
          if channel < p.groups {
            let byte =
              source[channel &* p.outputStride &+ y &* p.rowStride &+ x &* p.columnStride]
            value = p.isUnsigned ? Float(byte) : Float(Int8(bitPattern: byte))
          }
          target[(y &* p.width &+ x) &* lanes &+ lane] = value
        }
      }
    }
  }
}

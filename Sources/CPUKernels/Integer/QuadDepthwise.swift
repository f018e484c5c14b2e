import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a depthwise convolution of bytes whose products are summed four rows of
/// the window at a time.
func runQuadDepthwise(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerDepthwiseParameters.self)
  let finisher = DepthwiseFinisher(p, operands, scratch)
  let rowBlocks = p.pointee.rowBlocks
  for task in firstTask..<endTask {
    let (image, rowBlock) = task.quotientAndRemainder(dividingBy: rowBlocks)
    let firstRow = rowBlock &* p.pointee.rowsPerTask
    for y in firstRow..<min(firstRow &+ p.pointee.rowsPerTask, p.pointee.outputHeight) {
      var row = QuadRow(p, operands, finisher, image, y)
      var channel = 0
      while channel < p.pointee.channels {
        row.compute(channel)
        channel &+= ByteColumns.channels
      }
    }
  }
}

/// Makes the results of a few pixels of a row, whose sums are at the start of the scratch.
struct DepthwiseFinisher {
  let p: UnsafePointer<IntegerDepthwiseParameters>
  let operands: UnsafePointer<UnsafeMutableRawPointer>
  let scratch: UnsafeMutableRawPointer
  let finisher: IntegerFinisher

  init(
    _ p: UnsafePointer<IntegerDepthwiseParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    self.p = p
    self.operands = operands
    self.scratch = scratch
    finisher = IntegerFinisher(p.pointee.epilogue)
  }

  var sums: UnsafeMutablePointer<Int32> { scratch.assumingMemoryBound(to: Int32.self) }

  func finish(image: Int, y: Int, x: Int, pixels: Int, channel: Int, channels: Int) {
    let output = p.pointee.output
    let place = image &* output.batch &+ y &* output.row &+ x &* output.pixel &+ channel
    let target = operands[p.pointee.operands.output] + place &* p.pointee.resultBytes
    if let hook = p.pointee.hook, let context = p.pointee.hookContext {
      let row = (image &* p.pointee.outputHeight &+ y) &* p.pointee.outputWidth &+ x
      hook(
        context, operands, sums, p.pointee.channelsPerPass, target, output.pixel, pixels,
        channels, row, channel, scratch + p.pointee.hookOffset)
      return
    }
    let size = p.pointee.residualBytes
    let strides = p.pointee.residual
    var residual: UnsafeRawPointer?
    if p.pointee.operands.residual >= 0 {
      let offset = image &* strides.batch &+ y &* strides.row &+ x &* strides.pixel &+ channel
      residual = UnsafeRawPointer(operands[p.pointee.operands.residual]) + offset &* size
    }
    finisher.finish(
      IntegerFinisher.Block(
        sums: UnsafePointer(sums), sumStride: p.pointee.channelsPerPass, output: target,
        outputStride: output.pixel &* p.pointee.resultBytes, residual: residual,
        residualStride: strides.pixel &* size, rows: pixels, columns: channels, column: channel))
  }
}

/// One output row.
private struct QuadRow {
  let p: UnsafePointer<IntegerDepthwiseParameters>
  let finisher: DepthwiseFinisher
  let image: Int
  let y: Int
  let window: ContractionWindow
  let pixel: Int
  let flip: IntegerVector
  let input: UnsafePointer<UInt8>
  let top: Int
  // The block of channels.
  var channel = 0
  var channels = 0
  var weights: UnsafePointer<Int8>

  init(
    _ p: UnsafePointer<IntegerDepthwiseParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ finisher: DepthwiseFinisher,
    _ image: Int, _ y: Int
  ) {
    self.p = p
    self.finisher = finisher
    self.image = image
    self.y = y
    window = p.pointee.window
    pixel = p.pointee.input.pixel
    flip = ByteColumns.repeated(p.pointee.isSigned ? 0x80 : 0)
    top = y &* window.strideHeight &- window.padTop
    input =
      UnsafePointer(operands[p.pointee.operands.input].assumingMemoryBound(to: UInt8.self))
      + image &* p.pointee.input.batch
    weights = p.pointee.quadWeights
  }

  /// What the sums of the block start from.
  var start: UnsafePointer<Int32> { p.pointee.epilogue.start + channel }

  var rowsOfQuads: Int { (window.height &+ 3) / 4 }

  mutating func compute(_ channel: Int) {
    self.channel = channel
    channels = min(ByteColumns.channels, p.pointee.channels &- channel)
    weights = p.pointee.quadWeights + channel &* rowsOfQuads &* window.width &* 4
    let reach = (window.width &- 1) &* window.dilationWidth
    var x = 0
    while x < p.pointee.outputWidth {
      let left = x &* window.strideWidth &- window.padLeft
      if left < 0 || left &+ reach >= window.inputWidth {
        computePixel(left)
        finish(x, 1)
        x &+= 1
      } else {
        let inside = min(
          (window.inputWidth &- 1 &- reach &- left) / window.strideWidth &+ 1,
          p.pointee.outputWidth &- x)
        computeInside(x, x &+ inside)
        x &+= inside
      }
    }
  }

  private func finish(_ x: Int, _ pixels: Int) {
    finisher.finish(
      image: image, y: y, x: x, pixels: pixels, channel: channel, channels: channels)
  }

  private func computeInside(_ first: Int, _ end: Int) {
    var x = first
    while x < end {
      let left = x &* window.strideWidth &- window.padLeft
      var pixels = min(end &- x, IntegerDepthwiseParameters.pixels)
      switch (window.dilationWidth == 1 ? window.width : 0, window.strideWidth) {
      case (3, 1): QuadRun<3, 1>.compute(self, left, pixels)
      case (3, 2): QuadRun<3, 2>.compute(self, left, pixels)
      case (5, 1): QuadRun<5, 1>.compute(self, left, pixels)
      case (5, 2): QuadRun<5, 2>.compute(self, left, pixels)
      default:
        pixels = 1
        computePixel(left)
      }
      finish(x, pixels)
      x &+= pixels
    }
  }

  /// One pixel, tap by tap, any of which may lie outside of the input.
  private func computePixel(_ left: Int) {
    let columnBytes = ByteColumns.channels &* 4
    let pad = ByteColumns.flipped(
      ByteColumns.load(p.pointee.pad, count: ByteColumns.channels), flip)
    let padding = ByteColumns.interleaved(pad, pad, pad, pad)
    var sums = ByteColumns.Block(repeating: IntegerLanes.zero)
    var taps = weights
    for quad in 0..<rowsOfQuads {
      let lines = lines(quad)
      for column in 0..<window.width {
        let place = left &+ column &* window.dilationWidth
        let isInside = place >= 0 && place < window.inputWidth
        let x = isInside ? quads(lines, place) : padding
        ByteColumns.addProducts(x, taps, to: &sums)
        taps += columnBytes
      }
    }
    ByteColumns.store(sums, start: start, finisher.sums)
  }

  @inline(__always)
  func quads(_ lines: QuadLines, _ position: Int) -> ByteColumns.Block {
    var rows = ByteColumns.Block(repeating: IntegerLanes.zero)
    for index in 0..<4 {
      let place = lines.bases[index] + position &* lines.strides[index]
      rows[index] = ByteColumns.flipped(ByteColumns.load(place, count: channels), flip)
    }
    return ByteColumns.interleaved(rows[0], rows[1], rows[2], rows[3])
  }

  /// The rows of x that a quad of the window's rows meets; those beyond the window meet weights of zero.
  @inline(__always)
  func lines(_ quad: Int) -> QuadLines {
    var bases = InlineArray<4, UnsafePointer<UInt8>>(repeating: p.pointee.pad)
    var strides = InlineArray<4, Int>(repeating: 0)
    for index in 0..<4 {
      let row = quad &* 4 &+ index
      let line = top &+ row &* window.dilationHeight
      if row < window.height, line >= 0, line < window.inputHeight {
        bases[index] = input + (line &* p.pointee.input.row &+ channel)
        strides[index] = pixel
      }
    }
    return QuadLines(bases: bases, strides: strides)
  }
}

/// Where four rows of x begin, and the bytes between pixels: none in padding.
private struct QuadLines {
  let bases: InlineArray<4, UnsafePointer<UInt8>>
  let strides: InlineArray<4, Int>
}

/// Neighbouring output pixels of a block of channels, all taps of which lie inside; the columns that windows share are
/// kept in registers. A step is 1 or 2, a width at least 3 and at most 5.
private struct QuadRun<let width: Int, let step: Int> {
  typealias Block = ByteColumns.Block

  @inline(never)
  static func compute(_ row: QuadRow, _ left: Int, _ pixels: Int) {
    var weights = row.weights
    for quad in 0..<row.rowsOfQuads {
      let isLast = quad &+ 1 == row.rowsOfQuads
      addQuad(row, row.lines(quad), left, pixels, weights, isFirst: quad == 0, isLast: isLast)
      weights += width &* ByteColumns.channels &* 4
    }
  }

  @inline(__always)
  private static func addQuad(
    _ row: QuadRow, _ lines: QuadLines, _ left: Int, _ pixels: Int,
    _ weights: UnsafePointer<Int8>, isFirst: Bool, isLast: Bool
  ) {
    let flip = row.flip
    let count = row.channels
    let strides = lines.strides
    var places = lines.bases
    for index in 0..<4 { places[index] += left &* strides[index] }
    var columns = InlineArray<width, Block>(repeating: Block(repeating: IntegerLanes.zero))
    @inline(__always)
    func next() -> Block {
      var rows = Block(repeating: IntegerLanes.zero)
      for index in 0..<4 {
        rows[index] = ByteColumns.flipped(ByteColumns.load(places[index], count: count), flip)
        places[index] += strides[index]
      }
      return ByteColumns.interleaved(rows[0], rows[1], rows[2], rows[3])
    }
    // Spelled out: loops over registers are not unrolled beyond some size.
    if step <= 1 { columns[1] = next() }
    if step <= 2 { columns[2] = next() }
    if width > 3 { columns[3] = next() }
    if width > 4 { columns[4] = next() }
    let start = row.start
    var target = row.finisher.sums
    for _ in 0..<pixels {
      columns[0] = columns[step]
      if step &+ 1 < width { columns[1] = columns[step &+ 1] }
      if step &+ 2 < width { columns[2] = columns[step &+ 2] }
      if step &+ 3 < width { columns[3] = columns[step &+ 3] }
      if step > 1 { columns[width &- 2] = next() }
      columns[width &- 1] = next()
      var sums = isFirst ? Block(repeating: IntegerLanes.zero) : ByteColumns.load(target)
      for column in 0..<width {
        ByteColumns.addProducts(
          columns[column], weights + column &* ByteColumns.channels &* 4, to: &sums)
      }
      if isLast {
        ByteColumns.store(sums, start: start, target)
      } else {
        ByteColumns.storeInterleaved(sums, target)
      }
      target += ByteColumns.channels
    }
  }
}

/// Packs signed weights of depthwise convolutions as quads of rows: `[channels / block][quad][column][block][4]`, in the
/// order of interleaved registers, zero padded, and takes from each start value what the flipped sign bit of x adds.
///
/// A task is a block of channels. Operands: the weights, the packed weights, the start values.
func runQuadDepthwisePack(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: IntegerPackParameters.self).pointee
  let source = UnsafePointer(operands[0].assumingMemoryBound(to: Int8.self))
  let packed = operands[1].assumingMemoryBound(to: Int8.self)
  let start = operands[2].assumingMemoryBound(to: Int32.self)
  let block = ByteColumns.channels
  let quads = (p.height &+ 3) / 4
  for task in firstTask..<endTask {
    let target = packed + task &* quads &* p.width &* block &* 4
    target.update(repeating: 0, count: quads &* p.width &* block &* 4)
    for place in 0..<block {
      let (vector, lane) = place.quotientAndRemainder(dividingBy: IntegerLanes.count)
      let channel = task &* block &+ ByteColumns.channel(vector: vector, lane: lane)
      if channel >= p.groups { continue }
      var sum: Int32 = 0
      for y in 0..<p.height {
        for x in 0..<p.width {
          let weight =
            source[channel &* p.outputStride &+ y &* p.rowStride &+ x &* p.columnStride]
          target[(((y &>> 2) &* p.width &+ x) &* block &+ place) &* 4 &+ y & 3] = weight
          sum &+= Int32(weight)
        }
      }
      if p.flipsInput { start[channel] &-= 128 &* sum }
    }
  }
}

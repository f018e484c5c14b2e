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
        QuadTile<1, 0, 0>.compute(self, left, isInside: false)
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
      let pixels = end &- x >= 4 ? 4 : 1
      switch (window.dilationWidth == 1 ? window.width : 0, window.strideWidth, pixels) {
      case (3, 1, 4): QuadTile<4, 3, 1>.compute(self, left, isInside: true)
      case (3, 2, 4): QuadTile<4, 3, 2>.compute(self, left, isInside: true)
      case (5, 1, 4): QuadTile<4, 5, 1>.compute(self, left, isInside: true)
      case (5, 2, 4): QuadTile<4, 5, 2>.compute(self, left, isInside: true)
      case (_, _, 4): QuadTile<4, 0, 0>.compute(self, left, isInside: true)
      default: QuadTile<1, 0, 0>.compute(self, left, isInside: true)
      }
      finish(x, pixels)
      x &+= pixels
    }
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

/// `count` neighbouring output pixels of a block of channels.
private struct QuadTile<let count: Int, let width: Int, let step: Int> {
  typealias Block = ByteColumns.Block

  private let row: QuadRow
  private var sums: InlineArray<count, Block>

  @inline(never)
  static func compute(_ row: QuadRow, _ left: Int, isInside: Bool) {
    var tile = QuadTile(
      row: row, sums: InlineArray(repeating: Block(repeating: IntegerLanes.zero)))
    let columnBytes = ByteColumns.channels &* 4
    var weights = row.weights
    for quad in 0..<row.rowsOfQuads {
      let lines = row.lines(quad)
      if width > 0 {
        tile.addColumn(0, lines, left, weights)
        tile.addColumn(1, lines, left, weights)
        tile.addColumn(2, lines, left, weights)
        tile.addColumn(3, lines, left, weights)
        tile.addColumn(4, lines, left, weights)
        tile.addColumn(5, lines, left, weights)
        tile.addColumn(6, lines, left, weights)
        tile.addColumn(7, lines, left, weights)
        tile.addColumn(8, lines, left, weights)
        tile.addColumn(9, lines, left, weights)
        tile.addColumn(10, lines, left, weights)
      } else {
        for column in 0..<row.window.width {
          tile.addTap(
            lines, left &+ column &* row.window.dilationWidth, weights + column &* columnBytes,
            isInside: isInside)
        }
      }
      weights += row.window.width &* columnBytes
    }
    let sums = row.finisher.sums
    for i in 0..<count {
      ByteColumns.store(tile.sums[i], sums + i &* row.p.pointee.channelsPerPass)
    }
  }

  @inline(__always)
  private func load(_ lines: QuadLines, _ index: Int, _ position: Int) -> IntegerVector {
    let place = lines.bases[index] + position &* lines.strides[index]
    return ByteColumns.flipped(ByteColumns.load(place, count: row.channels), row.flip)
  }

  @inline(__always)
  private func quads(_ lines: QuadLines, _ position: Int) -> Block {
    ByteColumns.interleaved(
      load(lines, 0, position), load(lines, 1, position), load(lines, 2, position),
      load(lines, 3, position))
  }

  /// The products of one column of x with every tap that meets it.
  @inline(__always)
  private mutating func addColumn(
    _ column: Int, _ lines: QuadLines, _ left: Int, _ weights: UnsafePointer<Int8>
  ) {
    if column >= (count &- 1) &* step &+ width { return }
    let x = quads(lines, left &+ column)
    for i in 0..<count {
      let tap = column &- i &* step
      if tap >= 0 && tap < width { add(x, weights + tap &* ByteColumns.channels &* 4, to: i) }
    }
  }

  @inline(__always)
  private mutating func addTap(
    _ lines: QuadLines, _ position: Int, _ weights: UnsafePointer<Int8>, isInside: Bool
  ) {
    for i in 0..<count {
      let place = position &+ i &* row.window.strideWidth
      if isInside || (place >= 0 && place < row.window.inputWidth) {
        add(quads(lines, place), weights, to: i)
      } else {
        let pad = ByteColumns.load(row.p.pointee.pad, count: ByteColumns.channels)
        let x = ByteColumns.flipped(pad, row.flip)
        add(ByteColumns.interleaved(x, x, x, x), weights, to: i)
      }
    }
  }

  @inline(__always)
  private mutating func add(_ x: Block, _ weights: UnsafePointer<Int8>, to i: Int) {
    for v in 0..<4 {
      sums[i][v] = IntegerLanes.addProducts(
        QuadInput(bytes: x[v]), QuadWeights(weights + v &* IntegerLanes.count &* 4), sums[i][v])
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

import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a depthwise convolution.
func runDepthwise(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: DepthwiseParameters.self)
  let vectorBlocks = p.pointee.vectorBlocks
  let rowBlocks = p.pointee.rowBlocks
  let vectors = p.pointee.vectors
  for task in firstTask..<endTask {
    let (rowsOfImage, vectorBlock) = task.quotientAndRemainder(dividingBy: vectorBlocks)
    let (image, rowBlock) = rowsOfImage.quotientAndRemainder(dividingBy: rowBlocks)
    let firstVector = vectorBlock &* p.pointee.vectorsPerTask
    let endVector = min(firstVector &+ p.pointee.vectorsPerTask, vectors)
    let firstRow = rowBlock &* p.pointee.rowsPerTask
    let endRow = min(firstRow &+ p.pointee.rowsPerTask, p.pointee.outputHeight)
    var vector = firstVector
    while vector < endVector {
      let channel = vector &* Lanes.count
      vector = min(vector &+ p.pointee.vectorsPerPass, endVector)
      let channels = min(vector &* Lanes.count, p.pointee.channels) &- channel
      var row = DepthwiseRow(p, operands, channel, channels, scratch)
      row.enter(p, operands, image, firstRow..<endRow, scratch)
      for y in firstRow..<endRow {
        row.move(p, operands, image, y)
        row.compute()
        row.finish(p)
        guard let hook = p.pointee.hook, let context = p.pointee.hookContext else { continue }
        hook(
          context, operands, UnsafeMutableRawPointer(row.output), row.outputStride, row.place,
          p.pointee.output.pixel,
          p.pointee.outputWidth, channels,
          (image &* p.pointee.outputHeight &+ y) &* p.pointee.outputWidth, channel,
          scratch + p.pointee.hookOffset)
      }
    }
  }
}

/// One output row of a block of channels.
private struct DepthwiseRow {
  let firstChannel: Int
  let channels: Int
  let outputWidth: Int
  let inputWidth: Int
  let width: Int
  let step: Int
  let dilation: Int
  let padLeft: Int
  // In elements of the input, or of its lines in the scratch.
  let inputStrides: ContractionStrides
  let pixelStride: Int
  let tapRowStride: Int
  let outputStride: Int
  let residualStride: Int
  let weightsStride: Int
  let inputLines: InputLines?
  /// Whether rows of results, and of the residual, are held in the scratch.
  let holdsResults: Bool
  let holdsResidual: Bool
  let bias: UnsafePointer<Float>?
  let activation: Int
  let lower: Float
  let upper: Float

  // The row: the input at the first kernel row inside and pixel 0, and the weights of that kernel row.
  var input: UnsafePointer<Float>
  var output: UnsafeMutablePointer<Float>
  var residual: UnsafePointer<Float>?
  var weights: UnsafePointer<Float>
  var tapRows = 0
  /// The final place of the row's results.
  var place: UnsafeMutableRawPointer
  /// The first pixel of all images, and the weights of the block of channels.
  private var firstInput: UnsafePointer<Float>
  private let firstWeights: UnsafePointer<Float>
  private let heldResidual: UnsafeMutablePointer<Float>

  init(
    _ p: UnsafePointer<DepthwiseParameters>, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ firstChannel: Int, _ channels: Int, _ scratch: UnsafeMutableRawPointer
  ) {
    self.firstChannel = firstChannel
    self.channels = channels
    outputWidth = p.pointee.outputWidth
    inputWidth = p.pointee.window.inputWidth
    width = p.pointee.window.width
    step = p.pointee.window.strideWidth
    dilation = p.pointee.window.dilationWidth
    padLeft = p.pointee.window.padLeft
    let formats = p.pointee.formats
    inputLines = InputLines(
      p.pointee.lines.narrowed(to: channels), formats.input, scratch + p.pointee.linesOffset)
    inputStrides = inputLines.map(\.strides) ?? p.pointee.input
    pixelStride = inputStrides.pixel
    tapRowStride = p.pointee.window.dilationHeight &* inputStrides.row
    holdsResults = formats.output.size != 4
    holdsResidual = formats.residual.size != 4
    outputStride = holdsResults ? channels : p.pointee.output.pixel
    residualStride = holdsResidual ? channels : p.pointee.residual.pixel
    weightsStride = p.pointee.window.height &* width &* Lanes.count
    bias = p.pointee.bias.map { $0 + firstChannel }
    activation = p.pointee.activation
    lower = p.pointee.lower
    upper = p.pointee.upper
    let taps = p.pointee.window.height &* width
    let packed = p.pointee.weights + firstChannel &* taps &* formats.weights.size
    if formats.weights.size == 4 {
      firstWeights = packed.assumingMemoryBound(to: Float.self)
    } else {
      let widened = (scratch + p.pointee.weightsOffset).assumingMemoryBound(to: Float.self)
      let vectors = (channels &+ Lanes.count &- 1) / Lanes.count
      NumberConversion.widen(
        packed, formats.weights, widened, vectors &* Lanes.count &* taps)
      firstWeights = UnsafePointer(widened)
    }
    weights = firstWeights
    place = operands[p.pointee.operands.output]
    output = (holdsResults ? scratch : place).assumingMemoryBound(to: Float.self)
    heldResidual = (scratch + p.pointee.residualOffset).assumingMemoryBound(to: Float.self)
    input = UnsafePointer(place.assumingMemoryBound(to: Float.self))
    firstInput = input
  }

  /// Prepares for some output rows of an image.
  mutating func enter(
    _ p: UnsafePointer<DepthwiseParameters>, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ image: Int, _ rows: Range<Int>, _ scratch: UnsafeMutableRawPointer
  ) {
    let source = UnsafeRawPointer(operands[p.pointee.operands.input])
    guard let inputLines else {
      firstInput = source.assumingMemoryBound(to: Float.self) + firstChannel
      return
    }
    let height = p.pointee.window.inputHeight
    let (first, last) = p.pointee.window.inputLines(
      rows.lowerBound, rows.upperBound &- 1, height: height)
    firstInput = inputLines.widen(
      source, firstChannel,
      ContractionLineBlock(
        line: image &* height &+ first, lines: last &- first &+ 1, position: 0,
        positions: inputWidth))
  }

  /// Goes to output row `y`, with the kernel rows that lie inside.
  mutating func move(
    _ p: UnsafePointer<DepthwiseParameters>, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ image: Int, _ y: Int
  ) {
    let dilation = p.pointee.window.dilationHeight
    let height = p.pointee.window.inputHeight
    let top = y &* p.pointee.window.strideHeight &- p.pointee.window.padTop
    var first = 0
    var end = p.pointee.window.height
    while first < end && top &+ first &* dilation < 0 { first &+= 1 }
    while end > first && top &+ (end &- 1) &* dilation >= height { end &-= 1 }
    tapRows = end &- first
    input =
      firstInput
      + (image &* inputStrides.batch &+ (top &+ first &* dilation) &* inputStrides.row)
    weights = firstWeights + first &* width &* Lanes.count
    place =
      operands[p.pointee.operands.output]
      + (image &* p.pointee.output.batch &+ y &* p.pointee.output.row &+ firstChannel)
      &* p.pointee.formats.output.size
    if !holdsResults { output = place.assumingMemoryBound(to: Float.self) }
    if p.pointee.operands.residual < 0 { return }
    let format = p.pointee.formats.residual
    let source =
      UnsafeRawPointer(operands[p.pointee.operands.residual])
      + (image &* p.pointee.residual.batch &+ y &* p.pointee.residual.row &+ firstChannel)
      &* format.size
    residual = source.assumingMemoryBound(to: Float.self)
    if holdsResidual {
      NumberConversion.widen(
        source, p.pointee.residual.pixel, format, NumberRows(heldResidual, channels),
        rows: outputWidth, columns: channels)
      residual = UnsafePointer(heldResidual)
    }
  }

  /// Stores results that are held and no hook's.
  func finish(_ p: UnsafePointer<DepthwiseParameters>) {
    if !holdsResults || p.pointee.hook != nil { return }
    NumberConversion.narrow(
      NumberRows(output, outputStride), place, p.pointee.output.pixel, p.pointee.formats.output,
      rows: outputWidth, columns: channels)
  }

  func compute() {
    let reach = (width &- 1) &* dilation
    var x = 0
    while x < outputWidth {
      let left = x &* step &- padLeft
      if left < 0 || left &+ reach >= inputWidth {
        computeBorder(x, left)
        x &+= 1
        continue
      }
      let inside = min((inputWidth &- 1 &- reach &- left) / step &+ 1, outputWidth &- x)
      computeInside(x, inside)
      x &+= inside
    }
  }

  /// A pixel some of whose columns of taps lie outside of the input.
  private func computeBorder(_ x: Int, _ left: Int) {
    var first = 0
    var end = width
    while first < end && left &+ first &* dilation < 0 { first &+= 1 }
    while end > first && left &+ (end &- 1) &* dilation >= inputWidth { end &-= 1 }
    DepthwiseTile<1, 0, 0>.compute(self, x, 1, first, end)
  }

  /// `count` pixels from `x`, all taps of which lie inside.
  private func computeInside(_ x: Int, _ count: Int) {
    switch (dilation == 1 ? width : 0, step) {
    case (3, 1): computeInside(x, count, DepthwiseWindow<3, 1>.self)
    case (3, 2): computeInside(x, count, DepthwiseWindow<3, 2>.self)
    case (5, 1): computeInside(x, count, DepthwiseWindow<5, 1>.self)
    case (5, 2): computeInside(x, count, DepthwiseWindow<5, 2>.self)
    default: computeInside(x, count, DepthwiseWindow<0, 0>.self)
    }
  }

  @inline(__always)
  private func computeInside<let width: Int, let step: Int>(
    _ x: Int, _ count: Int, _ window: DepthwiseWindow<width, step>.Type
  ) {
    var x = x
    let eights = count / 8
    if eights > 0 { DepthwiseTile<8, width, step>.compute(self, x, eights, 0, self.width) }
    x &+= eights &* 8
    if count & 4 != 0 {
      DepthwiseTile<4, width, step>.compute(self, x, 1, 0, self.width)
      x &+= 4
    }
    if count & 2 != 0 {
      DepthwiseTile<2, width, step>.compute(self, x, 1, 0, self.width)
      x &+= 2
    }
    if count & 1 != 0 { DepthwiseTile<1, width, step>.compute(self, x, 1, 0, self.width) }
  }
}

/// The width and the stride of windows that have code of their own; 0 for all others.
private struct DepthwiseWindow<let width: Int, let step: Int> {}

/// `count` neighbouring output pixels, a vector of channels at a time.
private struct DepthwiseTile<let count: Int, let width: Int, let step: Int> {
  let input: UnsafePointer<Float>
  let output: UnsafeMutablePointer<Float>
  let residual: UnsafePointer<Float>?
  let weights: UnsafePointer<Float>
  let tapColumns: Int

  /// `tiles` tiles from pixel `x`, over the tap columns `firstTap ..< endTap`, all of which lie inside.
  @inline(never)
  static func compute(_ row: DepthwiseRow, _ x: Int, _ tiles: Int, _ firstTap: Int, _ endTap: Int) {
    let vectors = row.channels / Lanes.count
    let rest = row.channels &- vectors &* Lanes.count
    for index in 0..<tiles {
      let first = x &+ index &* count
      let left = first &* row.step &- row.padLeft &+ firstTap &* row.dilation
      let tile = DepthwiseTile(
        input: row.input + left &* row.pixelStride, output: row.output + first &* row.outputStride,
        residual: row.residual.map { $0 + first &* row.residualStride },
        weights: row.weights + firstTap &* Lanes.count, tapColumns: endTap &- firstTap)
      for vector in 0..<vectors { tile.compute(row, vector, Lanes.count, isPartial: false) }
      if rest > 0 { tile.compute(row, vectors, rest, isPartial: true) }
    }
  }

  @inline(__always)
  private func compute(_ shape: DepthwiseRow, _ vector: Int, _ lanes: Int, isPartial: Bool) {
    let channel = vector &* Lanes.count
    let initial = shape.bias.map { Lanes.load($0 + channel) } ?? Lanes.zero
    var sums = InlineArray<count, ContractionVector>(repeating: initial)
    var row = input + channel
    var rowWeights = weights + vector &* shape.weightsStride
    for _ in 0..<shape.tapRows {
      if width > 0 {
        addColumn(0, &sums, row, rowWeights, shape.pixelStride, lanes, isPartial)
        if width > 1 { addColumn(1, &sums, row, rowWeights, shape.pixelStride, lanes, isPartial) }
        if width > 2 { addColumn(2, &sums, row, rowWeights, shape.pixelStride, lanes, isPartial) }
        if width > 3 { addColumn(3, &sums, row, rowWeights, shape.pixelStride, lanes, isPartial) }
        if width > 4 { addColumn(4, &sums, row, rowWeights, shape.pixelStride, lanes, isPartial) }
      } else {
        addColumns(&sums, row, rowWeights, shape, lanes, isPartial)
      }
      row += shape.tapRowStride
      rowWeights += shape.width &* Lanes.count
    }
    if let residual {
      for i in 0..<count {
        let x = load(residual + (i &* shape.residualStride &+ channel), lanes, isPartial)
        sums[i] = Lanes.add(sums[i], x)
      }
    }
    for i in 0..<count {
      let x = Lanes.activate(sums[i], shape.activation, shape.lower, shape.upper)
      let target = output + (i &* shape.outputStride &+ channel)
      if isPartial { Lanes.store(x, target, count: lanes) } else { Lanes.store(x, target) }
    }
  }

  /// Adds the products of one column of taps, whose number is constant so that columns share their loads.
  @inline(__always)
  private func addColumn(
    _ column: Int, _ sums: inout InlineArray<count, ContractionVector>,
    _ row: UnsafePointer<Float>, _ rowWeights: UnsafePointer<Float>, _ pixelStride: Int,
    _ lanes: Int, _ isPartial: Bool
  ) {
    let weight = Lanes.load(rowWeights + column &* Lanes.count)
    for i in 0..<count {
      let x = load(row + (i &* step &+ column) &* pixelStride, lanes, isPartial)
      sums[i] = Lanes.multiplyAdd(x, weight, sums[i])
    }
  }

  /// Adds the products of a row of any number of taps.
  @inline(__always)
  private func addColumns(
    _ sums: inout InlineArray<count, ContractionVector>, _ row: UnsafePointer<Float>,
    _ rowWeights: UnsafePointer<Float>, _ shape: DepthwiseRow, _ lanes: Int, _ isPartial: Bool
  ) {
    var tap = row
    for column in 0..<tapColumns {
      let weight = Lanes.load(rowWeights + column &* Lanes.count)
      for i in 0..<count {
        let x = load(tap + i &* shape.step &* shape.pixelStride, lanes, isPartial)
        sums[i] = Lanes.multiplyAdd(x, weight, sums[i])
      }
      tap += shape.dilation &* shape.pixelStride
    }
  }

  @inline(__always)
  private func load(_ p: UnsafePointer<Float>, _ lanes: Int, _ isPartial: Bool)
    -> ContractionVector
  {
    isPartial ? Lanes.load(p, count: lanes) : Lanes.load(p)
  }
}

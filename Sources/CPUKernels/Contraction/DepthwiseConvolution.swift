import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a depthwise convolution.
func runDepthwise(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  let p = parameters.assumingMemoryBound(to: DepthwiseParameters.self)
  for task in firstTask..<endTask {
    let (rowsOfImage, vectorBlock) = task.quotientAndRemainder(dividingBy: p.pointee.vectorBlocks)
    let (image, rowBlock) = rowsOfImage.quotientAndRemainder(dividingBy: p.pointee.rowBlocks)
    let firstVector = vectorBlock &* p.pointee.vectorsPerTask
    let firstRow = rowBlock &* p.pointee.rowsPerTask
    let endVector = min(firstVector &+ p.pointee.vectorsPerTask, p.pointee.vectors)
    let endRow = min(firstRow &+ p.pointee.rowsPerTask, p.pointee.outputHeight)
    for vector in stride(from: firstVector, to: endVector, by: p.pointee.vectorsPerPass) {
      let channel = vector &* Lanes.count
      let end = min(vector &+ p.pointee.vectorsPerPass, endVector)
      let channels = min(end &* Lanes.count, p.pointee.channels) &- channel
      for y in firstRow..<endRow {
        let row = DepthwiseRow(p, operands, image, y, channel, channels)
        row.compute()
        if let hook = p.pointee.hook, let context = p.pointee.hookContext {
          hook(
            context, operands, row.output, p.pointee.outputWidth, channels,
            p.pointee.output.pixel,
            (image &* p.pointee.outputHeight &+ y) &* p.pointee.outputWidth, channel, scratch)
        }
      }
    }
  }
}

/// One output row of a block of channels.
private struct DepthwiseRow {
  let parameters: UnsafePointer<DepthwiseParameters>
  let channels: Int
  /// The input at the first kernel row inside, and pixel 0, which may lie outside.
  let input: UnsafePointer<Float>
  let output: UnsafeMutablePointer<Float>
  let residual: UnsafePointer<Float>?
  let weights: UnsafePointer<Float>
  let bias: UnsafePointer<Float>?
  let firstTapRow: Int
  let tapRows: Int

  init(
    _ p: UnsafePointer<DepthwiseParameters>, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ image: Int, _ y: Int, _ firstChannel: Int, _ channels: Int
  ) {
    parameters = p
    self.channels = channels
    let window = p.pointee.window
    let top = y &* window.strideHeight &- window.padTop
    var first = 0
    while first < window.height && top &+ first &* window.dilationHeight < 0 { first &+= 1 }
    var end = window.height
    while end > first && top &+ (end &- 1) &* window.dilationHeight >= window.inputHeight {
      end &-= 1
    }
    firstTapRow = first
    tapRows = end &- first
    let places = p.pointee.operands
    input =
      UnsafePointer(operands[places.input].assumingMemoryBound(to: Float.self))
      + (image &* p.pointee.input.batch &+ firstChannel
        &+ (top &+ first &* window.dilationHeight) &* p.pointee.input.row)
    output =
      operands[places.output].assumingMemoryBound(to: Float.self)
      + (image &* p.pointee.output.batch &+ y &* p.pointee.output.row &+ firstChannel)
    if places.residual >= 0 {
      residual =
        UnsafePointer(operands[places.residual].assumingMemoryBound(to: Float.self))
        + (image &* p.pointee.residual.batch &+ y &* p.pointee.residual.row &+ firstChannel)
    } else {
      residual = nil
    }
    weights = p.pointee.weights + firstChannel &* window.taps
    bias = p.pointee.bias.map { $0 + firstChannel }
  }

  func compute() {
    let window = parameters.pointee.window
    let width = parameters.pointee.outputWidth
    let reach = (window.width &- 1) &* window.dilationWidth
    var x = 0
    while x < width {
      let left = x &* window.strideWidth &- window.padLeft
      if left < 0 || left &+ reach >= window.inputWidth {
        computeBorder(x, left)
        x &+= 1
        continue
      }
      let last = (window.inputWidth &- 1 &- reach &- left) / window.strideWidth
      let inside = min(last &+ 1, width &- x)
      x &+= computeInside(x, inside)
    }
  }

  /// Computes as many pixels from `x` as one tile takes, all taps of which lie inside; returns how many.
  private func computeInside(_ x: Int, _ inside: Int) -> Int {
    let window = parameters.pointee.window
    let isDense = window.dilationWidth == 1
    switch (isDense ? window.width : 0, window.strideWidth) {
    case (3, 1): return computeInside(x, inside, DepthwiseWindow<3, 1>.self)
    case (3, 2): return computeInside(x, inside, DepthwiseWindow<3, 2>.self)
    case (5, 1): return computeInside(x, inside, DepthwiseWindow<5, 1>.self)
    case (5, 2): return computeInside(x, inside, DepthwiseWindow<5, 2>.self)
    default: return computeInside(x, inside, DepthwiseWindow<0, 0>.self)
    }
  }

  @inline(__always)
  private func computeInside<let width: Int, let step: Int>(
    _ x: Int, _ inside: Int, _ window: DepthwiseWindow<width, step>.Type
  ) -> Int {
    let taps = parameters.pointee.window.width
    if inside >= 8 {
      computePixels(x, 0, taps, DepthwiseTile<8, width, step>.self)
      return 8
    }
    if inside >= 4 {
      computePixels(x, 0, taps, DepthwiseTile<4, width, step>.self)
      return 4
    }
    if inside >= 2 {
      computePixels(x, 0, taps, DepthwiseTile<2, width, step>.self)
      return 2
    }
    computePixels(x, 0, taps, DepthwiseTile<1, width, step>.self)
    return 1
  }

  /// A pixel some of whose columns of taps lie outside of the input.
  private func computeBorder(_ x: Int, _ left: Int) {
    let window = parameters.pointee.window
    var first = 0
    while first < window.width && left &+ first &* window.dilationWidth < 0 { first &+= 1 }
    var end = window.width
    while end > first && left &+ (end &- 1) &* window.dilationWidth >= window.inputWidth {
      end &-= 1
    }
    computePixels(x, first, end, DepthwiseTile<1, 0, 0>.self)
  }

  /// `count` pixels from `x`, over the tap columns `firstTap ..< endTap`, all of which lie inside.
  @inline(never)
  private func computePixels<let count: Int, let width: Int, let step: Int>(
    _ x: Int, _ firstTap: Int, _ endTap: Int, _ shape: DepthwiseTile<count, width, step>.Type
  ) {
    let p = parameters
    let window = p.pointee.window
    let left = x &* window.strideWidth &- window.padLeft &+ firstTap &* window.dilationWidth
    let tile = DepthwiseTile<count, width, step>(
      input: input + left &* p.pointee.input.pixel,
      pixelStride: p.pointee.input.pixel,
      inputStride: window.strideWidth &* p.pointee.input.pixel,
      tapRowStride: window.dilationHeight &* p.pointee.input.row,
      tapStride: window.dilationWidth &* p.pointee.input.pixel,
      weights: weights + (firstTapRow &* window.width &+ firstTap) &* Lanes.count,
      weightsStride: window.taps &* Lanes.count, weightsRowStride: window.width &* Lanes.count,
      tapRows: tapRows, tapColumns: endTap &- firstTap, bias: bias,
      residual: residual.map { $0 + x &* p.pointee.residual.pixel },
      residualStride: p.pointee.residual.pixel, output: output + x &* p.pointee.output.pixel,
      outputStride: p.pointee.output.pixel, activation: p.pointee.activation,
      lower: p.pointee.lower, upper: p.pointee.upper)
    let vectors = channels / Lanes.count
    for vector in 0..<vectors { tile.compute(vector, Lanes.count, isPartial: false) }
    let rest = channels &- vectors &* Lanes.count
    if rest > 0 { tile.compute(vectors, rest, isPartial: true) }
  }
}

/// The width and the stride of windows that have code of their own; 0 for all others.
private struct DepthwiseWindow<let width: Int, let step: Int> {}

/// `count` neighbouring output pixels, a vector of channels at a time.
private struct DepthwiseTile<let count: Int, let width: Int, let step: Int> {
  let input: UnsafePointer<Float>
  let pixelStride: Int
  let inputStride: Int
  let tapRowStride: Int
  let tapStride: Int
  let weights: UnsafePointer<Float>
  let weightsStride: Int
  let weightsRowStride: Int
  let tapRows: Int
  let tapColumns: Int
  let bias: UnsafePointer<Float>?
  let residual: UnsafePointer<Float>?
  let residualStride: Int
  let output: UnsafeMutablePointer<Float>
  let outputStride: Int
  let activation: Int
  let lower: Float
  let upper: Float

  @inline(__always)
  func compute(_ vector: Int, _ lanes: Int, isPartial: Bool) {
    let channel = vector &* Lanes.count
    let initial = bias.map { Lanes.load($0 + channel) } ?? Lanes.zero
    var sums = InlineArray<count, ContractionVector>(repeating: initial)
    var row = input + channel
    var rowWeights = weights + vector &* weightsStride
    for _ in 0..<tapRows {
      if width > 0 {
        addColumn(0, &sums, row, rowWeights, lanes, isPartial)
        if width > 1 { addColumn(1, &sums, row, rowWeights, lanes, isPartial) }
        if width > 2 { addColumn(2, &sums, row, rowWeights, lanes, isPartial) }
        if width > 3 { addColumn(3, &sums, row, rowWeights, lanes, isPartial) }
        if width > 4 { addColumn(4, &sums, row, rowWeights, lanes, isPartial) }
      } else {
        var tap = row
        for column in 0..<tapColumns {
          let weight = Lanes.load(rowWeights + column &* Lanes.count)
          for i in 0..<count {
            let x = load(tap + i &* inputStride, lanes, isPartial)
            sums[i] = Lanes.multiplyAdd(x, weight, sums[i])
          }
          tap += tapStride
        }
      }
      row += tapRowStride
      rowWeights += weightsRowStride
    }
    if let residual {
      for i in 0..<count {
        let x = load(residual + (i &* residualStride &+ channel), lanes, isPartial)
        sums[i] = Lanes.add(sums[i], x)
      }
    }
    for i in 0..<count {
      let x = Lanes.activate(sums[i], activation, lower, upper)
      let target = output + (i &* outputStride &+ channel)
      if isPartial { Lanes.store(x, target, count: lanes) } else { Lanes.store(x, target) }
    }
  }

  /// Adds the products of one column of taps, whose number is constant so that columns share their loads.
  @inline(__always)
  private func addColumn(
    _ column: Int, _ sums: inout InlineArray<count, ContractionVector>,
    _ row: UnsafePointer<Float>, _ rowWeights: UnsafePointer<Float>, _ lanes: Int,
    _ isPartial: Bool
  ) {
    let weight = Lanes.load(rowWeights + column &* Lanes.count)
    for i in 0..<count {
      let x = load(row + (i &* step &+ column) &* pixelStride, lanes, isPartial)
      sums[i] = Lanes.multiplyAdd(x, weight, sums[i])
    }
  }

  @inline(__always)
  private func load(_ p: UnsafePointer<Float>, _ lanes: Int, _ isPartial: Bool)
    -> ContractionVector
  {
    isPartial ? Lanes.load(p, count: lanes) : Lanes.load(p)
  }
}

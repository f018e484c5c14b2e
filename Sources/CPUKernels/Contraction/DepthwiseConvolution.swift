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
    let firstChannel = firstVector &* Lanes.count
    let channels = min(
      p.pointee.vectorsPerTask &* Lanes.count, p.pointee.channels &- firstChannel)
    let endRow = min(firstRow &+ p.pointee.rowsPerTask, p.pointee.outputHeight)
    for y in firstRow..<endRow {
      let row = DepthwiseRow(p, operands, image, y, firstChannel, channels)
      row.compute()
      if let hook = p.pointee.hook, let context = p.pointee.hookContext {
        hook(
          context, operands, row.output, p.pointee.outputWidth, channels, p.pointee.output.pixel,
          (image &* p.pointee.outputHeight &+ y) &* p.pointee.outputWidth, firstChannel, scratch)
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
      switch inside {
      case 1: computePixels(x, 0, window.width, InlineArray<1, Int>.self)
      case 2: computePixels(x, 0, window.width, InlineArray<2, Int>.self)
      case 3: computePixels(x, 0, window.width, InlineArray<3, Int>.self)
      case 4: computePixels(x, 0, window.width, InlineArray<4, Int>.self)
      case 5: computePixels(x, 0, window.width, InlineArray<5, Int>.self)
      case 6: computePixels(x, 0, window.width, InlineArray<6, Int>.self)
      case 7: computePixels(x, 0, window.width, InlineArray<7, Int>.self)
      default: computePixels(x, 0, window.width, InlineArray<8, Int>.self)
      }
      x &+= min(inside, 8)
    }
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
    computePixels(x, first, end, InlineArray<1, Int>.self)
  }

  /// `count` pixels from `x`, over the tap columns `firstTap ..< endTap`, all of which lie inside.
  @inline(never)
  private func computePixels<let count: Int>(
    _ x: Int, _ firstTap: Int, _ endTap: Int, _ shape: InlineArray<count, Int>.Type
  ) {
    let p = parameters
    let window = p.pointee.window
    let left = x &* window.strideWidth &- window.padLeft &+ firstTap &* window.dilationWidth
    let tile = DepthwiseTile<count>(
      input: input + left &* p.pointee.input.pixel,
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

/// `count` neighbouring output pixels, a vector of channels at a time.
private struct DepthwiseTile<let count: Int> {
  let input: UnsafePointer<Float>
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
      var tap = row
      for column in 0..<tapColumns {
        let weight = Lanes.load(rowWeights + column &* Lanes.count)
        for i in 0..<count {
          let x = load(tap + i &* inputStride, lanes, isPartial)
          sums[i] = Lanes.multiplyAdd(x, weight, sums[i])
        }
        tap += tapStride
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

  @inline(__always)
  private func load(_ p: UnsafePointer<Float>, _ lanes: Int, _ isPartial: Bool)
    -> ContractionVector
  {
    isPartial ? Lanes.load(p, count: lanes) : Lanes.load(p)
  }
}

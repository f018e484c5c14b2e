import CPUKernelInterface

/// The algorithms for 3x3 convolutions of stride 1.
func winogradKernels() -> [WinogradKernel] {
  [
    WinogradKernel(outputs: WinogradTwo.outputs, finitePoints: WinogradTwo.finitePoints) {
      runWinograd(WinogradTwo.self, $0, $1, $2, $3, $4)
    },
    WinogradKernel(outputs: WinogradThree.outputs, finitePoints: WinogradThree.finitePoints) {
      runWinograd(WinogradThree.self, $0, $1, $2, $3, $4)
    },
    WinogradKernel(outputs: WinogradFour.outputs, finitePoints: WinogradFour.finitePoints) {
      runWinograd(WinogradFour.self, $0, $1, $2, $3, $4)
    },
  ]
}

@inline(__always)
private func runWinograd<Scheme: WinogradScheme>(
  _ scheme: Scheme.Type, _ parameters: UnsafeRawPointer,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int,
  _ scratch: UnsafeMutableRawPointer
) {
  var driver = WinogradDriver<Scheme>(
    parameters.assumingMemoryBound(to: WinogradParameters.self), operands, scratch)
  for task in firstTask..<endTask { driver.run(task) }
}

/// The place of a window among all.
struct WinogradPosition {
  var image: Int
  var row: Int
  var column: Int

  init(_ window: Int, _ p: UnsafePointer<WinogradParameters>) {
    let (line, column) = window.quotientAndRemainder(dividingBy: p.pointee.windowsWide)
    let (image, row) = line.quotientAndRemainder(dividingBy: p.pointee.windowsHigh)
    self.image = image
    self.row = row
    self.column = column
  }

  @inline(__always)
  mutating func advance(_ p: UnsafePointer<WinogradParameters>) {
    column &+= 1
    if column < p.pointee.windowsWide { return }
    column = 0
    row &+= 1
    if row < p.pointee.windowsHigh { return }
    row = 0
    image &+= 1
  }
}

/// The loops around the transforms and the register tile.
struct WinogradDriver<Scheme: WinogradScheme> {
  let parameters: UnsafePointer<WinogradParameters>
  let operands: UnsafePointer<UnsafeMutableRawPointer>
  /// `[row][column]` of one window: the first channel.
  let pixels: UnsafeMutablePointer<UnsafePointer<Float>>
  /// `[row][column]` of one window, one vector each, transformed along one axis.
  let half: UnsafeMutablePointer<Float>
  /// `[point][channel / vector width][window][vector width]`.
  let transformed: UnsafeMutablePointer<Float>
  /// `[panel of the group][point][window][column]`.
  let products: UnsafeMutablePointer<Float>
  let hookScratch: UnsafeMutableRawPointer

  /// The block whose windows are transformed.
  var block = -1
  var firstWindow = 0
  var windows = 0

  @inline(__always) static var pointCount: Int { Scheme.points &* Scheme.points }

  init(
    _ parameters: UnsafePointer<WinogradParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    self.parameters = parameters
    self.operands = operands
    pixels = scratch.assumingMemoryBound(to: UnsafePointer<Float>.self)
    half = (scratch + parameters.pointee.halfOffset).assumingMemoryBound(to: Float.self)
    transformed = (scratch + parameters.pointee.transformedOffset).assumingMemoryBound(
      to: Float.self)
    products = (scratch + parameters.pointee.productsOffset).assumingMemoryBound(to: Float.self)
    hookScratch = scratch + parameters.pointee.hookOffset
  }

  mutating func run(_ task: Int) {
    let p = parameters
    let (newBlock, panelBlock) = task.quotientAndRemainder(dividingBy: p.pointee.panelBlocks)
    if newBlock != block {
      block = newBlock
      firstWindow = block &* p.pointee.windowsPerTask
      windows = min(p.pointee.windowsPerTask, p.pointee.windows &- firstWindow)
      transformWindows()
    }
    let firstPanel = panelBlock &* p.pointee.panelsPerTask
    let endPanel = min(firstPanel &+ p.pointee.panelsPerTask, p.pointee.panels)
    var panel = firstPanel
    while panel < endPanel {
      let panels = min(p.pointee.panelsPerGroup, endPanel &- panel)
      multiply(panel, panels)
      for index in 0..<panels {
        finish(index, (panel &+ index) &* p.pointee.tileColumns)
        if p.pointee.hook != nil { callHook((panel &+ index) &* p.pointee.tileColumns) }
      }
      panel &+= panels
    }
  }
}

// MARK: - Windows

extension WinogradDriver {
  private func transformWindows() {
    var position = WinogradPosition(firstWindow, parameters)
    for window in 0..<windows {
      locate(position)
      transformWindow(transformed + window &* Lanes.count)
      position.advance(parameters)
    }
  }

  /// Sets the pointers to the pixels of a window; those outside of the input are zeros.
  private func locate(_ position: WinogradPosition) {
    let p = parameters
    let input = operands[p.pointee.operands.input].assumingMemoryBound(to: Float.self)
    let image = UnsafePointer(input) + position.image &* p.pointee.input.batch
    let top = position.row &* Scheme.outputs &- p.pointee.padTop
    let left = position.column &* Scheme.outputs &- p.pointee.padLeft
    let zeros = p.pointee.zeros
    for y in 0..<Scheme.points {
      let isRowInside = top &+ y >= 0 && top &+ y < p.pointee.inputHeight
      let line = image + ((top &+ y) &* p.pointee.input.row &+ left &* p.pointee.input.pixel)
      for x in 0..<Scheme.points {
        let isInside = isRowInside && left &+ x >= 0 && left &+ x < p.pointee.inputWidth
        pixels[y &* Scheme.points &+ x] = isInside ? line + x &* p.pointee.input.pixel : zeros
      }
    }
  }

  private func transformWindow(_ target: UnsafeMutablePointer<Float>) {
    let channels = parameters.pointee.channels
    var target = target
    var channel = 0
    while channel &+ Lanes.count <= channels {
      for x in 0..<Scheme.points {
        var line = WinogradLine(repeating: Lanes.zero)
        for y in 0..<Scheme.points {
          line[y] = Lanes.load(pixels[y &* Scheme.points &+ x] + channel)
        }
        storeHalf(Scheme.input(line), x)
      }
      transformRows(target)
      target += windows &* Lanes.count
      channel &+= Lanes.count
    }
    if channel < channels {
      for x in 0..<Scheme.points {
        var line = WinogradLine(repeating: Lanes.zero)
        for y in 0..<Scheme.points {
          line[y] = Lanes.load(
            pixels[y &* Scheme.points &+ x] + channel, count: channels &- channel)
        }
        storeHalf(Scheme.input(line), x)
      }
      transformRows(target)
    }
  }

  @inline(__always)
  private func storeHalf(_ line: WinogradLine, _ x: Int) {
    for y in 0..<Scheme.points {
      Lanes.store(line[y], half + (y &* Scheme.points &+ x) &* Lanes.count)
    }
  }

  @inline(__always)
  private func loadHalf(_ y: Int) -> WinogradLine {
    var line = WinogradLine(repeating: Lanes.zero)
    for x in 0..<Scheme.points {
      line[x] = Lanes.load(half + (y &* Scheme.points &+ x) &* Lanes.count)
    }
    return line
  }

  @inline(__always)
  private func transformRows(_ target: UnsafeMutablePointer<Float>) {
    let pointStride = pointStride
    var place = target
    for y in 0..<Scheme.points {
      let line = Scheme.input(loadHalf(y))
      for x in 0..<Scheme.points {
        Lanes.store(line[x], place)
        place += pointStride
      }
    }
  }
}

// MARK: - Products

extension WinogradDriver {
  /// Elements between the transformed windows of consecutive points.
  @inline(__always) private var pointStride: Int {
    let channels = parameters.pointee.channels
    return (channels &+ Lanes.count &- 1) / Lanes.count &* windows &* Lanes.count
  }

  /// The matrix products of all points with some panels of weights.
  private func multiply(_ firstPanel: Int, _ panels: Int) {
    let p = parameters
    let width = p.pointee.tileColumns
    let matrix = p.pointee.channels &* width
    let tiles = (windows &+ p.pointee.tileRows &- 1) / p.pointee.tileRows
    let (shortRows, longTiles) = windows.quotientAndRemainder(dividingBy: tiles)
    let pointStride = pointStride
    var arguments = WinogradTileArguments(
      input: UnsafePointer(transformed), blockStride: windows &* Lanes.count,
      channels: p.pointee.channels, weights: p.pointee.weights, output: products,
      outputStride: width, rows: 0)
    for point in 0..<Self.pointCount {
      for panel in 0..<panels {
        arguments.weights =
          p.pointee.weights
          + (firstPanel &* Self.pointCount &+ point &* panels &+ panel) &* matrix
        var row = 0
        for tile in 0..<tiles {
          arguments.rows = shortRows &+ (tile < longTiles ? 1 : 0)
          arguments.input =
            UnsafePointer(transformed) + (point &* pointStride &+ row &* Lanes.count)
          arguments.output =
            products + ((panel &* Self.pointCount &+ point) &* windows &+ row) &* width
          withUnsafePointer(to: arguments) { p.pointee.tile(UnsafeRawPointer($0)) }
          row &+= arguments.rows
        }
      }
    }
  }
}

// MARK: - Results

extension WinogradDriver {
  /// Transforms the products of one panel back, applies the epilogue and stores the results.
  ///
  /// - Parameter panel: counted from the task's first.
  private func finish(_ panel: Int, _ firstColumn: Int) {
    let p = parameters
    let width = p.pointee.tileColumns
    let columns = min(width, p.pointee.columns &- firstColumn)
    var position = WinogradPosition(firstWindow, p)
    for window in 0..<windows {
      let place = WinogradResult(p, operands, position, firstColumn, outputs: Scheme.outputs)
      let source =
        UnsafePointer(products) + (panel &* Self.pointCount &* windows &+ window) &* width
      var column = 0
      while column &+ Lanes.count <= columns {
        finish(source + column, place, column, Lanes.count, isWhole: true)
        column &+= Lanes.count
      }
      if column < columns {
        finish(source + column, place, column, columns &- column, isWhole: false)
      }
      position.advance(p)
    }
  }

  /// One vector of columns of one window. Each element of the residual is read before its place is written.
  @inline(__always)
  private func finish(
    _ source: UnsafePointer<Float>, _ place: WinogradResult, _ column: Int, _ count: Int,
    isWhole: Bool
  ) {
    let p = parameters
    let stride = p.pointee.tileColumns &* windows
    for x in 0..<Scheme.points {
      var line = WinogradLine(repeating: Lanes.zero)
      for y in 0..<Scheme.points {
        line[y] = Lanes.load(source + (y &* Scheme.points &+ x) &* stride)
      }
      line = Scheme.output(line)
      for y in 0..<Scheme.outputs {
        Lanes.store(line[y], half + (y &* Scheme.points &+ x) &* Lanes.count)
      }
    }
    let bias = place.bias.map { Lanes.load($0 + column) } ?? Lanes.zero
    for y in 0..<place.height {
      let line = Scheme.output(loadHalf(y))
      for x in 0..<Scheme.outputs where x < place.width {
        var value = Lanes.add(line[x], bias)
        if let residual = place.residual {
          let from =
            residual + (y &* p.pointee.residual.row &+ x &* p.pointee.residual.pixel &+ column)
          value = Lanes.add(value, isWhole ? Lanes.load(from) : Lanes.load(from, count: count))
        }
        value = Lanes.activate(
          value, p.pointee.activation, p.pointee.lower, p.pointee.upper)
        let to =
          place.output + (y &* p.pointee.output.row &+ x &* p.pointee.output.pixel &+ column)
        if isWhole { Lanes.store(value, to) } else { Lanes.store(value, to, count: count) }
      }
    }
  }

  /// Hands the results of one panel over, row by row of neighbouring windows.
  private func callHook(_ firstColumn: Int) {
    let p = parameters
    guard let hook = p.pointee.hook, let context = p.pointee.hookContext else { return }
    let columns = min(p.pointee.tileColumns, p.pointee.columns &- firstColumn)
    var window = 0
    while window < windows {
      let position = WinogradPosition(firstWindow &+ window, p)
      let count = min(p.pointee.windowsWide &- position.column, windows &- window)
      window &+= count
      let place = WinogradResult(p, operands, position, firstColumn, outputs: Scheme.outputs)
      let left = position.column &* Scheme.outputs
      let right = min(left &+ count &* Scheme.outputs, p.pointee.outputWidth)
      for y in 0..<place.height {
        let line =
          position.image &* p.pointee.outputHeight &+ position.row &* Scheme.outputs &+ y
        var x = left
        while x < right {
          let pixels = min(p.pointee.hookRows, right &- x)
          let results =
            place.output + (y &* p.pointee.output.row &+ (x &- left) &* p.pointee.output.pixel)
          hook(
            context, operands, results, p.pointee.output.pixel, results, p.pointee.output.pixel,
            pixels, columns, line &* p.pointee.outputWidth &+ x, firstColumn, hookScratch)
          x &+= pixels
        }
      }
    }
  }
}

/// Where the results of a window lie, and how many there are.
private struct WinogradResult {
  let height: Int
  let width: Int
  let output: UnsafeMutablePointer<Float>
  let residual: UnsafePointer<Float>?
  let bias: UnsafePointer<Float>?

  @inline(__always)
  init(
    _ p: UnsafePointer<WinogradParameters>, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ position: WinogradPosition, _ firstColumn: Int, outputs: Int
  ) {
    height = min(outputs, p.pointee.outputHeight &- position.row &* outputs)
    width = min(outputs, p.pointee.outputWidth &- position.column &* outputs)
    func start(_ strides: ContractionStrides) -> Int {
      position.image &* strides.batch &+ position.row &* outputs &* strides.row
        &+ position.column &* outputs &* strides.pixel &+ firstColumn
    }
    output =
      operands[p.pointee.operands.output].assumingMemoryBound(to: Float.self)
      + start(p.pointee.output)
    if p.pointee.operands.residual >= 0 {
      let first = operands[p.pointee.operands.residual].assumingMemoryBound(to: Float.self)
      residual = UnsafePointer(first) + start(p.pointee.residual)
    } else {
      residual = nil
    }
    bias = p.pointee.bias.map { $0 + firstColumn }
  }
}

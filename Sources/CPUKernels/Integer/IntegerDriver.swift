import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a contraction of bytes.
func runIntegerContraction(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  var driver = IntegerDriver(
    parameters.assumingMemoryBound(to: IntegerContractionParameters.self), operands, scratch)
  for task in firstTask..<endTask { driver.run(task) }
  #if NEEDLETAIL_VNNI
    if driver.shapedRows[0] != 0 { releaseMatrixTiles() }
  #endif
}

/// The loops around the register tile.
struct IntegerDriver {
  let parameters: UnsafePointer<IntegerContractionParameters>
  let operands: UnsafePointer<UnsafeMutableRawPointer>
  let hookScratch: UnsafeMutableRawPointer
  /// `[tile of the pixel block][tap][row]`.
  let pointers: UnsafeMutablePointer<UnsafePointer<UInt8>>
  let tapOffsets: UnsafeMutablePointer<Int>
  /// Of the tile, at the scratch's beginning.
  let shapedRows: UnsafeMutablePointer<Int>
  let sums: UnsafeMutablePointer<Int32>
  let finisher: IntegerFinisher
  /// Of one plane.
  let taps: Int

  // The task.
  var pointersKey = -1
  var pixels = 0
  /// The rows are spread evenly over the tiles: the first `longTiles` have one more than `shortRows`.
  var tiles = 0
  var shortRows = 0
  var longTiles = 0
  var group = 0
  /// Among the packed panels, the first of the group's.
  var firstPanel = 0
  var linearRow = 0
  var output: UnsafeMutableRawPointer
  var residual: UnsafeRawPointer?
  var weights: UnsafePointer<Int8>
  var start: UnsafePointer<Int32>

  init(
    _ parameters: UnsafePointer<IntegerContractionParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    self.parameters = parameters
    self.operands = operands
    shapedRows = scratch.assumingMemoryBound(to: Int.self)
    shapedRows[0] = 0
    tapOffsets = shapedRows + 1
    pointers = (scratch + parameters.pointee.pointersOffset).assumingMemoryBound(
      to: UnsafePointer<UInt8>.self)
    sums = (scratch + parameters.pointee.sumsOffset).assumingMemoryBound(to: Int32.self)
    hookScratch = scratch + parameters.pointee.hookOffset
    finisher = IntegerFinisher(parameters.pointee.epilogue)
    output = operands[parameters.pointee.operands.output]
    if let packed = parameters.pointee.weights {
      weights = packed
      start = parameters.pointee.epilogue.start
    } else {
      let workspace = UnsafeRawPointer(operands[parameters.pointee.operands.workspace])
      weights = (workspace + parameters.pointee.weightsOffset).assumingMemoryBound(to: Int8.self)
      start = (workspace + parameters.pointee.startOffset).assumingMemoryBound(to: Int32.self)
    }
    let window = parameters.pointee.window
    taps = window.height &* window.width
    for y in 0..<window.height {
      for x in 0..<window.width {
        tapOffsets[y &* window.width &+ x] =
          y &* window.dilationHeight &* parameters.pointee.input.row
          &+ x &* window.dilationWidth &* parameters.pointee.input.pixel
      }
    }
  }

  mutating func run(_ task: Int) {
    let panelBlocks = parameters.pointee.panelBlocks
    let pixelBlocks = parameters.pointee.pixelBlocks
    let blocking = parameters.pointee.blocking
    let (matrix, block) = task.quotientAndRemainder(dividingBy: panelBlocks &* pixelBlocks)
    let panelBlock: Int
    let pixelBlock: Int
    if blocking.panelsFastest {
      (pixelBlock, panelBlock) = block.quotientAndRemainder(dividingBy: panelBlocks)
    } else {
      (panelBlock, pixelBlock) = block.quotientAndRemainder(dividingBy: pixelBlocks)
    }
    locate(matrix: matrix, pixelBlock: pixelBlock)
    let firstPanel = panelBlock &* blocking.panels
    let endPanel = min(firstPanel &+ blocking.panels, parameters.pointee.panelsPerGroup)
    if blocking.panelsOuter {
      for panel in firstPanel..<endPanel { run(panel, 0, tiles) }
    } else {
      for tile in 0..<tiles {
        for panel in firstPanel..<endPanel { run(panel, tile, tile &+ 1) }
      }
    }
  }

  /// Sets the addresses of the task's operands and the table of input pointers.
  private mutating func locate(matrix: Int, pixelBlock: Int) {
    let p = parameters
    let batch: Int
    (batch, group) = matrix.quotientAndRemainder(dividingBy: p.pointee.groups)
    let (segment, block) = pixelBlock.quotientAndRemainder(dividingBy: p.pointee.blocksPerSegment)
    let (image, row) = segment.quotientAndRemainder(dividingBy: p.pointee.segmentsPerImage)
    let firstPixel = block &* p.pointee.blocking.pixels
    pixels = min(p.pointee.blocking.pixels, p.pointee.segmentLength &- firstPixel)
    tiles = (pixels &+ p.pointee.tileRows &- 1) / p.pointee.tileRows
    (shortRows, longTiles) = pixels.quotientAndRemainder(dividingBy: tiles)
    let firstColumn = group &* p.pointee.columns
    let pixelOfImages = segment &* p.pointee.segmentLength &+ firstPixel
    linearRow = batch &* p.pointee.segments &* p.pointee.segmentLength &+ pixelOfImages

    var offsets = ContractionBatchDimension()
    var rest = batch
    for d in stride(from: 3, through: 0, by: -1) {
      let dimension = p.pointee.batch[d]
      if dimension.count <= 1 { continue }
      let (next, index) = rest.quotientAndRemainder(dividingBy: dimension.count)
      rest = next
      offsets.input &+= index &* dimension.input
      offsets.output &+= index &* dimension.output
      offsets.weights &+= index &* dimension.weights
      offsets.residual &+= index &* dimension.residual
    }
    firstPanel = (offsets.weights &* p.pointee.groups &+ group) &* p.pointee.panelsPerGroup
    let places = p.pointee.operands
    output =
      operands[places.output]
      + (offsets.output &+ image &* p.pointee.output.batch &+ row &* p.pointee.output.row
        &+ firstPixel &* p.pointee.output.pixel &+ firstColumn) &* p.pointee.resultBytes
    residual = nil
    if places.residual >= 0 {
      residual =
        UnsafeRawPointer(operands[places.residual])
        + (offsets.residual &+ image &* p.pointee.residual.batch &+ row &* p.pointee.residual.row
          &+ firstPixel &* p.pointee.residual.pixel &+ firstColumn) &* p.pointee.residualBytes
    }
    let key = matrix &* p.pointee.pixelBlocks &+ pixelBlock
    if key == pointersKey { return }
    pointersKey = key
    let input = operands[places.input].assumingMemoryBound(to: UInt8.self)
    fillPointers(
      UnsafePointer(input) + (offsets.input &+ group &* p.pointee.inputGroupStride), pixelOfImages)
  }

  @inline(__always)
  private func firstRow(_ tile: Int) -> Int { tile &* shortRows &+ min(tile, longTiles) }

  private func fillPointers(_ input: UnsafePointer<UInt8>, _ firstPixel: Int) {
    let p = parameters
    let window = p.pointee.window
    let (line, column) = firstPixel.quotientAndRemainder(dividingBy: p.pointee.outputWidth)
    var x = column
    var (image, y) = line.quotientAndRemainder(dividingBy: p.pointee.outputHeight)
    var table = pointers
    for tile in 0..<tiles {
      let rows = firstRow(tile &+ 1) &- firstRow(tile)
      for row in 0..<rows {
        let top = y &* window.strideHeight &- window.padTop
        let left = x &* window.strideWidth &- window.padLeft
        let base =
          input
          + (image &* p.pointee.input.batch &+ top &* p.pointee.input.row
            &+ left &* p.pointee.input.pixel)
        if window.isPadded && !isInside(window, top, left) {
          fillBorder(table + row, rows, base, top, left)
        } else {
          for tap in 0..<taps { table[tap &* rows &+ row] = base + tapOffsets[tap] }
        }
        x &+= 1
        if x == p.pointee.outputWidth {
          x = 0
          y &+= 1
          if y == p.pointee.outputHeight {
            y = 0
            image &+= 1
          }
        }
      }
      for plane in 1..<max(p.pointee.planes, 1) {
        (table + plane &* taps &* rows).update(from: table, count: taps &* rows)
      }
      table += p.pointee.planes &* taps &* rows
    }
  }

  @inline(__always)
  private func isInside(_ window: ContractionWindow, _ top: Int, _ left: Int) -> Bool {
    top >= 0 && left >= 0
      && top &+ (window.height &- 1) &* window.dilationHeight < window.inputHeight
      && left &+ (window.width &- 1) &* window.dilationWidth < window.inputWidth
  }

  /// The pointers of an output pixel some of whose taps lie outside of the input.
  private func fillBorder(
    _ table: UnsafeMutablePointer<UnsafePointer<UInt8>>, _ rows: Int,
    _ base: UnsafePointer<UInt8>, _ top: Int, _ left: Int
  ) {
    let window = parameters.pointee.window
    var tap = 0
    for ky in 0..<window.height {
      let y = top &+ ky &* window.dilationHeight
      let isRowInside = y >= 0 && y < window.inputHeight
      for kx in 0..<window.width {
        let x = left &+ kx &* window.dilationWidth
        let isInside = isRowInside && x >= 0 && x < window.inputWidth
        table[tap &* rows] = isInside ? base + tapOffsets[tap] : parameters.pointee.pad
        tap &+= 1
      }
    }
  }

  /// Computes the tiles `firstTile ..< endTile` of one panel.
  private func run(_ panel: Int, _ firstTile: Int, _ endTile: Int) {
    let p = parameters
    let width = p.pointee.tileColumns
    let allTaps = taps &* p.pointee.planes
    let weights = self.weights + (firstPanel &+ panel) &* p.pointee.weightsPanelStride
    var tile = IntegerTileArguments(
      pointers: UnsafePointer(pointers), taps: allTaps, quads: p.pointee.quads,
      runBytes: p.pointee.window.run, weights: weights, rows: 0,
      start: start + (firstPanel &+ panel) &* width, sums: sums, shapedRows: shapedRows)
    let heldRows = p.pointee.hook == nil ? 0 : SumsHook.rows
    var firstHeld = firstRow(firstTile)
    for index in firstTile..<endTile {
      let row = firstRow(index)
      let end = firstRow(index &+ 1)
      tile.rows = end &- row
      tile.pointers = UnsafePointer(pointers) + row &* allTaps
      tile.sums = sums + (row &- firstHeld) &* width
      tile.prefetch = prefetchStart(weights, index &- firstTile)
      withUnsafePointer(to: tile) { p.pointee.tile(UnsafeRawPointer($0)) }
      if index &+ 1 < endTile, firstRow(index &+ 2) &- firstHeld <= heldRows { continue }
      finish(panel, firstHeld, end &- firstHeld)
      firstHeld = end
    }
  }

  /// What a tile fetches of the panel that follows, while it works on this one.
  @inline(__always)
  private func prefetchStart(_ weights: UnsafePointer<Int8>, _ tile: Int) -> UnsafePointer<Int8> {
    let panel = parameters.pointee.weightsPanelStride
    let fetched = tile &* (panel / parameters.pointee.tileColumns) &* 8
    return fetched < panel ? weights + (panel &+ fetched) : weights
  }

  /// Makes the results of the rows whose sums are held.
  private func finish(_ panel: Int, _ row: Int, _ rows: Int) {
    let p = parameters
    let width = p.pointee.tileColumns
    let column = panel &* width
    let columns = min(width, p.pointee.columns &- column)
    let place = row &* p.pointee.output.pixel &+ column
    let target = output + place &* p.pointee.resultBytes
    if let hook = p.pointee.hook, let context = p.pointee.hookContext {
      hook(
        context, operands, sums, width, target, p.pointee.output.pixel, rows, columns,
        linearRow &+ row, group &* p.pointee.columns &+ column, hookScratch)
      return
    }
    let size = p.pointee.residualBytes
    #if NEEDLETAIL_VNNI
      if p.pointee.takesPairs {
        PairFinisher(p.pointee.pairEpilogue).finish(
          UnsafePointer(sums), width, target, p.pointee.output.pixel &* p.pointee.resultBytes,
          residual.map { $0 + (row &* p.pointee.residual.pixel &+ column) &* size },
          p.pointee.residual.pixel &* size, rows: rows, columns: columns)
        return
      }
    #endif
    finisher.finish(
      IntegerFinisher.Block(
        sums: UnsafePointer(sums), sumStride: width, output: target,
        outputStride: p.pointee.output.pixel &* p.pointee.resultBytes,
        residual: residual.map { $0 + (row &* p.pointee.residual.pixel &+ column) &* size },
        residualStride: p.pointee.residual.pixel &* size, rows: rows, columns: columns,
        column: (group &* p.pointee.panelsPerGroup &+ panel) &* width))
  }
}

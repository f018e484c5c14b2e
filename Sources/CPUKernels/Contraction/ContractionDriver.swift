import CPUKernelInterface

/// Does the tasks `firstTask ..< endTask` of a contraction.
func runContraction(
  _ parameters: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ firstTask: Int, _ endTask: Int, _ scratch: UnsafeMutableRawPointer
) {
  var driver = ContractionDriver(
    parameters.assumingMemoryBound(to: ContractionParameters.self), operands, scratch)
  for task in firstTask..<endTask { driver.run(task) }
}

/// The loops around the register tile.
struct ContractionDriver {
  let parameters: UnsafePointer<ContractionParameters>
  let operands: UnsafePointer<UnsafeMutableRawPointer>
  let hookScratch: UnsafeMutableRawPointer
  /// `[tile of the pixel block][tap][row]`.
  let pointers: UnsafeMutablePointer<UnsafePointer<Float>>
  let tapOffsets: UnsafeMutablePointer<Int>
  /// Two tiles, of results and of residuals, for panels that are not full.
  let edgeTile: UnsafeMutablePointer<Float>

  let taps: Int

  // The task.
  var pointersKey = -1
  var firstPixel = 0
  var pixels = 0
  /// The rows are spread evenly over the tiles: the first `longTiles` have one more than `shortRows`.
  var tiles = 0
  var shortRows = 0
  var longTiles = 0
  var firstColumn = 0
  var linearRow = 0
  var weights: UnsafePointer<Float>
  var bias: UnsafePointer<Float>?
  var output: UnsafeMutablePointer<Float>
  var residual: UnsafePointer<Float>?

  init(
    _ parameters: UnsafePointer<ContractionParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    self.parameters = parameters
    self.operands = operands
    tapOffsets = scratch.assumingMemoryBound(to: Int.self)
    pointers = (scratch + parameters.pointee.pointersOffset).assumingMemoryBound(
      to: UnsafePointer<Float>.self)
    edgeTile = (scratch + parameters.pointee.tilesOffset).assumingMemoryBound(to: Float.self)
    hookScratch = scratch + parameters.pointee.hookOffset
    output = operands[parameters.pointee.operands.output].assumingMemoryBound(to: Float.self)
    weights = UnsafePointer(output)
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
    let blocks = panelBlocks &* pixelBlocks
    let (matrix, block) = task.quotientAndRemainder(dividingBy: blocks)
    let panelBlock: Int
    let pixelBlock: Int
    if parameters.pointee.blocking.panelsFastest {
      (pixelBlock, panelBlock) = block.quotientAndRemainder(dividingBy: panelBlocks)
    } else {
      (panelBlock, pixelBlock) = block.quotientAndRemainder(dividingBy: pixelBlocks)
    }
    locate(matrix: matrix, pixelBlock: pixelBlock)
    let firstPanel = panelBlock &* parameters.pointee.blocking.panels
    let endPanel = min(
      firstPanel &+ parameters.pointee.blocking.panels, parameters.pointee.panelsPerGroup)
    if parameters.pointee.blocking.panelsOuter {
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
    let (batch, group) = matrix.quotientAndRemainder(dividingBy: p.pointee.groups)
    let (segment, block) = pixelBlock.quotientAndRemainder(dividingBy: p.pointee.blocksPerSegment)
    let (image, row) = segment.quotientAndRemainder(dividingBy: p.pointee.segmentsPerImage)
    firstPixel = block &* p.pointee.blocking.pixels
    pixels = min(p.pointee.blocking.pixels, p.pointee.segmentLength &- firstPixel)
    tiles = (pixels &+ p.pointee.tileRows &- 1) / p.pointee.tileRows
    (shortRows, longTiles) = pixels.quotientAndRemainder(dividingBy: tiles)
    firstColumn = group &* p.pointee.columns
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
      offsets.weights &+= index &* dimension.weights
      offsets.output &+= index &* dimension.output
      offsets.residual &+= index &* dimension.residual
    }

    let places = p.pointee.operands
    output =
      operands[places.output].assumingMemoryBound(to: Float.self)
      + (offsets.output &+ image &* p.pointee.output.batch &+ row &* p.pointee.output.row
        &+ firstPixel &* p.pointee.output.pixel &+ firstColumn)
    residual = nil
    if places.residual >= 0 {
      residual =
        UnsafePointer(operands[places.residual].assumingMemoryBound(to: Float.self))
        + (offsets.residual &+ image &* p.pointee.residual.batch &+ row &* p.pointee.residual.row
          &+ firstPixel &* p.pointee.residual.pixel &+ firstColumn)
    }
    let factors =
      p.pointee.weights
      ?? UnsafePointer(operands[places.weights].assumingMemoryBound(to: Float.self))
      + p.pointee.weightsOffset
    weights = factors + (offsets.weights &+ group &* p.pointee.weightsGroupStride)
    bias = p.pointee.bias.map {
      $0 + group &* p.pointee.panelsPerGroup &* p.pointee.tileColumns
    }

    let key = matrix &* p.pointee.pixelBlocks &+ pixelBlock
    if key == pointersKey { return }
    pointersKey = key
    let input = operands[places.input].assumingMemoryBound(to: Float.self)
    fillPointers(
      UnsafePointer(input) + (offsets.input &+ group &* p.pointee.inputGroupStride), pixelOfImages)
  }

  @inline(__always)
  private func firstRow(_ tile: Int) -> Int { tile &* shortRows &+ min(tile, longTiles) }

  private func fillPointers(_ input: UnsafePointer<Float>, _ firstPixel: Int) {
    let p = parameters
    let window = p.pointee.window
    var (line, x) = firstPixel.quotientAndRemainder(dividingBy: p.pointee.outputWidth)
    var (image, y) = line.quotientAndRemainder(dividingBy: p.pointee.outputHeight)
    line = 0
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
      table += taps &* rows
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
    _ table: UnsafeMutablePointer<UnsafePointer<Float>>, _ rows: Int,
    _ base: UnsafePointer<Float>, _ top: Int, _ left: Int
  ) {
    let window = parameters.pointee.window
    let zeros = parameters.pointee.zeros
    var tap = 0
    for ky in 0..<window.height {
      let y = top &+ ky &* window.dilationHeight
      let isRowInside = y >= 0 && y < window.inputHeight
      for kx in 0..<window.width {
        let x = left &+ kx &* window.dilationWidth
        let isInside = isRowInside && x >= 0 && x < window.inputWidth
        table[tap &* rows] = isInside ? base + tapOffsets[tap] : zeros
        tap &+= 1
      }
    }
  }

  /// Computes the tiles `firstTile ..< endTile` of one panel.
  private func run(_ panel: Int, _ firstTile: Int, _ endTile: Int) {
    let p = parameters
    let column = panel &* p.pointee.tileColumns
    let columns = min(p.pointee.tileColumns, p.pointee.columns &- column)
    let panelWeights = weights + panel &* p.pointee.weightsPanelStride
    if columns < p.pointee.tileColumns {
      for tile in firstTile..<endTile { runEdge(panelWeights, column, columns, tile) }
    } else {
      runBlocks(panelWeights, column, firstTile, endTile)
    }
    if p.pointee.hook != nil { callHook(column, columns, firstTile, endTile) }
  }

  private func arguments(_ panelWeights: UnsafePointer<Float>, _ column: Int)
    -> ContractionTileArguments
  {
    let p = parameters
    var arguments = ContractionTileArguments(
      pointers: UnsafePointer(pointers), taps: taps, firstElement: 0,
      elements: p.pointee.window.run, weights: panelWeights,
      weightsRowStride: p.pointee.weightsRowStride, output: output,
      outputStride: p.pointee.output.pixel, rows: 0)
    arguments.bias = bias.map { $0 + column }
    arguments.residualStride = p.pointee.residual.pixel
    arguments.activation = p.pointee.activation
    arguments.lower = p.pointee.lower
    arguments.upper = p.pointee.upper
    return arguments
  }

  /// The blocks of the reduction in turn, each for all tiles.
  private func runBlocks(
    _ panelWeights: UnsafePointer<Float>, _ column: Int, _ firstTile: Int, _ endTile: Int
  ) {
    let p = parameters
    let window = p.pointee.window
    let blocking = p.pointee.blocking
    var block = arguments(panelWeights, column)
    var firstTap = 0
    while firstTap < taps {
      block.taps = min(blocking.taps, taps &- firstTap)
      var firstElement = 0
      while firstElement < window.run {
        block.firstElement = firstElement
        block.elements = min(blocking.run, window.run &- firstElement)
        block.weights =
          panelWeights
          + (firstTap &* window.run &+ firstElement) &* p.pointee.weightsRowStride
        block.accumulates = firstTap > 0 || firstElement > 0
        firstElement &+= block.elements
        block.finishes = firstTap &+ block.taps == taps && firstElement == window.run
        let depth = block.taps &* block.elements
        for tile in firstTile..<endTile {
          let row = firstRow(tile)
          block.prefetch = prefetchStart(block.weights, depth, tile &- firstTile)
          block.rows = firstRow(tile &+ 1) &- row
          block.pointers =
            UnsafePointer(pointers) + (row &* taps &+ firstTap &* block.rows)
          block.output = output + (row &* p.pointee.output.pixel &+ column)
          block.residual = residual.map { $0 + (row &* p.pointee.residual.pixel &+ column) }
          withUnsafePointer(to: block) { p.pointee.tile(UnsafeRawPointer($0)) }
        }
      }
      firstTap &+= block.taps
    }
  }

  /// What a tile fetches of the block of weights that follows, while it works on a block of `depth`.
  @inline(__always)
  private func prefetchStart(_ weights: UnsafePointer<Float>, _ depth: Int, _ tile: Int)
    -> UnsafePointer<Float>
  {
    let block = depth &* parameters.pointee.weightsRowStride
    let fetched = tile &* depth &* 8
    return fetched < block ? weights + (block &+ fetched) : weights
  }

  /// A tile of a panel that has fewer columns than the tile, by way of the scratch.
  private func runEdge(
    _ panelWeights: UnsafePointer<Float>, _ column: Int, _ columns: Int, _ tile: Int
  ) {
    let p = parameters
    let row = firstRow(tile)
    let width = p.pointee.tileColumns
    var edge = arguments(panelWeights, column)
    edge.rows = firstRow(tile &+ 1) &- row
    edge.pointers = UnsafePointer(pointers) + row &* taps
    edge.output = edgeTile
    edge.outputStride = width
    if let residual {
      let tail = edgeTile + p.pointee.tileRows &* width
      for r in 0..<edge.rows {
        let source = residual + ((row &+ r) &* p.pointee.residual.pixel &+ column)
        for c in 0..<width { tail[r &* width &+ c] = c < columns ? source[c] : 0 }
      }
      edge.residual = UnsafePointer(tail)
      edge.residualStride = width
    }
    withUnsafePointer(to: edge) { p.pointee.tile(UnsafeRawPointer($0)) }
    for r in 0..<edge.rows {
      let target = output + ((row &+ r) &* p.pointee.output.pixel &+ column)
      target.update(from: edgeTile + r &* width, count: columns)
    }
  }

  private func callHook(_ column: Int, _ columns: Int, _ firstTile: Int, _ endTile: Int) {
    let p = parameters
    guard let hook = p.pointee.hook, let context = p.pointee.hookContext else { return }
    let end = firstRow(endTile)
    var row = firstRow(firstTile)
    while row < end {
      let rows = min(max(p.pointee.hookRows, 1), end &- row)
      hook(
        context, operands, output + (row &* p.pointee.output.pixel &+ column), rows, columns,
        p.pointee.output.pixel, linearRow &+ row, firstColumn &+ column, hookScratch)
      row &+= rows
    }
  }
}

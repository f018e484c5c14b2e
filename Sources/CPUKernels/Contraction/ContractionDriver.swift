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
  /// `[pixel][column]` of one panel, where sums cannot wait in the output.
  let sums: UnsafeMutablePointer<Float>
  /// Whether the sums of all tiles are held at a time.
  let keepsAllSums: Bool
  let weightsBlock: UnsafeMutablePointer<Float>
  let inputLines: InputLines?
  /// Where the pointers go: of the input itself, or of its lines in the scratch.
  let inputStrides: ContractionStrides
  let taps: Int
  // Bytes of an element.
  let weightsSize: Int
  let outputSize: Int
  let residualSize: Int

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
  var weights: UnsafeRawPointer
  var bias: UnsafePointer<Float>?
  var output: UnsafeMutableRawPointer
  var residual: UnsafeRawPointer?

  init(
    _ parameters: UnsafePointer<ContractionParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    self.parameters = parameters
    self.operands = operands
    tapOffsets = scratch.assumingMemoryBound(to: Int.self)
    pointers = (scratch + parameters.pointee.pointersOffset).assumingMemoryBound(
      to: UnsafePointer<Float>.self)
    let p = parameters.pointee
    sums = (scratch + p.sumsOffset).assumingMemoryBound(to: Float.self)
    keepsAllSums = p.keepsAllSums
    weightsBlock = (scratch + p.weightsBlockOffset).assumingMemoryBound(to: Float.self)
    hookScratch = scratch + p.hookOffset
    weightsSize = p.formats.weights.size
    outputSize = p.formats.output.size
    residualSize = p.formats.residual.size
    inputLines = InputLines(p.lines, p.formats.input, scratch + p.linesOffset)
    inputStrides = inputLines.map(\.strides) ?? p.input
    output = operands[p.operands.output]
    weights = UnsafeRawPointer(output)
    let window = parameters.pointee.window
    taps = window.height &* window.width
    for y in 0..<window.height {
      for x in 0..<window.width {
        tapOffsets[y &* window.width &+ x] =
          y &* window.dilationHeight &* inputStrides.row
          &+ x &* window.dilationWidth &* inputStrides.pixel
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
      operands[places.output]
      + (offsets.output &+ image &* p.pointee.output.batch &+ row &* p.pointee.output.row
        &+ firstPixel &* p.pointee.output.pixel &+ firstColumn) &* outputSize
    residual = nil
    if places.residual >= 0 {
      residual =
        UnsafeRawPointer(operands[places.residual])
        + (offsets.residual &+ image &* p.pointee.residual.batch &+ row &* p.pointee.residual.row
          &+ firstPixel &* p.pointee.residual.pixel &+ firstColumn) &* residualSize
    }
    let factors =
      p.pointee.weights
      ?? UnsafeRawPointer(operands[places.weights]) + p.pointee.weightsOffset &* weightsSize
    weights = factors + (offsets.weights &+ group &* p.pointee.weightsGroupStride) &* weightsSize
    bias = p.pointee.bias.map {
      $0 + group &* p.pointee.panelsPerGroup &* p.pointee.tileColumns
    }

    let key = matrix &* p.pointee.pixelBlocks &+ pixelBlock
    if key == pointersKey { return }
    pointersKey = key
    let inputOffset = offsets.input &+ group &* p.pointee.inputGroupStride
    let input = UnsafeRawPointer(operands[places.input])
    if let inputLines {
      let block = p.pointee.lineBlock(pixelOfImages, pixels)
      fillPointers(inputLines.widen(input, inputOffset, block), pixelOfImages)
    } else {
      fillPointers(input.assumingMemoryBound(to: Float.self) + inputOffset, pixelOfImages)
    }
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
          + (image &* inputStrides.batch &+ top &* inputStrides.row
            &+ left &* inputStrides.pixel)
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
    let panelWeights = weights + panel &* p.pointee.weightsPanelStride &* weightsSize
    let loadsResidual =
      residual != nil && (columns < p.pointee.tileColumns || residualSize != 4)
    let holdsSums =
      columns < p.pointee.tileColumns || outputSize != 4 || loadsResidual
    let panel = ContractionPanel(
      column: column, columns: columns, holdsSums: holdsSums, loadsResidual: loadsResidual)
    runBlocks(panelWeights, panel, firstTile, endTile)
    if p.pointee.hook != nil { callHook(panel, firstRow(firstTile)..<firstRow(endTile)) }
  }

  /// The sums of a row, and of those that follow, while they are held in the scratch.
  @inline(__always)
  private func heldSums(_ row: Int) -> UnsafeMutablePointer<Float> {
    sums + (keepsAllSums ? row &* parameters.pointee.tileColumns : 0)
  }

  private func arguments(_ column: Int) -> ContractionTileArguments {
    let p = parameters
    var arguments = ContractionTileArguments(
      pointers: UnsafePointer(pointers), taps: taps, firstElement: 0,
      elements: p.pointee.window.run, weights: UnsafePointer(weightsBlock),
      weightsRowStride: p.pointee.tileColumns, output: sums,
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
    _ panelWeights: UnsafeRawPointer, _ panel: ContractionPanel, _ firstTile: Int, _ endTile: Int
  ) {
    let p = parameters
    let window = p.pointee.window
    let blocking = p.pointee.blocking
    var block = arguments(panel.column)
    if panel.holdsSums { block.outputStride = p.pointee.tileColumns }
    block.accumulatedStride = block.outputStride
    var firstTap = 0
    while firstTap < taps {
      block.taps = min(blocking.taps, taps &- firstTap)
      var firstElement = 0
      while firstElement < window.run {
        block.firstElement = firstElement
        block.elements = min(blocking.run, window.run &- firstElement)
        let isFirst = firstTap == 0 && firstElement == 0
        let source =
          panelWeights
          + (firstTap &* window.run &+ firstElement) &* p.pointee.weightsRowStride &* weightsSize
        let depth = block.taps &* block.elements
        setWeights(&block, source, depth)
        firstElement &+= block.elements
        block.finishes = firstTap &+ block.taps == taps && firstElement == window.run
        for tile in firstTile..<endTile {
          let row = firstRow(tile)
          block.prefetch = prefetchStart(source, depth, tile &- firstTile)
          block.rows = firstRow(tile &+ 1) &- row
          block.pointers =
            UnsafePointer(pointers) + (row &* taps &+ firstTap &* block.rows)
          run(&block, panel, row, isFirst: isFirst)
        }
      }
      firstTap &+= block.taps
    }
  }

  /// One block of the reduction for one tile.
  @inline(__always)
  private func run(
    _ block: inout ContractionTileArguments, _ panel: ContractionPanel, _ row: Int, isFirst: Bool
  ) {
    let p = parameters
    let place = output + (row &* p.pointee.output.pixel &+ panel.column) &* outputSize
    block.output = panel.holdsSums ? heldSums(row) : place.assumingMemoryBound(to: Float.self)
    if isFirst, let residual {
      let source = residual + (row &* p.pointee.residual.pixel &+ panel.column) &* residualSize
      if panel.loadsResidual {
        loadResidual(source, panel, block.output, block.rows)
      } else {
        block.residual = source.assumingMemoryBound(to: Float.self)
      }
    }
    block.accumulated = isFirst && !panel.loadsResidual ? nil : UnsafePointer(block.output)
    withUnsafePointer(to: block) { p.pointee.tile(UnsafeRawPointer($0)) }
    if panel.holdsSums, block.finishes, p.pointee.hook == nil {
      NumberConversion.narrow(
        NumberRows(block.output, p.pointee.tileColumns), place, p.pointee.output.pixel,
        p.pointee.formats.output, rows: block.rows, columns: panel.columns)
    }
  }

  /// Makes the residual what held sums start from.
  private func loadResidual(
    _ source: UnsafeRawPointer, _ panel: ContractionPanel, _ target: UnsafeMutablePointer<Float>,
    _ rows: Int
  ) {
    let p = parameters
    let width = p.pointee.tileColumns
    NumberConversion.widen(
      source, p.pointee.residual.pixel, p.pointee.formats.residual, NumberRows(target, width),
      rows: rows, columns: panel.columns)
    if panel.columns == width { return }
    for row in 0..<rows {
      (target + (row &* width &+ panel.columns)).update(
        repeating: 0, count: width &- panel.columns)
    }
  }

  /// The weights of a block, where they lie or widened.
  @inline(__always)
  private func setWeights(
    _ block: inout ContractionTileArguments, _ source: UnsafeRawPointer, _ depth: Int
  ) {
    let p = parameters
    let stride = p.pointee.weightsRowStride
    if weightsSize == 4 {
      block.weights = source.assumingMemoryBound(to: Float.self)
      block.weightsRowStride = stride
      return
    }
    let width = p.pointee.tileColumns
    if stride == width {
      NumberConversion.widen(source, p.pointee.formats.weights, weightsBlock, depth &* width)
      return
    }
    for row in 0..<depth {
      NumberConversion.widen(
        source + row &* stride &* weightsSize, p.pointee.formats.weights,
        weightsBlock + row &* width, width)
    }
  }

  /// What a tile fetches of the block of weights that follows, while it works on a block of `depth`.
  @inline(__always)
  private func prefetchStart(_ weights: UnsafeRawPointer, _ depth: Int, _ tile: Int)
    -> UnsafeRawPointer
  {
    let block = depth &* parameters.pointee.weightsRowStride &* weightsSize
    let fetched = tile &* depth &* 32
    return fetched < block ? weights + (block &+ fetched) : weights
  }

  private func callHook(_ panel: ContractionPanel, _ rows: Range<Int>) {
    let p = parameters
    guard let hook = p.pointee.hook, let context = p.pointee.hookContext else { return }
    var row = rows.lowerBound
    while row < rows.upperBound {
      let count = min(max(p.pointee.hookRows, 1), rows.upperBound &- row)
      let target = output + (row &* p.pointee.output.pixel &+ panel.column) &* outputSize
      let results = panel.holdsSums ? UnsafeMutableRawPointer(heldSums(row)) : target
      hook(
        context, operands, results,
        panel.holdsSums ? p.pointee.tileColumns : p.pointee.output.pixel, target,
        p.pointee.output.pixel, count, panel.columns, linearRow &+ row,
        firstColumn &+ panel.column, hookScratch)
      row &+= count
    }
  }
}

/// The columns of one panel of weights.
private struct ContractionPanel {
  let column: Int
  let columns: Int
  /// Whether sums are held in the scratch until they are complete.
  let holdsSums: Bool
  /// Whether held sums start from the residual, which the tile cannot read itself.
  let loadsResidual: Bool
}

extension ElementFormat {
  /// The bytes of a number.
  @inline(__always)
  var size: Int {
    switch self {
    case .float16, .bfloat16: 2
    default: 4
    }
  }
}

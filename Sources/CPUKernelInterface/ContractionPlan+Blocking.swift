/// An address to stand where the constants' will, until they have one; never read.
var unknownZeros: UnsafePointer<Float> {
  UnsafePointer(UnsafeMutablePointer<Float>(bitPattern: 64).unsafelyUnwrapped)
}

extension ContractionPlan {
  /// The variant asked for, or the one that wastes the least on columns.
  static func variant(
    _ index: Int?, kernels: ContractionKernels, rows: Int, columns: Int
  ) throws(ContractionPlanError) -> ContractionVariant {
    if let index {
      guard kernels.variants.indices.contains(index) else { throw .variant }
      return kernels.variants[index]
    }
    var best: (variant: ContractionVariant, cost: Double)?
    for variant in kernels.variants {
      let padded = (columns + variant.columns - 1) / variant.columns * variant.columns
      // Narrow tiles load the input more often for each product.
      let vectors = variant.columns / kernels.vectorWidth
      let cost = Double(padded) * (vectors >= 3 ? 1 : vectors == 2 ? 1.08 : 1.3)
      if cost < best?.cost ?? .infinity { best = (variant, cost) }
    }
    guard let best else { throw .variant }
    return best.variant
  }
}

extension CopyInputParameters {
  /// Cuts the copy into tasks of some ten thousand elements.
  mutating func splitTasks() {
    let target = 16_384
    pixelsPerTask = max(1, min(paddedWidth, target / max(channels, 1)))
    rowsPerTask = max(1, min(paddedHeight, target / max(pixelsPerTask * channels, 1)))
  }
}

extension ContractionParameters {
  /// Sets what remains once the shape of the problem is known: tile, blocking, epilogue and scratch.
  mutating func finish(
    _ variant: ContractionVariant, _ wanted: ContractionBlocking?, _ epilogue: ContractionEpilogue,
    concurrency: Int, inputHeight: Int, inputWidth: Int
  ) throws(ContractionPlanError) {
    tileRows = variant.rows
    tileColumns = variant.columns
    blocking = bounded(wanted ?? preferredBlocking(concurrency))
    activation = epilogue.activation.rawValue
    lower = epilogue.lower
    upper = epilogue.upper
    hook = epilogue.hook?.function
    hookContext = epilogue.hook?.context
    hookRows = max(epilogue.hook?.rows ?? 0, variant.rows)
    let taps = window.taps
    pointersOffset = roundUp(try CheckedCount.product(taps, 8))
    sumsOffset =
      pointersOffset + roundUp(try CheckedCount.product(blocking.pixels, taps, 8))
    let sumRows = keepsAllSums ? blocking.pixels : tileRows
    weightsBlockOffset = sumsOffset + roundUp(try CheckedCount.product(sumRows, tileColumns, 4))
    let block =
      formats.weights == .float32
      ? 0 : try CheckedCount.product(blocking.taps, blocking.run, tileColumns, 4)
    linesOffset = weightsBlockOffset + roundUp(block)
    hookOffset = linesOffset
    if formats.input != .float32 {
      try setLines(height: inputHeight, width: inputWidth)
      hookOffset += try lines.byteCount()
    }
    var tasks = CheckedCount(batchCount)
    tasks.multiply(groups)
    tasks.multiply(pixelBlocks)
    tasks.multiply(panelBlocks)
    _ = try tasks.get()
  }

  /// Whether sums that are held in the scratch are held for all tiles of a panel, not for one at a time.
  package var keepsAllSums: Bool {
    hook != nil || blocking.taps < window.taps || blocking.run < window.run
  }

  private func bounded(_ wanted: ContractionBlocking) -> ContractionBlocking {
    var blocking = wanted
    blocking.pixels = max(1, min(blocking.pixels, segmentLength))
    blocking.panels = max(1, min(blocking.panels, panelsPerGroup))
    blocking.taps = max(1, min(blocking.taps, window.taps))
    blocking.run = max(1, min(blocking.run, window.run))
    if blocking.run < window.run { blocking.taps = 1 }
    // Weights are widened once for all pixels of the task.
    if formats.weights != .float32 { blocking.panelsOuter = true }
    return blocking
  }

  /// A blocking that is good on most machines.
  ///
  /// A block of weights stays in the second-level cache, beside the next one that is being fetched, while the pixels
  /// of the task pass; their input stays there too. Weights that are widened come in blocks that are smaller, as they
  /// are written and read at once.
  private func preferredBlocking(_ concurrency: Int) -> ContractionBlocking {
    let taps = window.taps
    let widensWeights = formats.weights != .float32
    let depthBudget = max(1, (widensWeights ? 16_384 : 65_536) / tileColumns)
    var blocking = ContractionBlocking(
      pixels: 1, panels: panelsPerGroup, taps: taps, run: window.run, panelsFastest: true,
      panelsOuter: true)
    if taps * window.run > depthBudget && (widensWeights || segmentLength > tileRows) {
      let depthBlocks = (taps * window.run + depthBudget - 1) / depthBudget
      blocking.taps = max(1, (taps + depthBlocks - 1) / depthBlocks)
      let runBlocks = (window.run + depthBudget - 1) / depthBudget
      if blocking.taps == 1 { blocking.run = (window.run + runBlocks - 1) / runBlocks }
    }
    let budget = max(tileRows, min(65_536 / taps, 131_072 / window.run, 256))
    var blocks = (segmentLength + budget - 1) / budget
    let tasks = blocks * segments * groups * batchCount
    if concurrency > 1 && tasks < 4 * concurrency {
      let weights = taps * window.run * panelsPerGroup * tileColumns
      if weights > segments * segmentLength * window.run && panelsPerGroup >= concurrency {
        blocking.panels = (panelsPerGroup + concurrency - 1) / concurrency
        blocking.panelsFastest = false
      } else if tasks % concurrency != 0 {
        blocks = (blocks + concurrency - 1) / concurrency * concurrency
      }
    }
    let tiles = (segmentLength + blocks * tileRows - 1) / (blocks * tileRows)
    blocking.pixels = tiles * tileRows
    return blocking
  }
}

extension IntegerPlan {
  /// Bytes beyond the last of a copy that a tile may read, as it takes four at a time.
  private static let slack = 16

  /// Replaces x by a copy in the workspace where its channels are not adjacent, are too few or no multiple of four
  /// bytes, or where it is signed.
  static func copy(
    _ geometry: inout ConvolutionGeometry, _ format: IntegerFormat,
    _ operands: inout ContractionOperands, _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> IntegerCopyParameters? {
    let takesRows = geometry.prefersRows
    let channels = geometry.groups * geometry.inputChannels
    let isInPlace =
      !takesRows && !format.inputIsSigned && geometry.inputChannels % 4 == 0
      && (geometry.inputChannelStride == 1 || channels == 1)
    if isInPlace { return nil }
    var copy = IntegerCopyParameters()
    copy.operands = operands
    copy.factorBytes = format.factorBytes
    copy.height = geometry.inputHeight
    copy.width = geometry.inputWidth
    copy.groups = geometry.groups
    copy.channels = geometry.inputChannels
    copy.paddedChannels = takesRows ? geometry.inputChannels : (geometry.inputChannels + 3) & ~3
    copy.paddedHeight = geometry.inputHeight
    copy.paddedWidth = geometry.inputWidth
    if takesRows {
      copy.padTop = geometry.padTop
      copy.padLeft = geometry.padLeft
      copy.paddedHeight =
        (geometry.outputHeight - 1) * geometry.strideHeight
        + (geometry.kernelHeight - 1) * geometry.dilationHeight + 1
      copy.paddedWidth = (geometry.outputWidth - 1) * geometry.strideWidth + geometry.kernelWidth
    }
    copy.rowStride = geometry.input.row
    copy.pixelStride = geometry.input.pixel
    copy.channelStride = geometry.inputChannelStride
    copy.fill = format.fill
    copy.flip = format.flip
    let pixel = copy.groups * copy.paddedChannels
    let row = try CheckedCount.product(copy.paddedWidth, pixel)
    let image = try CheckedCount.product(row, copy.paddedHeight)
    copy.batchCount = geometry.images
    copy.batch[3] = ContractionBatchDimension(
      count: geometry.images, input: geometry.input.batch, output: image)
    copy.rowsPerTask = max(1, min(copy.paddedHeight, 65_536 / max(row, 1)))
    workspaceBytes = roundUp(try CheckedCount.product(image, geometry.images) + slack)
    operands.input = operands.workspace
    geometry.input = ContractionStrides(batch: image, row: row, pixel: pixel)
    geometry.inputChannelStride = 1
    geometry.inputChannels = copy.paddedChannels
    geometry.inputHeight = copy.paddedHeight
    geometry.inputWidth = copy.paddedWidth
    geometry.padTop -= copy.padTop
    geometry.padLeft -= copy.padLeft
    return copy
  }

  /// The same for the rows of matrices.
  static func copy(
    _ geometry: inout MatmulGeometry, _ format: IntegerFormat,
    _ operands: inout ContractionOperands, _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> IntegerCopyParameters? {
    let isInPlace =
      !format.inputIsSigned && geometry.depth % 4 == 0 && geometry.inputDepthStride == 1
    if isInPlace { return nil }
    var copy = IntegerCopyParameters()
    copy.operands = operands
    copy.factorBytes = format.factorBytes
    copy.height = geometry.rows
    copy.paddedHeight = geometry.rows
    copy.channels = geometry.depth
    copy.paddedChannels = (geometry.depth + 3) & ~3
    copy.rowStride = geometry.inputRowStride
    copy.channelStride = geometry.inputDepthStride
    copy.flip = format.flip
    let matrix = try CheckedCount.product(geometry.rows, copy.paddedChannels)
    var count = CheckedCount(matrix)
    var matrices = 1
    for d in stride(from: 3, through: 0, by: -1) where geometry.batch[d].count > 1 {
      let isDistinct = geometry.batch[d].input != 0
      copy.batch[d].input = geometry.batch[d].input
      copy.batch[d].output = isDistinct ? matrix * matrices : 0
      geometry.batch[d].input = copy.batch[d].output
      if isDistinct {
        count.multiply(geometry.batch[d].count)
        _ = try count.get()
        copy.batch[d].count = geometry.batch[d].count
        matrices *= geometry.batch[d].count
      }
    }
    copy.batchCount = matrices
    copy.rowsPerTask = max(1, min(geometry.rows, 65_536 / copy.paddedChannels))
    workspaceBytes = roundUp(try count.get() + slack)
    operands.input = operands.workspace
    geometry.inputRowStride = copy.paddedChannels
    geometry.inputDepthStride = 1
    return copy
  }
}

extension IntegerContractionParameters {
  /// Sets what remains once the shape of the problem is known: tile, blocking and scratch.
  mutating func finish(
    _ variant: IntegerVariant, _ wanted: IntegerBlocking?, concurrency: Int
  ) throws(ContractionPlanError) {
    tileRows = variant.rows
    tileColumns = variant.columns
    blocking = wanted ?? preferredBlocking(concurrency)
    blocking.pixels = max(1, min(blocking.pixels, segmentLength))
    blocking.panels = max(1, min(blocking.panels, panelsPerGroup))
    let taps = window.taps
    pointersOffset = roundUp(8 + (try CheckedCount.product(taps, 8)))
    sumsOffset =
      pointersOffset + roundUp(try CheckedCount.product(blocking.pixels, taps, planes, 8))
    let rows = max(tileRows, hook == nil ? 0 : SumsHook.rows)
    hookOffset = sumsOffset + roundUp(rows * tileColumns * 4)
    var tasks = CheckedCount(batchCount)
    tasks.multiply(groups)
    tasks.multiply(pixelBlocks)
    tasks.multiply(panelBlocks)
    _ = try tasks.get()
  }

  /// A blocking that is good on most machines: the input of a task stays in the second-level cache.
  private func preferredBlocking(_ concurrency: Int) -> IntegerBlocking {
    let taps = window.taps
    var blocking = IntegerBlocking(
      pixels: 1, panels: panelsPerGroup, panelsFastest: true, panelsOuter: true)
    let budget = max(tileRows, min(65_536 / taps, 524_288 / window.run, 256))
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

  /// Sets the output's extent and strides, and cuts its pixels into segments of a constant distance.
  mutating func setPixels(_ geometry: ConvolutionGeometry, hasResidual: Bool) {
    outputHeight = geometry.outputHeight
    outputWidth = geometry.outputWidth
    input = geometry.input
    output = geometry.output
    residual = geometry.residual
    let pixels = geometry.segments(hasResidual: hasResidual)
    segments = pixels.count
    segmentsPerImage = pixels.perImage
    segmentLength = pixels.length
  }
}

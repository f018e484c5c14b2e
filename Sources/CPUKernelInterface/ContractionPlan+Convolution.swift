extension ContractionPlan {
  /// Plans a convolution with constant weights.
  ///
  /// - `variant`: an index into the kernels' variants; nil takes the preferred one.
  /// - `blocking`: nil takes the preferred one; values out of range are brought into it.
  /// - `concurrency`: the threads that will share the tasks, for the preferred blocking.
  package init(
    _ convolution: ConvolutionGeometry, kernels: ContractionKernels,
    operands: ContractionOperands, formats: ContractionFormats = ContractionFormats(),
    variant: Int? = nil, blocking: ContractionBlocking? = nil,
    epilogue: ContractionEpilogue = ContractionEpilogue(), hasBias: Bool = false,
    concurrency: Int = 1
  ) throws(ContractionPlanError) {
    try convolution.check()
    var geometry = convolution
    var operands = operands
    var workspaceBytes = 0
    let takesRows = geometry.prefersRows
    let copy = try Self.copy(&geometry, &operands, formats, &workspaceBytes)
    if geometry.isDepthwise {
      self = try Self.depthwise(
        geometry, kernels, operands, formats, copy, workspaceBytes, epilogue, hasBias, concurrency)
      return
    }
    let shape = try Self.variant(
      variant, kernels: kernels,
      rows: geometry.images * geometry.outputHeight * geometry.outputWidth,
      columns: geometry.outputChannels)
    let constants = Self.packing(
      convolution, tileColumns: shape.columns, elementBytes: formats.weights.byteCount)
    let panels = constants.panels
    let layout = try ConstantLayout(
      weights: CheckedCount.product(
        geometry.groups, panels, constants.depth, shape.columns),
      weightBytes: formats.weights.byteCount, groups: geometry.groups,
      columns: geometry.outputChannels,
      paddedColumns: panels * shape.columns, hasBias: hasBias,
      zeros: CheckedCount.product(geometry.inputChannels, geometry.kernelWidth))

    // The address of the zeros is known when the constants have theirs.
    var parameters = ContractionParameters(tile: shape.tile, zeros: unknownZeros)
    parameters.operands = operands
    parameters.formats = formats
    parameters.window = Self.window(geometry)
    var positions = geometry.inputWidth
    if takesRows {
      positions -= geometry.kernelWidth - 1
      parameters.window.width = 1
      parameters.window.run = geometry.kernelWidth * geometry.inputChannels
      parameters.window.isPadded = false
    }
    parameters.setPixels(geometry, hasResidual: operands.residual >= 0)
    parameters.groups = geometry.groups
    parameters.inputGroupStride = geometry.inputChannels
    parameters.columns = geometry.outputChannels
    parameters.panelsPerGroup = panels
    parameters.weightsRowStride = shape.columns
    parameters.weightsPanelStride = constants.depth * shape.columns
    parameters.weightsGroupStride = panels * parameters.weightsPanelStride
    try parameters.finish(
      shape, blocking, epilogue, concurrency: concurrency, inputHeight: geometry.inputHeight,
      inputWidth: positions)
    self.init(
      kernels: kernels, core: .contraction(parameters), copy: copy, packing: nil,
      constants: constants, layout: layout, workspaceBytes: workspaceBytes, hasBias: hasBias,
      hookScratchBytes: epilogue.hook?.scratchBytes ?? 0)
  }

  /// Replaces the input by a copy in the workspace where channels are not adjacent or are too few.
  private static func copy(
    _ geometry: inout ConvolutionGeometry, _ operands: inout ContractionOperands,
    _ formats: ContractionFormats, _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> CopyInputParameters? {
    let takesRows = geometry.prefersRows
    let channels = geometry.groups * geometry.inputChannels
    guard takesRows || (geometry.inputChannelStride != 1 && channels > 1) else { return nil }
    var copy = CopyInputParameters()
    copy.operands = operands
    copy.elementBytes = formats.input.byteCount
    copy.height = geometry.inputHeight
    copy.width = geometry.inputWidth
    copy.channels = channels
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
    let row = try CheckedCount.product(copy.paddedWidth, channels)
    let image = try CheckedCount.product(row, copy.paddedHeight)
    copy.batchCount = geometry.images
    copy.batch[3] = ContractionBatchDimension(
      count: geometry.images, input: geometry.input.batch, output: image)
    copy.splitTasks()
    workspaceBytes = roundUp(try CheckedCount.product(image, geometry.images, copy.elementBytes))
    operands.input = operands.workspace
    geometry.input = ContractionStrides(batch: image, row: row, pixel: channels)
    geometry.inputChannelStride = 1
    geometry.inputHeight = copy.paddedHeight
    geometry.inputWidth = copy.paddedWidth
    geometry.padTop -= copy.padTop
    geometry.padLeft -= copy.padLeft
    return copy
  }

  static func window(_ geometry: ConvolutionGeometry) -> ContractionWindow {
    var window = ContractionWindow()
    window.height = geometry.kernelHeight
    window.width = geometry.kernelWidth
    window.run = geometry.inputChannels
    window.strideHeight = geometry.strideHeight
    window.strideWidth = geometry.strideWidth
    window.dilationHeight = geometry.dilationHeight
    window.dilationWidth = geometry.dilationWidth
    window.padTop = geometry.padTop
    window.padLeft = geometry.padLeft
    window.inputHeight = geometry.inputHeight
    window.inputWidth = geometry.inputWidth
    window.isPadded = geometry.isPadded
    return window
  }

  /// The packing of constant weights, from operand 0 to operand 1.
  static func packing(
    _ geometry: ConvolutionGeometry, tileColumns: Int, elementBytes: Int = 4
  ) -> PackParameters {
    var packing = PackParameters()
    packing.elementBytes = elementBytes
    packing.operands = ContractionOperands(weights: 0, workspace: 1)
    packing.height = geometry.kernelHeight
    packing.width = geometry.kernelWidth
    packing.channels = geometry.inputChannels
    packing.columns = geometry.outputChannels
    packing.tileColumns = tileColumns
    packing.rowStride = geometry.weights.row
    packing.columnStride = geometry.weights.column
    packing.channelStride = geometry.weights.input
    packing.outputStride = geometry.weights.output
    packing.batchCount = geometry.groups
    packing.batch[3] = ContractionBatchDimension(
      count: geometry.groups, input: geometry.weights.output * geometry.outputChannels,
      output: packing.panels * packing.depth * tileColumns)
    return packing
  }

  private static func depthwise(
    _ geometry: ConvolutionGeometry, _ kernels: ContractionKernels,
    _ operands: ContractionOperands, _ formats: ContractionFormats, _ copy: CopyInputParameters?,
    _ workspaceBytes: Int, _ epilogue: ContractionEpilogue, _ hasBias: Bool, _ concurrency: Int
  ) throws(ContractionPlanError) -> ContractionPlan {
    let channels = geometry.groups
    let width = kernels.vectorWidth
    var constants = packing(
      geometry, tileColumns: width, elementBytes: formats.weights.byteCount)
    constants.columns = channels
    constants.batchCount = 1
    constants.batch[3] = ContractionBatchDimension()
    let layout = try ConstantLayout(
      weights: CheckedCount.product(constants.panels, constants.depth, width),
      weightBytes: formats.weights.byteCount, groups: 1, columns: channels,
      paddedColumns: constants.panels * width, hasBias: hasBias, zeros: 0)
    var parameters = DepthwiseParameters(weights: unknownZeros)
    parameters.operands = operands
    parameters.formats = formats
    parameters.window = window(geometry)
    parameters.images = geometry.images
    parameters.outputHeight = geometry.outputHeight
    parameters.outputWidth = geometry.outputWidth
    parameters.channels = channels
    parameters.input = geometry.input
    parameters.output = geometry.output
    parameters.residual = geometry.residual
    parameters.vectorWidth = width
    parameters.vectorsPerTask = constants.panels
    let windowBytes = geometry.kernelHeight * geometry.inputWidth * width * 4
    let leastVectors = formats.areSingle ? 8 : 4
    parameters.vectorsPerPass = min(
      constants.panels, max(leastVectors, 32_768 / windowBytes))
    let rowWork = geometry.outputWidth * channels * geometry.kernelHeight * geometry.kernelWidth
    let rowsEach = (geometry.images * geometry.outputHeight) / max(2 * concurrency, 1)
    parameters.rowsPerTask = max(
      1, min(geometry.outputHeight, rowsEach, 400_000 / max(rowWork, 1)))
    parameters.activation = epilogue.activation.rawValue
    parameters.lower = epilogue.lower
    parameters.upper = epilogue.upper
    parameters.hook = epilogue.hook?.function
    parameters.hookContext = epilogue.hook?.context
    try parameters.setScratch(inputHeight: geometry.inputHeight, inputWidth: geometry.inputWidth)
    return ContractionPlan(
      kernels: kernels, core: .depthwise(parameters), copy: copy, packing: nil,
      constants: constants, layout: layout, workspaceBytes: workspaceBytes, hasBias: hasBias,
      hookScratchBytes: epilogue.hook?.scratchBytes ?? 0)
  }
}

extension ContractionParameters {
  /// Sets the output's extent and strides, and cuts its pixels into segments of a constant distance.
  fileprivate mutating func setPixels(_ geometry: ConvolutionGeometry, hasResidual: Bool) {
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

extension ConvolutionGeometry {
  /// The longest runs of output pixels at a constant distance, of output and residual alike.
  func segments(hasResidual: Bool) -> (count: Int, perImage: Int, length: Int) {
    let operands = hasResidual ? [output, residual] : [output]
    let rowsFollow = outputHeight == 1 || operands.allSatisfy { $0.row == outputWidth * $0.pixel }
    let imagesFollow =
      images == 1 || operands.allSatisfy { $0.batch == outputHeight * outputWidth * $0.pixel }
    if rowsFollow && imagesFollow { return (1, 1, images * outputHeight * outputWidth) }
    if rowsFollow { return (images, 1, outputHeight * outputWidth) }
    return (images * outputHeight, outputHeight, outputWidth)
  }
}

extension DepthwiseParameters {
  /// Sets the places in the scratch of what is not stored as floats.
  fileprivate mutating func setScratch(
    inputHeight: Int, inputWidth: Int
  ) throws(ContractionPlanError) {
    let width = vectorsPerPass * vectorWidth
    let row = roundUp(try CheckedCount.product(outputWidth, min(width, channels), 4))
    residualOffset = formats.output == .float32 ? 0 : row
    weightsOffset = residualOffset + (formats.residual == .float32 ? 0 : row)
    let widensWeights = formats.weights != .float32
    linesOffset =
      weightsOffset
      + (widensWeights ? roundUp(try CheckedCount.product(width, window.taps, 4)) : 0)
    hookOffset = linesOffset
    if formats.input == .float32 { return }
    lines = try ContractionLines(
      height: inputHeight, width: inputWidth, run: min(width, channels), source: input,
      positions: inputWidth)
    lines.room = min(
      inputHeight,
      (min(rowsPerTask, outputHeight) - 1) * window.strideHeight
        + (window.height - 1) * window.dilationHeight + 1)
    hookOffset += try lines.byteCount()
  }
}

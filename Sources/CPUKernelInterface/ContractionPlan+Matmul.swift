extension ContractionPlan {
  /// Plans a batch of matrix products. The weights are an operand unless `matmul.weightsAreConstant`.
  ///
  /// - `variant`: an index into the kernels' variants; nil takes the preferred one.
  /// - `blocking`: nil takes the preferred one; values out of range are brought into it.
  /// - `concurrency`: the threads that will share the tasks, for the preferred blocking.
  package init(
    _ matmul: MatmulGeometry, kernels: ContractionKernels, operands: ContractionOperands,
    formats: ContractionFormats = ContractionFormats(), variant: Int? = nil,
    blocking: ContractionBlocking? = nil,
    epilogue: ContractionEpilogue = ContractionEpilogue(), hasBias: Bool = false,
    concurrency: Int = 1
  ) throws(ContractionPlanError) {
    try matmul.check()
    var geometry = matmul
    geometry.mergeBatchIntoRows()
    var operands = operands
    var workspaceBytes = 0
    let copy = try Self.copy(&geometry, &operands, formats, &workspaceBytes)
    let shape = try Self.variant(
      variant, kernels: kernels, rows: geometry.rows, columns: geometry.columns)
    var packing = Self.packing(geometry, tileColumns: shape.columns)
    packing.elementBytes = formats.weights.byteCount
    let matrix = try CheckedCount.product(packing.panels, packing.depth, shape.columns)

    var parameters = ContractionParameters(tile: shape.tile, zeros: unknownZeros)
    parameters.weightsRowStride = shape.columns
    parameters.weightsPanelStride = packing.depth * shape.columns
    parameters.batch = geometry.batch
    var runTimePacking: PackParameters?
    if geometry.weightsAreConstant {
      for d in 0..<4 { parameters.batch[d].weights = 0 }
    } else if geometry.readsWeightsInPlace(shape) {
      parameters.weightsRowStride = geometry.weightsDepthStride
      parameters.weightsPanelStride = shape.columns
    } else {
      runTimePacking = try Self.runTimePacking(
        packing, geometry, matrix, &parameters, &operands, &workspaceBytes)
    }
    let layout = try ConstantLayout(
      weights: geometry.weightsAreConstant ? matrix : 0, weightBytes: packing.elementBytes,
      groups: 1, columns: geometry.columns, paddedColumns: packing.panels * shape.columns,
      hasBias: hasBias, zeros: 1)
    parameters.operands = operands
    parameters.formats = formats
    parameters.window.run = geometry.depth
    parameters.outputWidth = geometry.rows
    parameters.segmentLength = geometry.rows
    parameters.input.pixel = geometry.inputRowStride
    parameters.output.pixel = geometry.outputRowStride
    parameters.residual.pixel = geometry.residualRowStride
    parameters.batchCount = geometry.batchCount
    parameters.columns = geometry.columns
    parameters.panelsPerGroup = packing.panels
    try parameters.finish(
      shape, blocking, epilogue, concurrency: concurrency, inputHeight: 1,
      inputWidth: geometry.rows)
    self.init(
      kernels: kernels, core: .contraction(parameters), copy: copy, packing: runTimePacking,
      constants: geometry.weightsAreConstant ? packing : nil, layout: layout,
      workspaceBytes: workspaceBytes, hasBias: hasBias,
      hookScratchBytes: epilogue.hook?.scratchBytes ?? 0)
  }

  /// Replaces the input by a copy in the workspace where its rows are not contiguous.
  private static func copy(
    _ geometry: inout MatmulGeometry, _ operands: inout ContractionOperands,
    _ formats: ContractionFormats, _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> CopyInputParameters? {
    guard geometry.inputDepthStride != 1 && geometry.depth > 1 else { return nil }
    var copy = CopyInputParameters()
    copy.operands = operands
    copy.elementBytes = formats.input.byteCount
    copy.width = geometry.rows
    copy.paddedWidth = geometry.rows
    copy.channels = geometry.depth
    copy.pixelStride = geometry.inputRowStride
    copy.channelStride = geometry.inputDepthStride
    let matrix = try CheckedCount.product(geometry.rows, geometry.depth)
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
    copy.splitTasks()
    workspaceBytes = roundUp(try CheckedCount.product(try count.get(), copy.elementBytes))
    operands.input = operands.workspace
    geometry.inputRowStride = geometry.depth
    geometry.inputDepthStride = 1
    return copy
  }

  /// The packing of one matrix of weights, from operand 0 to operand 1.
  private static func packing(_ geometry: MatmulGeometry, tileColumns: Int) -> PackParameters {
    var packing = PackParameters()
    packing.operands = ContractionOperands(weights: 0, workspace: 1)
    packing.channels = geometry.depth
    packing.columns = geometry.columns
    packing.tileColumns = tileColumns
    packing.channelStride = geometry.weightsDepthStride
    packing.outputStride = geometry.weightsColumnStride
    return packing
  }

  private static func runTimePacking(
    _ constant: PackParameters, _ geometry: MatmulGeometry, _ matrix: Int,
    _ parameters: inout ContractionParameters, _ operands: inout ContractionOperands,
    _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> PackParameters {
    var packing = constant
    packing.operands = operands
    packing.workspaceOffset = workspaceBytes
    var count = CheckedCount(matrix)
    var matrices = 1
    for d in stride(from: 3, through: 0, by: -1) {
      let dimension = geometry.batch[d]
      if dimension.count == 1 || dimension.weights == 0 {
        parameters.batch[d].weights = 0
        continue
      }
      packing.batch[d].count = dimension.count
      packing.batch[d].input = dimension.weights
      packing.batch[d].output = matrix * matrices
      parameters.batch[d].weights = matrix * matrices
      count.multiply(dimension.count)
      _ = try count.get()
      matrices *= dimension.count
    }
    packing.batchCount = matrices
    parameters.weightsOffset = workspaceBytes / packing.elementBytes
    workspaceBytes += roundUp(try CheckedCount.product(try count.get(), packing.elementBytes))
    operands.weights = operands.workspace
    return packing
  }
}

extension MatmulGeometry {
  /// Whether panels of the weights can be read where they are: few rows do not repay a packing.
  fileprivate func readsWeightsInPlace(_ variant: ContractionVariant) -> Bool {
    weightsColumnStride == 1 && columns % variant.columns == 0 && rows <= 4 * variant.rows
  }
}

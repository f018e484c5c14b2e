/// The factors of a contraction of bytes, or of pairs of bfloat16, and what becomes of the sums.
package struct IntegerFormat: Sendable {
  /// Where it is there, factors are bfloat16 and sums are in single precision.
  package var pairs: PairEpilogue?
  package var inputIsSigned = false
  package var weightsAreUnsigned = false
  /// Parts that weights are taken in, each of which fits a signed byte.
  package var planes = 1
  /// What x is outside of its extent.
  package var padValue = 0
  package var result = IntegerResult.int32
  package var residual = IntegerResidual.none
  package var inner: IntegerStage?
  /// Whether `IntegerColumns.lower` and `upper` bound the value.
  package var isLimited = false
  package var zeroPoint: Int32 = 0
  package var lowest: Int32 = 0
  package var highest: Int32 = 255
  /// Instead of all that follows the sums.
  package var hook: SumsHook?

  package init() {}

  /// What makes bytes of x unsigned.
  var flip: UInt8 { inputIsSigned ? 0x80 : 0 }
  var factorBytes: Int { pairs == nil ? 1 : 2 }
  var fill: UInt8 { UInt8(truncatingIfNeeded: padValue) ^ flip }

  /// Sets all but the addresses.
  func apply(to epilogue: inout IntegerEpilogue) {
    epilogue.result = result.rawValue
    epilogue.residual = residual.rawValue
    epilogue.hasInner = inner != nil
    if let inner { epilogue.inner = inner }
    epilogue.isLimited = isLimited
    epilogue.zeroPoint = zeroPoint
    epilogue.lowest = lowest
    epilogue.highest = highest
  }
}

/// The numbers of an integer epilogue, one for each output channel.
package struct IntegerColumns: Sendable {
  package var start: [Int32]
  package var scale: [Float]
  package var shift: [Float]
  package var residualScale: [Float]
  package var lower: [Float] = []
  package var upper: [Float] = []

  package init(start: [Int32], scale: [Float], shift: [Float], residualScale: [Float]) {
    self.start = start
    self.scale = scale
    self.shift = shift
    self.residualScale = residualScale
  }

  /// How many vectors the constants hold: the start values, then `vectors`.
  static let count = 6

  var vectors: [[Float]] { [scale, shift, residualScale, lower, upper] }
}

/// How a convolution or a matrix product of bytes is computed with the kernels of one instruction set.
package struct IntegerPlan: IntegerContraction {
  package let workspaceBytes: Int
  package let constantBytes: Int
  private let kernels: IntegerKernels
  private let format: IntegerFormat
  private let copy: IntegerCopyParameters?
  private let packing: IntegerPackParameters
  /// Whether the weights are packed by each inference.
  private let packsAtRunTime: Bool
  private let core: IntegerContractionParameters
  private let layout: Layout

  /// Where the constants lie, in bytes: packed weights at 0.
  private struct Layout: Sendable {
    var start: Int
    /// Between the vectors of `IntegerColumns`.
    var vectorBytes: Int
    var pad: Int
    var total: Int

    static func weightBytes(
      _ packing: IntegerPackParameters
    ) throws(ContractionPlanError) -> Int {
      try CheckedCount.product(
        packing.groups, packing.panels, packing.planes, packing.taps, packing.quads,
        packing.tileColumns, 4)
    }

    init(
      _ packing: IntegerPackParameters, columns: Int, isConstant: Bool
    ) throws(ContractionPlanError) {
      start = isConstant ? roundUp(try Self.weightBytes(packing)) : 0
      vectorBytes = roundUp(try CheckedCount.product(columns, 4))
      pad = start + (try CheckedCount.product(IntegerColumns.count, vectorBytes))
      // Tiles fetch ahead of what they use.
      total = pad + roundUp(4 * packing.quads)
    }
  }

  /// - `variant`: an index into the kernels' variants; nil takes the preferred one.
  /// - `blocking`: nil takes the preferred one; values out of range are brought into it.
  /// - `concurrency`: the threads that will share the tasks, for the preferred blocking.
  package init(
    _ convolution: ConvolutionGeometry, _ format: IntegerFormat, kernels: IntegerKernels,
    operands: ContractionOperands, variant: Int? = nil, blocking: IntegerBlocking? = nil,
    concurrency: Int = 1
  ) throws(ContractionPlanError) {
    try convolution.check()
    var geometry = try convolution.inBytes(format.factorBytes)
    var operands = operands
    var workspaceBytes = 0
    let copy = try Self.copy(&geometry, format, &operands, &workspaceBytes)
    let shape = try Self.variant(variant, kernels, format, columns: geometry.outputChannels)
    var packing = IntegerPackParameters()
    packing.factorBytes = format.factorBytes
    packing.groups = geometry.groups
    packing.height = geometry.kernelHeight
    packing.width = geometry.kernelWidth
    packing.channels = convolution.inputChannels
    packing.columns = geometry.outputChannels
    packing.rowStride = geometry.weights.row
    packing.columnStride = geometry.weights.column
    packing.channelStride = geometry.weights.input
    packing.outputStride = geometry.weights.output
    packing.takesRows = geometry.prefersRows
    var core = Self.core(shape)
    core.operands = operands
    core.window = ContractionPlan.window(geometry)
    if packing.takesRows {
      core.window.width = 1
      core.window.run = packing.run
      core.window.isPadded = false
    }
    core.setPixels(geometry, hasResidual: operands.residual >= 0)
    core.groups = geometry.groups
    core.inputGroupStride = geometry.inputChannels
    core.columns = geometry.outputChannels
    try self.init(
      kernels, format, copy, packing, core, shape, blocking, concurrency, workspaceBytes)
  }

  /// Plans a batch of matrix products; weights that are not constant are an operand.
  package init(
    _ matmul: MatmulGeometry, _ format: IntegerFormat, kernels: IntegerKernels,
    operands: ContractionOperands, variant: Int? = nil, blocking: IntegerBlocking? = nil,
    concurrency: Int = 1
  ) throws(ContractionPlanError) {
    try matmul.check()
    var geometry = try matmul.inBytes(format.factorBytes)
    geometry.mergeBatchIntoRows()
    var operands = operands
    var workspaceBytes = 0
    let copy = try Self.copy(&geometry, format, &operands, &workspaceBytes)
    let shape = try Self.variant(variant, kernels, format, columns: geometry.columns)
    var packing = IntegerPackParameters()
    packing.factorBytes = format.factorBytes
    packing.channels = matmul.depth
    packing.columns = matmul.columns
    packing.channelStride = matmul.weightsDepthStride
    packing.outputStride = matmul.weightsColumnStride
    var core = Self.core(shape)
    core.operands = operands
    core.window.run = packing.run
    core.outputWidth = geometry.rows
    core.segmentLength = geometry.rows
    core.input.pixel = geometry.inputRowStride
    core.output.pixel = geometry.outputRowStride
    core.residual.pixel = geometry.residualRowStride
    core.batchCount = geometry.batchCount
    core.batch = geometry.batch
    core.columns = geometry.columns
    for d in 0..<4 { core.batch[d].weights = 0 }
    if !geometry.weightsAreConstant { Self.countMatrices(geometry, &packing, &core) }
    try self.init(
      kernels, format, copy, packing, core, shape, blocking, concurrency, workspaceBytes,
      packsAtRunTime: !geometry.weightsAreConstant)
  }

  /// The matrices of weights that are packed by each inference.
  private static func countMatrices(
    _ geometry: MatmulGeometry, _ packing: inout IntegerPackParameters,
    _ core: inout IntegerContractionParameters
  ) {
    for d in stride(from: 3, through: 0, by: -1) {
      let dimension = geometry.batch[d]
      guard dimension.count > 1, dimension.weights != 0 else { continue }
      packing.batch[d].count = dimension.count
      packing.batch[d].input = dimension.weights
      packing.batch[d].output = packing.batchCount
      core.batch[d].weights = packing.batchCount
      packing.batchCount *= dimension.count
    }
  }

  private init(
    _ kernels: IntegerKernels, _ format: IntegerFormat, _ copy: IntegerCopyParameters?,
    _ pack: IntegerPackParameters, _ parameters: IntegerContractionParameters,
    _ shape: IntegerVariant, _ blocking: IntegerBlocking?, _ concurrency: Int,
    _ copyBytes: Int, packsAtRunTime: Bool = false
  ) throws(ContractionPlanError) {
    var packing = pack
    packing.tileColumns = shape.columns
    packing.planes = format.planes
    packing.isUnsigned = format.weightsAreUnsigned
    packing.flipsInput = format.inputIsSigned
    var core = parameters
    core.quads = packing.quads
    core.planes = packing.planes
    core.panelsPerGroup = packing.panels
    core.weightsPanelStride = packing.panelBytes
    core.resultBytes = format.hook?.resultBytes ?? format.result.byteCount
    core.residualBytes = format.residual.byteCount
    core.hook = format.hook?.function
    core.hookContext = format.hook?.context
    format.apply(to: &core.epilogue)
    if let pairs = format.pairs {
      core.takesPairs = true
      core.pairEpilogue = pairs
      core.residualBytes = pairs.residual == ElementFormat.float32.rawValue ? 4 : 2
      if format.hook == nil {
        core.resultBytes = pairs.result == ElementFormat.float32.rawValue ? 4 : 2
      }
    }
    try core.finish(shape, blocking, concurrency: concurrency)
    layout = try Layout(
      packing, columns: packing.panelsOfMatrix * shape.columns, isConstant: !packsAtRunTime)
    constantBytes = layout.total
    var workspaceBytes = copyBytes
    if packsAtRunTime {
      packing.operands = core.operands
      packing.weightsOffset = copyBytes
      packing.startOffset =
        copyBytes
        + roundUp(try CheckedCount.product(packing.batchCount, Layout.weightBytes(packing)))
      core.weightsOffset = packing.weightsOffset
      core.startOffset = packing.startOffset
      workspaceBytes =
        packing.startOffset
        + roundUp(
          try CheckedCount.product(packing.batchCount, packing.panelsOfMatrix, shape.columns, 4))
    } else {
      packing.startOffset = layout.start
    }
    self.packsAtRunTime = packsAtRunTime
    self.kernels = kernels
    self.format = format
    self.copy = copy
    self.packing = packing
    self.core = core
    self.workspaceBytes = workspaceBytes
  }

  /// Parameters whose addresses are known when the constants have theirs.
  private static func core(_ shape: IntegerVariant) -> IntegerContractionParameters {
    let floats = unknownZeros
    let raw = UnsafeRawPointer(floats)
    let sums = raw.assumingMemoryBound(to: Int32.self)
    return IntegerContractionParameters(
      tile: shape.tile, weights: nil, pad: raw.assumingMemoryBound(to: UInt8.self),
      epilogue: IntegerEpilogue(start: sums, numbers: floats))
  }

  private static func variant(
    _ index: Int?, _ kernels: IntegerKernels, _ format: IntegerFormat, columns: Int
  ) throws(ContractionPlanError) -> IntegerVariant {
    let variants = format.pairs == nil ? kernels.variants : kernels.pairVariants
    if let index {
      guard variants.indices.contains(index) else { throw .variant }
      return variants[index]
    }
    let best = variants.min { a, b in
      (columns + a.columns - 1) / a.columns * a.columns
        < (columns + b.columns - 1) / b.columns * b.columns
    }
    guard let best else { throw .variant }
    return best
  }

  package var blocking: IntegerBlocking { core.blocking }
  package var taskCount: Int { core.taskCount }

  package func writeConstants(
    to bytes: UnsafeMutableRawPointer, weights: UnsafePointer<UInt8>?, columns: IntegerColumns
  ) {
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: constantBytes)
    spread(columns.start, to: bytes + layout.start)
    for (index, numbers) in columns.vectors.enumerated() {
      spread(numbers, to: bytes + layout.start + (index + 1) * layout.vectorBytes)
    }
    (bytes + layout.pad).initializeMemory(
      as: UInt8.self, repeating: format.fill, count: 4 * packing.quads)
    guard let weights, !packsAtRunTime else { return }
    var operands = [UnsafeMutableRawPointer(mutating: UnsafeRawPointer(weights)), bytes]
    withUnsafeBytes(of: packing) { parameters in
      operands.withUnsafeMutableBufferPointer { operands in
        guard let parameters = parameters.baseAddress, let operands = operands.baseAddress
        else { return }
        kernels.packWeights(parameters, operands, 0, packing.taskCount, bytes)
      }
    }
  }

  /// Numbers of output channels, each group's at the beginning of a panel.
  private func spread<Number: BitwiseCopyable>(
    _ numbers: [Number], to bytes: UnsafeMutableRawPointer
  ) {
    let target = bytes.assumingMemoryBound(to: Number.self)
    for (index, number) in numbers.enumerated() {
      let (group, column) = index.quotientAndRemainder(dividingBy: packing.columns)
      target[group * packing.panels * packing.tileColumns + column] = number
    }
  }

  package func steps(constants bytes: UnsafeRawPointer) -> [KernelStep] {
    var steps: [KernelStep] = []
    if let copy {
      steps.append(KernelStep(kernels.copyInput, copy, taskCount: copy.taskCount))
    }
    var parameters = core
    if packsAtRunTime {
      var packing = packing
      packing.start = (bytes + layout.start).assumingMemoryBound(to: Int32.self)
      steps.append(KernelStep(kernels.packWeights, packing, taskCount: packing.taskCount))
    } else {
      parameters.weights = bytes.assumingMemoryBound(to: Int8.self)
    }
    parameters.pad = (bytes + layout.pad).assumingMemoryBound(to: UInt8.self)
    parameters.epilogue.point(at: bytes + layout.start, stride: layout.vectorBytes)
    steps.append(
      KernelStep(
        kernels.contraction, parameters, taskCount: parameters.taskCount,
        scratchBytes: parameters.hookOffset + (format.hook?.scratchBytes ?? 0)))
    return steps
  }
}

/// A way to compute a contraction of bytes, as its preparer uses it: the preparer allocates `constantBytes` (aligned to
/// 64), has them written, and asks for the steps. An inference provides `workspaceBytes` as the workspace operand.
package protocol IntegerContraction: Sendable {
  var workspaceBytes: Int { get }
  var constantBytes: Int { get }

  /// Packs the weights, where they are constant, and the numbers of the epilogue, which has one of each for each output channel.
  func writeConstants(
    to bytes: UnsafeMutableRawPointer, weights: UnsafePointer<UInt8>?, columns: IntegerColumns)

  /// The kernel calls, in order, given the constants that were written.
  func steps(constants bytes: UnsafeRawPointer) -> [KernelStep]
}

/// A depthwise convolution of bytes.
package struct IntegerDepthwisePlan: IntegerContraction {
  package let workspaceBytes: Int
  package let constantBytes: Int
  private let kernels: IntegerKernels
  private let hookScratchBytes: Int
  private let takesQuads: Bool
  private let copy: IntegerCopyParameters?
  private let packing: IntegerPackParameters
  private let core: IntegerDepthwiseParameters
  /// The bytes of a number for each channel.
  private let vectorBytes: Int
  private let weightBytes: Int
  private let padOffset: Int
  private let fill: UInt8

  package init(
    _ convolution: ConvolutionGeometry, _ format: IntegerFormat, kernels: IntegerKernels,
    operands: ContractionOperands, takesQuads: Bool, concurrency: Int
  ) throws(ContractionPlanError) {
    try convolution.check()
    guard convolution.isDepthwise,
      takesQuads
        ? !format.weightsAreUnsigned
        : convolution.kernelHeight * convolution.kernelWidth
          <= IntegerDepthwiseParameters.exactTaps
    else { throw .extent }
    self.takesQuads = takesQuads
    var geometry = convolution
    var operands = operands
    var workspaceBytes = 0
    copy = try Self.copy(&geometry, &operands, &workspaceBytes)
    self.workspaceBytes = workspaceBytes
    let channels = geometry.groups
    // Quads are of four vectors of channels.
    let lanes = kernels.vectorWidth * (takesQuads ? 4 : 1)
    let vectors = (channels + lanes - 1) / lanes
    var packing = IntegerPackParameters()
    packing.groups = channels
    packing.height = geometry.kernelHeight
    packing.width = geometry.kernelWidth
    packing.columns = vectors
    packing.rowStride = geometry.weights.row
    packing.columnStride = geometry.weights.column
    packing.outputStride = geometry.weights.output
    packing.isUnsigned = format.weightsAreUnsigned
    packing.flipsInput = takesQuads && format.inputIsSigned
    self.packing = packing
    vectorBytes = roundUp(vectors * lanes * 4)
    let rows = takesQuads ? (geometry.kernelHeight + 3) / 4 : geometry.kernelHeight
    weightBytes = roundUp(
      try CheckedCount.product(vectors * lanes, rows, geometry.kernelWidth, 4))
    padOffset =
      weightBytes + (try CheckedCount.product(IntegerColumns.count, vectorBytes))
    constantBytes = padOffset + (takesQuads ? roundUp(lanes) : 0)

    let floats = unknownZeros
    let sums = UnsafeRawPointer(floats).assumingMemoryBound(to: Int32.self)
    var core = IntegerDepthwiseParameters(
      weights: floats,
      epilogue: IntegerEpilogue(start: sums, numbers: floats))
    core.operands = operands
    core.window = ContractionPlan.window(geometry)
    core.images = geometry.images
    core.outputHeight = geometry.outputHeight
    core.outputWidth = geometry.outputWidth
    core.channels = channels
    core.input = geometry.input
    core.output = geometry.output
    core.residual = geometry.residual
    core.isSigned = format.inputIsSigned
    fill = UInt8(truncatingIfNeeded: format.padValue)
    core.padValue = format.padValue
    core.channelsPerPass = takesQuads ? lanes : min(vectors * lanes, 256)
    let rowWork = geometry.outputWidth * channels * geometry.kernelHeight * geometry.kernelWidth
    let rowsEach = (geometry.images * geometry.outputHeight) / max(2 * concurrency, 1)
    core.rowsPerTask = max(1, min(geometry.outputHeight, rowsEach, 800_000 / max(rowWork, 1)))
    core.resultBytes = format.hook?.resultBytes ?? format.result.byteCount
    core.residualBytes = format.residual.byteCount
    core.hook = format.hook?.function
    core.hookContext = format.hook?.context
    core.hookOffset = roundUp(IntegerDepthwiseParameters.pixels * core.channelsPerPass * 4)
    format.apply(to: &core.epilogue)
    self.core = core
    self.kernels = kernels
    hookScratchBytes = format.hook?.scratchBytes ?? 0
  }

  /// Replaces x by a copy in the workspace where its channels are not adjacent.
  private static func copy(
    _ geometry: inout ConvolutionGeometry, _ operands: inout ContractionOperands,
    _ workspaceBytes: inout Int
  ) throws(ContractionPlanError) -> IntegerCopyParameters? {
    guard geometry.inputChannelStride != 1 else { return nil }
    var copy = IntegerCopyParameters()
    copy.operands = operands
    copy.height = geometry.inputHeight
    copy.width = geometry.inputWidth
    copy.channels = geometry.groups
    copy.paddedChannels = geometry.groups
    copy.paddedHeight = geometry.inputHeight
    copy.paddedWidth = geometry.inputWidth
    copy.rowStride = geometry.input.row
    copy.pixelStride = geometry.input.pixel
    copy.channelStride = geometry.inputChannelStride
    let row = try CheckedCount.product(geometry.inputWidth, geometry.groups)
    let image = try CheckedCount.product(row, geometry.inputHeight)
    copy.batchCount = geometry.images
    copy.batch[3] = ContractionBatchDimension(
      count: geometry.images, input: geometry.input.batch, output: image)
    copy.rowsPerTask = max(1, min(copy.paddedHeight, 65_536 / max(row, 1)))
    workspaceBytes = roundUp(try CheckedCount.product(image, geometry.images))
    operands.input = operands.workspace
    geometry.input = ContractionStrides(batch: image, row: row, pixel: geometry.groups)
    geometry.inputChannelStride = 1
    return copy
  }

  package func writeConstants(
    to bytes: UnsafeMutableRawPointer, weights: UnsafePointer<UInt8>?, columns: IntegerColumns
  ) {
    guard let weights else { return }
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: constantBytes)
    let start = (bytes + weightBytes).assumingMemoryBound(to: Int32.self)
    for (index, number) in columns.start.enumerated() { start[index] = number }
    let pack = takesQuads ? kernels.packQuadDepthwise : kernels.packDepthwise
    var operands = [
      UnsafeMutableRawPointer(mutating: UnsafeRawPointer(weights)), bytes, bytes + weightBytes,
    ]
    withUnsafeBytes(of: packing) { parameters in
      operands.withUnsafeMutableBufferPointer { operands in
        guard let parameters = parameters.baseAddress, let operands = operands.baseAddress
        else { return }
        pack(parameters, operands, 0, packing.columns, bytes)
      }
    }
    if takesQuads {
      (bytes + padOffset).initializeMemory(
        as: UInt8.self, repeating: fill, count: constantBytes - padOffset)
    }
    for (place, numbers) in columns.vectors.enumerated() {
      let target = (bytes + weightBytes + (place + 1) * vectorBytes)
        .assumingMemoryBound(to: Float.self)
      for (index, number) in numbers.enumerated() { target[index] = number }
    }
  }

  package func steps(constants bytes: UnsafeRawPointer) -> [KernelStep] {
    var steps: [KernelStep] = []
    if let copy {
      steps.append(KernelStep(kernels.copyInput, copy, taskCount: copy.taskCount))
    }
    var parameters = core
    parameters.weights = bytes.assumingMemoryBound(to: Float.self)
    parameters.quadWeights = bytes.assumingMemoryBound(to: Int8.self)
    parameters.pad = (bytes + padOffset).assumingMemoryBound(to: UInt8.self)
    parameters.epilogue.point(at: bytes + weightBytes, stride: vectorBytes)
    steps.append(
      KernelStep(
        takesQuads ? kernels.quadDepthwise : kernels.depthwise, parameters,
        taskCount: parameters.taskCount,
        scratchBytes: parameters.hookOffset + hookScratchBytes))
    return steps
  }
}

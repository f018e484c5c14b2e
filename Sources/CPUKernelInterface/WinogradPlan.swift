/// How a 3x3 convolution of stride 1 is computed by minimal filtering.
///
/// The preparer allocates `constantBytes` (aligned to 64), fills them with `writeConstants`, and asks for the `step`.
package struct WinogradPlan: Sendable {
  package let constantBytes: Int

  private let kernels: ContractionKernels
  private let kernel: WinogradKernel
  private let parameters: WinogradParameters
  private let packing: PackParameters
  private let layout: ConstantLayout
  private let hasBias: Bool
  private let scratchBytes: Int

  /// Whether minimal filtering computes the convolution.
  package static func computes(_ geometry: ConvolutionGeometry) -> Bool {
    geometry.kernelHeight == 3 && geometry.kernelWidth == 3 && geometry.strideHeight == 1
      && geometry.strideWidth == 1 && geometry.dilationHeight == 1 && geometry.dilationWidth == 1
      && geometry.groups == 1
      && (geometry.inputChannelStride == 1 || geometry.inputChannels == 1)
  }

  /// - `algorithm`: an index into the kernels' Winograd kernels.
  /// - `variant`: an index into the kernels' Winograd tiles.
  /// - `concurrency`: the threads that will share the tasks.
  package init(
    _ geometry: ConvolutionGeometry, kernels: ContractionKernels, operands: ContractionOperands,
    algorithm: Int, variant: Int, epilogue: ContractionEpilogue = ContractionEpilogue(),
    hasBias: Bool = false, concurrency: Int = 1
  ) throws(ContractionPlanError) {
    try geometry.check()
    guard Self.computes(geometry), kernels.winograd.indices.contains(algorithm),
      kernels.winogradTiles.indices.contains(variant)
    else { throw .variant }
    let kernel = kernels.winograd[algorithm]
    let shape = kernels.winogradTiles[variant]
    let packing = ContractionPlan.packing(geometry, tileColumns: shape.columns)
    let points = kernel.points * kernel.points
    let vectors = (geometry.inputChannels + kernels.vectorWidth - 1) / kernels.vectorWidth
    let layout = try ConstantLayout(
      weights: CheckedCount.product(packing.panels, points, geometry.inputChannels, shape.columns),
      groups: 1, columns: geometry.outputChannels, paddedColumns: packing.panels * shape.columns,
      hasBias: hasBias, zeros: vectors * kernels.vectorWidth)

    var parameters = WinogradParameters(
      tile: shape.tile, weights: unknownZeros, zeros: unknownZeros)
    parameters.operands = operands
    parameters.setGeometry(geometry)
    parameters.windowsHigh = (geometry.outputHeight + kernel.outputs - 1) / kernel.outputs
    parameters.windowsWide = (geometry.outputWidth + kernel.outputs - 1) / kernel.outputs
    parameters.windows = try CheckedCount.product(
      geometry.images, parameters.windowsHigh, parameters.windowsWide)
    parameters.panels = packing.panels
    parameters.tileRows = shape.rows
    parameters.tileColumns = shape.columns
    parameters.setEpilogue(epilogue)
    scratchBytes = try parameters.finish(
      points: points, vectorWidth: kernels.vectorWidth, concurrency: concurrency,
      hookScratchBytes: epilogue.hook?.scratchBytes ?? 0)
    self.kernels = kernels
    self.kernel = kernel
    self.parameters = parameters
    self.packing = packing
    self.layout = layout
    self.hasBias = hasBias
    constantBytes = layout.total
  }

  /// Bytes that `writeConstants` needs while it works, aligned to 64.
  package var temporaryBytes: Int { 4 * packing.panels * packing.depth * packing.tileColumns }

  /// Transforms the weights and packs them and the bias, which has one element for each output channel.
  package func writeConstants(
    to bytes: UnsafeMutableRawPointer, weights: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?,
    temporary: UnsafeMutableRawPointer
  ) {
    (bytes + layout.bias).initializeMemory(
      as: UInt8.self, repeating: 0, count: layout.total - layout.bias)
    guard let weights else { return }
    Self.call(
      kernels.packWeights, packing, UnsafeMutableRawPointer(mutating: weights), temporary,
      taskCount: packing.taskCount)
    var transform = WinogradWeightParameters()
    transform.points = kernel.points
    transform.channels = packing.channels
    transform.tileColumns = packing.tileColumns
    transform.panels = packing.panels
    transform.panelsPerGroup = parameters.panelsPerGroup
    transform.matrix = kernel.weightMatrix
    Self.call(
      kernels.transformWeights, transform, temporary, bytes, taskCount: packing.panels)
    if hasBias, let bias {
      (bytes + layout.bias).assumingMemoryBound(to: Float.self).update(
        from: bias, count: layout.columns)
    }
  }

  /// The kernel call, given the constants that were written.
  package func step(constants bytes: UnsafeRawPointer) -> KernelStep {
    var parameters = parameters
    parameters.weights = bytes.assumingMemoryBound(to: Float.self)
    parameters.bias = hasBias ? (bytes + layout.bias).assumingMemoryBound(to: Float.self) : nil
    parameters.zeros = (bytes + layout.zeros).assumingMemoryBound(to: Float.self)
    return KernelStep(
      kernel.function, parameters, taskCount: parameters.taskCount, scratchBytes: scratchBytes)
  }

  private static func call<Parameters: BitwiseCopyable>(
    _ function: KernelFunction, _ parameters: Parameters, _ source: UnsafeMutableRawPointer,
    _ target: UnsafeMutableRawPointer, taskCount: Int
  ) {
    let operands: InlineArray<2, UnsafeMutableRawPointer> = [source, target]
    withUnsafePointer(to: parameters) { parameters in
      withUnsafePointer(to: operands) { operands in
        function(
          parameters,
          UnsafeRawPointer(operands).assumingMemoryBound(to: UnsafeMutableRawPointer.self), 0,
          taskCount, target)
      }
    }
  }
}

extension WinogradParameters {
  fileprivate mutating func setGeometry(_ geometry: ConvolutionGeometry) {
    inputHeight = geometry.inputHeight
    inputWidth = geometry.inputWidth
    channels = geometry.inputChannels
    outputHeight = geometry.outputHeight
    outputWidth = geometry.outputWidth
    columns = geometry.outputChannels
    padTop = geometry.padTop
    padLeft = geometry.padLeft
    input = geometry.input
    output = geometry.output
    residual = geometry.residual
  }

  fileprivate mutating func setEpilogue(_ epilogue: ContractionEpilogue) {
    activation = epilogue.activation.rawValue
    lower = epilogue.lower
    upper = epilogue.upper
    hook = epilogue.hook?.function
    hookContext = epilogue.hook?.context
    hookRows = max(epilogue.hook?.rows ?? 1, 1)
  }

  /// Sets the blocking and the places in the scratch.
  ///
  /// - Returns: the bytes of the scratch.
  fileprivate mutating func finish(
    points: Int, vectorWidth: Int, concurrency: Int, hookScratchBytes: Int
  ) throws(ContractionPlanError) -> Int {
    let depth = (channels + vectorWidth - 1) / vectorWidth * vectorWidth
    try setBlocking(points: points, depth: depth, concurrency: concurrency)
    _ = try CheckedCount.product(windowBlocks, panelBlocks)
    halfOffset = roundUp(points * 8)
    transformedOffset = halfOffset + roundUp(points * vectorWidth * 4)
    productsOffset =
      transformedOffset + roundUp(try CheckedCount.product(points, windowsPerTask, depth, 4))
    hookOffset =
      productsOffset
      + roundUp(
        try CheckedCount.product(points, windowsPerTask, panelsPerGroup, tileColumns, 4))
    return hookOffset + hookScratchBytes
  }

  /// As many windows as stay in the second-level cache with their products; where weights are more than windows,
  /// threads share the panels, so that none reads all of them.
  private mutating func setBlocking(
    points: Int, depth: Int, concurrency: Int
  ) throws(ContractionPlanError) {
    panelsPerGroup = min(panels, max(64 / tileColumns, 1))
    panelsPerTask = panels
    if concurrency > 1 && columns > windows && panels > 1 {
      let shares = min(panels, concurrency)
      panelsPerTask = (panels + shares - 1) / shares
      panelsPerTask = (panelsPerTask + panelsPerGroup - 1) / panelsPerGroup * panelsPerGroup
    }
    let elements = try CheckedCount.product(points, depth + panelsPerGroup * tileColumns)
    let weights = try CheckedCount.product(points, depth, panels * tileColumns)
    let budget = (weights > 262_144 ? Self.alone : Self.besideWeights) / elements
    let most = max(budget / tileRows, 1) * tileRows
    var blocks = (windows + most - 1) / most
    let wanted = (concurrency + panelBlocks - 1) / panelBlocks
    if blocks < 4 * wanted { blocks = (blocks + wanted - 1) / wanted * wanted }
    windowsPerTask = max(1, (windows + blocks - 1) / blocks)
  }

  // Floats of windows and products that stay in the second-level cache, beside the weights and without them.
  private static var besideWeights: Int { 196_608 }
  private static var alone: Int { 450_000 }
}

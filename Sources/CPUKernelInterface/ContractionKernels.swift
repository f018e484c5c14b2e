/// What a register tile computes, passed by address to a `ContractionTileFunction`.
package struct ContractionTileArguments {
  /// `[tap][row]`: the first element of each run.
  package var pointers: UnsafePointer<UnsafePointer<Float>>
  package var taps: Int
  package var firstElement: Int
  package var elements: Int
  package var weights: UnsafePointer<Float>
  package var weightsRowStride: Int
  package var output: UnsafeMutablePointer<Float>
  package var outputStride: Int
  package var rows: Int
  /// Where the weights to come are, to be fetched at half a line for each element of the reduction.
  package var prefetch: UnsafeRawPointer
  /// What the sums start from, or nil; a residual is then part of it.
  package var accumulated: UnsafePointer<Float>?
  package var accumulatedStride = 0
  /// Whether the sums are complete, so that the epilogue is applied.
  package var finishes = true
  package var bias: UnsafePointer<Float>?
  package var residual: UnsafePointer<Float>?
  package var residualStride = 0
  package var activation = 0
  package var lower: Float = 0
  package var upper: Float = 0

  package init(
    pointers: UnsafePointer<UnsafePointer<Float>>, taps: Int, firstElement: Int, elements: Int,
    weights: UnsafePointer<Float>, weightsRowStride: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int, rows: Int
  ) {
    self.pointers = pointers
    self.taps = taps
    self.firstElement = firstElement
    self.elements = elements
    self.weights = weights
    self.weightsRowStride = weightsRowStride
    self.output = output
    self.outputStride = outputStride
    self.rows = rows
    prefetch = UnsafeRawPointer(weights)
  }
}

/// Computes one register tile of up to the variant's rows and all of its columns.
package typealias ContractionTileFunction =
  @convention(c) (_ arguments: UnsafeRawPointer) -> Void

/// A shape of register tile that an instruction set offers.
package struct ContractionVariant: Sendable {
  /// `"6x64"`.
  package var name: String
  package var rows: Int
  package var columns: Int
  package var tile: ContractionTileFunction

  package init(rows: Int, columns: Int, tile: ContractionTileFunction) {
    self.name = "\(rows)x\(columns)"
    self.rows = rows
    self.columns = columns
    self.tile = tile
  }
}

/// The contraction kernels of one instruction set.
package struct ContractionKernels: Sendable {
  /// Floats of a vector register.
  package var vectorWidth: Int
  /// In order of preference for wide outputs.
  package var variants: [ContractionVariant]
  /// `ContractionParameters`.
  package var contraction: KernelFunction
  /// `DepthwiseParameters`.
  package var depthwise: KernelFunction
  /// `PackParameters`.
  package var packWeights: KernelFunction
  /// `CopyInputParameters`.
  package var copyInput: KernelFunction
  /// For 3x3 convolutions of stride 1.
  package var winograd: [WinogradKernel]
  /// The register tiles of those, with `WinogradTileArguments`.
  package var winogradTiles: [ContractionVariant]
  /// `WinogradWeightParameters`.
  package var transformWeights: KernelFunction

  package init(
    vectorWidth: Int, variants: [ContractionVariant], contraction: KernelFunction,
    depthwise: KernelFunction, packWeights: KernelFunction, copyInput: KernelFunction,
    winograd: [WinogradKernel], winogradTiles: [ContractionVariant],
    transformWeights: KernelFunction
  ) {
    self.vectorWidth = vectorWidth
    self.variants = variants
    self.contraction = contraction
    self.depthwise = depthwise
    self.packWeights = packWeights
    self.copyInput = copyInput
    self.winograd = winograd
    self.winogradTiles = winogradTiles
    self.transformWeights = transformWeights
  }
}

/// The places of a contraction's operands in the kernel's operand list; -1 where there is none.
package struct ContractionOperands: BitwiseCopyable, Sendable {
  package var output: Int
  package var input: Int
  /// The second factor when it is not constant.
  package var weights: Int
  package var residual: Int
  /// Memory of the inference, of `ContractionPlan.workspaceBytes`.
  package var workspace: Int

  package init(
    output: Int = 0, input: Int = 1, weights: Int = -1, residual: Int = -1, workspace: Int = -1
  ) {
    self.output = output
    self.input = input
    self.weights = weights
    self.residual = residual
    self.workspace = workspace
  }
}

/// One of the batch dimensions of a matrix product: its extent, and the elements between consecutive matrices of
/// each operand (0 broadcasts).
package struct ContractionBatchDimension: BitwiseCopyable, Hashable, Sendable {
  package var count: Int
  package var input: Int
  package var weights: Int
  package var output: Int
  package var residual: Int

  package init(count: Int = 1, input: Int = 0, weights: Int = 0, output: Int = 0, residual: Int = 0)
  {
    self.count = count
    self.input = input
    self.weights = weights
    self.output = output
    self.residual = residual
  }
}

/// Up to four batch dimensions, the last one fastest.
package typealias ContractionBatch = InlineArray<4, ContractionBatchDimension>

/// The reduction of a contraction: `height * width` taps, each a run of `run` contiguous input elements.
package struct ContractionWindow: BitwiseCopyable, Sendable {
  package var height = 1
  package var width = 1
  package var run = 1
  package var strideHeight = 1
  package var strideWidth = 1
  package var dilationHeight = 1
  package var dilationWidth = 1
  package var padTop = 0
  package var padLeft = 0
  /// The extent of the input, outside of which it is zero.
  package var inputHeight = 1
  package var inputWidth = 1
  /// Whether a tap of some output pixel lies outside of the input.
  package var isPadded = false

  package init() {}

  package var taps: Int { height * width }
}

/// Elements between consecutive images, rows and pixels; channels are adjacent.
package struct ContractionStrides: BitwiseCopyable, Hashable, Sendable {
  package var batch: Int
  package var row: Int
  package var pixel: Int

  package init(batch: Int = 0, row: Int = 0, pixel: Int = 0) {
    self.batch = batch
    self.row = row
    self.pixel = pixel
  }
}

/// How a contraction is cut up; every choice gives the same results but for rounding.
package struct ContractionBlocking: BitwiseCopyable, Hashable, Sendable {
  /// Output pixels of a task.
  package var pixels: Int
  /// Weight panels of a task.
  package var panels: Int
  /// Taps of a block of the reduction.
  package var taps: Int
  /// Elements of a tap's run in a block of the reduction; less than the run only where `taps` is 1.
  package var run: Int
  /// Whether consecutive tasks differ in their panels first.
  package var panelsFastest: Bool
  /// Whether a task takes its panels in its outer loop, so that a panel stays cached, or its pixels.
  package var panelsOuter: Bool

  package init(
    pixels: Int, panels: Int, taps: Int, run: Int, panelsFastest: Bool, panelsOuter: Bool
  ) {
    self.pixels = pixels
    self.panels = panels
    self.taps = taps
    self.run = run
    self.panelsFastest = panelsFastest
    self.panelsOuter = panelsOuter
  }
}

/// How the numbers of a contraction's operands lie in memory; it computes in single precision.
package struct ContractionFormats: BitwiseCopyable, Hashable, Sendable {
  package var input: ElementFormat
  package var weights: ElementFormat
  package var output: ElementFormat
  package var residual: ElementFormat

  package init(
    input: ElementFormat = .float32, weights: ElementFormat = .float32,
    output: ElementFormat = .float32, residual: ElementFormat = .float32
  ) {
    self.input = input
    self.weights = weights
    self.output = output
    self.residual = residual
  }

  package var areSingle: Bool { self == ContractionFormats() }
}

/// The parameters of `ContractionKernels.contraction`: an indirect matrix product.
///
/// Each output pixel is the sum over taps and channels of the input at the tap times the weights; the input is
/// reached through one pointer for each tap and pixel, which is a shared row of zeros where the tap lies outside.
/// A matrix product is the case of one tap, and of output pixels that are the rows.
///
/// Input and weights that are no floats are widened in the scratch: the input's lines for each block of pixels, the
/// weights block by block of the reduction.
package struct ContractionParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands()
  package var formats = ContractionFormats()
  package var window = ContractionWindow()
  package var blocking = ContractionBlocking(
    pixels: 1, panels: 1, taps: 1, run: 1, panelsFastest: true, panelsOuter: true)

  // Output pixels: `segments * segmentLength` in all, at a constant distance within a segment.
  package var outputHeight = 1
  package var outputWidth = 1
  package var segments = 1
  package var segmentLength = 1
  package var segmentsPerImage = 1
  package var input = ContractionStrides()
  package var output = ContractionStrides()
  package var residual = ContractionStrides()

  package var groups = 1
  package var inputGroupStride = 0
  /// Output channels of a group, `panelsPerGroup` panels of `variant.columns` each but the last.
  package var columns = 1
  package var panelsPerGroup = 1
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())

  package var tileRows = 1
  package var tileColumns = 1
  package var tile: ContractionTileFunction
  /// Packed weights, or nil where they are an operand.
  package var weights: UnsafeRawPointer?
  /// Elements from the weights operand to the first panel.
  package var weightsOffset = 0
  /// Elements between the rows of the reduction, the panels and the groups of the weights.
  package var weightsRowStride = 0
  package var weightsPanelStride = 0
  package var weightsGroupStride = 0
  /// `groups * panelsPerGroup * tileColumns` floats, or nil.
  package var bias: UnsafePointer<Float>?
  /// At least `window.run` zeros.
  package var zeros: UnsafePointer<Float>

  package var activation = ContractionActivation.none.rawValue
  package var lower: Float = 0
  package var upper: Float = 0
  package var hook: KernelEpilogue?
  package var hookContext: UnsafeRawPointer?
  package var hookRows = 0

  package var lines = ContractionLines()

  // Byte offsets in the scratch: tap offsets, pointers, sums of one panel, widened weights, widened lines, the hook's
  // own.
  package var pointersOffset = 0
  package var sumsOffset = 0
  package var weightsBlockOffset = 0
  package var linesOffset = 0
  package var hookOffset = 0

  package init(tile: ContractionTileFunction, zeros: UnsafePointer<Float>) {
    self.tile = tile
    self.zeros = zeros
  }

  package var blocksPerSegment: Int { (segmentLength + blocking.pixels - 1) / blocking.pixels }
  package var pixelBlocks: Int { segments * blocksPerSegment }
  package var panelBlocks: Int { (panelsPerGroup + blocking.panels - 1) / blocking.panels }
  package var taskCount: Int { batchCount * groups * pixelBlocks * panelBlocks }
}

/// The parameters of `ContractionKernels.depthwise`: a convolution of each channel with its own window.
///
/// A task is a block of output rows times a block of channel vectors.
package struct DepthwiseParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands()
  package var formats = ContractionFormats()
  package var window = ContractionWindow()
  package var images = 1
  package var outputHeight = 1
  package var outputWidth = 1
  package var channels = 1
  package var input = ContractionStrides()
  package var output = ContractionStrides()
  package var residual = ContractionStrides()
  /// Output rows, and vectors of channels, of a task.
  package var rowsPerTask = 1
  package var vectorsPerTask = 1
  /// Vectors of channels that a task takes through all of its rows before the next ones, so that the rows which
  /// neighbouring windows share stay in the first-level cache.
  package var vectorsPerPass = 1
  package var vectorWidth = 1
  /// `[channels / vectorWidth][taps][vectorWidth]`, zero padded.
  package var weights: UnsafeRawPointer
  /// One per channel, zero padded to whole vectors, or nil.
  package var bias: UnsafePointer<Float>?
  package var activation = ContractionActivation.none.rawValue
  package var lower: Float = 0
  package var upper: Float = 0
  package var hook: KernelEpilogue?
  package var hookContext: UnsafeRawPointer?
  package var lines = ContractionLines()

  // Byte offsets in the scratch, after a row of results: a row of the residual, widened weights, widened lines, the
  // hook's own.
  package var residualOffset = 0
  package var weightsOffset = 0
  package var linesOffset = 0
  package var hookOffset = 0

  package init(weights: UnsafeRawPointer) {
    self.weights = weights
  }

  package var rowBlocks: Int { (outputHeight + rowsPerTask - 1) / rowsPerTask }
  package var vectors: Int { (channels + vectorWidth - 1) / vectorWidth }
  package var vectorBlocks: Int { (vectors + vectorsPerTask - 1) / vectorsPerTask }
  package var taskCount: Int { images * rowBlocks * vectorBlocks }
}

/// The parameters of `ContractionKernels.packWeights`, which writes panels `[columns / tileColumns][depth][tileColumns]`,
/// zero padded, of `depth = height * width * channels`.
///
/// A task is one panel of one matrix. Operands: `operands.weights` is read, `operands.workspace` written.
package struct PackParameters: BitwiseCopyable, Sendable {
  package var operands = ContractionOperands()
  /// 2 or 4.
  package var elementBytes = 4
  package var height = 1
  package var width = 1
  package var channels = 1
  package var columns = 1
  package var tileColumns = 1
  // Elements of the source between kernel rows, kernel columns, input channels and output channels.
  package var rowStride = 0
  package var columnStride = 0
  package var channelStride = 0
  package var outputStride = 0
  /// The matrices: `input` is the stride of the source, `output` that of the result.
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())
  /// Bytes from the workspace operand to the first panel.
  package var workspaceOffset = 0

  package init() {}

  package var depth: Int { height * width * channels }
  package var panels: Int { (columns + tileColumns - 1) / tileColumns }
  package var taskCount: Int { batchCount * panels }
}

/// The parameters of `ContractionKernels.copyInput`, which makes channels adjacent and borders explicit.
///
/// A task is a block of rows of one image. Operands: `operands.input` is read, `operands.workspace` written.
package struct CopyInputParameters: BitwiseCopyable, Sendable {
  package var operands = ContractionOperands()
  /// 2 or 4.
  package var elementBytes = 4
  package var height = 1
  package var width = 1
  package var channels = 1
  package var padTop = 0
  package var padLeft = 0
  package var paddedHeight = 1
  package var paddedWidth = 1
  // Elements of the source between rows, pixels and channels.
  package var rowStride = 0
  package var pixelStride = 0
  package var channelStride = 0
  /// The images: `input` is the stride of the source, `output` that of the result.
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())
  package var rowsPerTask = 1
  /// Pixels of a row that one task copies.
  package var pixelsPerTask = 1
  /// Bytes from the workspace operand to the first image.
  package var workspaceOffset = 0

  package init() {}

  package var rowBlocks: Int { (paddedHeight + rowsPerTask - 1) / rowsPerTask }
  package var pixelBlocks: Int { (paddedWidth + pixelsPerTask - 1) / pixelsPerTask }
  package var taskCount: Int { batchCount * rowBlocks * pixelBlocks }
}

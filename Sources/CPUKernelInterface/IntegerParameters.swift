/// How a contraction of bytes is cut up; every choice gives the same results.
package struct IntegerBlocking: BitwiseCopyable, Hashable, Sendable {
  /// Output pixels of a task.
  package var pixels: Int
  /// Weight panels of a task.
  package var panels: Int
  /// Whether consecutive tasks differ in their panels first.
  package var panelsFastest: Bool
  /// Whether a task takes its panels in its outer loop, so that a panel stays cached, or its pixels.
  package var panelsOuter: Bool

  package init(pixels: Int, panels: Int, panelsFastest: Bool, panelsOuter: Bool) {
    self.pixels = pixels
    self.panels = panels
    self.panelsFastest = panelsFastest
    self.panelsOuter = panelsOuter
  }
}

/// The parameters of `IntegerKernels.contraction`: as `ContractionParameters`, of bytes.
///
/// A tile takes the whole reduction at once; four bytes of it are as much work as one float, so panels are as large
/// in the caches as a quarter of the depth would be in floating point.
package struct IntegerContractionParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands()
  /// `run` is in bytes.
  package var window = ContractionWindow()
  package var quads = 1
  /// How often the taps repeat, with other weights.
  package var planes = 1
  package var blocking = IntegerBlocking(
    pixels: 1, panels: 1, panelsFastest: true, panelsOuter: true)

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
  /// Output channels of a group, `panelsPerGroup` panels of `tileColumns` each but the last.
  package var columns = 1
  package var panelsPerGroup = 1
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())

  package var tileRows = 1
  package var tileColumns = 1
  package var tile: IntegerTileFunction
  /// Nil where they are packed in the workspace, at `weightsOffset`, with what sums start from, at `startOffset`: for
  /// each matrix that the batch's `weights` count.
  package var weights: UnsafePointer<Int8>?
  package var weightsOffset = 0
  package var startOffset = 0
  package var weightsPanelStride = 0
  /// What x holds outside of its extent: at least `4 * quads` bytes.
  package var pad: UnsafePointer<UInt8>
  /// Its columns are those of all groups, each padded to whole panels.
  package var epilogue: IntegerEpilogue
  /// Whether factors are pairs of bfloat16, and what then becomes of the sums.
  package var takesPairs = false
  package var pairEpilogue = PairEpilogue()
  package var resultBytes = 4
  package var residualBytes = 1
  package var hook: KernelEpilogue?
  package var hookContext: UnsafeRawPointer?

  // Byte offsets in the scratch: shaped rows and tap offsets, pointers, sums, the hook's own.
  package var pointersOffset = 0
  package var sumsOffset = 0
  package var hookOffset = 0

  package init(
    tile: IntegerTileFunction, weights: UnsafePointer<Int8>?, pad: UnsafePointer<UInt8>,
    epilogue: IntegerEpilogue
  ) {
    self.tile = tile
    self.weights = weights
    self.pad = pad
    self.epilogue = epilogue
  }

  package var blocksPerSegment: Int { (segmentLength + blocking.pixels - 1) / blocking.pixels }
  package var pixelBlocks: Int { segments * blocksPerSegment }
  package var panelBlocks: Int { (panelsPerGroup + blocking.panels - 1) / blocking.panels }
  package var taskCount: Int { batchCount * groups * pixelBlocks * panelBlocks }
}

/// The parameters of `IntegerKernels.packWeights`, which writes panels
/// `[group][columns / tileColumns][plane][tap][quad][tileColumns][4]`, zero padded, and takes from each column's start
/// value what the flipped sign bit of x adds.
///
/// A task is one panel of one matrix. Operands: `operands.weights` is read, `operands.workspace` written.
package struct IntegerPackParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands(weights: 0, workspace: 1)
  /// Bytes from the workspace operand to the packed weights and to the start values.
  package var weightsOffset = 0
  package var startOffset = 0
  /// What start values are made from; nil where they are there already.
  package var start: UnsafePointer<Int32>?
  /// The matrices: `input` is the stride of the weights in elements, `output` counts matrices.
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())
  package var groups = 1
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
  /// Whether a tap is a row of the kernel.
  package var takesRows = false
  package var planes = 1
  package var isUnsigned = false
  package var flipsInput = false
  /// Bytes of a weight: 1, or 2 of bfloat16.
  package var factorBytes = 1

  package init() {}

  package var taps: Int { takesRows ? height : height * width }
  package var run: Int { (takesRows ? width * channels : channels) * factorBytes }
  package var quads: Int { (run + 3) / 4 }
  package var panels: Int { (columns + tileColumns - 1) / tileColumns }
  package var panelBytes: Int { planes * taps * quads * tileColumns * 4 }
  package var panelsOfMatrix: Int { groups * panels }
  package var taskCount: Int { batchCount * panelsOfMatrix }
}

/// The parameters of `IntegerKernels.copyInput`, which makes channels adjacent, the channels of each group a multiple
/// of four, borders explicit, and bytes unsigned.
///
/// A task is a block of rows of one image. Operands: `operands.input` is read, `operands.workspace` written.
package struct IntegerCopyParameters: BitwiseCopyable, Sendable {
  package var operands = ContractionOperands()
  package var height = 1
  package var width = 1
  package var groups = 1
  /// Of a group.
  package var channels = 1
  package var paddedChannels = 1
  package var padTop = 0
  package var padLeft = 0
  package var paddedHeight = 1
  package var paddedWidth = 1
  // Bytes of the source between rows, pixels and channels; channels of two bytes that are adjacent are twice as many.
  package var rowStride = 0
  package var pixelStride = 0
  package var channelStride = 0
  package var factorBytes = 1
  package var batchCount = 1
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())
  package var rowsPerTask = 1
  /// The border, and what is exclusive-ored to each byte of x.
  package var fill: UInt8 = 0
  package var flip: UInt8 = 0

  package init() {}

  package var rowBlocks: Int { (paddedHeight + rowsPerTask - 1) / rowsPerTask }
  package var taskCount: Int { batchCount * rowBlocks }
}

/// The parameters of `IntegerKernels.depthwise`: a convolution of each channel with its own window.
///
/// A task is a block of output rows of an image.
package struct IntegerDepthwiseParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands()
  package var window = ContractionWindow()
  package var images = 1
  package var outputHeight = 1
  package var outputWidth = 1
  package var channels = 1
  package var input = ContractionStrides()
  package var output = ContractionStrides()
  package var residual = ContractionStrides()
  package var isSigned = false
  package var padValue = 0
  package var rowsPerTask = 1
  /// Channels that a task takes through all of its rows before the next ones; a multiple of the vector.
  package var channelsPerPass = 64
  /// `[channels / vectorWidth][taps][vectorWidth]`, zero padded.
  package var weights: UnsafePointer<Float>
  /// The same as quads of rows, for `quadDepthwise`, and the bytes of a block of channels of padding.
  package var quadWeights: UnsafePointer<Int8>
  package var pad: UnsafePointer<UInt8>
  package var epilogue: IntegerEpilogue
  package var resultBytes = 4
  package var residualBytes = 1
  package var hook: KernelEpilogue?
  package var hookContext: UnsafeRawPointer?
  /// The hook's scratch follows the sums.
  package var hookOffset = 0

  package init(weights: UnsafePointer<Float>, epilogue: IntegerEpilogue) {
    self.weights = weights
    self.epilogue = epilogue
    let raw = UnsafeRawPointer(weights)
    quadWeights = raw.assumingMemoryBound(to: Int8.self)
    pad = raw.assumingMemoryBound(to: UInt8.self)
  }

  /// Pixels whose sums are held together.
  package static let pixels = 16
  /// Products that can be summed exactly in `Float`.
  package static let exactTaps = (1 << 24) / (255 * 128)

  package var rowBlocks: Int { (outputHeight + rowsPerTask - 1) / rowsPerTask }
  package var taskCount: Int { images * rowBlocks }
}

/// What a register tile of a Winograd kernel computes, passed by address to a `ContractionTileFunction`.
package struct WinogradTileArguments {
  /// `[channel / vector width][window][vector width]`: the first of the tile's windows.
  package var input: UnsafePointer<Float>
  /// Elements between blocks of channels.
  package var blockStride: Int
  package var channels: Int
  /// `[channel][tile columns]`
  package var weights: UnsafePointer<Float>
  package var output: UnsafeMutablePointer<Float>
  package var outputStride: Int
  package var rows: Int

  package init(
    input: UnsafePointer<Float>, blockStride: Int, channels: Int, weights: UnsafePointer<Float>,
    output: UnsafeMutablePointer<Float>, outputStride: Int, rows: Int
  ) {
    self.input = input
    self.blockStride = blockStride
    self.channels = channels
    self.weights = weights
    self.output = output
    self.outputStride = outputStride
    self.rows = rows
  }
}

/// The parameters of a `WinogradKernel`: a 3x3 convolution of stride 1 by minimal filtering.
///
/// Windows of `points * points` input pixels are transformed, multiplied with the transformed weights point by
/// point, which is one matrix product over the channels for each point, and transformed back to
/// `outputs * outputs` pixels. A task does all of this for a block of windows and a block of weight panels; the
/// transformed windows of a block are kept from one task to the next.
package struct WinogradParameters: BitwiseCopyable, @unchecked Sendable {
  package var operands = ContractionOperands()
  package var inputHeight = 1
  package var inputWidth = 1
  package var channels = 1
  package var outputHeight = 1
  package var outputWidth = 1
  /// Output channels.
  package var columns = 1
  package var padTop = 0
  package var padLeft = 0
  package var input = ContractionStrides()
  package var output = ContractionStrides()
  package var residual = ContractionStrides()

  /// All windows, and those of one image.
  package var windows = 1
  package var windowsHigh = 1
  package var windowsWide = 1
  package var windowsPerTask = 1
  package var panels = 1
  /// A multiple of `panelsPerGroup`.
  package var panelsPerTask = 1
  /// Panels that are multiplied before their results are transformed back.
  package var panelsPerGroup = 1

  package var tileRows = 1
  package var tileColumns = 1
  package var tile: ContractionTileFunction
  /// `[group][point][panel][channel][tileColumns]`, zero padded.
  package var weights: UnsafePointer<Float>
  /// `panels * tileColumns` floats, or nil.
  package var bias: UnsafePointer<Float>?
  /// At least `channels` zeros.
  package var zeros: UnsafePointer<Float>

  package var activation = ContractionActivation.none.rawValue
  package var lower: Float = 0
  package var upper: Float = 0
  package var hook: KernelEpilogue?
  package var hookContext: UnsafeRawPointer?
  package var hookRows = 1

  // Byte offsets in the scratch, after the pointers to one window's pixels: one half-transformed window, transformed
  // windows, products, the hook's own.
  package var halfOffset = 0
  package var transformedOffset = 0
  package var productsOffset = 0
  package var hookOffset = 0

  package init(
    tile: ContractionTileFunction, weights: UnsafePointer<Float>, zeros: UnsafePointer<Float>
  ) {
    self.tile = tile
    self.weights = weights
    self.zeros = zeros
  }

  package var windowBlocks: Int { (windows + windowsPerTask - 1) / windowsPerTask }
  package var panelBlocks: Int { (panels + panelsPerTask - 1) / panelsPerTask }
  package var taskCount: Int { windowBlocks * panelBlocks }
}

/// The parameters of `ContractionKernels.transformWeights`, which turns panels `[panel][tap][channel][tileColumns]` of
/// 3x3 weights, operand 0, into `[group][point][panel][channel][tileColumns]`, operand 1. A task is one panel.
package struct WinogradWeightParameters: BitwiseCopyable, Sendable {
  /// Points along each axis, at most `maximumPoints`.
  package var points = 1
  package var channels = 1
  package var tileColumns = 1
  package var panels = 1
  package var panelsPerGroup = 1
  /// `[point][3]`.
  package var matrix = InlineArray<18, Double>(repeating: 0)

  package static let maximumPoints = 6

  package init() {}
}

/// A minimal filtering algorithm F(outputs x outputs, 3x3) that an instruction set offers.
package struct WinogradKernel: Sendable {
  /// Output pixels of a window along each axis.
  package var outputs: Int
  /// The finite points at which the algorithm interpolates; one at infinity follows.
  package var finitePoints: [Double]
  /// `WinogradParameters`.
  package var function: KernelFunction

  package init(outputs: Int, finitePoints: [Double], function: KernelFunction) {
    self.outputs = outputs
    self.finitePoints = finitePoints
    self.function = function
  }

  /// Points along each axis.
  package var points: Int { outputs + 2 }

  /// `[point][3]`: the transform of three weights, with the divisors of the interpolation.
  var weightMatrix: InlineArray<18, Double> {
    var matrix = InlineArray<18, Double>(repeating: 0)
    for (row, point) in finitePoints.enumerated() {
      var divisor = 1.0
      for other in finitePoints where other != point { divisor *= point - other }
      matrix[3 * row] = 1 / divisor
      matrix[3 * row + 1] = point / divisor
      matrix[3 * row + 2] = point * point / divisor
    }
    matrix[3 * finitePoints.count + 2] = 1
    return matrix
  }
}

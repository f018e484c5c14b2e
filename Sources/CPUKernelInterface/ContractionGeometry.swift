/// A two-dimensional convolution as the caller has it; one dimension is `height` 1.
package struct ConvolutionGeometry: Hashable, Sendable {
  package var images = 1
  package var groups = 1
  /// Channels of one group.
  package var inputChannels = 1
  package var outputChannels = 1
  package var inputHeight = 1
  package var inputWidth = 1
  package var outputHeight = 1
  package var outputWidth = 1
  package var kernelHeight = 1
  package var kernelWidth = 1
  package var strideHeight = 1
  package var strideWidth = 1
  package var dilationHeight = 1
  package var dilationWidth = 1
  /// The padding below and to the right follows from the output's extent.
  package var padTop = 0
  package var padLeft = 0
  package var input = ContractionStrides()
  /// 1 for channels last; anything else costs a copy of the input.
  package var inputChannelStride = 1
  package var output = ContractionStrides()
  package var residual = ContractionStrides()
  package var weights = WeightStrides()

  package init() {}

  /// Elements of the weights between neighbours in each direction; the groups follow each other along `output`.
  package struct WeightStrides: Hashable, Sendable {
    package var output = 1
    package var input = 1
    package var row = 1
    package var column = 1

    package init() {}

    package init(output: Int, input: Int, row: Int, column: Int) {
      self.output = output
      self.input = input
      self.row = row
      self.column = column
    }
  }

  /// Whether each channel has a window of its own.
  package var isDepthwise: Bool { groups > 1 && inputChannels == 1 && outputChannels == 1 }

  /// Whether some tap of some output pixel lies outside of the input.
  package var isPadded: Bool {
    let bottom = (outputHeight - 1) * strideHeight - padTop + (kernelHeight - 1) * dilationHeight
    let right = (outputWidth - 1) * strideWidth - padLeft + (kernelWidth - 1) * dilationWidth
    return padTop > 0 || padLeft > 0 || bottom >= inputHeight || right >= inputWidth
  }

  /// Whether a kernel row is taken as one run of `kernelWidth * inputChannels` elements of a padded copy.
  package var prefersRows: Bool {
    groups == 1 && inputChannels < 8 && kernelWidth > 1 && dilationWidth == 1
  }

  func check() throws(ContractionPlanError) {
    let extents = [
      images, groups, inputChannels, outputChannels, inputHeight, inputWidth, outputHeight,
      outputWidth, kernelHeight, kernelWidth, strideHeight, strideWidth, dilationHeight,
      dilationWidth,
    ]
    guard extents.allSatisfy({ $0 > 0 && $0 <= Self.limit }),
      padTop >= 0, padTop <= Self.limit, padLeft >= 0, padLeft <= Self.limit
    else { throw .extent }
    var reads = CheckedCount(kernelHeight)
    reads.multiply(dilationHeight)
    reads.multiply(kernelWidth)
    reads.multiply(dilationWidth)
    var pixels = CheckedCount(images)
    pixels.multiply(outputHeight)
    pixels.multiply(outputWidth)
    pixels.multiply(groups)
    pixels.multiply(outputChannels)
    _ = try reads.get()
    _ = try pixels.get()
  }

  static let limit = 1 << 31
}

/// A batch of matrix products: `output[m, n] = sum over k of input[m, k] * weights[k, n]`.
package struct MatmulGeometry: Sendable {
  package var rows = 1
  package var columns = 1
  package var depth = 1
  package var inputRowStride = 1
  /// 1, or the input is copied first.
  package var inputDepthStride = 1
  package var weightsDepthStride = 1
  package var weightsColumnStride = 1
  package var outputRowStride = 1
  package var residualRowStride = 0
  /// The last dimension is the fastest.
  package var batch = ContractionBatch(repeating: ContractionBatchDimension())
  /// Whether the weights are known now, and the same for all of the batch.
  package var weightsAreConstant = true

  package init() {}

  package var batchCount: Int {
    batch[0].count * batch[1].count * batch[2].count * batch[3].count
  }

  func check() throws(ContractionPlanError) {
    let extents = [rows, columns, depth] + (0..<4).map { batch[$0].count }
    guard extents.allSatisfy({ $0 > 0 && $0 <= ConvolutionGeometry.limit }) else { throw .extent }
    var results = CheckedCount(rows)
    results.multiply(columns)
    for d in 0..<4 { results.multiply(batch[d].count) }
    _ = try results.get()
    if weightsAreConstant,
      (0..<4).contains(where: { batch[$0].count > 1 && batch[$0].weights != 0 })
    {
      throw .batchedConstant
    }
  }

  /// Takes batch dimensions over which only the rows advance as further rows.
  mutating func mergeBatchIntoRows() {
    for d in stride(from: 3, through: 0, by: -1) where batch[d].count > 1 {
      let dimension = batch[d]
      guard dimension.weights == 0, dimension.input == rows * inputRowStride,
        dimension.output == rows * outputRowStride,
        dimension.residual == rows * residualRowStride
      else { return }
      rows *= dimension.count
      batch[d] = ContractionBatchDimension()
    }
  }
}

/// Why a contraction cannot be planned.
package enum ContractionPlanError: Error, Equatable {
  /// An extent is not positive, or beyond what the kernels address.
  case extent
  /// The sizes overflow.
  case tooLarge
  /// Constant weights must be the same for all of the batch.
  case batchedConstant
  /// The instruction set has no such variant.
  case variant
}

/// A product of sizes that remembers overflow.
struct CheckedCount {
  private var value: Int
  private var isValid = true

  init(_ value: Int) { self.value = value }

  mutating func multiply(_ factor: Int) {
    let (product, overflow) = value.multipliedReportingOverflow(by: factor)
    value = product
    if overflow || product > 1 << 46 || product < 0 { isValid = false }
  }

  func get() throws(ContractionPlanError) -> Int {
    guard isValid else { throw .tooLarge }
    return value
  }

  static func product(_ factors: Int...) throws(ContractionPlanError) -> Int {
    var count = CheckedCount(1)
    for factor in factors { count.multiply(factor) }
    return try count.get()
  }
}

/// What a contraction of pairs of bfloat16 applies to its sums in registers: `activation(sum + residual)`, the bias
/// being what sums start from.
package struct PairEpilogue: BitwiseCopyable, Sendable {
  // The raw values of `ElementFormat`: `float32`, `float16`, `bfloat16`.
  package var result = ElementFormat.float32.rawValue
  package var residual = ElementFormat.float32.rawValue
  /// The raw value of `ContractionActivation`.
  package var activation = ContractionActivation.none.rawValue
  package var lower: Float = 0
  package var upper: Float = 0

  package init() {}

  package init(
    _ epilogue: ContractionEpilogue, result: ElementFormat, residual: ElementFormat
  ) {
    self.result = result.rawValue
    self.residual = residual.rawValue
    activation = epilogue.activation.rawValue
    lower = epilogue.lower
    upper = epilogue.upper
  }
}

extension ConvolutionGeometry {
  /// The same with what concerns the input in bytes of `size`-byte elements.
  func inBytes(_ size: Int) throws(ContractionPlanError) -> ConvolutionGeometry {
    if size == 1 { return self }
    var result = self
    result.inputChannels = try CheckedCount.product(inputChannels, size)
    result.input = ContractionStrides(
      batch: try CheckedCount.product(input.batch, size),
      row: try CheckedCount.product(input.row, size),
      pixel: try CheckedCount.product(input.pixel, size))
    if inputChannelStride != 1 {
      result.inputChannelStride = try CheckedCount.product(inputChannelStride, size)
    }
    return result
  }
}

extension MatmulGeometry {
  /// The same with what concerns the input in bytes of `size`-byte elements.
  func inBytes(_ size: Int) throws(ContractionPlanError) -> MatmulGeometry {
    if size == 1 { return self }
    var result = self
    result.depth = try CheckedCount.product(depth, size)
    result.inputRowStride = try CheckedCount.product(inputRowStride, size)
    if inputDepthStride != 1 {
      result.inputDepthStride = try CheckedCount.product(inputDepthStride, size)
    }
    for d in 0..<4 { result.batch[d].input = try CheckedCount.product(batch[d].input, size) }
    return result
  }
}

/// One spatial axis of resampling: for each position of the output, `taps` elements of x and their weights.
package struct ResamplingAxis: BitwiseCopyable, @unchecked Sendable {
  package var taps: Int
  /// `[position][tap]`: elements from the first of x.
  package var offsets: UnsafePointer<Int>
  package var weights: UnsafePointer<Float>

  package init(taps: Int, offsets: UnsafePointer<Int>, weights: UnsafePointer<Float>) {
    self.taps = taps
    self.offsets = offsets
    self.weights = weights
  }
}

/// Weighted sums of elements over up to three spatial axes, of channels that lie side by side. Operands: output,
/// x, those of the epilogue.
///
/// The loop's outer axes are batch and the first two spatial axes, its rows the last spatial axis and its columns the
/// channels; its operands are the output, x (only the batch's stride counts) and those of the epilogue.
package struct ResamplingParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  /// Of x.
  package var format = ElementFormat.float32
  package var axes: InlineArray<3, ResamplingAxis>
  /// Whether every result is one element.
  package var isCopy: Bool
  /// Where in the scratch a block of results is.
  package var resultOffset: Int
  package var epilogue: ElementwiseEpilogue

  package init(
    loop: ElementwiseLoop, axes: InlineArray<3, ResamplingAxis>, isCopy: Bool, resultOffset: Int,
    epilogue: ElementwiseEpilogue
  ) {
    self.loop = loop
    self.axes = axes
    self.isCopy = isCopy
    self.resultOffset = resultOffset
    self.epilogue = epilogue
  }
}

/// Code that finishes a block of results while it is still in the first-level cache.
///
/// It is called once for every block, after bias, residual and activation have been applied.
///
/// - `context`: what the preparer of the kernel passed.
/// - `operands`: the operands of the kernel that calls.
/// - `results`, `resultStride`: the block's results or sums, lanes of 32 bits, and the elements between its rows; they
///   may lie in the block's final place.
/// - `output`, `outputStride`: the block's final place, and the elements between rows; consecutive columns are adjacent.
/// - `rows`, `columns`: the extent of the block.
/// - `firstRow`, `firstColumn`: the position of the block in the whole result, as the linear index of the output
///   pixel (batch, row, column) and the output channel.
/// - `scratch`: bytes of the calling thread alone, aligned to 64, as many as the preparer asked for.
package typealias KernelEpilogue =
  @convention(c) (
    _ context: UnsafeRawPointer, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
    _ results: UnsafeMutableRawPointer, _ resultStride: Int, _ output: UnsafeMutableRawPointer,
    _ outputStride: Int, _ rows: Int, _ columns: Int, _ firstRow: Int, _ firstColumn: Int,
    _ scratch: UnsafeMutableRawPointer
  ) -> Void

/// What a contraction applies to its results in registers: `activation(sum + bias + residual)`.
package enum ContractionActivation: Int, Sendable {
  case none
  case relu
  /// `min(max(x, lower), upper)`.
  case clamp
  /// `x` where positive, `lower * x` elsewhere.
  case leakyRelu
}

/// The epilogue of a contraction, but for the addresses of its operands.
package struct ContractionEpilogue: Sendable {
  package var activation = ContractionActivation.none
  /// The lower bound of `clamp`, or the slope of `leakyRelu`.
  package var lower: Float = 0
  /// The upper bound of `clamp`.
  package var upper: Float = 0
  /// Called on each finished block, or nil.
  package var hook: ContractionHook?

  package init(
    activation: ContractionActivation = .none, lower: Float = 0, upper: Float = 0,
    hook: ContractionHook? = nil
  ) {
    self.activation = activation
    self.lower = lower
    self.upper = upper
    self.hook = hook
  }
}

/// A `KernelEpilogue` with what it needs; the preparer keeps `context` alive as long as the kernel.
package struct ContractionHook: @unchecked Sendable {
  package var function: KernelEpilogue
  package var context: UnsafeRawPointer
  /// Scratch bytes that `function` needs.
  package var scratchBytes: Int
  /// The rows after which a block is handed over; a block is at least one register tile.
  package var rows: Int

  package init(
    function: KernelEpilogue, context: UnsafeRawPointer, scratchBytes: Int, rows: Int = 32
  ) {
    self.function = function
    self.context = context
    self.scratchBytes = scratchBytes
    self.rows = rows
  }
}

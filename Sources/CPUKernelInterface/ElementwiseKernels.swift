/// The kernels that are not contractions, of one instruction set.
package struct ElementwiseKernels: Sendable {
  /// `PointwiseParameters`.
  package var pointwise: KernelFunction
  /// `BlockEpilogueParameters`.
  package var blockEpilogue: KernelEpilogue
  /// `ReductionParameters`.
  package var reduction: KernelFunction
  /// `ExtremumParameters`.
  package var extremum: KernelFunction
  /// `PoolingParameters`.
  package var pooling: KernelFunction
  /// `RowParameters`.
  package var rows: KernelFunction
  /// `GroupParameters`.
  package var groups: KernelFunction
  /// `CopyParameters`.
  package var copy: KernelFunction
  /// `GatherParameters`.
  package var gather: KernelFunction
  /// `AttentionParameters`.
  package var attention: KernelFunction
  /// `ResamplingParameters`.
  package var resampling: KernelFunction
  /// `RecurrenceParameters`, the first and the second kernel.
  package var projection: KernelFunction
  package var recurrence: KernelFunction

  package init(
    pointwise: KernelFunction, blockEpilogue: KernelEpilogue, reduction: KernelFunction,
    extremum: KernelFunction, pooling: KernelFunction, rows: KernelFunction,
    groups: KernelFunction, copy: KernelFunction, gather: KernelFunction, attention: KernelFunction,
    resampling: KernelFunction, projection: KernelFunction, recurrence: KernelFunction
  ) {
    self.pointwise = pointwise
    self.blockEpilogue = blockEpilogue
    self.reduction = reduction
    self.extremum = extremum
    self.pooling = pooling
    self.rows = rows
    self.groups = groups
    self.copy = copy
    self.gather = gather
    self.attention = attention
    self.resampling = resampling
    self.projection = projection
    self.recurrence = recurrence
  }
}

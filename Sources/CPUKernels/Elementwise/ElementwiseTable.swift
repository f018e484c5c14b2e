package import CPUKernelInterface

/// The kernels of this instruction set that are not contractions.
package func elementwiseKernels() -> ElementwiseKernels {
  ElementwiseKernels(
    pointwise: pointwiseKernel, blockEpilogue: blockEpilogue,
    reduction: reductionKernel,
    extremum: extremumKernel, pooling: poolingKernel, rows: rowKernel, groups: groupKernel,
    copy: copyKernel, gather: gatherKernel, attention: attentionKernel,
    resampling: resamplingKernel, projection: projectionKernel, recurrence: recurrenceKernel)
}

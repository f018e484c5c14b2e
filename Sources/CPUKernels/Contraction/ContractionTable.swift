package import CPUKernelInterface

/// The contraction kernels of the instruction set that this module is compiled for.
package func contractionKernels() -> ContractionKernels {
  ContractionKernels(
    vectorWidth: Lanes.count, variants: contractionVariants(),
    contraction: { runContraction($0, $1, $2, $3, $4) },
    depthwise: { runDepthwise($0, $1, $2, $3, $4) },
    packWeights: { runPackWeights($0, $1, $2, $3, $4) },
    copyInput: { runCopyInput($0, $1, $2, $3, $4) },
    winograd: winogradKernels(), winogradTiles: winogradTiles(),
    transformWeights: { runTransformWeights($0, $1, $2, $3, $4) })
}

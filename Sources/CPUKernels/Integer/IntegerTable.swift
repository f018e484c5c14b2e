package import CPUKernelInterface

/// The kernels for 8-bit integers of the instruction set that this module is compiled for.
package func integerKernels() -> IntegerKernels {
  #if NEEDLETAIL_VNNI
    let products = 4.0
  #elseif arch(x86_64)
    let products = 0.6
  #else
    let products = 0.3
  #endif
  return IntegerKernels(
    vectorWidth: IntegerLanes.count, productsPerCycle: products, variants: integerVariants(),
    contraction: { runIntegerContraction($0, $1, $2, $3, $4) },
    packWeights: { runIntegerPack($0, $1, $2, $3, $4) },
    copyInput: { runIntegerCopy($0, $1, $2, $3, $4) },
    depthwise: { runIntegerDepthwise($0, $1, $2, $3, $4) },
    packDepthwise: { runIntegerDepthwisePack($0, $1, $2, $3, $4) },
    quadDepthwise: { runQuadDepthwise($0, $1, $2, $3, $4) },
    packQuadDepthwise: { runQuadDepthwisePack($0, $1, $2, $3, $4) })
}

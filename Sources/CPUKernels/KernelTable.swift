package import CPUKernelInterface

/// The kernels of the instruction set that this module is compiled for.
package func kernelTable() -> CPUKernelTable {
  #if NEEDLETAIL_AVX512
    let (name, width) = ("avx512", 16)
  #elseif NEEDLETAIL_AVX2
    let (name, width) = ("avx2", 8)
  #else
    let (name, width) = ("baseline", 4)
  #endif
  return CPUKernelTable(
    instructionSet: name, vectorWidth: width, contraction: contractionKernels(),
    elementwise: elementwiseKernels(), integer: integerKernels())
}

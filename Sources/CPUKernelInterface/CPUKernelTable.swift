/// The kernels of one instruction set, family by family.
package struct CPUKernelTable: Sendable {
  /// `baseline`, `avx2`, `avx512`.
  package var instructionSet: String
  /// Floats in one vector register.
  package var vectorWidth: Int
  package var contraction: ContractionKernels
  package var elementwise: ElementwiseKernels

  package init(
    instructionSet: String, vectorWidth: Int, contraction: ContractionKernels,
    elementwise: ElementwiseKernels
  ) {
    self.instructionSet = instructionSet
    self.vectorWidth = vectorWidth
    self.contraction = contraction
    self.elementwise = elementwise
  }
}

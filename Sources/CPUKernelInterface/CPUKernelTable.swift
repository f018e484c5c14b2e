/// The kernels of one instruction set, family by family.
package struct CPUKernelTable: Sendable {
  /// `baseline`, `avx2`, `avx512`, `avx512_vnni`, `avx512_amx`.
  package var instructionSet: String
  /// Floats in one vector register.
  package var vectorWidth: Int
  package var contraction: ContractionKernels
  package var elementwise: ElementwiseKernels
  package var integer: IntegerKernels

  package init(
    instructionSet: String, vectorWidth: Int, contraction: ContractionKernels,
    elementwise: ElementwiseKernels, integer: IntegerKernels
  ) {
    self.instructionSet = instructionSet
    self.vectorWidth = vectorWidth
    self.contraction = contraction
    self.elementwise = elementwise
    self.integer = integer
  }
}

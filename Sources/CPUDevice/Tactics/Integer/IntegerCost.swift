import CPUKernelInterface
import ProgramModel

// What the cost models of kernels of bytes and of pairs share.

extension ContractionGeometry {
  func plan(
    _ format: IntegerFormat, kernels: IntegerKernels, operands: ContractionOperands,
    variant: Int?, blocking: IntegerBlocking?, threads: Int
  ) throws(ContractionPlanError) -> IntegerPlan {
    switch self {
    case .convolution(let geometry):
      try IntegerPlan(
        geometry, format, kernels: kernels, operands: operands, variant: variant,
        blocking: blocking, concurrency: threads)
    case .matmul(let geometry):
      try IntegerPlan(
        geometry, format, kernels: kernels, operands: operands, variant: variant,
        blocking: blocking, concurrency: threads)
    }
  }
}

extension IntegerVariant {
  /// How many products tiles compute for each that is wanted; those of rows cost less.
  func padding(rows: Int, columns: Int) -> Double {
    func padded(_ extent: Int, _ tile: Int) -> Double {
      (Double(extent) / Double(tile)).rounded(.up) * Double(tile) / Double(extent)
    }
    return padded(columns, self.columns) * padded(rows, self.rows).squareRoot()
  }
}

extension Step {
  /// What finishing the sums and reaching the operands takes.
  ///
  /// - Parameter width: numbers in a vector register.
  func integerResultSeconds(width: Double) -> Double {
    Double(outputs[0].elementCount) * 4e-9 / width + trafficBytes / 12e9 + 1e-6
  }
}

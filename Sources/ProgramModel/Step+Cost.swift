import KernelModel
import TensorModel

extension Step {
  /// Multiply-adds of the problem, for cost models; zero for those that mostly move data.
  package var multiplyAdds: Double {
    problem.multiplyAdds(inputs: inputs.map { $0?.shape }, output: outputs.first?.shape ?? [])
  }

  /// Bytes that the step reads and writes at least.
  package var trafficBytes: Double {
    (inputs.compactMap { $0 } + outputs).reduce(0) { sum, view in
      let distinct = zip(view.shape, view.strides).reduce(1) { $0 * ($1.1 == 0 ? 1 : $1.0) }
      return sum + Double(distinct * view.dataType.byteCount)
    }
  }
}

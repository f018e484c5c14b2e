import KernelModel
import TensorModel

extension Step {
  /// Multiply-adds of the problem, for cost models; zero for those that mostly move data.
  package var multiplyAdds: Double {
    let outputElements = Double(outputs.first?.elementCount ?? 0)
    switch problem {
    case .convolution(let p):
      guard let weights = inputs[1], weights.shape.count > 1 else { return 0 }
      if p.isTransposed {
        return Double(inputs[0]?.elementCount ?? 0) * Double(weights.shape.dropFirst().reduce(1, *))
      }
      return outputElements * Double(weights.shape.dropFirst().reduce(1, *))
    case .matmul(let p):
      guard let a = inputs[0], a.rank >= 2 else { return 0 }
      return outputElements * Double(a.shape[p.transposesA ? a.rank - 2 : a.rank - 1])
    case .attention:
      guard let query = inputs[0], let key = inputs[1], query.rank == 4 else { return 0 }
      return 2 * Double(query.elementCount) * Double(key.shape[2])
    case .window(let p): return outputElements * Double(p.kernel.reduce(1, *))
    case .recurrence(let p):
      guard let x = inputs[0], x.rank == 3 else { return 0 }
      let gates = Double(p.gateCount * p.hiddenSize * p.directionCount)
      return Double(x.shape[0] * x.shape[1]) * gates * Double(x.shape[2] + p.hiddenSize)
    default: return 0
    }
  }

  /// Bytes that the step reads and writes at least.
  package var trafficBytes: Double {
    (inputs.compactMap { $0 } + outputs).reduce(0) { sum, view in
      let distinct = zip(view.shape, view.strides).reduce(1) { $0 * ($1.1 == 0 ? 1 : $1.0) }
      return sum + Double(distinct * view.dataType.byteCount)
    }
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Steps that several operators are composed of.
extension Expansion {
  /// Whether the model has a name for an output, and so may use it.
  func wants(_ output: Int) -> Bool {
    output < outputCount && !graph[node.outputs[output]].name.isEmpty
  }

  /// A vector of channels that broadcasts against `[N, C, spatial...]`.
  mutating func perChannel(_ vector: Operand, spatialRank: Int) throws(OperatorError) -> Operand {
    guard vector.rank == 1 else {
      throw OperatorError("a vector over channels has shape \(vector.shape), expected one axis")
    }
    return try reshape(
      vector, Shape([vector.shape[0]] + [Dimension](repeating: 1, count: spatialRank)))
  }

  /// A scalar, or a tensor of one element, as a scalar.
  mutating func asScalar(_ x: Operand) throws(OperatorError) -> Operand {
    x.rank == 0 ? x : try reshape(x, Shape([Int]()))
  }

  /// The heads of `[B, G, T, D]`, each as often as queries share it, so that there are `count`.
  mutating func repeatedHeads(_ x: Operand, count: Dimension) throws(OperatorError) -> Operand {
    guard x.shape[1] != count else { return x }
    let split = try unsqueeze(x, axes: [2])
    var shape = split.shape
    shape[2] = count.floorDivided(by: x.shape[1])
    return try reshape(
      try expand(split, to: shape), [x.shape[0], count, x.shape[2], x.shape[3]])
  }

  /// Whether every element is known to be zero.
  func isZero(_ x: Operand) -> Bool {
    guard let tensor = constant(x), let values = tensor.numbers() else { return false }
    return values.allSatisfy { $0 == 0 }
  }
}

extension ScalarExpression {
  static func clamp(_ x: Self, _ low: Double, _ high: Double, _ type: DataType) -> Self {
    .minimum(.maximum(x, .constant(low, type)), .constant(high, type))
  }
}

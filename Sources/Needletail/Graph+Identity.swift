import GraphModel
import TensorModel

extension Graph {
  /// Whether two graphs of kernels are the same: names, types, problems and every byte of the constants.
  ///
  /// Graphs with nodes that are not kernels count as different.
  func isIdentical(to other: Graph) -> Bool {
    guard values.count == other.values.count, nodes.count == other.nodes.count,
      inputs == other.inputs, outputs.count == other.outputs.count,
      zip(outputs, other.outputs).allSatisfy({ $0.name == $1.name && $0.value == $1.value })
    else { return false }
    for (a, b) in zip(nodes, other.nodes) {
      guard let a, let b else {
        guard a == nil, b == nil else { return false }
        continue
      }
      guard case .kernel(let p) = a.operation, case .kernel(let q) = b.operation, p == q,
        a.inputs == b.inputs, a.outputs == b.outputs, a.arithmetic == b.arithmetic
      else { return false }
    }
    for (a, b) in zip(values, other.values) {
      guard a.type == b.type, a.symbolic == b.symbolic else { return false }
      switch (a.constant, b.constant) {
      case (nil, nil): continue
      case (let x?, let y?) where x.isIdentical(to: y): continue
      default: return false
      }
    }
    return inputs.allSatisfy { self[$0].name == other[$0].name }
  }
}

import KernelModel
import TensorModel

extension Value {
  /// The value with symbols replaced by integers; a constant where nothing symbolic is left.
  package func substituting(_ symbols: [String: Int]) -> Value {
    var copy = self
    copy.type = type?.substituting(symbols)
    guard let symbolic, let type = copy.type else { return copy }
    let values = symbolic.map { $0.substituting(symbols) }
    copy.symbolic = values
    if let tensor = SymbolicEvaluation.tensor(values, type) {
      copy.constant = tensor
      copy.symbolic = nil
    }
    return copy
  }
}

extension Graph {
  /// The graph with symbols replaced by integers, bodies of control flow included, which use the symbols
  /// of the graph around them.
  package func substituting(_ symbols: [String: Int]) -> Graph {
    guard !symbols.isEmpty else { return self }
    var result = Graph(name: name)
    for value in values { result.addValue(value.substituting(symbols)) }
    for node in nodes {
      guard var copy = node else { continue }
      switch copy.operation {
      case .kernel(let problem): copy.operation = .kernel(problem.substituting(symbols))
      case .control(var control):
        control.bodies = control.bodies.map { $0.substituting(symbols) }
        copy.operation = .control(control)
      case .pending, .host: break
      }
      result.addNode(copy)
    }
    result.inputs = inputs
    result.outputs = outputs
    return result
  }
}

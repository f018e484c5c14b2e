package import GraphModel
import KernelModel
import ReferenceInterpreter
package import TensorModel

/// An operator that expands into kernel problems once the operands that decide its result's shape are
/// known, and is evaluated by that same expansion where they are data.
package protocol DataDependentOperator: HostOperator {
  /// How many outputs the operator has for the given inputs.
  func outputCount(for inputs: [Tensor?]) throws(OperatorError) -> Int
}

extension DataDependentOperator {
  package func outputCount(for inputs: [Tensor?]) throws(OperatorError) -> Int { 1 }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let count = try outputCount(for: inputs)
    return try HostEvaluation.expandAndRun(self, inputs, outputCount: count)
  }
}

extension HostOperator {
  /// Emits the node to run on the host, or its results where all inputs are small constants.
  package func emitHostOrFold(
    _ expansion: inout Expansion, outputs types: [TensorType]
  ) throws(OperatorError) {
    // An expansion on concrete tensors that asks for the host again would do so for ever.
    guard expansion.record.domain != HostEvaluation.domain else {
      throw OperatorError(
        "an operand that decides the result's shape has a value that makes no sense")
    }
    var inputs: [Tensor?] = []
    var isConstant = expansion.inputCount > 0
    for index in 0..<expansion.inputCount {
      guard let operand = expansion.optionalInput(index) else {
        inputs.append(nil)
        continue
      }
      let tensor = expansion.constant(operand)
      isConstant = isConstant && (tensor.map { $0.elementCount <= 1 << 16 } ?? false)
      inputs.append(tensor)
    }
    guard isConstant else { return expansion.emitHost(outputs: types) }
    for (index, tensor) in try evaluate(inputs).enumerated() where index < types.count {
      expansion.set(index, expansion.constant(tensor))
    }
  }
}

/// Runs an operator on concrete tensors through the problems that it expands into.
package enum HostEvaluation {
  /// The domain of operators that are expanded on concrete tensors.
  static let domain = ""

  package static func expandAndRun(
    _ instance: some Operator, _ inputs: [Tensor?], outputCount: Int
  ) throws(OperatorError) -> [Tensor] {
    var graph = Graph(name: "host")
    var ids: [ValueID?] = []
    for input in inputs { ids.append(input.map { graph.addConstant(name: "", $0) }) }
    let outputs = (0..<outputCount).map { _ in graph.addValue(Value(name: "")) }
    let record = OperatorRecord(
      domain: domain, name: "\(type(of: instance))", version: 1, attributes: [:])
    let node = Node(
      name: "", operation: .pending(record), inputs: ids, outputs: outputs, origins: [])
    var expansion = Expansion(
      graph: graph, node: node, record: record, evaluate: Interpreter.evaluate)
    try instance.expand(&expansion)
    let (expanded, results, _) = expansion.finish()
    let values = try run(expanded)
    var tensors: [Tensor] = []
    for result in results {
      guard let result, let tensor = values(result.value) else {
        throw OperatorError("a result cannot be computed on the host")
      }
      tensors.append(tensor)
    }
    return tensors
  }

  /// Runs the kernel nodes of a graph without inputs, in order, and tells the values by name.
  private static func run(
    _ graph: Graph
  ) throws(OperatorError) -> (ValueID) -> Tensor? {
    var computed: [ValueID: Tensor] = [:]
    for (_, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation else {
        throw OperatorError("a result cannot be computed on the host")
      }
      let inputs = node.inputs.map { id in id.flatMap { computed[$0] ?? graph[$0].constant } }
      let types = node.outputs.compactMap { graph[$0].type }
      do {
        let tensors = try Interpreter.evaluate(problem, inputs, types)
        for (id, tensor) in zip(node.outputs, tensors) { computed[id] = tensor }
      } catch {
        throw OperatorError(error.description)
      }
    }
    return { computed[$0] ?? graph[$0].constant }
  }
}

extension Array where Element == TensorType {
  /// The types of the outputs that a node has.
  func prefixed(_ count: Int) -> [TensorType] { Array(prefix(count)) }
}

extension Expansion {
  /// A shape of which only the rank is known.
  package mutating func unknownShape(rank: Int, _ hint: String = "extent") -> Shape {
    Shape((0..<rank).map { freshSymbol("\(hint)\($0)") })
  }
}

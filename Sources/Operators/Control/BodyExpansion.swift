import GraphModel
import KernelModel
import TensorModel

/// What a branch or a loop needs to know to expand its bodies: the values that they capture and the
/// symbols that mean something outside of them.
struct BodyExpansion {
  /// The name of the node, which begins the names of the nodes in its bodies.
  let name: String
  private let captures: [Value]
  /// Whether a captured value is known when the engine is built; then it is part of the bodies.
  private let isEmbedded: [Bool]
  /// The captured values that the emitted node takes as its last inputs.
  let inputs: [ValueID?]
  /// All captured values.
  let allInputs: [ValueID?]

  init(_ expansion: Expansion) throws(OperatorError) {
    name = expansion.node.name
    var captures: [Value] = []
    var ids: [ValueID?] = []
    for capture in expansion.captures {
      guard let capture else { throw OperatorError("a captured value is missing") }
      captures.append(expansion.graph[capture.value])
      ids.append(capture.value)
    }
    self.captures = captures
    isEmbedded = captures.map { $0.constant != nil || $0.symbolic != nil }
    allInputs = ids
    inputs = zip(ids, isEmbedded).compactMap { $1 ? nil : .some($0) }
  }

  /// The body with the types of its inputs, and with what is known of the values that it captures.
  ///
  /// - Parameter own: the values of the inputs before the captured ones; the constants in them hold
  ///   while the body is expanded.
  func expand(_ body: Graph, own: [Value]) throws(OperatorError) -> Graph {
    var graph = body
    guard body.inputs.count == own.count + captures.count else {
      throw OperatorError(
        "a body has \(body.inputs.count - captures.count) inputs, expected \(own.count)")
    }
    for (id, value) in zip(body.inputs, own) { describe(&graph, id, as: value) }
    graph.inputs = Array(body.inputs.prefix(own.count))
    for (index, id) in body.inputs.dropFirst(own.count).enumerated() {
      describe(&graph, id, as: captures[index])
      if !isEmbedded[index] { graph.inputs.append(id) }
    }
    for (id, node) in graph.liveNodes {
      var renamed = node
      renamed.name = "\(name)/\(node.name)"
      graph[id] = renamed
    }
    let expanded: Graph
    do { expanded = try GraphExpansion.expand(graph, depth: 1) } catch {
      if error.isUnsupported { throw OperatorError("in its body, \(error)", isUnsupported: true) }
      throw OperatorError("in its body, \(error)")
    }
    return forgettingInputs(expanded, count: own.count)
  }

  private func describe(_ graph: inout Graph, _ id: ValueID, as value: Value) {
    graph[id].type = value.type
    graph[id].constant = value.constant
    graph[id].symbolic = value.symbolic
  }

  /// What an input is in one run of a body need not hold in the next.
  private func forgettingInputs(_ body: Graph, count: Int) -> Graph {
    var body = body
    for id in body.inputs.prefix(count) {
      body[id].constant = nil
      body[id].symbolic = nil
    }
    return body
  }
}

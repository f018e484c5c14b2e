package import KernelModel
package import TensorModel

/// A graph with the producer and the consumers of every value, kept up to date while it is rewritten.
package struct IndexedGraph: Sendable {
  package private(set) var graph: Graph
  private var producerOf: [NodeID?]
  private var consumersOf: [[NodeID]]
  private var outputUses: [Int]

  package init(_ graph: Graph) {
    self.graph = graph
    producerOf = Array(repeating: nil, count: graph.values.count)
    consumersOf = Array(repeating: [], count: graph.values.count)
    outputUses = Array(repeating: 0, count: graph.values.count)
    for (id, node) in graph.liveNodes { link(id, node) }
    for (_, value) in graph.outputs { outputUses[value.index] += 1 }
  }

  package subscript(node: NodeID) -> Node? { graph[node] }
  package subscript(value: ValueID) -> Value { graph[value] }

  package func producer(of value: ValueID?) -> (id: NodeID, node: Node)? {
    guard let value, let id = producerOf[value.index], let node = graph[id] else { return nil }
    return (id, node)
  }

  /// The nodes that read a value; a node that reads it twice is listed twice.
  package func consumers(of value: ValueID) -> [NodeID] { consumersOf[value.index] }

  package func isOutput(_ value: ValueID) -> Bool { outputUses[value.index] > 0 }

  /// The only node that reads a value that is no output of the graph.
  package func soleConsumer(of value: ValueID) -> (id: NodeID, node: Node)? {
    guard !isOutput(value), consumersOf[value.index].count == 1,
      let node = graph[consumersOf[value.index][0]]
    else { return nil }
    return (consumersOf[value.index][0], node)
  }

  /// How often a value is read, by nodes and as an output.
  package func useCount(_ value: ValueID) -> Int {
    consumersOf[value.index].count + outputUses[value.index]
  }

  package func type(_ value: ValueID?) -> TensorType? { value.flatMap { graph[$0].type } }
  package func constant(_ value: ValueID?) -> Tensor? { value.flatMap { graph[$0].constant } }

  /// Whether one node reads, directly or not, what another writes.
  package func depends(_ node: NodeID, on other: NodeID) -> Bool {
    var seen: Set<NodeID> = [node]
    var stack = [node]
    while let id = stack.popLast() {
      if id == other { return true }
      for case let input? in graph[id]?.inputs ?? [] {
        if let producer = producerOf[input.index], seen.insert(producer).inserted {
          stack.append(producer)
        }
      }
    }
    return false
  }

  private mutating func link(_ id: NodeID, _ node: Node) {
    for output in node.outputs { producerOf[output.index] = id }
    for case let input? in node.inputs { consumersOf[input.index].append(id) }
  }

  private mutating func unlink(_ id: NodeID, _ node: Node) {
    for output in node.outputs where producerOf[output.index] == id {
      producerOf[output.index] = nil
    }
    for case let input? in node.inputs {
      if let index = consumersOf[input.index].firstIndex(of: id) {
        consumersOf[input.index].remove(at: index)
      }
    }
  }

  // MARK: Changing

  /// Applies a patch and returns the nodes that it touched: the new ones and their neighbours.
  ///
  /// New contractions have the arithmetic of those that they replace.
  package mutating func apply(_ patch: GraphPatch) -> [NodeID] {
    for value in patch.values {
      graph.addValue(value)
      producerOf.append(nil)
      consumersOf.append([])
      outputUses.append(0)
    }
    var touched: [NodeID] = []
    var arithmetic = Arithmetic.exact
    for id in patch.removals {
      guard let node = graph[id] else { continue }
      if node.arithmetic != .exact { arithmetic = node.arithmetic }
      unlink(id, node)
      graph[id] = nil
      touched += readersLeft(node)
    }
    for var node in patch.nodes {
      if arithmetic != .exact, case .kernel(let problem) = node.operation, problem.isContraction {
        node.arithmetic = arithmetic
      }
      let id = graph.addNode(node)
      link(id, node)
      touched.append(id)
    }
    for (old, new) in patch.replacements { touched += replace(old, with: new) }
    for id in touched {
      for case let input? in graph[id]?.inputs ?? [] {
        if let producer = producerOf[input.index] { touched.append(producer) }
      }
    }
    return touched + patch.removals
  }

  /// The nodes that share an operand with a node that is gone: they may be its only readers now.
  private func readersLeft(_ node: Node) -> [NodeID] {
    node.inputs.flatMap { input -> [NodeID] in
      guard let input, graph[input].constant == nil,
        consumersOf[input.index].count <= Self.maximumReaders
      else { return [] }
      return consumersOf[input.index]
    }
  }

  /// Values with more readers are not about to have a single one.
  private static let maximumReaders = 8

  private mutating func replace(_ old: ValueID, with new: ValueID) -> [NodeID] {
    var touched: [NodeID] = []
    for id in Set(consumersOf[old.index]) {
      guard var node = graph[id] else { continue }
      unlink(id, node)
      node.inputs = node.inputs.map { $0 == old ? new : $0 }
      graph[id] = node
      link(id, node)
      touched.append(id)
    }
    for index in graph.outputs.indices where graph.outputs[index].value == old {
      graph.outputs[index].value = new
      outputUses[old.index] -= 1
      outputUses[new.index] += 1
    }
    if graph[new].constant == nil, producerOf[new.index] != nil, !graph.inputs.contains(new) {
      graph[new].name = graph[old].name
    }
    return touched.sorted()
  }

  package mutating func setConstant(_ value: ValueID, _ tensor: Tensor) {
    graph[value].constant = tensor
    if let id = producerOf[value.index], let node = graph[id],
      node.outputs.allSatisfy({ graph[$0].constant != nil || useCount($0) == 0 })
    {
      unlink(id, node)
      graph[id] = nil
    }
  }

  /// The graph in topological order, without what nothing uses.
  package func finish() throws(GraphError) -> Graph { try graph.sorted().compacted() }
}

/// A change to a graph: nodes that go, nodes that come, values that stand for others from now on.
package struct GraphPatch: Sendable {
  package private(set) var removals: [NodeID]
  package private(set) var nodes: [Node] = []
  package private(set) var values: [Value] = []
  package private(set) var replacements: [(old: ValueID, new: ValueID)] = []
  private let firstNewValue: Int

  package init(_ graph: IndexedGraph, removing removals: [NodeID]) {
    self.removals = removals
    firstNewValue = graph.graph.values.count
  }

  package mutating func addValue(_ value: Value) -> ValueID {
    values.append(value)
    return ValueID(firstNewValue + values.count - 1)
  }

  package mutating func addConstant(name: String, _ tensor: Tensor) -> ValueID {
    addValue(Value(name: name, constant: tensor))
  }

  package mutating func add(_ node: Node) { nodes.append(node) }

  /// Adds a kernel node and returns the values of its outputs.
  package mutating func add(
    _ problem: KernelProblem, inputs: [ValueID?], outputTypes: [TensorType], name: String,
    origins: [String]
  ) -> [ValueID] {
    let outputs = outputTypes.map { addValue(Value(name: name, type: $0)) }
    nodes.append(
      Node(
        name: name, operation: .kernel(problem), inputs: inputs, outputs: outputs, origins: origins)
    )
    return outputs
  }

  /// Places the new nodes that have no place yet.
  mutating func place(at position: Int) {
    for index in nodes.indices where nodes[index].position == nil {
      nodes[index].position = position
    }
  }

  package mutating func replace(_ old: ValueID, with new: ValueID) {
    replacements.append((old, new))
  }
}

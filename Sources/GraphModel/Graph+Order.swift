import KernelModel
import TensorModel

/// A graph that breaks a rule of its own: a bug of the pass that made it, or a file that lies.
package struct GraphError: Error, Sendable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

extension Graph {
  /// The same graph with nodes in topological order, earlier nodes first where the order is free, and
  /// without nodes whose results nothing uses.
  package func sorted() throws(GraphError) -> Graph {
    var producer: [Int?] = Array(repeating: nil, count: values.count)
    for (id, node) in liveNodes {
      for output in node.outputs { producer[output.index] = id.index }
    }
    let needed = neededNodes(producer)
    var waiting = [Int](repeating: 0, count: nodes.count)
    var consumers: [[Int]] = Array(repeating: [], count: nodes.count)
    for (id, node) in liveNodes where needed[id.index] {
      for source in Set(node.inputs.compactMap { $0.flatMap { producer[$0.index] } }) {
        waiting[id.index] += 1
        consumers[source].append(id.index)
      }
    }
    var ready = MinimumHeap()
    for (id, node) in liveNodes where needed[id.index] && waiting[id.index] == 0 {
      ready.insert(key: node.position ?? id.index, value: id.index)
    }
    var order: [Node?] = []
    while let index = ready.popMinimum() {
      order.append(nodes[index])
      for consumer in consumers[index] {
        waiting[consumer] -= 1
        if waiting[consumer] == 0, let node = nodes[consumer] {
          ready.insert(key: node.position ?? consumer, value: consumer)
        }
      }
    }
    guard order.count == needed.count(where: { $0 }) else {
      throw GraphError("graph '\(name)' has a cycle")
    }
    return replacingNodes(order)
  }

  private func neededNodes(_ producer: [Int?]) -> [Bool] {
    var needed = [Bool](repeating: false, count: nodes.count)
    var stack = outputs.compactMap { producer[$0.value.index] }
    for index in stack { needed[index] = true }
    while let index = stack.popLast() {
      for case let input? in nodes[index]?.inputs ?? [] {
        if let source = producer[input.index], !needed[source] {
          needed[source] = true
          stack.append(source)
        }
      }
    }
    return needed
  }

  private func replacingNodes(_ order: [Node?]) -> Graph {
    var result = Graph(name: name)
    for value in values { result.addValue(value) }
    for case let node? in order { result.addNode(node) }
    result.inputs = inputs
    result.outputs = outputs
    return result
  }

  /// Checks single assignment, order, and that every kernel problem accepts its operands' types.
  package func verify() throws(GraphError) {
    var defined = [Bool](repeating: false, count: values.count)
    for (index, value) in values.enumerated() where value.constant != nil || value.symbolic != nil {
      defined[index] = true
    }
    for input in inputs { defined[input.index] = true }
    for (_, node) in liveNodes {
      for case let input? in node.inputs {
        guard values.indices.contains(input.index), defined[input.index] else {
          throw GraphError("node '\(node.name)' reads a value before it is written")
        }
      }
      for output in node.outputs {
        guard values.indices.contains(output.index) else {
          throw GraphError("node '\(node.name)' writes a value that does not exist")
        }
        defined[output.index] = true
      }
      if case .kernel(let problem) = node.operation { try verify(node, problem) }
    }
    for (name, value) in outputs {
      guard values.indices.contains(value.index), defined[value.index] else {
        throw GraphError("output '\(name)' is never written")
      }
    }
  }

  private func verify(_ node: Node, _ problem: KernelProblem) throws(GraphError) {
    if node.inputs.contains(where: { $0.map { self[$0].type == nil } ?? false }) { return }
    let types: [TensorType]
    do { types = try problem.outputTypes(of: self.types(of: node.inputs)) } catch {
      throw GraphError("node '\(node.name)' (\(problem.family)): \(error.description)")
    }
    guard node.outputs.count == types.count else {
      throw GraphError(
        "node '\(node.name)' writes \(node.outputs.count) values, \(types.count) expected")
    }
    for (output, type) in zip(node.outputs, types) {
      guard let declared = self[output].type else { continue }
      guard declared.dataType == type.dataType, declared.rank == type.rank else {
        throw GraphError("node '\(node.name)' writes \(type), its value is declared \(declared)")
      }
    }
  }
}

/// Integers with keys, smallest key first.
private struct MinimumHeap {
  private var items: [(key: Int, value: Int)] = []

  mutating func insert(key: Int, value: Int) {
    items.append((key, value))
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child].key < items[parent].key else { break }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popMinimum() -> Int? {
    guard let first = items.first else { return nil }
    items.swapAt(0, items.count - 1)
    items.removeLast()
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count {
        if items[child].key < items[smallest].key { smallest = child }
      }
      guard smallest != parent else { break }
      items.swapAt(parent, smallest)
      parent = smallest
    }
    return first.value
  }
}

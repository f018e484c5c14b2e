package import KernelModel
package import TensorModel

/// What rules need to write kernel nodes whose types follow from their inputs.
extension GraphPatch {
  /// The type of a value of the graph or of this patch.
  package func type(_ value: ValueID?, in graph: IndexedGraph) -> TensorType? {
    guard let value else { return nil }
    let known = graph.graph.values.count
    return value.index < known ? graph.type(value) : values[value.index - known].type
  }

  /// Adds a kernel node and returns its outputs; nil where the problem does not accept the types of
  /// its inputs, or one of them is unknown.
  package mutating func kernel(
    _ problem: KernelProblem, _ inputs: [ValueID?], name: String, origins: [String],
    in graph: IndexedGraph
  ) -> [ValueID]? {
    var types: [TensorType?] = []
    for input in inputs {
      guard let input else {
        types.append(nil)
        continue
      }
      guard let type = type(input, in: graph) else { return nil }
      types.append(type)
    }
    guard let outputs = try? problem.outputTypes(of: types) else { return nil }
    return add(problem, inputs: inputs, outputTypes: outputs, name: name, origins: origins)
  }

  /// Adds a kernel node that computes what `old` held, of the same type, and lets it stand for
  /// `old`.
  package mutating func replace(
    _ old: ValueID, with problem: KernelProblem, _ inputs: [ValueID?], name: String,
    origins: [String], in graph: IndexedGraph
  ) -> Bool {
    guard
      let new = kernel(problem, inputs, name: name, origins: origins, in: graph)?.first,
      type(new, in: graph) == graph.type(old)
    else { return false }
    replace(old, with: new)
    return true
  }
}

extension IndexedGraph {
  /// Whether `node` is the only one that reads a value, however often, and the value is no output.
  package func isReadOnly(_ value: ValueID, by node: NodeID) -> Bool {
    !isOutput(value) && consumers(of: value).allSatisfy { $0 == node }
  }

  /// The node that writes a value and what it computes, where that is a kernel problem.
  package func kernel(writing value: ValueID?) -> (id: NodeID, node: Node, problem: KernelProblem)?
  {
    guard let (id, node) = producer(of: value), case .kernel(let problem) = node.operation else {
      return nil
    }
    return (id, node, problem)
  }

  /// Where a node stands among the others; later nodes have larger places.
  package func place(of id: NodeID) -> Int { self[id]?.position ?? id.index }

  /// The origins of several nodes, oldest first, each once.
  package func origins(of nodes: [NodeID]) -> [String] {
    var seen: Set<String> = []
    var result: [String] = []
    for id in Set(nodes).sorted(by: { (place(of: $0), $0) < (place(of: $1), $1) }) {
      for origin in self[id]?.origins ?? [] where seen.insert(origin).inserted {
        result.append(origin)
      }
    }
    return result
  }

  /// The nodes that nothing needs once `roots` go: the roots, and the producers whose results only
  /// nodes of the answer read and that are not among the values `kept`.
  package func obsolete(without roots: [NodeID], keeping kept: [ValueID?]) -> [NodeID] {
    let kept = Set(kept.compactMap { $0 })
    var obsolete = Set(roots)
    var order = roots
    var head = 0
    while head < order.count {
      let node = self[order[head]]
      head += 1
      for case let input? in node?.inputs ?? [] {
        guard let (id, source) = producer(of: input), !obsolete.contains(id),
          source.outputs.allSatisfy({ value in
            !kept.contains(value) && !isOutput(value)
              && consumers(of: value).allSatisfy(obsolete.contains)
          })
        else { continue }
        obsolete.insert(id)
        order.append(id)
      }
    }
    return order
  }
}

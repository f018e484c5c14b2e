extension Graph {
  /// Copies a body's values and nodes into this graph, its inputs replaced by `inputs` (nil leaves an
  /// input absent), and returns the body's outputs.
  package mutating func inline(
    _ body: Graph, inputs: [ValueID?], prefix: String, origins: [String]
  ) -> [ValueID] {
    var map: [ValueID: ValueID] = [:]
    var absent: Set<ValueID> = []
    for (index, input) in body.inputs.enumerated() {
      if index < inputs.count, let replacement = inputs[index] {
        map[input] = replacement
      } else {
        absent.insert(input)
      }
    }
    func translate(_ id: ValueID, _ graph: inout Graph) -> ValueID {
      if let known = map[id] { return known }
      let copy = graph.addValue(body[id])
      map[id] = copy
      return copy
    }
    for (_, node) in body.liveNodes {
      var copy = node
      copy.name = prefix.isEmpty ? node.name : "\(prefix)/\(node.name)"
      copy.inputs = node.inputs.map { id in
        guard let id, !absent.contains(id) else { return nil }
        return translate(id, &self)
      }
      copy.outputs = node.outputs.map { translate($0, &self) }
      addNode(copy)
    }
    return body.outputs.map { translate($0.value, &self) }
  }

  /// The graph without removed nodes and without values that nothing uses.
  package func compacted() -> Graph {
    var result = Graph(name: name)
    var map: [ValueID: ValueID] = [:]
    func translate(_ id: ValueID, _ graph: inout Graph) -> ValueID {
      if let known = map[id] { return known }
      let copy = graph.addValue(self[id])
      map[id] = copy
      return copy
    }
    for id in inputs { result.inputs.append(translate(id, &result)) }
    for (_, node) in liveNodes {
      var copy = node
      copy.inputs = node.inputs.map { $0.map { translate($0, &result) } }
      copy.outputs = node.outputs.map { translate($0, &result) }
      result.addNode(copy)
    }
    result.outputs = outputs.map { ($0.name, translate($0.value, &result)) }
    return result
  }
}

import ONNXFormat

/// The order in which the nodes of a graph can be read, and the names they take from around it.
enum NodeOrder {
  /// The nodes, each after those it reads from; as given where that holds already.
  ///
  /// - Parameter scope: what is defined before any node.
  static func sorted(
    _ nodes: [Onnx_NodeProto], scope: GraphAssembler.Scope, graph: String
  ) throws(ImportError) -> [Onnx_NodeProto] {
    var producer: [String: Int] = [:]
    for (index, node) in nodes.enumerated() {
      for output in node.output where !output.isEmpty {
        guard scope[output] == nil, producer.updateValue(index, forKey: output) == nil else {
          throw .duplicateName(name: output, graph: graph)
        }
      }
    }
    let dependencies = nodes.map { node in Set(reads(node).compactMap { producer[$0] }) }
    let isSorted = dependencies.enumerated().allSatisfy { index, sources in
      sources.allSatisfy { $0 < index }
    }
    if isSorted { return nodes }
    return try order(dependencies, nodes, graph: graph).map { nodes[$0] }
  }

  /// Kahn's algorithm.
  private static func order(
    _ dependencies: [Set<Int>], _ nodes: [Onnx_NodeProto], graph: String
  ) throws(ImportError) -> [Int] {
    var readers = [[Int]](repeating: [], count: nodes.count)
    var waiting = dependencies.map(\.count)
    for (index, sources) in dependencies.enumerated() {
      for source in sources { readers[source].append(index) }
    }
    var result = waiting.indices.filter { waiting[$0] == 0 }
    var next = 0
    while next < result.count {
      for reader in readers[result[next]] {
        waiting[reader] -= 1
        if waiting[reader] == 0 { result.append(reader) }
      }
      next += 1
    }
    guard result.count == nodes.count else {
      let stuck = waiting.indices.first { waiting[$0] > 0 } ?? 0
      throw .cycle(node: nodes[stuck].label, graph: graph)
    }
    return result
  }

  /// The names that a node reads from the graph it lies in: its inputs, then what its bodies capture.
  static func reads(_ node: Onnx_NodeProto) -> [String] {
    node.input.filter { !$0.isEmpty } + captures(node.attribute)
  }

  /// The names that graphs in attributes take from around them, each once, in the order of first use.
  static func captures(_ attributes: [Onnx_AttributeProto]) -> [String] {
    var result: [String] = []
    var seen: Set<String> = []
    for attribute in attributes where attribute.hasG {
      for name in freeNames(attribute.g) where seen.insert(name).inserted { result.append(name) }
    }
    return result
  }

  /// The names that a graph reads and does not define.
  private static func freeNames(_ graph: Onnx_GraphProto) -> [String] {
    var defined = Set(graph.input.map(\.name))
    defined.formUnion(graph.initializer.map(\.name))
    defined.formUnion(graph.sparseInitializer.map(\.values.name))
    for node in graph.node { defined.formUnion(node.output) }
    let names = graph.node.flatMap { reads($0) } + graph.output.map(\.name)
    return names.filter { !defined.contains($0) && !$0.isEmpty }
  }
}

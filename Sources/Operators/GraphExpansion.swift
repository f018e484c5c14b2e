package import GraphModel
import KernelModel
import ReferenceInterpreter
import TensorModel

/// A node that cannot be built: which, and why.
package struct ExpansionError: Error, Sendable, CustomStringConvertible {
  package var node: String
  package var operatorName: String
  package var reason: String

  package var description: String { "node '\(node)' (\(operatorName)): \(reason)" }
}

/// Turns operators into kernel problems wherever the types of their inputs are known.
///
/// It may be called again when more is known, as when symbols have been replaced by integers; nodes that
/// are still pending then are those whose inputs only a run can tell. The nodes that are expanded or left
/// pending have different names, so that the symbols named after them differ too.
package struct GraphExpansion {
  private let source: Graph
  private var result: Graph
  /// Where the values of the source are in the result.
  private var copies: [ValueID?]
  /// Values of the result that are computed under another name, since their node was expanded.
  private var replacements: [ValueID: ValueID] = [:]
  /// Values that an operator should have computed and did not.
  private var missing: [ValueID: Node] = [:]
  /// Node names in use, with the number of nodes that asked for them.
  private var names: [String: Int] = [:]

  /// - Parameter depth: how many graphs this one lies inside; bounded by `Limits.nesting`.
  package static func expand(_ graph: Graph, depth: Int = 0) throws(ExpansionError) -> Graph {
    guard depth + graph.height(atMost: Limits().nesting) <= Limits().nesting else {
      throw ExpansionError(
        node: graph.name, operatorName: "graph",
        reason: "graphs are nested too deeply, at most \(Limits().nesting) levels are allowed")
    }
    var expansion = GraphExpansion(source: graph)
    return try expansion.run(depth: depth)
  }

  private init(source: Graph) {
    self.source = source
    copies = Array(repeating: nil, count: source.values.count)
    result = Graph(name: source.name)
  }

  private mutating func run(depth: Int) throws(ExpansionError) -> Graph {
    for id in source.inputs { result.inputs.append(copy(id)) }
    for case let node? in source.nodes {
      var moved = node
      moved.inputs = node.inputs.map { $0.map { copy($0) } }
      moved.outputs = node.outputs.map { copy($0) }
      try process(moved, depth: depth)
    }
    for output in source.outputs {
      let value = resolve(copy(output.value))
      try checkComputed(value)
      result.outputs.append((output.name, value))
    }
    return result.compacted()
  }

  private mutating func copy(_ id: ValueID) -> ValueID {
    if let known = copies[id.index] { return known }
    let new = result.addValue(source[id])
    copies[id.index] = new
    return new
  }

  private func resolve(_ id: ValueID) -> ValueID {
    var id = id
    while let next = replacements[id] { id = next }
    return id
  }

  private func checkComputed(_ id: ValueID) throws(ExpansionError) {
    guard let node = missing[id] else { return }
    throw Self.error(node, "output '\(result[id].name)' is used, but is not supported")
  }

  private static func error(_ node: Node, _ reason: String) -> ExpansionError {
    var name = "kernel"
    switch node.operation {
    case .pending(let record), .host(let record): name = record.name
    case .control: name = "control flow"
    case .kernel(let problem): name = problem.family
    }
    return ExpansionError(node: node.name, operatorName: name, reason: reason)
  }

  /// Adds a node, whose inputs and outputs are values of the result, or what it expands into.
  private mutating func process(_ node: Node, depth: Int) throws(ExpansionError) {
    var node = node
    node.inputs = node.inputs.map { $0.map { resolve($0) } }
    for case let input? in node.inputs { try checkComputed(input) }
    switch node.operation {
    case .pending(let record):
      node.name = uniqueName(node.name.isEmpty ? record.name : node.name)
      if node.inputs.allSatisfy({ $0.map { result[$0].type != nil } ?? true }) {
        try expand(node, record, depth: depth)
      } else {
        // What a file declares is not what the operator will compute.
        for output in node.outputs { result[output].type = nil }
        result.addNode(node)
      }
    case .kernel(let problem) where node.outputs.contains { result[$0].type == nil }:
      try retype(node, problem)
    case .control(.branch(let then, let otherwise)):
      if let condition = knownCondition(node) {
        try inline(condition ? then : otherwise, node, depth: depth)
      } else {
        result.addNode(node)
      }
    default: result.addNode(node)
    }
    guard result.nodes.count <= Limits().nodes else {
      throw Self.error(node, "the graph has more than \(Limits().nodes) nodes")
    }
  }

  private mutating func uniqueName(_ name: String) -> String {
    var candidate = name
    while let uses = names[candidate] {
      names[candidate] = uses + 1
      candidate = "\(candidate)_\(uses + 1)"
    }
    names[candidate] = 1
    return candidate
  }

  /// A kernel node copied from a body whose inputs had no types.
  private mutating func retype(_ node: Node, _ problem: KernelProblem) throws(ExpansionError) {
    do {
      let types = try problem.outputTypes(of: result.types(of: node.inputs))
      for (id, type) in zip(node.outputs, types) { result[id].type = type }
    } catch {
      throw Self.error(node, error.description)
    }
    result.addNode(node)
  }

  // MARK: Operators

  private mutating func expand(
    _ node: Node, _ record: OperatorRecord, depth: Int
  ) throws(ExpansionError) {
    let nodeCount = result.nodes.count
    let valueCount = result.values.count
    let hollow = Graph(name: result.name)
    let results: [Operand?]
    let untyped: [Int: ValueID]
    let waits: Bool
    (result, results, untyped, waits) = try Self.emit(exchange(&result, hollow), node, record)
    if waits {
      for index in nodeCount..<result.nodes.count { result[NodeID(index)] = nil }
      for output in node.outputs { result[output].type = nil }
      result.addNode(node)
      return
    }
    for (index, output) in node.outputs.enumerated() {
      guard let id = results[index]?.value ?? untyped[index] else {
        missing[output] = node
        continue
      }
      replace(output, by: id, isNew: id.index >= valueCount)
    }
    try processAdded(from: nodeCount, by: node, depth: depth)
  }

  /// The graph with what computes a node added, the values that are its outputs, and whether it cannot be
  /// expanded before the symbols in its inputs are numbers.
  ///
  /// A function of its own, so that nothing else holds the graph when it is written next.
  private static func emit(
    _ graph: consuming Graph, _ node: Node, _ record: OperatorRecord
  ) throws(ExpansionError) -> (Graph, [Operand?], [Int: ValueID], waits: Bool) {
    let type = try operatorType(node, record)
    let isOpen = node.inputs.contains { $0.map { graph[$0].hasOpenExtents } ?? false }
    var expansion = Expansion(
      graph: graph, node: node, record: record, evaluate: Interpreter.evaluate)
    do {
      let instance = try type.init(AttributeReader(record))
      try instance.expand(&expansion)
    } catch {
      guard error.waitsForExtents, isOpen else { throw Self.error(node, error.description) }
      let (graph, results, untyped) = expansion.finish()
      return (graph, results, untyped, true)
    }
    let (graph, results, untyped) = expansion.finish()
    return (graph, results, untyped, false)
  }

  private static func operatorType(
    _ node: Node, _ record: OperatorRecord
  ) throws(ExpansionError) -> any Operator.Type {
    if let type = Catalog.find(
      domain: record.domain, name: record.name, version: record.version)
    {
      return type
    }
    let versions = Catalog.knownVersions(domain: record.domain, name: record.name)
    throw error(
      node,
      versions.isEmpty
        ? "the operator is not supported in domain '\(record.domain)'"
        : "version \(record.version) is not supported, only "
          + versions.map { "\($0.lowerBound)...\($0.upperBound)" }.joined(separator: ", "))
  }

  /// Computes `output` as `id`, and names that as the model does where it was made for this.
  private mutating func replace(_ output: ValueID, by id: ValueID, isNew: Bool) {
    guard output != id else { return }
    replacements[output] = id
    if isNew, !result[output].name.isEmpty { result[id].name = result[output].name }
  }

  // MARK: Bodies

  /// The nodes that an operator copied out of a body are expanded in their turn.
  private mutating func processAdded(
    from start: Int, by node: Node, depth: Int
  ) throws(ExpansionError) {
    let added = result.nodes[start...].compactMap { $0 }
    let needsWork = added.contains { node in
      switch node.operation {
      case .pending, .control: true
      case .kernel: node.outputs.contains { result[$0].type == nil }
      case .host: false
      }
    }
    guard needsWork else { return }
    guard depth < Limits().nesting else {
      throw Self.error(
        node, "graphs are nested too deeply, at most \(Limits().nesting) levels are allowed")
    }
    for index in start..<result.nodes.count { result[NodeID(index)] = nil }
    for inner in added { try process(inner, depth: depth + 1) }
  }

  /// The condition of a branch, where the shapes of the inputs decide it.
  private func knownCondition(_ node: Node) -> Bool? {
    guard case let condition?? = node.inputs.first else { return nil }
    if let symbolic = result[condition].symbolic {
      return symbolic.count == 1 ? symbolic[0].constant.map { $0 != 0 } : nil
    }
    guard let values = result[condition].constant?.integers(), values.count == 1 else { return nil }
    return values[0] != 0
  }

  private mutating func inline(
    _ body: Graph, _ node: Node, depth: Int
  ) throws(ExpansionError) {
    let nodeCount = result.nodes.count
    let valueCount = result.values.count
    let outputs = result.inline(
      body, inputs: Array(node.inputs.dropFirst()), prefix: node.name, origins: node.origins)
    for (output, id) in zip(node.outputs, outputs) {
      replace(output, by: id, isNew: id.index >= valueCount)
    }
    try processAdded(from: nodeCount, by: node, depth: depth)
  }
}

extension Graph {
  /// How many levels of graphs lie inside this one, counted up to one more than a limit.
  package func height(atMost limit: Int) -> Int {
    guard limit >= 0 else { return 0 }
    var height = 0
    for case let node? in nodes {
      let bodies: [Graph]
      switch node.operation {
      case .control(let control): bodies = control.bodies
      case .pending(let record), .host(let record): bodies = record.graphs
      case .kernel: bodies = []
      }
      for body in bodies { height = max(height, 1 + body.height(atMost: limit - 1)) }
    }
    return height
  }
}

extension Graph {
  /// The name of an operator in this graph, or in one inside it, that is not known at all.
  package var unsupportedOperator: String? {
    for case let node? in nodes {
      switch node.operation {
      case .pending(let record):
        if Catalog.find(domain: record.domain, name: record.name, version: record.version) == nil {
          return record.name
        }
        for body in record.graphs { if let name = body.unsupportedOperator { return name } }
      case .control(let control):
        for body in control.bodies { if let name = body.unsupportedOperator { return name } }
      case .kernel, .host: continue
      }
    }
    return nil
  }
}

extension Value {
  /// Whether its extents, or what is known of its elements, are symbols.
  fileprivate var hasOpenExtents: Bool {
    (type.map { $0.shape.constants == nil } ?? false)
      || (symbolic?.contains { $0.constant == nil } ?? false)
  }
}

/// Puts `replacement` into `place` and returns what was there.
private func exchange<T>(_ place: inout T, _ replacement: T) -> T {
  let old = place
  place = replacement
  return old
}

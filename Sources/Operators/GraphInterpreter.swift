package import GraphModel
import KernelModel
import ReferenceInterpreter
package import TensorModel

/// What stops a graph from being run: the node, and why.
package struct InterpretationError: Error, Sendable, CustomStringConvertible {
  /// Empty where the graph itself is at fault.
  package var node: String
  package var operatorName: String
  package var reason: String

  package var description: String {
    node.isEmpty ? reason : "node '\(node)' (\(operatorName)): \(reason)"
  }
}

/// Runs graphs node by node with the reference interpreter, at any stage of their way to an engine.
///
/// It is what everything faster is compared with: kernel problems by their definition, host operators by
/// their own code, control flow by running bodies, and operators that are still pending by expanding them
/// for the tensors at hand.
package struct GraphInterpreter {
  /// Is told every value of a graph and of the bodies that run, by name, as it is computed.
  package typealias Observer = (_ name: String, _ tensor: Tensor) -> Void

  let graph: Graph
  let depth: Int
  let observer: Observer?
  private var tensors: [ValueID: Tensor] = [:]
  /// The integers that symbols of the graph stand for, as far as they are known.
  private(set) var symbols: [String: Int]
  /// For each node, the values that no later node reads.
  private let lastReads: [NodeID: [ValueID]]

  /// Computes the outputs of a graph, by name.
  ///
  /// - Parameter inputs: a tensor for each input, by name.
  package static func run(
    _ graph: Graph, inputs: [String: Tensor], observer: Observer? = nil
  ) throws(InterpretationError) -> [String: Tensor] {
    var ordered: [Tensor] = []
    for id in graph.inputs {
      let name = graph[id].name
      guard let tensor = inputs[name] else { throw failure("input '\(name)' is missing") }
      try check(tensor, name: name, against: graph[id].type)
      ordered.append(tensor)
    }
    let outputs = try run(graph, ordered, symbols: [:], depth: 0, observer: observer)
    var result: [String: Tensor] = [:]
    for (output, tensor) in zip(graph.outputs, outputs) {
      guard let tensor else { throw failure("output '\(output.name)' is never computed") }
      result[output.name] = tensor
    }
    return result
  }

  /// The graph with concrete types of inputs, its operators expanded for them.
  ///
  /// - Parameter graph: as it was imported, without kernel problems that know other types.
  package static func specialize(
    _ graph: Graph, inputTypes: [String: TensorType]
  ) throws(ExpansionError) -> Graph {
    var result = graph
    for id in graph.inputs {
      if let type = inputTypes[graph[id].name] { result[id].type = type }
    }
    return try GraphExpansion.expand(result)
  }

  /// The outputs of a graph for tensors in the order of its inputs; nil for one that nothing computes.
  static func run(
    _ graph: Graph, _ inputs: [Tensor?], symbols: [String: Int], depth: Int, observer: Observer?
  ) throws(InterpretationError) -> [Tensor?] {
    guard depth <= 4 * Limits().nesting else { throw failure("graphs are nested too deeply") }
    guard inputs.count == graph.inputs.count else {
      throw failure(
        "graph '\(graph.name)' has \(graph.inputs.count) inputs, found \(inputs.count)")
    }
    var interpreter = GraphInterpreter(
      graph: graph, depth: depth, observer: observer, symbols: symbols)
    return try interpreter.run(inputs)
  }

  private init(graph: Graph, depth: Int, observer: Observer?, symbols: [String: Int]) {
    self.graph = graph
    self.depth = depth
    self.observer = observer
    self.symbols = symbols
    var lastReader: [ValueID: NodeID] = [:]
    for (id, node) in graph.liveNodes {
      for case let value? in node.inputs { lastReader[value] = id }
    }
    for output in graph.outputs { lastReader[output.value] = nil }
    var lastReads: [NodeID: [ValueID]] = [:]
    for (value, node) in lastReader { lastReads[node, default: []].append(value) }
    self.lastReads = lastReads
  }

  private mutating func run(_ inputs: [Tensor?]) throws(InterpretationError) -> [Tensor?] {
    for (id, tensor) in zip(graph.inputs, inputs) {
      // A body is run again and again: its symbols mean something new each time.
      for dimension in graph[id].type?.shape.dimensions ?? [] where depth > 0 {
        if let name = dimension.symbolName { symbols[name] = nil }
      }
      if let tensor { bind(id, tensor) }
    }
    for (id, node) in graph.liveNodes {
      let results: [Tensor?]
      do { results = try evaluate(node) } catch {
        throw InterpretationError(
          node: node.name, operatorName: node.operation.title, reason: error.description)
      }
      for (output, tensor) in zip(node.outputs, results) {
        if let tensor { bind(output, tensor) }
      }
      for value in lastReads[id] ?? [] { tensors[value] = nil }
    }
    return graph.outputs.map { tensor($0.value) }
  }

  /// Takes note of a value and of the symbols in its type.
  private mutating func bind(_ id: ValueID, _ tensor: Tensor) {
    tensors[id] = tensor
    let value = graph[id]
    if let type = value.type, type.rank == tensor.shape.count {
      for (dimension, extent) in zip(type.shape.dimensions, tensor.shape) {
        guard let name = dimension.symbolName, symbols[name] == nil else { continue }
        symbols[name] = extent
      }
    }
    if let observer, !value.name.isEmpty { observer(value.name, tensor) }
  }

  private func tensor(_ id: ValueID) -> Tensor? {
    if let known = tensors[id] ?? graph[id].constant { return known }
    guard let symbolic = graph[id].symbolic, let type = graph[id].type else { return nil }
    return SymbolicEvaluation.tensor(
      symbolic.map { $0.substituting(symbols) }, type.substituting(symbols))
  }

  private static func failure(_ reason: String) -> InterpretationError {
    InterpretationError(node: "", operatorName: "", reason: reason)
  }

  private static func check(
    _ tensor: Tensor, name: String, against type: TensorType?
  ) throws(InterpretationError) {
    guard let type else { return }
    let fits =
      tensor.dataType == type.dataType && tensor.shape.count == type.rank
      && zip(type.shape.dimensions, tensor.shape).allSatisfy {
        $0.constant == nil || $0.constant == $1
      }
    guard fits else {
      throw failure("input '\(name)' is \(tensor.type), expected \(type)")
    }
  }
}

// MARK: - Nodes

extension GraphInterpreter {
  /// The results of a node, nil for those that it does not compute.
  private func evaluate(_ node: Node) throws(OperatorError) -> [Tensor?] {
    var inputs: [Tensor?] = []
    for id in node.inputs {
      guard let id else {
        inputs.append(nil)
        continue
      }
      guard let tensor = tensor(id) else {
        throw OperatorError("its input '\(graph[id].name)' is never computed")
      }
      inputs.append(tensor)
    }
    switch node.operation {
    case .kernel(let problem):
      do {
        return try Interpreter.evaluate(problem.substituting(symbols), inputs)
      } catch { throw OperatorError(error.description) }
    case .host(let record): return try host(record, inputs)
    case .pending(let record): return try pending(node, record, inputs)
    case .control(.branch(let then, let otherwise)):
      return try branch(then, otherwise, inputs)
    case .control(.loop(let body, let carried)):
      return try loop(body, carried: carried, inputs)
    case .control(.scan(let body, let scanning)): return try scan(body, scanning, inputs)
    }
  }

  private func host(
    _ record: OperatorRecord, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    let type = Catalog.find(
      domain: record.domain, name: record.name, version: record.version)
    guard let type, let instance = try type.init(AttributeReader(record)) as? any HostOperator
    else { throw OperatorError("it has no code to run on the host") }
    return try instance.evaluate(inputs)
  }

  /// Expands an operator for the tensors at hand and runs what comes out.
  private func pending(
    _ node: Node, _ record: OperatorRecord, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    var single = Graph(name: node.name)
    var copy = node
    var given: [Tensor?] = []
    for (index, tensor) in inputs.enumerated() {
      guard let tensor else { continue }
      if tensor.byteCount <= Self.constantBytes {
        copy.inputs[index] = single.addConstant(name: "input\(index)", tensor)
      } else {
        copy.inputs[index] = single.addInput(name: "input\(index)", type: tensor.type)
        given.append(tensor)
      }
    }
    copy.outputs = node.outputs.map { single.addValue(Value(name: graph[$0].name)) }
    single.addNode(copy)
    single.outputs = copy.outputs.map { (single[$0].name, $0) }
    do {
      let expanded = try GraphExpansion.expand(single)
      return try Self.run(
        expanded, given, symbols: symbols, depth: depth + 1, observer: observer)
    } catch let error as ExpansionError {
      throw OperatorError(error.reason)
    } catch {
      throw OperatorError("\(error)")
    }
  }

  /// Operands of a pending operator up to this size are given to it as constants.
  private static let constantBytes = 1 << 16
}

extension Dimension {
  /// The name of the symbol, where the extent is a symbol and nothing else.
  var symbolName: String? {
    guard terms.count == 1, terms[0].coefficient == 1, terms[0].factors.count == 1,
      case .symbol(let name) = terms[0].factors[0]
    else { return nil }
    return name
  }
}

extension Operation {
  /// What messages call the operation.
  var title: String {
    switch self {
    case .kernel(let problem): problem.family
    case .pending(let record), .host(let record): record.name
    case .control(.branch): "If"
    case .control(.loop): "Loop"
    case .control(.scan): "Scan"
    }
  }
}

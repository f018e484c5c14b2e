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

  private let graph: Graph
  private let depth: Int
  private let observer: Observer?
  private var tensors: [ValueID: Tensor] = [:]
  /// The integers that symbols of the graph stand for, as far as they are known.
  private var symbols: [String: Int]
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
        return try ReferenceInterpreter.evaluate(problem.substituting(symbols), inputs)
      } catch { throw OperatorError(error.description) }
    case .host(let record): return try host(record, inputs)
    case .pending(let record): return try pending(node, record, inputs)
    case .control(.branch(let then, let otherwise)):
      return try branch(then, otherwise, inputs)
    case .control(.loop(let body, let carried)):
      return try loop(body, carried: carried, inputs, node)
    case .control(.scan(let body, let scanning)): return try scan(body, scanning, inputs, node)
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

// MARK: - Control flow

extension GraphInterpreter {
  private func runBody(
    _ body: Graph, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor] {
    let outputs: [Tensor?]
    do {
      outputs = try Self.run(
        body, inputs, symbols: symbols, depth: depth + 1, observer: observer)
    } catch {
      throw OperatorError("in its body, \(error)")
    }
    var result: [Tensor] = []
    for (output, tensor) in zip(body.outputs, outputs) {
      guard let tensor else {
        throw OperatorError("output '\(output.name)' of its body is never computed")
      }
      result.append(tensor)
    }
    return result
  }

  private func branch(
    _ then: Graph, _ otherwise: Graph, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    let isTrue = try Self.condition(inputs.first ?? nil)
    return try runBody(isTrue ? then : otherwise, Array(inputs.dropFirst()))
  }

  private func loop(
    _ body: Graph, carried: Int, _ inputs: [Tensor?], _ node: Node
  ) throws(OperatorError) -> [Tensor?] {
    guard inputs.count >= 2 + carried, body.outputs.count > carried else {
      throw OperatorError("its body does not carry \(carried) values")
    }
    let trips = try inputs[0].map { (tensor) throws(OperatorError) in
      try Self.integer(tensor, "trip count")
    }
    var goesOn = try inputs[1].map { (tensor) throws(OperatorError) in
      try Self.condition(tensor)
    }
    var states = Array(inputs[2..<(2 + carried)])
    let captures = inputs[(2 + carried)...]
    var scanned = [[Tensor]](repeating: [], count: body.outputs.count - 1 - carried)
    var iteration: Int64 = 0
    while iteration < trips ?? .max, goesOn ?? true {
      let own: [Tensor?] = [Tensor(scalar: iteration), Tensor(scalar: true)]
      let results = try runBody(body, own + states + captures)
      goesOn = try Self.condition(results[0])
      states = results[1..<(1 + carried)].map { $0 }
      for index in scanned.indices { scanned[index].append(results[1 + carried + index]) }
      iteration += 1
    }
    let stacked = try stack(
      scanned, body: body, firstOutput: 1 + carried, axes: scanned.map { _ in 0 })
    return states + stacked
  }

  private func scan(
    _ body: Graph, _ scanning: Control.Scanning, _ inputs: [Tensor?], _ node: Node
  ) throws(OperatorError) -> [Tensor?] {
    let sequenceCount = scanning.inputAxes.count
    guard inputs.count >= scanning.states + sequenceCount,
      body.outputs.count >= scanning.states, sequenceCount > 0,
      scanning.inputReversed.count == sequenceCount
    else { throw OperatorError("its body does not fit its inputs") }
    var states = Array(inputs[..<scanning.states])
    var sequences: [Tensor] = []
    for input in inputs[scanning.states..<(scanning.states + sequenceCount)] {
      guard let input else { throw OperatorError("a sequence is missing") }
      sequences.append(input)
    }
    let captures = inputs[(scanning.states + sequenceCount)...]
    let axes = scanning.inputAxes
    for (sequence, axis) in zip(sequences, axes)
    where !sequence.shape.indices.contains(axis)
      || sequence.shape[axis] != sequences[0].shape[axes[0]]
    {
      throw OperatorError("its sequences differ in length")
    }
    let scannedCount = body.outputs.count - scanning.states
    guard scanning.outputAxes.count == scannedCount,
      scanning.outputReversed.count == scannedCount
    else { throw OperatorError("its body does not fit its outputs") }
    let count = sequences[0].shape[axes[0]]
    var scanned = [[Tensor]](repeating: [], count: scannedCount)
    for step in 0..<count {
      var elements: [Tensor?] = []
      for (index, sequence) in sequences.enumerated() {
        let position = scanning.inputReversed[index] ? count - 1 - step : step
        elements.append(try Self.element(sequence, axis: axes[index], position))
      }
      let results = try runBody(body, states + elements + captures)
      states = results[..<scanning.states].map { $0 }
      for index in scanned.indices { scanned[index].append(results[scanning.states + index]) }
    }
    for index in scanned.indices where scanning.outputReversed[index] {
      scanned[index].reverse()
    }
    let stacked = try stack(
      scanned, body: body, firstOutput: scanning.states, axes: scanning.outputAxes)
    return states + stacked
  }

  // MARK: Pieces

  private static func condition(_ tensor: Tensor?) throws(OperatorError) -> Bool {
    guard let tensor, tensor.dataType == .bool, let values = tensor.integers(), values.count == 1
    else { throw OperatorError("its condition is not one bool") }
    return values[0] != 0
  }

  private static func integer(_ tensor: Tensor, _ name: String) throws(OperatorError) -> Int64 {
    guard let values = tensor.integers(), values.count == 1 else {
      throw OperatorError("its \(name) is not one integer")
    }
    return values[0]
  }

  private static func copy(_ copy: Copy, _ inputs: [Tensor]) throws(OperatorError) -> Tensor {
    do { return try ReferenceInterpreter.evaluate(.copy(copy), inputs)[0] } catch {
      throw OperatorError(error.description)
    }
  }

  /// One element of a sequence, without the sequence's axis.
  private static func element(
    _ sequence: Tensor, axis: Int, _ position: Int
  ) throws(OperatorError) -> Tensor {
    var starts = sequence.shape.map { _ in Dimension(0) }
    var sizes = sequence.shape.map { Dimension($0) }
    starts[axis] = Dimension(position)
    sizes[axis] = 1
    let slice = try copy(
      .slice(starts: starts, sizes: sizes, steps: sequence.shape.map { _ in 1 }), [sequence])
    sizes.remove(at: axis)
    return try copy(.reshape(Shape(sizes)), [slice])
  }

  /// Each list of elements as one tensor with a new axis.
  private func stack(
    _ lists: [[Tensor]], body: Graph, firstOutput: Int, axes: [Int]
  ) throws(OperatorError) -> [Tensor] {
    var result: [Tensor] = []
    for (index, elements) in lists.enumerated() {
      if elements.isEmpty {
        let type = body[body.outputs[firstOutput + index].value].type?.substituting(symbols)
        result.append(try Self.emptyStack(type, axis: axes[index]))
        continue
      }
      let shape = elements[0].shape
      guard (0...shape.count).contains(axes[index]),
        elements.allSatisfy({ $0.shape == shape })
      else { throw OperatorError("its results differ in shape from run to run") }
      var extended = shape.map { Dimension($0) }
      extended.insert(1, at: axes[index])
      var rows: [Tensor] = []
      for element in elements {
        rows.append(try Self.copy(.reshape(Shape(extended)), [element]))
      }
      result.append(try Self.copy(.concatenate(axis: axes[index]), rows))
    }
    return result
  }

  /// What no runs give: extents that only a run could tell are zero.
  private static func emptyStack(
    _ type: TensorType?, axis: Int
  ) throws(OperatorError) -> Tensor {
    guard let type, (0...type.rank).contains(axis) else {
      throw OperatorError("it never runs, and the type of its result is not known")
    }
    var shape = type.shape.dimensions.map { $0.constant ?? 0 }
    shape.insert(0, at: axis)
    do { return try Tensor(zeros: type.dataType, shape: shape) } catch {
      throw OperatorError(error.description)
    }
  }
}

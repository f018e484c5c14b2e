package import KernelModel
package import TensorModel

/// The name of a value inside one graph.
package struct ValueID: Hashable, Sendable, Comparable, Codable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// The name of a node inside one graph.
package struct NodeID: Hashable, Sendable, Comparable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: NodeID, b: NodeID) -> Bool { a.index < b.index }
}

/// What flows along an edge.
package struct Value: Sendable {
  package var name: String
  /// Nil until it is known, as after a branch whose sides differ in rank.
  package var type: TensorType?
  /// The elements, where they are known when the engine is built.
  package var constant: Tensor?
  /// The elements as expressions over symbols, for a small integer tensor computed from shapes.
  package var symbolic: [Dimension]?

  package init(
    name: String, type: TensorType? = nil, constant: Tensor? = nil, symbolic: [Dimension]? = nil
  ) {
    self.name = name
    self.type = type ?? constant?.type
    self.constant = constant
    self.symbolic = symbolic
  }
}

/// What a node does.
package enum Operation: Sendable, Hashable {
  /// A kernel problem: what devices implement and what the optimiser understands.
  case kernel(KernelProblem)
  /// An operator of the model that has not been expanded into kernel problems, because the types of its
  /// inputs are not known yet.
  case pending(OperatorRecord)
  /// An operator with no kernel problem of its own: code on the host.
  case host(OperatorRecord)
  /// A branch or loop with bodies of its own.
  case control(Control)
}

/// Control flow. The inputs of the node are the inputs listed here, then the values that the bodies
/// capture; every body takes the captured values as its last inputs.
package indirect enum Control: Sendable, Hashable {
  /// Inputs: condition. The bodies take only captured values.
  case branch(then: Graph, otherwise: Graph)
  /// Inputs: trip count?, condition?, carried values. Body inputs: iteration, condition, carried;
  /// outputs: condition, carried, scanned. Node outputs: carried, scanned stacked.
  case loop(body: Graph, carried: Int)
  /// Inputs: states, sequences. Body inputs: states, elements; outputs: states, elements.
  case scan(body: Graph, Scanning)

  package struct Scanning: Sendable, Hashable, Codable {
    package var states: Int
    package var inputAxes: [Int]
    package var inputReversed: [Bool]
    package var outputAxes: [Int]
    package var outputReversed: [Bool]
    package init(
      states: Int, inputAxes: [Int], inputReversed: [Bool], outputAxes: [Int],
      outputReversed: [Bool]
    ) {
      self.states = states
      self.inputAxes = inputAxes
      self.inputReversed = inputReversed
      self.outputAxes = outputAxes
      self.outputReversed = outputReversed
    }
  }

  package var bodies: [Graph] {
    get {
      switch self {
      case .branch(let a, let b): [a, b]
      case .loop(let body, _), .scan(let body, _): [body]
      }
    }
    set {
      switch self {
      case .branch where newValue.count == 2:
        self = .branch(then: newValue[0], otherwise: newValue[1])
      case .loop(_, let carried) where newValue.count == 1:
        self = .loop(body: newValue[0], carried: carried)
      case .scan(_, let scanning) where newValue.count == 1:
        self = .scan(body: newValue[0], scanning)
      default: break
      }
    }
  }
}

/// One operation on values.
package struct Node: Sendable {
  package var name: String
  package var operation: Operation
  /// Nil stands for an optional operand that is absent.
  package var inputs: [ValueID?]
  package var outputs: [ValueID]
  /// The model's nodes that this one computes, as `name (Operator)`, oldest first.
  package var origins: [String]
  /// How exactly a contraction's products are computed.
  package var arithmetic = Arithmetic.exact
  /// Where the node would like to stand among nodes that do not depend on each other; nil: where it is.
  package var position: Int?

  package init(
    name: String, operation: Operation, inputs: [ValueID?], outputs: [ValueID], origins: [String]
  ) {
    self.name = name
    self.operation = operation
    self.inputs = inputs
    self.outputs = outputs
    self.origins = origins
  }
}

/// A graph of nodes over values, in single-assignment form.
///
/// Nodes are kept in an order in which each follows those it reads from. Removed nodes leave a gap until
/// `compacted()`.
package struct Graph: Sendable {
  package var name: String
  package private(set) var values: [Value] = []
  package private(set) var nodes: [Node?] = []
  /// The values that the caller gives, in order.
  package var inputs: [ValueID] = []
  /// The values that the caller gets, in order, under the names that the caller knows.
  package var outputs: [(name: String, value: ValueID)] = []

  package init(name: String) { self.name = name }

  package subscript(value: ValueID) -> Value {
    get { values[value.index] }
    set { values[value.index] = newValue }
  }

  package subscript(node: NodeID) -> Node? {
    get { nodes[node.index] }
    set { nodes[node.index] = newValue }
  }

  @discardableResult
  package mutating func addValue(_ value: Value) -> ValueID {
    values.append(value)
    return ValueID(values.count - 1)
  }

  @discardableResult
  package mutating func addInput(name: String, type: TensorType?) -> ValueID {
    let id = addValue(Value(name: name, type: type))
    inputs.append(id)
    return id
  }

  package mutating func addConstant(name: String, _ tensor: Tensor) -> ValueID {
    addValue(Value(name: name, constant: tensor))
  }

  @discardableResult
  package mutating func addNode(_ node: Node) -> NodeID {
    nodes.append(node)
    return NodeID(nodes.count - 1)
  }

  /// The nodes that are left, with their names, in order.
  package var liveNodes: [(id: NodeID, node: Node)] {
    nodes.enumerated().compactMap { index, node in node.map { (NodeID(index), $0) } }
  }

  package var nodeCount: Int { nodes.reduce(0) { $0 + ($1 == nil ? 0 : 1) } }

  /// Nodes of this graph and of all graphs inside it.
  package var totalNodeCount: Int {
    var count = 0
    for case let node? in nodes {
      count += 1
      switch node.operation {
      case .control(let control): count += control.bodies.reduce(0) { $0 + $1.totalNodeCount }
      case .pending(let record), .host(let record):
        count += record.graphs.reduce(0) { $0 + $1.totalNodeCount }
      case .kernel: break
      }
    }
    return count
  }

  package func types(of ids: [ValueID?]) -> [TensorType?] {
    ids.map { $0.flatMap { self[$0].type } }
  }

  /// Every symbol that the types of the inputs mention.
  package var inputSymbols: Set<String> {
    inputs.reduce(into: []) { $0.formUnion(self[$1].type?.shape.symbols ?? []) }
  }
}

extension Graph: Hashable {
  /// Graphs are compared by structure; constants by identity of their bytes.
  package static func == (a: Graph, b: Graph) -> Bool {
    guard a.inputs == b.inputs, a.outputs.count == b.outputs.count, a.nodes.count == b.nodes.count,
      a.values.count == b.values.count
    else { return false }
    for (x, y) in zip(a.outputs, b.outputs) where x.name != y.name || x.value != y.value {
      return false
    }
    for (x, y) in zip(a.values, b.values) {
      guard x.type == y.type, x.symbolic == y.symbolic, (x.constant == nil) == (y.constant == nil)
      else {
        return false
      }
      if let p = x.constant, let q = y.constant, !p.isIdentical(to: q) { return false }
    }
    for (x, y) in zip(a.nodes, b.nodes) {
      guard x?.operation == y?.operation, x?.inputs == y?.inputs, x?.outputs == y?.outputs,
        x?.arithmetic == y?.arithmetic
      else { return false }
    }
    return true
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(values.count)
    hasher.combine(inputs)
    for node in nodes { hasher.combine(node?.outputs) }
  }
}

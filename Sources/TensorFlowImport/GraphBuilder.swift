import GraphModel
import TensorFlowFormat
import TensorModel

/// Builds one graph: the one that a signature computes, or the body of a branch or loop in it.
///
/// Only what the outputs depend on is looked at. Functions are inlined where they are called; identities,
/// control edges and variables are resolved on the way.
struct GraphBuilder {
  let context: ModelContext
  var graph: Graph
  /// Variables that are constants of this graph already.
  private var constants: [String: ValueID] = [:]

  init(_ context: ModelContext, name: String) {
    self.context = context
    graph = Graph(name: name)
  }

  /// The functions that are being inlined, outermost first.
  typealias CallStack = [String]

  /// A graph or function whose nodes are evaluated on demand.
  struct Frame {
    var name: String
    /// What names of nodes and values begin with.
    var prefix: String
    var nodes: [String: Tensorflow_NodeDef]
    /// Arguments of a function, or nodes that the caller feeds.
    var arguments: [String: FlowValue]
    var calls: CallStack
    fileprivate var results: [String: [FlowValue]] = [:]

    init(
      name: String, prefix: String, nodes: [String: Tensorflow_NodeDef],
      arguments: [String: FlowValue], calls: CallStack
    ) {
      self.name = name
      self.prefix = prefix
      self.nodes = nodes
      self.arguments = arguments
      self.calls = calls
    }
  }

  /// The values that references stand for.
  mutating func evaluate(
    _ references: [String], in frame: inout Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    for reference in references { try visit(NodeReference(reference).node, &frame) }
    var values: [FlowValue] = []
    for reference in references { values.append(try lookUp(reference, frame)) }
    return values
  }

  /// Translates a node and everything before it, without recursion: graphs are deep.
  private mutating func visit(
    _ name: String, _ frame: inout Frame
  ) throws(TensorFlowImportError) {
    var stack: [(node: Tensorflow_NodeDef, next: Int)] = []
    var open: Set<String> = []
    func push(_ name: String) throws(TensorFlowImportError) {
      guard frame.arguments[name] == nil, frame.results[name] == nil else { return }
      guard let node = frame.nodes[name] else {
        throw .node(
          name: stack.last?.node.name ?? frame.name, operatorName: stack.last?.node.op ?? "output",
          reason: "it reads '\(name)', which nothing defines")
      }
      guard open.insert(name).inserted else {
        throw .node(name: name, operatorName: node.op, reason: "it depends on its own result")
      }
      stack.append((node, 0))
    }
    try push(name)
    while let (node, next) = stack.last {
      let operands = node.operands
      if next < operands.count {
        stack[stack.count - 1].next += 1
        try push(NodeReference(operands[next]).node)
        continue
      }
      var inputs: [FlowValue] = []
      for operand in operands { inputs.append(try lookUp(operand, frame)) }
      frame.results[node.name] = try translate(node, inputs, frame)
      open.remove(node.name)
      stack.removeLast()
    }
  }

  private func lookUp(
    _ text: String, _ frame: Frame
  ) throws(TensorFlowImportError) -> FlowValue {
    let reference = NodeReference(text)
    if let argument = frame.arguments[reference.node] { return argument }
    let results = frame.results[reference.node] ?? []
    var index = reference.index
    if let output = reference.output, let node = frame.nodes[reference.node],
      let names = OutputNames.table[node.op]
    {
      index = names.firstIndex(of: output) ?? -1
    }
    guard results.indices.contains(index) else {
      throw .node(
        name: reference.node, operatorName: frame.nodes[reference.node]?.op ?? "",
        reason: "its output '\(text)' is read, it has \(results.count)")
    }
    return results[index]
  }

  func label(_ name: String, _ frame: Frame) -> String { frame.prefix + name }
}

// MARK: - Values

extension GraphBuilder {
  /// A value as a tensor; a variable is read.
  mutating func tensor(
    _ value: FlowValue
  ) throws(TensorFlowImportError) -> ValueID {
    switch value {
    case .tensor(let id): return id
    case .variable(let name):
      if let known = constants[name] { return known }
      let id = graph.addConstant(name: name, try context.variable(name))
      constants[name] = id
      return id
    }
  }

  /// Adds a node with one or several outputs.
  mutating func addNode(
    _ record: OperatorRecord, named name: String, _ inputs: [ValueID?], outputs count: Int = 1
  ) -> [ValueID] {
    let outputs = (0..<count).map { index in
      // Not the node's own name: that is for what the node computes on the way.
      graph.addValue(Value(name: count == 1 ? "\(name):0" : "\(name):output:\(index)"))
    }
    graph.addNode(
      Node(
        name: name, operation: .pending(record), inputs: inputs, outputs: outputs,
        origins: ["\(name) (\(record.name))"]))
    return outputs
  }

  /// An operator of the catalogue as TensorFlow spells it.
  mutating func add(
    _ operatorName: String, named name: String, _ inputs: [ValueID],
    _ attributes: [String: AttributeValue] = [:]
  ) -> ValueID {
    let record = OperatorRecord(
      domain: "tensorflow", name: operatorName, version: 1, attributes: attributes)
    return addNode(record, named: name, inputs)[0]
  }
}

// MARK: - Nodes

extension GraphBuilder {
  /// Operators that are resolved while graphs are built and have no entry in the catalogue.
  static let resolved: Set<String> = [
    "Const", "Placeholder", "Identity", "IdentityN", "ReadVariableOp", "DisableCopyOnRead",
    "VarHandleOp", "Variable", "VariableV2", "NoOp", "PartitionedCall", "StatefulPartitionedCall",
    "While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "ResourceGather",
    "Assert",
  ]

  /// The outputs of a node, given its operands.
  private mutating func translate(
    _ node: Tensorflow_NodeDef, _ inputs: [FlowValue], _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    try context.admit(node)
    switch node.op {
    case "Const": return [.tensor(try constant(node, frame))]
    case "Placeholder":
      throw .node(
        name: node.name, operatorName: node.op, reason: "the signature has no input that feeds it")
    case "Identity", "IdentityN", "DisableCopyOnRead": return inputs
    case "VarHandleOp", "Variable", "VariableV2": return [.variable(node.name)]
    case "NoOp", "Assert": return []
    case "ReadVariableOp":
      guard let first = inputs.first else { throw missingOperand(node) }
      return [.tensor(try tensor(first))]
    case "ResourceGather":
      guard inputs.count == 2 else { throw missingOperand(node) }
      let operands = [try tensor(inputs[0]), try tensor(inputs[1])]
      return [.tensor(add("Gather", named: label(node.name, frame), operands))]
    case "PartitionedCall", "StatefulPartitionedCall":
      return try call(try node.function("f"), inputs, by: node, frame)
    case "While", "StatelessWhile": return try loop(node, inputs, frame)
    case "If", "StatelessIf": return try branch(node, inputs, frame)
    case "Case", "StatelessCase": return try cases(node, inputs, frame)
    default:
      if context.hasFunction(node.op) { return try call(node.op, inputs, by: node, frame) }
      return try pending(node, inputs, frame)
    }
  }

  private func missingOperand(_ node: Tensorflow_NodeDef) -> TensorFlowImportError {
    .node(name: node.name, operatorName: node.op, reason: "an operand is missing")
  }

  private mutating func constant(
    _ node: Tensorflow_NodeDef, _ frame: Frame
  ) throws(TensorFlowImportError) -> ValueID {
    guard case .tensor(let proto)? = node.attr["value"]?.value else {
      throw .node(name: node.name, operatorName: node.op, reason: "attribute 'value' is no tensor")
    }
    let name = label(node.name, frame)
    return graph.addConstant(name: name, try context.decoder.tensor(proto, named: name))
  }

  private mutating func pending(
    _ node: Tensorflow_NodeDef, _ inputs: [FlowValue], _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    var operands: [ValueID] = []
    for input in inputs { operands.append(try tensor(input)) }
    let name = label(node.name, frame)
    let record = OperatorRecord(
      domain: "tensorflow", name: node.op, version: 1,
      attributes: try AttributeConverter.attributes(node, context: context))
    let count = try node.outputCount()
    return addNode(record, named: name, operands, outputs: count).map { .tensor($0) }
  }
}

// MARK: - Functions

extension GraphBuilder {
  /// What names inside a call begin with: the wrappers of exporters add nothing.
  private func prefix(_ node: Tensorflow_NodeDef, _ frame: Frame) -> String {
    node.name.hasPrefix("StatefulPartitionedCall") || node.name.hasPrefix("PartitionedCall")
      ? frame.prefix : "\(frame.prefix)\(node.name)/"
  }

  private mutating func call(
    _ name: String, _ inputs: [FlowValue], by node: Tensorflow_NodeDef, _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    try call(name, inputs, prefix: prefix(node, frame), calls: frame.calls)
  }

  /// The results of a function, whose nodes are added to this graph.
  mutating func call(
    _ name: String, _ inputs: [FlowValue], prefix: String, calls: CallStack
  ) throws(TensorFlowImportError) -> [FlowValue] {
    let function = try context.function(name)
    guard !calls.contains(name) else {
      throw .function(name: name, reason: "it calls itself, which is not supported")
    }
    guard calls.count < context.limits.nesting else {
      throw .exceedsLimit(
        what: "functions inside functions at '\(name)'", found: calls.count + 1,
        limit: context.limits.nesting)
    }
    let formals = function.signature.inputArg
    guard formals.count == inputs.count else {
      throw .function(name: name, reason: "\(inputs.count) arguments for \(formals.count)")
    }
    var frame = Frame(
      name: name, prefix: prefix,
      nodes: try context.nodes(of: function),
      arguments: Dictionary(
        zip(formals.map(\.name), inputs), uniquingKeysWith: { first, _ in first }),
      calls: calls + [name])
    return try evaluate(try Self.results(of: function), in: &frame)
  }

  /// The references of a function's results, in order.
  static func results(
    of function: Tensorflow_FunctionDef
  ) throws(TensorFlowImportError) -> [String] {
    var results: [String] = []
    for output in function.signature.outputArg {
      guard let reference = function.ret[output.name] else {
        throw .function(
          name: function.signature.name, reason: "its result '\(output.name)' is missing")
      }
      results.append(reference)
    }
    return results
  }
}

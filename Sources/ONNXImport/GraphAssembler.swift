import GraphModel
import ONNXFormat
import TensorModel

/// Builds one graph: the model's own, or that of a body inside it.
struct GraphAssembler {
  let context: ModelContext
  var graph: Graph

  /// The values that names stand for; nil stands for an operand that a caller left out.
  struct Scope {
    private var values: [String: ValueID?] = [:]

    /// What a name stands for; nil where it is not defined.
    subscript(name: String) -> ValueID?? { values[name] }

    mutating func define(
      _ name: String, _ value: ValueID?, graph: String
    ) throws(ImportError) {
      guard values.updateValue(value, forKey: name) == nil else {
        throw .duplicateName(name: name, graph: graph)
      }
    }
  }

  /// A value from around a body.
  struct Capture {
    var name: String
    /// The value in the graph around the body; nil for an operand that was left out.
    var value: ValueID?
    var type: TensorType?
    /// The elements, where they are known: the body has them as a constant, not as an input.
    var constant: Tensor?

    var isInput: Bool { value != nil && constant == nil }
  }

  static func main(
    _ proto: Onnx_GraphProto, context: ModelContext
  ) throws(ImportError) -> Graph {
    guard !proto.output.isEmpty else { throw .noOutputs(graph: proto.name) }
    let call = CallContext(
      operatorSets: context.operatorSets, attributes: nil, prefix: "", depth: 0)
    var assembler = GraphAssembler(context: context, graph: Graph(name: proto.name))
    var scope = Scope()
    try assembler.addInputs(proto, to: &scope)
    return try assembler.finish(proto, scope: &scope, call: call)
  }

  static func body(
    _ proto: Onnx_GraphProto, captures: [Capture], context: ModelContext, call: CallContext
  ) throws(ImportError) -> Graph {
    guard call.depth <= context.limits.nesting else {
      throw .exceedsLimit(
        what: "graphs inside graphs at '\(proto.name)'", found: call.depth,
        limit: context.limits.nesting)
    }
    var assembler = GraphAssembler(context: context, graph: Graph(name: proto.name))
    var scope = Scope()
    try assembler.addBodyInputs(proto, to: &scope)
    for capture in captures {
      let id: ValueID? =
        if let constant = capture.constant {
          assembler.graph.addConstant(name: capture.name, constant)
        } else if capture.isInput {
          assembler.graph.addInput(name: capture.name, type: capture.type)
        } else {
          nil
        }
      try scope.define(capture.name, id, graph: proto.name)
    }
    return try assembler.finish(proto, scope: &scope, call: call)
  }

  /// Adds everything after the inputs.
  private mutating func finish(
    _ proto: Onnx_GraphProto, scope: inout Scope, call: CallContext
  ) throws(ImportError) -> Graph {
    try addInitializers(proto, to: &scope)
    try addNodes(proto.node, to: &scope, call: call, graphName: proto.name)
    for output in proto.output {
      guard let value = scope[output.name] ?? nil else {
        throw .undefinedValue(
          name: output.name, reader: "the list of outputs of graph '\(proto.name)'")
      }
      graph.outputs.append((output.name, value))
    }
    return graph
  }
}

// MARK: - Inputs and constants

extension GraphAssembler {
  /// The inputs that a caller must give: those without an initializer.
  private mutating func addInputs(
    _ proto: Onnx_GraphProto, to scope: inout Scope
  ) throws(ImportError) {
    let constants = Set(
      proto.initializer.map(\.name) + proto.sparseInitializer.map(\.values.name))
    var symbols = NameTable(ModelFormat.symbols(of: proto.input))
    for input in proto.input where !constants.contains(input.name) {
      guard !input.name.isEmpty else {
        throw .invalidInput(name: "", reason: "it has no name")
      }
      let type = try ModelFormat.tensorType(
        of: input, limits: context.limits, symbols: &symbols)
      let id = graph.addInput(name: input.name, type: type)
      try scope.define(input.name, id, graph: proto.name)
    }
  }

  /// The inputs of a body, whose types come from the node around it, unless they are all integers.
  private mutating func addBodyInputs(
    _ proto: Onnx_GraphProto, to scope: inout Scope
  ) throws(ImportError) {
    var symbols = NameTable()
    for input in proto.input {
      let type = try ModelFormat.tensorType(
        of: input, limits: context.limits, symbols: &symbols)
      let isStatic = type?.shape.constants != nil
      let id = graph.addInput(name: input.name, type: isStatic ? type : nil)
      try scope.define(input.name, id, graph: proto.name)
    }
  }

  private mutating func addInitializers(
    _ proto: Onnx_GraphProto, to scope: inout Scope
  ) throws(ImportError) {
    let inputs = Set(graph.inputs.map { graph[$0].name })
    for initializer in proto.initializer where !inputs.contains(initializer.name) {
      try addConstant(
        context.decoder.tensor(initializer), initializer.name, to: &scope, graphName: proto.name)
    }
    for initializer in proto.sparseInitializer
    where !inputs.contains(initializer.values.name) {
      try addConstant(
        context.decoder.tensor(initializer), initializer.values.name, to: &scope,
        graphName: proto.name)
    }
  }

  private mutating func addConstant(
    _ tensor: Tensor, _ name: String, to scope: inout Scope, graphName: String
  ) throws(ImportError) {
    guard !name.isEmpty else {
      throw .invalidTensor(name: "", reason: "an initializer has no name")
    }
    try scope.define(name, graph.addConstant(name: name, tensor), graph: graphName)
  }
}

// MARK: - Nodes

extension GraphAssembler {
  private mutating func addNodes(
    _ nodes: [Onnx_NodeProto], to scope: inout Scope, call: CallContext, graphName: String
  ) throws(ImportError) {
    for node in try NodeOrder.sorted(nodes, scope: scope, graph: graphName) {
      let name = try context.admit(node, prefix: call.prefix)
      if let function = context.function(node) {
        try inline(function, node, named: name, to: &scope, call: call, graphName: graphName)
      } else {
        try add(node, named: name, to: &scope, call: call, graphName: graphName)
      }
    }
  }

  private mutating func add(
    _ node: Onnx_NodeProto, named name: String, to scope: inout Scope, call: CallContext,
    graphName: String
  ) throws(ImportError) {
    var inputs = try operands(node, scope, name: name)
    let attributes = call.attributes(of: node)
    let captures = try captures(attributes, scope, name: name)
    let captured = captures.filter(\.isInput)
    inputs += captured.map(\.value)
    var record = OperatorRecord(
      domain: ModelFormat.domain(node.domain), name: node.opType, version: call.version(of: node),
      attributes: [:], captureCount: captured.count)
    let converter = AttributeConverter(
      context: context, call: call, captures: captures, node: name, operatorName: node.opType,
      domain: record.domain)
    for attribute in attributes {
      guard let value = try converter.value(attribute) else { continue }
      guard record.attributes.updateValue(value, forKey: attribute.name) == nil else {
        throw converter.error("attribute '\(attribute.name)' is given twice")
      }
    }
    var outputs: [ValueID] = []
    for output in node.output {
      let id = graph.addValue(Value(name: output.isEmpty ? "" : call.prefix + output))
      if !output.isEmpty { try scope.define(output, id, graph: graphName) }
      outputs.append(id)
    }
    graph.addNode(
      Node(
        name: name, operation: .pending(record), inputs: inputs, outputs: outputs,
        origins: ["\(name) (\(node.opType))"]))
  }

  private func operands(
    _ node: Onnx_NodeProto, _ scope: Scope, name: String
  ) throws(ImportError) -> [ValueID?] {
    var result: [ValueID?] = []
    for input in node.input {
      guard !input.isEmpty else {
        result.append(nil)
        continue
      }
      guard let value = scope[input] else {
        throw .undefinedValue(name: input, reader: "node '\(name)' (\(node.opType))")
      }
      result.append(value)
    }
    return result
  }

  private func captures(
    _ attributes: [Onnx_AttributeProto], _ scope: Scope, name: String
  ) throws(ImportError) -> [Capture] {
    var result: [Capture] = []
    for free in NodeOrder.captures(attributes) {
      guard let value = scope[free] else {
        throw .undefinedValue(name: free, reader: "a body of node '\(name)'")
      }
      result.append(
        Capture(
          name: free, value: value, type: value.flatMap { graph[$0].type },
          constant: value.flatMap { graph[$0].constant }))
    }
    return result
  }

  /// Adds the nodes of a function in the place of a node that calls it.
  private mutating func inline(
    _ function: Onnx_FunctionProto, _ node: Onnx_NodeProto, named name: String,
    to scope: inout Scope, call: CallContext, graphName: String
  ) throws(ImportError) {
    let inner = call.call(
      function, by: node, named: name, operatorSets: context.operatorSets(of: function))
    guard inner.depth <= context.limits.nesting else {
      throw .exceedsLimit(
        what: "functions inside functions at '\(function.name)'", found: inner.depth,
        limit: context.limits.nesting)
    }
    let actual = try operands(node, scope, name: name)
    guard actual.count <= function.input.count, node.output.count <= function.output.count else {
      throw .invalidNode(
        node: name, operatorName: node.opType,
        reason: "\(actual.count) inputs and \(node.output.count) outputs, "
          + "the function has \(function.input.count) and \(function.output.count)")
    }
    var local = Scope()
    for (index, formal) in function.input.enumerated() {
      let value = index < actual.count ? actual[index] : nil
      try local.define(formal, value, graph: function.name)
    }
    let firstOwn = graph.values.count
    try addNodes(function.node, to: &local, call: inner, graphName: function.name)
    for (formal, output) in zip(function.output, node.output) where !output.isEmpty {
      guard let value = local[formal] ?? nil else {
        throw .undefinedValue(name: formal, reader: "function '\(function.name)', as an output,")
      }
      if value.index >= firstOwn { graph[value].name = call.prefix + output }
      try scope.define(output, value, graph: graphName)
    }
  }
}

import GraphModel
import TensorFlowFormat
import TensorModel

/// Branches and loops, as the project's own forms.
extension GraphBuilder {
  /// The version of the operator set in which branches and loops are written.
  private static let controlVersion = 16

  /// A graph whose inputs are the given tensors; variables stay what they are.
  private struct Body {
    var builder: GraphBuilder
    var arguments: [FlowValue]

    init(_ context: ModelContext, name: String, first: [String], arguments: [FlowValue]) {
      builder = GraphBuilder(context, name: name)
      for name in first { builder.graph.addInput(name: name, type: nil) }
      self.arguments = []
      for (index, argument) in arguments.enumerated() {
        switch argument {
        case .variable: self.arguments.append(argument)
        case .tensor:
          let id = builder.graph.addInput(name: "argument\(index)", type: nil)
          self.arguments.append(.tensor(id))
        }
      }
    }

    /// The graph, which gives the results.
    mutating func finished(_ results: [FlowValue]) throws(TensorFlowImportError) -> Graph {
      for (index, result) in results.enumerated() {
        builder.graph.outputs.append(("result\(index)", try builder.tensor(result)))
      }
      return builder.graph
    }
  }

  private static func tensors(_ values: [FlowValue]) -> [ValueID] {
    values.compactMap { if case .tensor(let id) = $0 { id } else { nil } }
  }

  mutating func branch(
    _ node: Tensorflow_NodeDef, _ inputs: [FlowValue], _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    guard let first = inputs.first else {
      throw .node(name: node.name, operatorName: node.op, reason: "it has no condition")
    }
    let arguments = Array(inputs.dropFirst())
    var record = OperatorRecord(
      domain: "onnx", name: "If", version: Self.controlVersion, attributes: [:])
    var count = 0
    for (attribute, ours) in [("then_branch", "then_branch"), ("else_branch", "else_branch")] {
      let name = try node.function(attribute)
      var body = Body(context, name: name, first: [], arguments: arguments)
      let results = try body.builder.call(name, body.arguments, prefix: "", calls: frame.calls)
      count = results.count
      record.attributes[ours] = .graph(try body.finished(results))
    }
    let captured = Self.tensors(arguments)
    record.captureCount = captured.count
    let outputs = addNode(
      record, named: label(node.name, frame), [try tensor(first)] + captured, outputs: count)
    return outputs.map { .tensor($0) }
  }

  /// One of several functions, by number; the last where the number is out of range.
  mutating func cases(
    _ node: Tensorflow_NodeDef, _ inputs: [FlowValue], _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    guard case .list(let list)? = node.attr["branches"]?.value, !list.func.isEmpty,
      !inputs.isEmpty
    else {
      throw .node(name: node.name, operatorName: node.op, reason: "it has no branches")
    }
    return try choose(
      among: list.func.map(\.name)[...], number: 0, inputs, named: label(node.name, frame),
      prefix: "\(label(node.name, frame))/", frame.calls)
  }

  private mutating func choose(
    among functions: ArraySlice<String>, number: Int32, _ inputs: [FlowValue], named name: String,
    prefix: String, _ calls: CallStack
  ) throws(TensorFlowImportError) -> [FlowValue] {
    guard let first = functions.first else { return [] }
    let arguments = Array(inputs.dropFirst())
    guard functions.count > 1 else {
      return try call(first, arguments, prefix: prefix, calls: calls)
    }
    let constant = graph.addConstant(name: "\(name) case \(number)", Tensor(scalar: number))
    let isMeant = add(
      "Equal", named: "\(name) is \(number)", [try tensor(inputs[0]), constant])
    var record = OperatorRecord(
      domain: "onnx", name: "If", version: Self.controlVersion, attributes: [:])
    var then = Body(context, name: first, first: [], arguments: inputs)
    let results = try then.builder.call(
      first, Array(then.arguments.dropFirst()), prefix: "", calls: calls)
    var otherwise = Body(context, name: "\(first) else", first: [], arguments: inputs)
    let others = try otherwise.builder.choose(
      among: functions.dropFirst(), number: number + 1, otherwise.arguments, named: name,
      prefix: "", calls)
    guard results.count == others.count else {
      throw .function(
        name: first, reason: "its case gives \(results.count) values, others \(others.count)")
    }
    record.attributes["then_branch"] = .graph(try then.finished(results))
    record.attributes["else_branch"] = .graph(try otherwise.finished(others))
    let captured = Self.tensors(inputs)
    record.captureCount = captured.count
    return addNode(record, named: name, [isMeant] + captured, outputs: results.count)
      .map { .tensor($0) }
  }

  mutating func loop(
    _ node: Tensorflow_NodeDef, _ inputs: [FlowValue], _ frame: Frame
  ) throws(TensorFlowImportError) -> [FlowValue] {
    let condition = try node.function("cond"), step = try node.function("body")
    let name = label(node.name, frame)
    let trips = try LoopCounter.limits(
      condition: context.function(condition), body: context.function(step))
    var body = Body(
      context, name: step, first: ["iteration", "condition"], arguments: inputs)
    let results = try body.builder.call(step, body.arguments, prefix: "", calls: frame.calls)
    guard results.count == inputs.count else {
      throw .node(
        name: node.name, operatorName: node.op,
        reason: "its body takes \(inputs.count) values and gives \(results.count)")
    }
    var goesOn: ValueID
    if trips == nil {
      goesOn = try body.builder.condition(condition, results, frame.calls, node)
    } else {
      goesOn = body.builder.graph.addConstant(name: "goes_on", Tensor(scalar: true))
    }
    body.builder.graph.outputs.append(("condition", goesOn))
    var carried: [ValueID] = []
    for (index, (input, result)) in zip(inputs, results).enumerated() {
      guard case .tensor(let id) = input else { continue }
      carried.append(id)
      let value = try body.builder.tensor(result)
      body.builder.graph.outputs.append(("carried\(index)", value))
    }
    let record = OperatorRecord(
      domain: "onnx", name: "Loop", version: Self.controlVersion,
      attributes: ["body": .graph(body.builder.graph)])
    var bounds: [ValueID?] = [nil, nil]
    if let trips {
      bounds[0] = try tripCount(trips, inputs, named: name)
    } else {
      bounds[1] = try self.condition(condition, inputs, frame.calls, node)
    }
    var outputs = addNode(record, named: name, bounds + carried, outputs: carried.count)
      .makeIterator()
    return inputs.map { input in
      guard case .tensor = input, let id = outputs.next() else { return input }
      return .tensor(id)
    }
  }

  private mutating func condition(
    _ function: String, _ arguments: [FlowValue], _ calls: CallStack, _ node: Tensorflow_NodeDef
  ) throws(TensorFlowImportError) -> ValueID {
    let results = try call(function, arguments, prefix: "\(node.name)/cond/", calls: calls)
    guard results.count == 1 else {
      throw .function(
        name: function, reason: "it gives \(results.count) values, expected a condition")
    }
    return try tensor(results[0])
  }

  /// How often a counting loop runs: the least of what is left to count.
  private mutating func tripCount(
    _ limits: [LoopCounter.Limit], _ inputs: [FlowValue], named name: String
  ) throws(TensorFlowImportError) -> ValueID {
    var count: ValueID?
    for limit in limits {
      let end: ValueID
      switch limit.end {
      case .argument(let index): end = try tensor(inputs[index])
      case .constant(let proto):
        let tensor = try context.decoder.tensor(proto, named: "\(name) limit")
        end = graph.addConstant(name: "\(name) limit", tensor)
      }
      let left = add("Sub", named: "\(name) left", [end, try tensor(inputs[limit.counter])])
      let wide = add("Cast", named: "\(name) count", [left], ["DstT": .type(.int64)])
      count = count.map { add("Minimum", named: "\(name) least", [$0, wide]) } ?? wide
    }
    guard let count else { throw .function(name: name, reason: "its loop has no limit") }
    return count
  }
}

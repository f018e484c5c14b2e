import GraphModel
import KernelModel
import TensorModel

/// Turns records into graphs, checking every number.
struct GraphRecordReader {
  let constants: [ConstantRecord]
  let storage: TensorStorage
  let weights: Range<Int>
  let limits: Limits

  func graph(_ record: GraphRecord, depth: Int = 0) throws(GraphError) -> Graph {
    guard depth <= limits.nesting, record.nodes.count <= limits.nodes else {
      throw GraphError("graph '\(record.name)' is too large or nested too deeply")
    }
    var graph = Graph(name: record.name)
    for value in record.values { graph.addValue(try self.value(value)) }
    let count = record.values.count
    for index in record.inputs { graph.inputs.append(try id(index, count)) }
    for output in record.outputs {
      graph.outputs.append((output.name, try id(output.value, count)))
    }
    for node in record.nodes { graph.addNode(try self.node(node, valueCount: count, depth: depth)) }
    return graph
  }

  private func id(_ index: Int, _ count: Int) throws(GraphError) -> ValueID {
    guard (0..<count).contains(index) else { throw GraphError("there is no value \(index)") }
    return ValueID(index)
  }

  private func value(_ record: ValueRecord) throws(GraphError) -> Value {
    if let rank = record.type?.rank, rank > limits.rank {
      throw GraphError("value '\(record.name)' has rank \(rank)")
    }
    var constant: Tensor?
    if let index = record.constant { constant = try tensor(index) }
    return Value(
      name: record.name, type: record.type, constant: constant, symbolic: record.symbolic)
  }

  private func tensor(_ index: Int) throws(GraphError) -> Tensor {
    guard constants.indices.contains(index) else {
      throw GraphError("there is no constant \(index)")
    }
    let record = constants[index]
    do {
      if record.dataType == .string {
        return try Tensor(strings: record.strings ?? [], shape: record.shape)
      }
      guard record.shape.count <= limits.rank, record.offset >= 0, record.offset <= weights.count,
        record.offset % TensorStorage.alignment == 0,
        let count = ShapeMath.elementCount(record.shape),
        case (let bytes, false) = count.multipliedReportingOverflow(by: record.dataType.byteCount),
        bytes <= weights.count - record.offset
      else { throw GraphError("constant \(index) leaves the weights") }
      return try Tensor(
        dataType: record.dataType, shape: record.shape, storage: storage,
        byteOffset: weights.lowerBound + record.offset)
    } catch let error as GraphError { throw error } catch {
      throw GraphError("constant \(index): \(error)")
    }
  }

  private func node(
    _ record: NodeRecord, valueCount: Int, depth: Int
  ) throws(GraphError) -> Node {
    var inputs: [ValueID?] = []
    for index in record.inputs {
      if let index { inputs.append(try id(index, valueCount)) } else { inputs.append(nil) }
    }
    var outputs: [ValueID] = []
    for index in record.outputs { outputs.append(try id(index, valueCount)) }
    var node = Node(
      name: record.name, operation: try operation(record, depth: depth), inputs: inputs,
      outputs: outputs, origins: record.origins)
    node.arithmetic = record.arithmetic ?? .exact
    return node
  }

  private func operation(_ record: NodeRecord, depth: Int) throws(GraphError) -> Operation {
    if let problem = record.kernel { return .kernel(problem) }
    if let pending = record.pending { return .pending(try operatorRecord(pending, depth: depth)) }
    if let host = record.host { return .host(try operatorRecord(host, depth: depth)) }
    guard let control = record.control else {
      throw GraphError("node '\(record.name)' does nothing")
    }
    var bodies: [Graph] = []
    for body in control.bodies { bodies.append(try graph(body, depth: depth + 1)) }
    switch control.kind {
    case "branch" where bodies.count == 2:
      return .control(.branch(then: bodies[0], otherwise: bodies[1]))
    case "loop" where bodies.count == 1:
      guard let carried = control.carried, carried >= 0, bodies[0].outputs.count > carried else {
        break
      }
      return .control(.loop(body: bodies[0], carried: carried))
    case "scan" where bodies.count == 1:
      guard let scanning = control.scanning, scanning.states >= 0,
        bodies[0].outputs.count == scanning.states + scanning.outputAxes.count,
        scanning.inputReversed.count == scanning.inputAxes.count,
        scanning.outputReversed.count == scanning.outputAxes.count
      else { break }
      return .control(.scan(body: bodies[0], scanning))
    default: break
    }
    throw GraphError("node '\(record.name)' has control flow that does not fit together")
  }

  private func operatorRecord(
    _ record: OperatorRecordRecord, depth: Int
  ) throws(GraphError) -> OperatorRecord {
    var attributes: [String: AttributeValue] = [:]
    for (name, attribute) in record.attributes {
      attributes[name] = try self.attribute(attribute, name: name, depth: depth)
    }
    guard record.captures >= 0 else {
      throw GraphError("an operator captures \(record.captures) values")
    }
    return OperatorRecord(
      domain: record.domain, name: record.name, version: record.version, attributes: attributes,
      captureCount: record.captures)
  }

  private func attribute(
    _ record: AttributeRecord, name: String, depth: Int
  ) throws(GraphError) -> AttributeValue {
    if let value = record.int { return .int(value) }
    if let value = record.float { return .float(Float(bitPattern: value)) }
    if let value = record.string { return .string(value) }
    if let value = record.tensor { return .tensor(try tensor(value)) }
    if let value = record.graph?.first { return .graph(try graph(value, depth: depth + 1)) }
    if let value = record.ints { return .ints(value) }
    if let value = record.floats { return .floats(value.map { Float(bitPattern: $0) }) }
    if let value = record.strings { return .strings(value) }
    if let value = record.type { return .type(value) }
    throw GraphError("attribute '\(name)' has no value")
  }
}

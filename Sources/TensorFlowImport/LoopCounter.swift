import TensorFlowFormat

/// Recognises loops that count: the condition is a conjunction of `counter < limit`, each body run adds one
/// to every counter, and the limits stay.
enum LoopCounter {
  /// One of the limits of a loop.
  struct Limit {
    enum End {
      case argument(Int)
      case constant(Tensorflow_TensorProto)
    }

    /// The argument that counts.
    var counter: Int
    var end: End
  }

  /// The nodes of a function, for looking at what computes what.
  private struct Body {
    var nodes: [String: Tensorflow_NodeDef]
    var arguments: [String: Int]
    var results: [String]

    init(_ function: Tensorflow_FunctionDef) throws(TensorFlowImportError) {
      nodes = Dictionary(
        function.nodeDef.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
      arguments = Dictionary(
        function.signature.inputArg.enumerated().map { ($1.name, $0) },
        uniquingKeysWith: { first, _ in first })
      results = try GraphBuilder.results(of: function)
    }

    /// The node or argument that a reference means, behind identities.
    func source(_ reference: String) -> String {
      var name = NodeReference(reference).node
      for _ in 0..<nodes.count {
        guard arguments[name] == nil, let node = nodes[name], node.op == "Identity",
          let next = node.operands.first
        else { break }
        name = NodeReference(next).node
      }
      return name
    }

    func constant(_ name: String) -> Tensorflow_TensorProto? {
      guard arguments[name] == nil, let node = nodes[name], node.op == "Const",
        case .tensor(let tensor)? = node.attr["value"]?.value, tensor.tensorShape.dim.isEmpty
      else { return nil }
      return tensor
    }
  }

  /// The limits of a loop; nil for one that does not just count.
  static func limits(
    condition: Tensorflow_FunctionDef, body: Tensorflow_FunctionDef
  ) throws(TensorFlowImportError) -> [Limit]? {
    let test = try Body(condition), step = try Body(body)
    guard test.results.count == 1 else { return nil }
    var pending = [test.source(test.results[0])]
    var limits: [Limit] = []
    var visits = 0
    while let name = pending.popLast() {
      visits += 1
      guard visits <= 64, let node = test.nodes[name], node.operands.count == 2 else { return nil }
      let operands = node.operands.map { test.source($0) }
      switch node.op {
      case "LogicalAnd": pending += operands
      case "Less":
        guard let counter = test.arguments[operands[0]], counts(counter, step) else { return nil }
        if let constant = test.constant(operands[1]) {
          limits.append(Limit(counter: counter, end: .constant(constant)))
        } else if let argument = test.arguments[operands[1]], stays(argument, step) {
          limits.append(Limit(counter: counter, end: .argument(argument)))
        } else {
          return nil
        }
      default: return nil
      }
    }
    return limits
  }

  private static func stays(_ argument: Int, _ step: Body) -> Bool {
    step.results.indices.contains(argument)
      && step.arguments[step.source(step.results[argument])] == argument
  }

  /// Whether each run adds one to an argument.
  private static func counts(_ argument: Int, _ step: Body) -> Bool {
    guard step.results.indices.contains(argument),
      let node = step.nodes[step.source(step.results[argument])],
      node.op == "AddV2" || node.op == "Add", node.operands.count == 2
    else { return false }
    let operands = node.operands.map { step.source($0) }
    return zip(operands, operands.reversed()).contains { counter, one in
      step.arguments[counter] == argument && step.constant(one).map(isOne) ?? false
    }
  }

  private static func isOne(_ tensor: Tensorflow_TensorProto) -> Bool {
    if tensor.intVal.count == 1 { return tensor.intVal[0] == 1 }
    if tensor.int64Val.count == 1 { return tensor.int64Val[0] == 1 }
    return tensor.tensorContent.first == 1
      && tensor.tensorContent.dropFirst().allSatisfy { $0 == 0 }
      && (tensor.dtype == .dtInt32 || tensor.dtype == .dtInt64)
  }
}

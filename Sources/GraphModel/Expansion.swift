package import KernelModel
package import TensorModel

/// A value of known type while an operator is expanded.
package struct Operand: Sendable, Hashable {
  package let value: ValueID
  package let type: TensorType
  package var shape: Shape { type.shape }
  package var rank: Int { type.rank }
  package var dataType: DataType { type.dataType }
}

/// Computes a problem on concrete tensors.
package typealias ProblemEvaluator =
  @Sendable (KernelProblem, [Tensor?], [TensorType]) throws(ProblemError) -> [Tensor]

/// The place where one operator writes the kernel problems that compute it.
///
/// Every helper infers the type of what it emits, folds it where its inputs are constants, and follows
/// small integer tensors as expressions over the symbols of the shapes.
package struct Expansion {
  package private(set) var graph: Graph
  /// The node that is expanded; its inputs are values of `graph`.
  package let node: Node
  package let record: OperatorRecord
  package private(set) var results: [Operand?]
  /// Outputs whose type is not known before the node has run.
  package private(set) var untypedResults: [Int: ValueID] = [:]
  private let evaluate: ProblemEvaluator
  private var emitted = 0

  /// Results of more bytes than this are left for constant folding, which has a limit of its own.
  private static let foldedBytes = 1 << 20

  package init(
    graph: consuming Graph, node: Node, record: OperatorRecord, evaluate: @escaping ProblemEvaluator
  ) {
    self.graph = graph
    self.node = node
    self.record = record
    self.evaluate = evaluate
    results = Array(repeating: nil, count: node.outputs.count)
  }

  package consuming func finish() -> (graph: Graph, results: [Operand?], untyped: [Int: ValueID]) {
    (graph, results, untypedResults)
  }

  // MARK: Inputs

  /// Inputs in the node's own list, without those that its graphs capture.
  package var inputCount: Int { node.inputs.count - record.captureCount }
  package var outputCount: Int { node.outputs.count }

  package var captures: [Operand?] {
    (inputCount..<node.inputs.count).map { operand(node.inputs[$0]) }
  }

  package func optionalInput(_ index: Int) -> Operand? {
    index < inputCount ? operand(node.inputs[index]) : nil
  }

  package func input(_ index: Int) throws(OperatorError) -> Operand {
    guard let operand = optionalInput(index) else {
      throw OperatorError("input \(index) is missing")
    }
    return operand
  }

  /// All inputs, none of them absent.
  package func allInputs() throws(OperatorError) -> [Operand] {
    var result: [Operand] = []
    for index in 0..<inputCount { result.append(try input(index)) }
    return result
  }

  private func operand(_ id: ValueID?) -> Operand? {
    guard let id, let type = graph[id].type else { return nil }
    return Operand(value: id, type: type)
  }

  // MARK: What is known of a value

  package func constant(_ operand: Operand) -> Tensor? { graph[operand.value].constant }

  /// The elements of a small integer tensor, as expressions, in row-major order.
  package func dimensions(_ operand: Operand) -> [Dimension]? {
    if let symbolic = graph[operand.value].symbolic { return symbolic }
    return constant(operand).flatMap(SymbolicEvaluation.dimensions)
  }

  /// The elements of a constant integer tensor.
  package func integers(_ operand: Operand) -> [Int]? {
    guard let values = dimensions(operand) else { return nil }
    var result: [Int] = []
    for value in values {
      guard let number = value.constant else { return nil }
      result.append(number)
    }
    return result
  }

  /// The elements of input `index`, which must be known when the engine is built.
  package func requiredIntegers(_ index: Int, _ name: String) throws(OperatorError) -> [Int]? {
    guard let operand = optionalInput(index) else { return nil }
    guard let values = integers(operand) else {
      throw OperatorError("input \(index) ('\(name)') must be a constant")
    }
    return values
  }

  /// The numbers of a constant tensor of any real type.
  package func numbers(_ operand: Operand) -> [Double]? {
    constant(operand).flatMap { $0.numbers() }
  }

  package func requiredNumbers(_ index: Int, _ name: String) throws(OperatorError) -> [Double]? {
    guard let operand = optionalInput(index) else { return nil }
    guard let values = numbers(operand) else {
      throw OperatorError("input \(index) ('\(name)') must be a constant")
    }
    return values
  }

  /// A symbol for an extent that only running the node can tell.
  package mutating func freshSymbol(_ hint: String) -> Dimension {
    .symbol("\(hint)@\(node.name)")
  }

  // MARK: Emitting

  package mutating func set(_ index: Int, _ operand: Operand) {
    if results.indices.contains(index) { results[index] = operand }
  }

  package mutating func constant(_ tensor: Tensor) -> Operand {
    let id = graph.addConstant(name: freshName(), tensor)
    return Operand(value: id, type: tensor.type)
  }

  /// An `int64` vector of expressions.
  package mutating func shapeVector(_ dimensions: [Dimension], type: DataType = .int64) -> Operand {
    symbolic(dimensions, TensorType(type, [dimensions.count]))
  }

  /// A small integer tensor whose elements are expressions.
  package mutating func symbolic(_ values: [Dimension], _ type: TensorType) -> Operand {
    if let tensor = SymbolicEvaluation.tensor(values, type) { return constant(tensor) }
    let id = graph.addValue(Value(name: freshName(), type: type, symbolic: values))
    return Operand(value: id, type: type)
  }

  /// Emits a problem and returns all of its outputs.
  ///
  /// - Parameter folds: whether results of constants are computed at once.
  package mutating func emitAll(
    _ problem: KernelProblem, _ inputs: [Operand?], folds: Bool = true
  ) throws(OperatorError) -> [Operand] {
    let types: [TensorType]
    do { types = try problem.outputTypes(of: inputs.map { $0?.type }) } catch {
      throw OperatorError(error.description)
    }
    if folds, let folded = try fold(problem, inputs, types) { return folded.map { constant($0) } }
    let symbolic = symbolicResult(problem, inputs, types)
    if let symbolic, types.count == 1 { return [self.symbolic(symbolic, types[0])] }
    let outputs = types.map { graph.addValue(Value(name: freshName(), type: $0)) }
    addNode(.kernel(problem), inputs, outputs)
    return zip(outputs, types).map { Operand(value: $0, type: $1) }
  }

  /// Emits a problem and returns its first output.
  package mutating func emit(
    _ problem: KernelProblem, _ inputs: [Operand?], folds: Bool = true
  ) throws(OperatorError) -> Operand {
    try emitAll(problem, inputs, folds: folds)[0]
  }

  /// Emits the node itself, to run on the host.
  package mutating func emitHost(outputs types: [TensorType]) {
    let outputs = types.map { graph.addValue(Value(name: freshName(), type: $0)) }
    graph.addNode(
      Node(
        name: node.name, operation: .host(record), inputs: node.inputs, outputs: outputs,
        origins: node.origins))
    for (index, (id, type)) in zip(outputs, types).enumerated() {
      set(index, Operand(value: id, type: type))
    }
  }

  /// Emits control flow whose outputs have the given types, where they are known.
  package mutating func emitControl(
    _ control: Control, _ inputs: [ValueID?], outputs types: [TensorType?]
  ) {
    let outputs = types.map { graph.addValue(Value(name: freshName(), type: $0)) }
    graph.addNode(
      Node(
        name: node.name, operation: .control(control), inputs: inputs, outputs: outputs,
        origins: node.origins))
    for (index, (id, type)) in zip(outputs, types).enumerated() {
      if let type {
        set(index, Operand(value: id, type: type))
      } else {
        untypedResults[index] = id
      }
    }
  }

  /// Copies the nodes of a body into the graph, with its inputs replaced, and returns its outputs. The
  /// nodes are pending: whoever expands the graph goes on with them.
  package mutating func inline(_ body: Graph, inputs: [ValueID?]) -> [ValueID] {
    graph.inline(body, inputs: inputs, prefix: node.name, origins: node.origins)
  }

  /// Sets an output to a value of which nothing is known yet.
  package mutating func setUntyped(_ index: Int, _ value: ValueID) {
    if let operand = operand(value) {
      set(index, operand)
    } else if results.indices.contains(index) {
      untypedResults[index] = value
    }
  }

  private mutating func freshName() -> String {
    emitted += 1
    let base = node.name.isEmpty ? record.name : node.name
    return emitted == 1 ? base : "\(base):\(emitted)"
  }

  private mutating func addNode(
    _ operation: Operation, _ inputs: [Operand?], _ outputs: [ValueID]
  ) {
    graph.addNode(
      Node(
        name: node.name, operation: operation, inputs: inputs.map { $0?.value }, outputs: outputs,
        origins: node.origins))
  }

  private func fold(
    _ problem: KernelProblem, _ inputs: [Operand?], _ types: [TensorType]
  ) throws(OperatorError) -> [Tensor]? {
    var tensors: [Tensor?] = []
    for operand in inputs {
      guard let operand else {
        tensors.append(nil)
        continue
      }
      guard let tensor = constant(operand), tensor.byteCount <= Self.foldedBytes else { return nil }
      tensors.append(tensor)
    }
    for type in types {
      guard let shape = type.shape.constants, let count = ShapeMath.elementCount(shape),
        count <= Self.foldedBytes / max(type.dataType.byteCount, 1)
      else { return nil }
    }
    do { return try evaluate(problem, tensors, types) } catch {
      throw OperatorError(error.description)
    }
  }

  private func symbolicResult(
    _ problem: KernelProblem, _ inputs: [Operand?], _ types: [TensorType]
  ) -> [Dimension]? {
    guard types.count == 1, types[0].dataType.isInteger || types[0].dataType == .bool else {
      return nil
    }
    var known: [SymbolicEvaluation.Known] = []
    var anySymbolic = false
    for operand in inputs {
      guard let operand, let values = dimensions(operand), let shape = operand.shape.constants
      else {
        return nil
      }
      anySymbolic = anySymbolic || graph[operand.value].symbolic != nil
      known.append(SymbolicEvaluation.Known(values: values, shape: shape))
    }
    guard anySymbolic, let shape = types[0].shape.constants else { return nil }
    return SymbolicEvaluation.evaluate(problem, known, outputShape: shape)
  }
}

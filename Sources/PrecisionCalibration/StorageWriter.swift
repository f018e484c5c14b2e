import GraphModel
import KernelModel
import TensorModel

/// Writes a graph anew with values in 16 bits.
struct StorageWriter {
  private let source: Graph
  private let analysis: StorageAnalysis
  private let sixteen: SixteenBits
  private let demands: [ValueID: StorageDemand]
  /// Of constants that are factors in 16 bits.
  private let rows: [ValueID: WeightRows]
  private var result: Graph
  /// What each value became in another type than the one it is stored in.
  private var casts: [ValueID: ValueID] = [:]

  /// - Parameter graph: the analysed graph.
  init(_ graph: Graph, _ analysis: StorageAnalysis) {
    source = graph
    self.analysis = analysis
    sixteen = analysis.sixteen
    demands = StorageDemand.demands(graph, analysis)
    let rounded = zip(graph.liveNodes, analysis.decisions).filter { $1.treatment == .sixteen }
    rows = WeightRows.ofFactors(graph, of: rounded.map { $0.0.node })
    result = Graph(name: graph.name)
    for value in graph.values { result.addValue(value) }
    result.inputs = graph.inputs
  }

  mutating func write() throws(GraphError) -> Graph {
    for ((_, node), decision) in zip(source.liveNodes, analysis.decisions) {
      try write(node, decision.treatment)
    }
    for (name, value) in source.outputs {
      let isCast = isSixteen(value) && source[value].type?.dataType == .float32
      result.outputs.append((name, isCast ? try cast(value, to: .float32) : value))
    }
    let written = result.compacted()
    try written.verify()
    return written
  }

  // MARK: Values

  private func demand(_ value: ValueID) -> StorageDemand { demands[value] ?? StorageDemand() }
  private func isReal(_ value: ValueID) -> Bool { source[value].type?.dataType == .float32 }

  private func isSixteen(_ value: ValueID) -> Bool {
    result[value].type?.dataType == sixteen.dataType
  }

  /// The value in another type than it is stored in, cast once.
  private mutating func cast(_ value: ValueID, to type: DataType) throws(GraphError) -> ValueID {
    if let known = casts[value] { return known }
    let info = result[value]
    let id: ValueID
    if let constant = info.constant {
      do {
        let weights =
          try rows[value].map { try WeightRounding(sixteen.format, $0).rounded(constant) }
        id = result.addConstant(name: info.name, try sixteen.converted(weights ?? constant))
      } catch { throw GraphError("constant '\(info.name)': \(error)") }
    } else {
      let shape = info.type?.shape ?? []
      id = result.addValue(Value(name: "\(info.name):\(type)", type: TensorType(type, shape)))
      result.addNode(
        Node(
          name: "\(info.name):\(type)",
          operation: .kernel(.pointwise(Pointwise(.cast(.operand(0), type)))), inputs: [value],
          outputs: [id], origins: []))
    }
    casts[value] = id
    return id
  }

  /// The value in 16 bits; constants must fit.
  private mutating func inSixteen(_ value: ValueID) throws(GraphError) -> ValueID {
    !isReal(value) || isSixteen(value) ? value : try cast(value, to: sixteen.dataType)
  }

  private mutating func inSingle(_ value: ValueID) throws(GraphError) -> ValueID {
    isReal(value) && isSixteen(value) ? try cast(value, to: .float32) : value
  }

  /// The value in the type that is cheapest to read, preferably 16 bits.
  private mutating func inEither(_ value: ValueID) throws(GraphError) -> ValueID {
    guard isReal(value), !isSixteen(value) else { return value }
    if source[value].constant != nil {
      return analysis.fits(value) && !isVector(value) ? try inSixteen(value) : value
    }
    let isRounded = demand(value).needsSixteen > 0 && !analysis.needsSingle(value)
    return isRounded && !isComputed(value) ? try inSixteen(value) : value
  }

  /// Whether a value is one number, or one for each place along one axis, as biases are: these take hardly any memory, and
  /// their rounding would be the same error everywhere, which does not average out.
  private func isVector(_ value: ValueID) -> Bool {
    source[value].type?.shape.constants.map { $0.count { $0 != 1 } < 2 } ?? false
  }

  /// Whether a layer keeps the value in single precision for a reason of its own.
  private func isComputed(_ value: ValueID) -> Bool { keptSingle.contains(value) }
  private var keptSingle: Set<ValueID> = []

  // MARK: Nodes

  private mutating func write(
    _ node: Node, _ treatment: StorageAnalysis.Treatment
  ) throws(GraphError) {
    guard case .kernel(let problem) = node.operation, treatment != .fixed else {
      return try keep(node)
    }
    switch treatment {
    case .fixed: try keep(node)
    case .movement: try move(node, problem)
    case .single, .reduction, .sixteen, .inputs, .integers: try compute(node, problem, treatment)
    }
  }

  /// A node as it was, with operands of the types that it had.
  private mutating func keep(_ node: Node) throws(GraphError) {
    var copy = node
    copy.position = nil
    for (index, input) in node.inputs.enumerated() {
      if let input { copy.inputs[index] = try inSingle(input) }
    }
    result.addNode(copy)
  }

  private mutating func move(_ node: Node, _ problem: KernelProblem) throws(GraphError) {
    var copy = node
    copy.position = nil
    let isSixteen = movesSixteen(node)
    for (index, input) in node.inputs.enumerated() {
      guard let input else { continue }
      copy.inputs[index] = isSixteen ? try inSixteen(input) : try inSingle(input)
    }
    try add(copy, problem)
    for output in node.outputs where isReal(output) && !isSixteen { keptSingle.insert(output) }
  }

  private func movesSixteen(_ node: Node) -> Bool {
    let moved = node.inputs.compactMap { $0 }.filter(isReal)
    let fits = moved.allSatisfy { value in
      source[value].constant == nil || analysis.fits(value)
    }
    guard fits, !(moved + node.outputs).contains(where: analysis.needsSingle) else { return false }
    let computed = moved.filter { source[$0].constant == nil }
    if !computed.isEmpty, computed.allSatisfy(isSixteen) { return true }
    var demand = StorageDemand()
    for output in node.outputs { demand.add(self.demand(output)) }
    return demand.wantsSixteen && (!demand.wantsSingle || computed.contains(where: isSixteen))
  }

  private mutating func compute(
    _ node: Node, _ problem: KernelProblem, _ treatment: StorageAnalysis.Treatment
  ) throws(GraphError) {
    var copy = node
    copy.position = nil
    if treatment == .inputs { copy.arithmetic = .tensorFloat32 }
    for (index, input) in node.inputs.enumerated() {
      guard let input else { continue }
      copy.inputs[index] = try operand(input, index, problem, treatment)
      // Scale and bias are of the type that is normalised.
      if case .normalization = problem, (1...2).contains(index), let x = copy.inputs[0],
        result[x].type?.dataType == .float32
      {
        copy.inputs[index] = try inSingle(input)
      }
    }
    var isResultSixteen = false
    if let output = node.outputs.first, isReal(output) {
      isResultSixteen = storesSixteen(output, problem, treatment)
      if !isResultSixteen,
        treatment.givesSingle || analysis.needsSingle(output) || analysis.isInput(output)
      {
        keptSingle.insert(output)
      }
    }
    let typed = retyped(problem, node, copy, isResultSixteen: isResultSixteen)
    copy.operation = .kernel(typed)
    try add(copy, typed)
  }

  private mutating func operand(
    _ value: ValueID, _ index: Int, _ problem: KernelProblem,
    _ treatment: StorageAnalysis.Treatment
  ) throws(GraphError) -> ValueID {
    switch treatment {
    case .fixed, .movement, .integers: return value
    case .single: return problem.convertsOperand(index) ? value : try inSingle(value)
    case .reduction: return try inEither(value)
    case .sixteen:
      return problem.needsEqualOperand(index) ? try inSixteen(value) : try inEither(value)
    case .inputs:
      return problem.needsEqualOperand(index) ? try inSingle(value) : try inEither(value)
    }
  }

  private func storesSixteen(
    _ output: ValueID, _ problem: KernelProblem, _ treatment: StorageAnalysis.Treatment
  ) -> Bool {
    let demand = demand(output)
    let canCast =
      problem.epilogue != nil || { if case .pointwise = problem { true } else { false } }()
    guard canCast else { return false }
    if treatment.givesSingle || analysis.needsSingle(output) { return demand.isSixteenOnly }
    // Products of the network's inputs want them as they are.
    if analysis.isInput(output), demand.needsSingle > 0 { return false }
    return demand.wantsSixteen || !demand.wantsSingle
  }

  // MARK: Expressions

  /// The problem with expressions for the operands of `copy`.
  private func retyped(
    _ problem: KernelProblem, _ node: Node, _ copy: Node, isResultSixteen: Bool
  ) -> KernelProblem {
    let before = source.types(of: node.inputs).map { $0?.dataType ?? .float32 }
    let after = result.types(of: copy.inputs).map { $0?.dataType ?? .float32 }
    func storage(_ before: [DataType], _ after: [DataType]) -> ExpressionStorage {
      ExpressionStorage(sixteen: sixteen, before: before, after: after)
    }
    if case .pointwise(var pointwise) = problem {
      pointwise.expression = storage(before, after)
        .retyped(pointwise.expression, isResultSixteen: isResultSixteen)
      return .pointwise(pointwise)
    }
    var typed = problem
    var ownBefore = before.first ?? .float32
    var ownAfter = after.first ?? .float32
    if case .reduction(var reduction) = problem {
      let prologue = storage([ownBefore], [ownAfter])
        .retyped(reduction.prologue, isResultSixteen: false)
      ownBefore = reduction.resultType(of: ownBefore)
      reduction.prologue = prologue
      ownAfter = ownBefore
      typed = .reduction(reduction)
    }
    guard let own = problem.ownOperandCount, let epilogue = problem.epilogue else { return typed }
    typed.epilogue = storage(
      [ownBefore] + before.dropFirst(own), [ownAfter] + after.dropFirst(own)
    ).retyped(epilogue, isResultSixteen: isResultSixteen)
    return typed
  }

  private mutating func add(_ node: Node, _ problem: KernelProblem) throws(GraphError) {
    let types: [TensorType]
    do { types = try problem.outputTypes(of: result.types(of: node.inputs)) } catch {
      throw GraphError("node '\(node.name)' (\(problem.family)): \(error.description)")
    }
    for (output, type) in zip(node.outputs, types) {
      guard let declared = result[output].type else { continue }
      result[output].type = TensorType(type.dataType, declared.shape)
    }
    result.addNode(node)
  }
}

extension Reduction {
  /// The type of the results before the epilogue, for elements of a type.
  fileprivate func resultType(of element: DataType) -> DataType {
    switch function {
    case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum: .int64
    default: prologue.dataType(operands: [element]) ?? element
    }
  }
}

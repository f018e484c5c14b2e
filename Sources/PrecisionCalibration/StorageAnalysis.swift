import GraphModel
import KernelModel
import TensorModel

/// What a type of 16 bits does to each node of a graph whose values are `float32`.
struct StorageAnalysis: Sendable {
  enum Treatment: Sendable, Hashable {
    /// Keeps its operands and results: no `float32` at all, 16 bits already, or no kernel.
    case fixed
    /// Holds what its operands hold.
    case movement
    /// Computes on single precision.
    case single
    /// Takes operands of any type and gives single precision.
    case reduction
    /// Takes operands of 16 bits and gives 16 bits.
    case sixteen
    /// Multiplies the network's inputs in single precision, or what stands in for it on tensor cores, and gives 16 bits.
    case inputs
    /// Reads or writes numbers that are stored as 8-bit integers: takes operands as they are, constants too, and gives
    /// 16 bits where they are wanted.
    case integers

    /// Whether results are in single precision, unless every reader takes nothing but 16 bits.
    var givesSingle: Bool { self == .single || self == .reduction }
  }

  struct Decision: Sendable, Hashable {
    var treatment: Treatment
    var reason: PrecisionAssignment.Reason
  }

  let sixteen: SixteenBits
  /// In the order of the graph's nodes.
  private(set) var decisions: [Decision] = []
  /// Of values that are `float32`, and of constants.
  private(set) var traits: [ValueID: NumericTraits] = [:]
  private var fits: [ValueID: SixteenBits.Fit] = [:]
  /// What calibration has seen of values that would overflow, each with its name.
  private var overflows: [ValueID: (name: String, magnitude: Double)] = [:]
  /// Values that calibration has seen and that fit.
  private var measured: Set<ValueID> = []
  /// The network's inputs, and what is computed of them and constants element by element.
  private var inputs: Set<ValueID>
  /// Values that may overflow whatever calibration has seen.
  private let staticallyWide: Set<ValueID>

  /// Data that is not seen in calibration may be so many times as large.
  static let safetyFactor = 2.0

  /// Rounding errors of the network's inputs and of their factors reach everything behind; in sums of fewer products
  /// they hardly average out.
  private static let fewProducts = 256

  /// Whether integers of 8 bits stand for real numbers.
  private let isQuantized: Bool

  /// - Parameters:
  ///   - ranges: the largest magnitudes that calibration has seen, by value name.
  ///   - isQuantized: whether integers of 8 bits stand for real numbers.
  ///   - isBody: whether the graph's inputs are not the network's.
  init(
    _ graph: Graph, _ sixteen: SixteenBits, ranges: [String: Double] = [:],
    isQuantized: Bool = false, isBody: Bool = false
  ) {
    self.sixteen = sixteen
    self.isQuantized = isQuantized
    inputs = isBody ? [] : Set(graph.inputs)
    let isStatic = ranges.isEmpty
    staticallyWide =
      isStatic
      ? []
      : Set(
        StorageAnalysis(graph, sixteen, isQuantized: isQuantized).traits
          .filter { $0.value.contains(.wide) }.keys)
    for (index, value) in graph.values.enumerated() where value.type?.dataType == .float32 {
      guard value.constant == nil, let magnitude = ranges[value.name] else { continue }
      if magnitude * Self.safetyFactor > sixteen.largest {
        overflows[ValueID(index)] = (value.name, magnitude)
      } else {
        measured.insert(ValueID(index))
      }
    }
    for input in graph.inputs where overflows[input] != nil { traits[input] = .wide }
    for (index, value) in graph.values.enumerated() {
      guard let constant = value.constant else { continue }
      let id = ValueID(index)
      traits[id] = .constant
      guard constant.dataType == .float32 else { continue }
      let fit = sixteen.fit(constant)
      fits[id] = fit
      if case .tooLarge = fit { traits[id] = [.constant, .wide] }
    }
    for (_, node) in graph.liveNodes { append(node, graph) }
  }

  func fits(_ value: ValueID) -> Bool { fits[value] == .fits }

  /// Whether a value must not be stored in 16 bits.
  func needsSingle(_ value: ValueID) -> Bool {
    !(traits[value] ?? []).isDisjoint(with: [.wide, .counted])
  }

  private mutating func append(_ node: Node, _ graph: Graph) {
    guard case .kernel(let problem) = node.operation else {
      decisions.append(Decision(treatment: .fixed, reason: .unknown))
      return
    }
    if isElementwise(problem),
      node.inputs.allSatisfy({ isInput($0) || known($0).contains(.constant) })
    {
      inputs.formUnion(node.outputs)
    }
    var result = resultTraits(problem, node, graph)
    if let output = node.outputs.first, measured.contains(output),
      !staticallyWide.contains(output)
    {
      result.remove(.wide)
    }
    let readsIntegers = readsIntegers(problem, node, graph)
    if readsIntegers { result.subtract([.counted, .steep]) }
    for output in node.outputs where graph[output].type?.dataType == .float32 {
      traits[output] = result.intersection([.wide, .counted])
      if overflows[output] != nil { traits[output]?.insert(.wide) }
    }
    let types = graph.types(of: node.inputs + node.outputs).map { $0?.dataType }
    let isDecided = types.contains { $0 == .float16 || $0 == .bfloat16 }
    guard types.contains(.float32), !isDecided else {
      decisions.append(Decision(treatment: .fixed, reason: .typeOfModel))
      return
    }
    if let overflow = node.outputs.compactMap({ overflows[$0] }).first {
      return decisions.append(single(reason(overflow)))
    }
    if readsIntegers {
      decisions.append(Decision(treatment: .integers, reason: .requested))
      return
    }
    decisions.append(decision(problem, node, graph, result))
  }

  /// Whether operands or results are numbers stored as integers, and the kernel turns them itself.
  private func readsIntegers(_ problem: KernelProblem, _ node: Node, _ graph: Graph) -> Bool {
    guard isQuantized else { return false }
    let types = graph.types(of: node.inputs).map { $0?.dataType }
    func isByte(_ type: DataType?) -> Bool { type?.isByte ?? false }
    switch problem {
    case .convolution, .matmul: return isByte(types.first ?? nil)
    case .pointwise:
      return (types + graph.types(of: node.outputs).map { $0?.dataType }).contains(where: isByte)
    case .reduction: return isByte(types.first ?? nil)
    default: return false
    }
  }

  private func reason(
    _ overflow: (name: String, magnitude: Double)
  ) -> PrecisionAssignment.Reason {
    .measured(tensor: overflow.name, overflow.magnitude, sixteen.dataType)
  }

  /// Whether a value is an input of the network, or computed of inputs and constants element by element; an absent
  /// one is no obstacle.
  func isInput(_ value: ValueID?) -> Bool { value.map(inputs.contains) ?? true }

  private func isElementwise(_ problem: KernelProblem) -> Bool {
    switch problem {
    case .pointwise, .copy: true
    default: false
    }
  }

  /// How many products the sums of a contraction have that multiplies the network's inputs by constants; nil for others.
  private func productsOfInputs(
    _ problem: KernelProblem, _ node: Node, _ graph: Graph
  ) -> Int? {
    guard node.inputs.count > 1, let weights = node.inputs[1], let x = node.inputs[0], isInput(x),
      let shape = graph[weights].constant?.shape
    else { return nil }
    return WeightRows(problem, operand: 1, shape: shape).map {
      $0.depth * ($0.phases.map(\.count).max() ?? 1)
    }
  }

  // MARK: Traits

  private func known(_ value: ValueID?) -> NumericTraits { value.flatMap { traits[$0] } ?? [] }

  private func expressionTraits(
    _ expression: ScalarExpression, _ traits: [NumericTraits], _ types: [DataType]
  ) -> NumericTraits {
    TraitAnalysis(sixteen: sixteen, traits: traits, types: types).traits(of: expression)
  }

  private func resultTraits(_ problem: KernelProblem, _ node: Node, _ graph: Graph)
    -> NumericTraits
  {
    let types = graph.types(of: node.inputs).map { $0?.dataType ?? .float32 }
    let operands = node.inputs.map(known)
    if case .pointwise(let pointwise) = problem {
      return expressionTraits(pointwise.expression, operands, types)
    }
    let own = ownTraits(problem, operands, types)
    guard let count = problem.ownOperandCount, let epilogue = problem.epilogue,
      epilogue != .operand(0)
    else { return own }
    return expressionTraits(
      epilogue, [own] + operands.dropFirst(count), [.float32] + types.dropFirst(count))
  }

  /// The traits of what a problem computes before its epilogue.
  private func ownTraits(
    _ problem: KernelProblem, _ operands: [NumericTraits], _ types: [DataType]
  ) -> NumericTraits {
    let first = operands.first ?? []
    switch problem {
    case .pointwise, .recurrence: return []
    case .reduction(let reduction):
      let x = expressionTraits(reduction.prologue, [first], Array(types.prefix(1)))
      switch reduction.function {
      case .logSum, .logSumExp: return []
      default: return x.subtracting([.constant, .steep])
      }
    case .convolution, .matmul:
      let product = Array(operands.prefix(2))
      var result: NumericTraits = product.contains { $0.contains(.wide) } ? .wide : []
      let isCounted = product.allSatisfy { $0.contains(.constant) || $0.contains(.counted) }
      if isCounted, product.contains(where: { $0.contains(.counted) }) { result.insert(.counted) }
      return result
    case .normalization(let normalization):
      if case .localResponse = normalization.kind { return first }
      return []
    case .attention: return operands.count > 2 ? operands[2].subtracting(.constant) : []
    case .window, .resample, .sort, .scan, .gather: return first.subtracting(.constant)
    case .copy(.pad(.constant(let fill), _, _)):
      return first.subtracting(.constant).union(sixteen.isExceeded(by: fill) ? .wide : [])
    case .copy:
      return operands.reduce(into: NumericTraits()) { $0.formUnion($1) }.subtracting(.constant)
    case .scatter:
      return first.union(operands.count > 2 ? operands[2] : []).subtracting(.constant)
    }
  }

  // MARK: Decisions

  private func decision(
    _ problem: KernelProblem, _ node: Node, _ graph: Graph, _ result: NumericTraits
  ) -> Decision {
    switch problem {
    case .pointwise:
      let isReal = graph[node.outputs[0]].type?.dataType == .float32
      if result.contains(.steep) { return single(.steep) }
      if result.contains(.wide) { return single(range(node.inputs)) }
      if result.contains(.counted), isReal { return single(.counted(sixteen.dataType)) }
    case .reduction(let reduction):
      switch reduction.function {
      case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum: return single(.ordering)
      default: return Decision(treatment: .reduction, reason: .reduction)
      }
    case .convolution, .matmul, .attention:
      if let reason = contractionReason(problem, node) { return single(reason) }
      // Where 16 bits are bfloat16, all errors are larger, and processors that multiply it are slow in anything else.
      if sixteen.dataType == .float16, let count = productsOfInputs(problem, node, graph),
        count < Self.fewProducts
      {
        return Decision(treatment: .inputs, reason: .fewProducts(count))
      }
    case .copy, .gather: return Decision(treatment: .movement, reason: .movement)
    case .scatter(let scatter):
      guard scatter.combination == .replace else { return single(.accumulation) }
      return Decision(treatment: .movement, reason: .movement)
    case .recurrence: return single(.recurrence)
    case .sort: return single(.ordering)
    case .scan: return single(.runningTotal)
    case .window, .normalization, .resample: break
    }
    return Decision(treatment: .sixteen, reason: .requested)
  }

  private func single(_ reason: PrecisionAssignment.Reason) -> Decision {
    Decision(treatment: .single, reason: reason)
  }

  private func range(_ values: [ValueID?]) -> PrecisionAssignment.Reason {
    if let known = constantReason(values) { return known }
    return values.compactMap { $0.flatMap { overflows[$0] } }.first.map(reason)
      ?? .range(sixteen.dataType)
  }

  private func constantReason(_ values: [ValueID?]) -> PrecisionAssignment.Reason? {
    for case let value? in values {
      switch fits[value] {
      case .tooLarge(let magnitude): return .constantsTooLarge(magnitude, sixteen.dataType)
      case .tooSmall(let magnitude): return .constantsTooSmall(magnitude, sixteen.dataType)
      case .fits, nil: continue
      }
    }
    return nil
  }

  /// Why the products of a contraction must not be of 16-bit operands.
  private func contractionReason(
    _ problem: KernelProblem, _ node: Node
  ) -> PrecisionAssignment.Reason? {
    let factors = Array(node.inputs.prefix(problem.family == "attention" ? 3 : 2))
    if let reason = constantReason(factors) { return reason }
    let traits = factors.map(known)
    if traits.contains(where: { $0.contains(.wide) }) { return range(factors) }
    let isCounted = traits.allSatisfy { $0.contains(.constant) || $0.contains(.counted) }
    return isCounted && traits.contains { $0.contains(.counted) }
      ? .counted(sixteen.dataType) : nil
  }
}

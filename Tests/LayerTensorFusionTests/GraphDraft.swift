import GraphModel
import GraphSimplification
import KernelModel
import LayerTensorFusion
import Operators
import TensorModel
import Testing

/// A small graph written by hand.
struct GraphDraft {
  private(set) var graph = Graph(name: "test")
  private var random = RandomNumbers(seed: 7)

  /// - Parameter extents: named symbols stand for extents that are known at run time.
  mutating func input(_ shape: Shape, _ type: DataType = .float32) -> ValueID {
    graph.addInput(name: "x\(graph.inputs.count)", type: TensorType(type, shape))
  }

  /// Random numbers between -1 and 1, apart from zero.
  mutating func weights(_ shape: [Int]) throws -> ValueID {
    let count = shape.reduce(1, *)
    let numbers = (0..<count).map { _ in random.next() }
    return graph.addConstant(name: "w\(graph.values.count)", try Tensor(numbers, shape: shape))
  }

  mutating func constant<T: TensorElement>(_ numbers: [T], _ shape: [Int]) throws -> ValueID {
    graph.addConstant(name: "c\(graph.values.count)", try Tensor(numbers, shape: shape))
  }

  mutating func add(_ problem: KernelProblem, _ inputs: [ValueID?]) throws -> ValueID {
    try addAll(problem, inputs)[0]
  }

  mutating func addAll(_ problem: KernelProblem, _ inputs: [ValueID?]) throws -> [ValueID] {
    let types = try problem.outputTypes(of: graph.types(of: inputs))
    let name = "n\(graph.nodes.count)"
    let outputs = types.map { graph.addValue(Value(name: name, type: $0)) }
    graph.addNode(
      Node(
        name: name, operation: .kernel(problem), inputs: inputs, outputs: outputs,
        origins: ["\(name) (\(problem.family))"]))
    return outputs
  }

  mutating func add(_ control: Control, _ inputs: [ValueID?], type: TensorType) -> ValueID {
    let output = graph.addValue(Value(name: "n\(graph.nodes.count)", type: type))
    graph.addNode(
      Node(
        name: "n\(graph.nodes.count)", operation: .control(control), inputs: inputs,
        outputs: [output], origins: []))
    return output
  }

  mutating func pointwise(_ expression: ScalarExpression, _ inputs: ValueID...) throws -> ValueID {
    try add(.pointwise(Pointwise(expression)), inputs)
  }

  mutating func output(_ values: ValueID...) {
    for value in values { graph.outputs.append(("y\(graph.outputs.count)", value)) }
  }

  // MARK: Problems by name

  mutating func convolution(
    _ x: ValueID, _ weights: ValueID, pads: Int = 0, strides: Int = 1, groups: Int = 1
  ) throws -> ValueID {
    let pads = [Dimension(pads), Dimension(pads)]
    return try add(
      .convolution(
        Convolution(
          strides: [strides, strides], dilations: [1, 1], padsBefore: pads, padsAfter: pads,
          groups: groups)), [x, weights])
  }

  mutating func matmul(_ a: ValueID, _ b: ValueID) throws -> ValueID {
    try add(.matmul(MatrixProduct()), [a, b])
  }

  mutating func transpose(_ x: ValueID, _ permutation: [Int]) throws -> ValueID {
    try add(.copy(.transpose(permutation)), [x])
  }

  mutating func reshape(_ x: ValueID, _ shape: Shape) throws -> ValueID {
    try add(.copy(.reshape(shape)), [x])
  }

  mutating func reduce(_ function: Reduction.Function, _ x: ValueID, _ axes: [Int]) throws
    -> ValueID
  {
    try add(.reduction(Reduction(function, axes: axes, keepsDimensions: true)), [x])
  }

  mutating func softmax(_ x: ValueID, axis: Int) throws -> ValueID {
    try add(.normalization(Normalization(.softmax(axis: axis))), [x])
  }
}

/// Reproducible numbers between -1 and 1 that are not near zero.
struct RandomNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> Float {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let unit = Float(state >> 40) / Float(1 << 24)
    return unit < 0.5 ? -1 + 1.8 * unit : -0.8 + 1.8 * unit
  }
}

/// What a pass made of a draft.
struct Outcome {
  var graph: Graph
  var report: RewriteReport

  func count(_ rule: String) -> Int { report.counts.first { $0.rule == rule }?.count ?? 0 }

  var problems: [KernelProblem] {
    graph.liveNodes.compactMap { _, node in
      if case .kernel(let problem) = node.operation { problem } else { nil }
    }
  }

  var families: [String] { problems.map(\.family) }
}

extension GraphDraft {
  /// Simplifies and fuses, and checks that the outputs stay what they were.
  func fused(
    symbols: [String: Int] = [:], tolerance: Double = 1e-5,
    location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    var report = RewriteReport()
    let isQuantized = LayerFusion.isQuantized(graph)
    var result = try GraphSimplifier.simplify(
      graph, limits: Limits(), keepsQuantized: isQuantized, verifies: true, report: &report)
    for stage in LayerFusion.QuantizedStage.allCases where isQuantized {
      result = try LayerFusion.fuse(result, quantized: stage, verifies: true, report: &report)
      result = try GraphSimplifier.simplify(
        result, limits: Limits(), keepsQuantized: stage == .movement, verifies: true,
        report: &report)
    }
    result = try LayerFusion.fuse(result, verifies: true, report: &report)
    result = try GraphSimplifier.simplify(
      result, limits: Limits(), verifies: true, report: &report)
    try expectSameOutputs(result, symbols, tolerance, location)
    return Outcome(graph: result, report: report)
  }

  func simplified(
    symbols: [String: Int] = [:], tolerance: Double = 1e-6,
    location: SourceLocation = #_sourceLocation
  ) throws -> Outcome {
    var report = RewriteReport()
    let result = try GraphSimplifier.simplify(
      graph, limits: Limits(), verifies: true, report: &report)
    try expectSameOutputs(result, symbols, tolerance, location)
    return Outcome(graph: result, report: report)
  }

  /// An element for a number between -2 and 2: of 8 bits any that the type has, else 0 or 1.
  private func integer(_ number: Double, _ type: DataType) -> Int64 {
    guard type.isByte, let range = type.integerRange else { return number > 0 ? 1 : 0 }
    let place = (number + 2) / 4 * Double(range.upperBound - range.lowerBound)
    return min(range.lowerBound + Int64(place.rounded()), range.upperBound)
  }

  private func expectSameOutputs(
    _ result: Graph, _ symbols: [String: Int], _ tolerance: Double, _ location: SourceLocation
  ) throws {
    try result.verify()
    var random = RandomNumbers(seed: 11)
    var inputs: [String: Tensor] = [:]
    for id in graph.inputs {
      let type = try #require(graph[id].type)
      let shape = try #require(type.shape.substituting(symbols).constants)
      let numbers = (0..<shape.reduce(1, *)).map { _ in Double(2 * random.next()) }
      inputs[graph[id].name] =
        type.dataType.isFloatingPoint
        ? try Tensor(numbers: numbers, dataType: type.dataType, shape: shape)
        : try Tensor(
          integers: numbers.map { integer($0, type.dataType) }, dataType: type.dataType,
          shape: shape)
    }
    let expected = try GraphInterpreter.run(graph, inputs: inputs)
    let found = try GraphInterpreter.run(result, inputs: inputs)
    #expect(expected.keys == found.keys, sourceLocation: location)
    for (name, tensor) in expected {
      let other = try #require(found[name])
      #expect(other.shape == tensor.shape, sourceLocation: location)
      #expect(other.dataType == tensor.dataType, sourceLocation: location)
      let a = try #require(tensor.numbers())
      let b = try #require(other.numbers())
      let worst = zip(a, b).map { $0 == $1 ? 0 : abs($0 - $1) / max(1, abs($0)) }
        .reduce(0) { $1.isNaN ? .infinity : max($0, $1) }
      #expect(worst <= tolerance, "output \(name) differs by \(worst)", sourceLocation: location)
    }
  }
}

extension ScalarExpression {
  static let x0 = ScalarExpression.operand(0)
  static let x1 = ScalarExpression.operand(1)
  static let x2 = ScalarExpression.operand(2)
  static let relu = ScalarExpression.maximum(.operand(0), .float(0))
}

extension Dimension: ExpressibleByStringLiteral {
  /// A symbol.
  package init(stringLiteral name: String) { self = .symbol(name) }
}

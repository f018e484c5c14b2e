import GraphModel
import KernelModel
import LayerTensorFusion
import Operators
import PrecisionCalibration
import TensorModel
import Testing

/// Graphs with 16-bit layers: types, casts and errors.
@Suite struct PrecisionTests {
  // MARK: Whole graphs

  @Test(arguments: 0..<60, [Precision.fp16, .bf16])
  func randomGraphs(seed: Int, precision: Precision) throws {
    var generator = GraphGenerator(seed: UInt64(seed))
    let draft = try generator.draft(nodes: 14)
    let fused = try draft.fused(tolerance: 2e-4).graph
    let rewritten = try rewritten(fused, precision)
    try expectSameTypes(rewritten, fused)
    #expect(try self.rewritten(rewritten, precision) == rewritten, "not idempotent")
    let unfused = try self.rewritten(draft.graph, precision)
    try expectSameTypes(unfused, fused)
    let tolerance = precision == .fp16 ? 3e-3 : 2e-2
    let expected = try run(draft.graph)
    for graph in [rewritten, unfused] {
      for (name, error) in try errors(graph, expected) {
        #expect(error <= tolerance, "\(name)\n\(graph)")
      }
    }
  }

  private func rewritten(_ graph: Graph, _ precision: Precision) throws -> Graph {
    let result = try PrecisionRewriter.apply(graph, try PrecisionPolicy.assign(graph, precision))
    try result.verify()
    return result
  }

  private func expectSameTypes(_ graph: Graph, _ other: Graph) throws {
    #expect(graph.inputs.map { graph[$0].type } == other.inputs.map { other[$0].type })
    #expect(
      graph.outputs.map { graph[$0.value].type } == other.outputs.map { other[$0.value].type })
    for (_, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation else { continue }
      let types = try problem.outputTypes(of: graph.types(of: node.inputs))
      #expect(types == node.outputs.map { graph[$0].type })
    }
  }

  private func run(_ graph: Graph) throws -> [String: Tensor] {
    var random = RandomNumbers(seed: 11)
    var inputs: [String: Tensor] = [:]
    for id in graph.inputs {
      let type = try #require(graph[id].type)
      let shape = try #require(type.shape.constants)
      let numbers = (0..<shape.reduce(1, *)).map { _ in Double(random.next()) }
      inputs[graph[id].name] =
        type.dataType.isFloatingPoint
        ? try Tensor(numbers: numbers, dataType: type.dataType, shape: shape)
        : try Tensor(
          integers: numbers.map { $0 > 0 ? 1 : 0 }, dataType: type.dataType, shape: shape)
    }
    return try GraphInterpreter.run(graph, inputs: inputs)
  }

  /// Norm of the difference over norm, for each output. What cancels is measured by the size of what it
  /// is made of: inputs and weights are near a half.
  private func errors(_ graph: Graph, _ expected: [String: Tensor]) throws -> [String: Double] {
    let found = try run(graph)
    var errors: [String: Double] = [:]
    for (name, tensor) in expected {
      let a = try #require(found[name]?.numbers()), b = try #require(tensor.numbers())
      #expect(found[name]?.type == tensor.type)
      let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let norm = max(b.reduce(0) { $0 + $1 * $1 }, 0.25 * Double(b.count))
      errors[name] = difference == 0 ? 0 : (difference / norm).squareRoot()
    }
    return errors
  }

  // MARK: Casts

  /// The nodes that do nothing but cast.
  private func casts(_ graph: Graph) -> [Node] {
    graph.liveNodes.map(\.node).filter { node in
      if case .kernel(.pointwise(let pointwise)) = node.operation,
        case .cast(.operand(0), _) = pointwise.expression
      {
        return true
      }
      return false
    }
  }

  @Test func onlyTheInputOfAChainIsCast() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 32, 6, 6])
    var y = try draft.convolution(x, try draft.weights([4, 32, 3, 3]), pads: 1)
    for _ in 0..<3 {
      y = try draft.convolution(y, try draft.weights([4, 4, 3, 3]), pads: 1)
      y = try draft.pointwise(.relu, y)
    }
    draft.output(y)
    let graph = try rewritten(try draft.fused().graph, .fp16)
    #expect(casts(graph).count == 1)
    #expect(graph.liveNodes.count == 5)
    let last = try #require(graph.liveNodes.last?.node)
    #expect(graph[last.outputs[0]].type?.dataType == .float32)
    #expect(graph[try #require(last.inputs[1])].type?.dataType == .float16)
  }

  @Test func pointwiseKernelsCastWhatTheyReadAndGive() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 8])
    let y = try draft.pointwise(.unary(.hyperbolicTangent, .x0 + .float(1)), x)
    draft.output(try draft.matmul(y, try draft.weights([8, 8])))
    let graph = try rewritten(draft.graph, .fp16)
    #expect(casts(graph).isEmpty)
    #expect(graph.liveNodes.count == 2)
  }

  @Test func aValueIsCastOnce() throws {
    var draft = GraphDraft()
    let x = draft.input([4, 8])
    for _ in 0..<3 { draft.output(try draft.matmul(x, try draft.weights([8, 8]))) }
    #expect(casts(try rewritten(draft.graph, .bf16)).count == 1)
  }

  @Test func tablesAndMovesAreSixteenBits() throws {
    var draft = GraphDraft()
    let tokens = draft.input([5], .int64)
    let rows = try draft.add(.gather(.slices(axis: 0)), [try draft.weights([11, 8]), tokens])
    let moved = try draft.transpose(try draft.reshape(rows, [5, 2, 4]), [1, 0, 2])
    draft.output(try draft.softmax(moved, axis: 2))
    let graph = try rewritten(draft.graph, .fp16)
    #expect(casts(graph).isEmpty)
    let table = try #require(graph.liveNodes.first?.node.inputs[0])
    #expect(graph[table].type?.dataType == .float16)
  }

  @Test(arguments: [Precision.fp16, .bf16]) func tablesAreRoundedToNearest(precision: Precision)
    throws
  {
    // Ties, subnormal numbers and both ends of the range of each type.
    var bits: [UInt32] = [0, 0x8000_0000, 1, 0x477F_EFFF, 0x3380_0000, 0x3300_0000, 0x3300_0001]
    var state: UInt64 = 3
    while bits.count < 4096 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let pattern = UInt32(truncatingIfNeeded: state >> 32)
      let tie = pattern & 0xFFFF_E000 | 0x1000
      let coarse = pattern & 0xFFFF_0000 | 0x8000
      bits += [pattern, tie, coarse].filter { abs(Float(bitPattern: $0)) < 65519 }
    }
    bits.removeLast(bits.count - 4096)
    let numbers = bits.map { Float(bitPattern: $0) }
    var draft = GraphDraft()
    let tokens = draft.input([5], .int64)
    let table = try draft.constant(numbers, [64, 64])
    let rows = try draft.add(.gather(.slices(axis: 0)), [table, tokens])
    draft.output(try draft.softmax(rows, axis: 1))
    let graph = try rewritten(draft.graph, precision)
    let operand = try #require(graph.liveNodes.first?.node.inputs[0])
    let weights = try #require(graph[operand].constant)
    let expected = numbers.map { SmallFloat.encode(Double($0), weights.dataType) }
    let found = weights.withUnsafeBytes { bytes in
      (0..<4096).map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
    }
    #expect(found == expected)
  }

  // MARK: What stays in single precision

  private func precisions(_ draft: GraphDraft, _ precision: Precision = .fp16) throws
    -> [Precision?]
  {
    try PrecisionPolicy.assign(draft.graph, precision).entries.map(\.precision)
  }

  @Test func weightsOutOfRangeKeepTheirLayer() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 2])
    let weights = try draft.constant([Float](arrayLiteral: 1, 2, 3, 70000), [2, 2])
    draft.output(try draft.matmul(x, weights))
    let assignment = try PrecisionPolicy.assign(draft.graph, .fp16)
    #expect(assignment.entries.map(\.precision) == [.fp32])
    #expect(assignment.description.contains("constants up to 70000.0 exceed float16"))
    #expect(try rewritten(draft.graph, .fp16) == draft.graph)
    #expect(try precisions(draft, .bf16) == [.bf16])
    draft.output(
      try draft.matmul(x, try draft.constant([Float](repeating: 1e-6, count: 4), [2, 2])))
    #expect(try precisions(draft) == [.fp32, .fp32])
  }

  @Test func masksOfTheLowestNumberGiveNoNaN() throws {
    for lowest in [-Double(Float.greatestFiniteMagnitude), -1e9, -10000] {
      var draft = GraphDraft()
      let mask = draft.input([1, 1, 1, 6], .int64)
      let q = draft.input([1, 2, 6, 4]), k = draft.input([1, 2, 4, 6])
      let penalty = try draft.pointwise((.float(1) - .cast(.x0, .float32)) * .float(lowest), mask)
      let scores = try draft.pointwise(.x0 + .x1, try draft.matmul(q, k), penalty)
      draft.output(try draft.matmul(try draft.softmax(scores, axis: 3), q))
      let expected = try run(draft.graph)
      for graph in [draft.graph, try draft.fused().graph] {
        for (_, error) in try errors(try rewritten(graph, .fp16), expected) {
          #expect(error < 3e-3)
        }
        for (_, error) in try errors(try rewritten(graph, .bf16), expected) {
          #expect(error < 2e-2)
        }
      }
    }
  }

  @Test func steepFunctionsStaySingle() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 256])
    let y = try draft.matmul(x, try draft.weights([256, 8]))
    let elu = ScalarExpression.select(
      .binary(.less, .x0, .float(0)), .unary(.exponentialMinus1, .x0), .x0)
    let softplus =
      .maximum(.x0, .float(0))
      + .unary(.logarithm1p, .unary(.exponential, -.unary(.absolute, .x0)))
    let gentle = [elu, softplus, .x0 * .unary(.sigmoid, .x0), .x0 * .x0]
    let steep: [ScalarExpression] = [
      .unary(.exponential, .x0), .unary(.logarithm, .x0), .binary(.power, .x0, .float(3.5)),
    ]
    for expression in gentle + steep { draft.output(try draft.pointwise(expression, y)) }
    let expected: [Precision?] =
      [.fp16] + gentle.map { _ in .fp16 } + steep.map { _ in .fp32 }
    #expect(try precisions(draft) == expected)
  }

  @Test func anglesOfPositionsStaySingle() throws {
    var draft = GraphDraft()
    let positions = draft.input([5], .int64)
    let number = try draft.pointwise(.cast(.x0, .float32), positions)
    let column = try draft.reshape(number, [5, 1])
    let angles = try draft.matmul(column, try draft.weights([1, 4]))
    let sine = try draft.pointwise(.unary(.sine, .x0), angles)
    draft.output(try draft.matmul(sine, try draft.weights([4, 4])))
    let graph = try rewritten(draft.graph, .fp16)
    #expect(graph[try #require(graph.liveNodes[2].node.inputs[0])].type?.dataType == .float32)
    #expect(try precisions(draft).suffix(3) == [.fp32, .fp16, .fp16])
  }

  @Test func sumsDoNotOverflow() throws {
    var draft = GraphDraft()
    let x = draft.input([4, 4096])
    let y = try draft.pointwise(.x0 * .float(100), x)
    let sum = try draft.reduce(.sum, try draft.pointwise(.x0 * .x0, y), [1])
    draft.output(try draft.pointwise(.x0 / .unary(.squareRoot, .x1), y, sum))
    let expected = try run(draft.graph)
    for graph in [draft.graph, try draft.fused().graph] {
      for (_, error) in try errors(try rewritten(graph, .fp16), expected) {
        #expect(error < 3e-3)
      }
    }
  }

  // MARK: Inputs and biases

  /// Sums of few products of the network's inputs take both factors in single precision; further layers do not.
  @Test(arguments: [255, 256], [Precision.fp16, .bf16])
  func inputsAreMultipliedInSinglePrecision(count: Int, precision: Precision) throws {
    var draft = GraphDraft()
    let x = draft.input([3, Dimension(count)])
    let centred = try draft.pointwise(.x0 - .float(0.5), try draft.transpose(x, [1, 0]))
    let first = try draft.matmul(
      try draft.transpose(centred, [1, 0]), try draft.weights([count, 17]))
    draft.output(try draft.matmul(first, try draft.weights([17, 5])))
    let graph = try rewritten(draft.graph, precision)
    let products = graph.liveNodes.map(\.node).filter {
      if case .kernel(.matmul) = $0.operation { true } else { false }
    }
    let isSingle = count < 256 && precision == .fp16
    let narrow: DataType = precision == .fp16 ? .float16 : .bfloat16
    let types = products.map { graph.types(of: $0.inputs).map { $0?.dataType } }
    #expect(types[0] == [DataType?](repeating: isSingle ? .float32 : narrow, count: 2))
    #expect(types[1] == [narrow, narrow])
    #expect(products.map(\.arithmetic) == [isSingle ? .tensorFloat32 : .exact, .exact])
    #expect(graph[products[0].outputs[0]].type?.dataType == narrow)
    let entries = try PrecisionPolicy.assign(draft.graph, precision).entries
    let reasons = entries.filter { $0.reason == .fewProducts(count) }
    #expect(reasons.map(\.precision) == (isSingle ? [.tf32] : []))
    let expected = try run(draft.graph)
    for (_, error) in try errors(graph, expected) { #expect(error < 2e-2) }
  }

  /// What is computed of inputs in another way than element by element is no input.
  @Test func productsOfOtherThingsAreInSixteenBits() throws {
    var draft = GraphDraft()
    let (x, y) = (draft.input([3, 8]), draft.input([8, 3]))
    let sums = try draft.matmul(x, y)
    draft.output(try draft.matmul(sums, try draft.weights([3, 5])))
    #expect(try precisions(draft) == [.fp16, .fp16])
  }

  /// Inputs that are scaled first stay in single precision for their products, whoever else reads them.
  @Test func scaledInputsAreNotRounded() throws {
    var draft = GraphDraft()
    let x = draft.input([3, 32])
    let scaled = try draft.pointwise(.x0 * .float(2) - .float(1), x)
    let product = try draft.matmul(scaled, try draft.weights([32, 32]))
    draft.output(try draft.pointwise(.x0 + .operand(1), product, scaled))
    let graph = try rewritten(draft.graph, .fp16)
    let node = try #require(
      graph.liveNodes.map(\.node).first { $0.arithmetic == .tensorFloat32 })
    let factor = try #require(node.inputs[0])
    #expect(graph[factor].type?.dataType == .float32)
    let writer = try #require(graph.liveNodes.map(\.node).first { $0.outputs.contains(factor) })
    guard case .kernel(.pointwise(let pointwise)) = writer.operation else {
      Issue.record("\(writer.name) is no sum")
      return
    }
    #expect(pointwise.expression.operands == [0])
    #expect(graph[try #require(writer.inputs[0])].type?.dataType == .float32)
  }

  /// Parts of a network have inputs that are not the network's, and transposed convolutions add up taps too.
  @Test func otherInputsAndManyTapsAreInSixteenBits() throws {
    var draft = GraphDraft()
    let x = draft.input([3, 8])
    draft.output(try draft.matmul(x, try draft.weights([8, 5])))
    let body = try PrecisionPolicy.assign(draft.graph, .fp16, isBody: true)
    #expect(body.entries.map(\.precision) == [.fp16])
    #expect(try precisions(draft) == [.tf32])
    for (taps, expected) in [(1, Precision.tf32), (3, .fp16)] {
      var draft = GraphDraft()
      let image = draft.input([1, 32, 4, 4])
      let none = [Dimension(0), Dimension(0)]
      draft.output(
        try draft.add(
          .convolution(
            Convolution(
              strides: [1, 1], dilations: [1, 1], padsBefore: none, padsAfter: none,
              isTransposed: true)), [image, try draft.weights([32, 4, taps, taps])]))
      #expect(try precisions(draft) == [expected], "\(taps)")
    }
  }

  /// Biases keep single precision; whole tensors are stored in 16 bits, and single numbers are numbers.
  @Test(arguments: [Precision.fp16, .bf16])
  func biasesStayInSinglePrecision(precision: Precision) throws {
    var draft = GraphDraft()
    let x = draft.input([4, 256])
    var y = try draft.matmul(x, try draft.weights([256, 8]))
    y = try draft.pointwise(.x0 + .operand(1), y, try draft.weights([8]))
    y = try draft.pointwise(.x0 * .operand(1), y, try draft.weights([4, 1]))
    draft.output(try draft.pointwise(.x0 + .operand(1), y, try draft.weights([4, 8])))
    let graph = try rewritten(try draft.fused().graph, precision)
    let node = try #require(graph.liveNodes.last?.node)
    let narrow: DataType = precision == .fp16 ? .float16 : .bfloat16
    let found = node.inputs.compactMap { $0.flatMap { graph[$0].type } }
    for type in found.dropFirst() {
      let isVector = type.shape.constants.map { $0.count { $0 != 1 } < 2 } ?? false
      #expect(type.dataType == (isVector ? .float32 : narrow), "\(type)")
    }
    #expect(found.count == 5)
  }

  // MARK: TF32

  @Test func contractionsAreMarkedAndStayMarked() throws {
    var draft = GraphDraft()
    let x = draft.input([4, 8])
    let y = try draft.matmul(x, try draft.weights([8, 8]))
    draft.output(try draft.pointwise(.relu, y))
    let marked = try rewritten(draft.graph, .tf32)
    #expect(marked.liveNodes.map(\.node.arithmetic) == [.tensorFloat32, .exact])
    #expect(marked != draft.graph)
    #expect(marked.description.contains("in tensorFloat32"))
    #expect(marked.substituting(["n": 1]) == marked)
    var report = RewriteReport()
    let fused = try LayerFusion.fuse(marked, report: &report)
    #expect(fused.liveNodes.map(\.node.arithmetic) == [.tensorFloat32])
    #expect(try rewritten(fused, .tf32) == fused)
  }
}

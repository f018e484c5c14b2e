import GraphModel
import KernelModel
import Operators
import TensorModel
import Testing

@Suite struct LoopTests {
  private static let number = TensorType(.int64, [Int]())
  private static let truth = TensorType(.bool, [Int]())

  /// `x = x * factor + iteration`, with every x stacked.
  private func accumulation() -> Graph {
    var body = ModelDraft("body")
    let iteration = body.input("iteration"), condition = body.input("condition")
    let x = body.input("x"), factor = body.input("factor")
    let step = body.add("Cast", [iteration], ["to": .type(.float32)])[0]
    let next = body.add("Add", [body.add("Mul", [x, factor])[0], step])[0]
    body.output("condition", condition)
    body.output("x", next)
    body.output("each", body.add("Identity", [next])[0])
    return body.graph
  }

  /// - Parameter trips: nil for a trip count that only a run can tell.
  private func loop(_ body: Graph, trips: Int64?, type: TensorType) throws -> Graph {
    var draft = ModelDraft()
    let count = trips.map { draft.constant(Tensor(scalar: $0)) } ?? draft.input("n", Self.number)
    let condition = draft.constant(Tensor(scalar: true))
    let x = draft.input("x", type)
    let factor = draft.constant(Tensor(scalar: Float(2)))
    let outputs = draft.add(
      "Loop", [count, condition, x], outputs: ["x", "each"], captures: [factor],
      ["body": .graph(body)])
    draft.output("x", outputs[0])
    draft.output("each", draft.add("Neg", [outputs[1]])[0])
    return try draft.expanded()
  }

  @Test func aShortLoopIsWrittenOut() throws {
    let type = TensorType(.float32, [.symbol("batch")])
    let graph = try loop(accumulation(), trips: 3, type: type)
    #expect(!graph.families.contains("loop"))
    #expect(!graph.families.contains { $0.hasPrefix("pending") })
    #expect(graph.outputType(0) == type)
    #expect(graph.outputType(1) == TensorType(.float32, [3, .symbol("batch")]))
    #expect(
      try run(graph, ["x": try floats([1, 2], [2])])
        == [[12, 20], [-2, -4, -5, -9, -12, -20]])
  }

  @Test func aLongLoopKeepsItsBody() throws {
    let type = TensorType(.float32, [.symbol("batch")])
    let graph = try loop(accumulation(), trips: 40, type: type)
    #expect(graph.families == ["loop", "pointwise"])
    #expect(graph.outputType(1) == TensorType(.float32, [40, .symbol("batch")]))
    #expect(graph.bodies[0].inputs.count == 3)
    #expect(graph.bodies[0].families.allSatisfy { $0 == "pointwise" })
  }

  @Test func aTripCountFromARunGivesASymbol() throws {
    let graph = try loop(
      accumulation(), trips: nil, type: TensorType(.float32, [.symbol("batch")]))
    let type = try #require(graph.outputType(1))
    #expect(type.shape[0].symbols == ["runs@Loop1"])
    #expect(type.shape[1] == .symbol("batch"))
    for (count, expected) in [
      (0, [[1, 2], []]), (2, [[5, 9], [-2, -4, -5, -9]]),
    ] as [(Int64, [[Float]])] {
      #expect(
        try run(graph, ["n": Tensor(scalar: count), "x": try floats([1, 2], [2])]) == expected)
    }
  }

  @Test func aValueThatGrowsHasASymbolForItsExtent() throws {
    var body = ModelDraft("body")
    _ = body.input("iteration")
    let condition = body.input("condition"), x = body.input("x"), factor = body.input("factor")
    let more = body.add("Unsqueeze", [factor, body.constant(Tensor([Int64(0)]))])[0]
    let next = body.add("Concat", [x, more], ["axis": .int(0)])[0]
    body.output("condition", condition)
    body.output("x", next)
    body.output("each", body.add("ReduceSum", [next], ["keepdims": .int(0)])[0])
    let graph = try loop(body.graph, trips: nil, type: TensorType(.float32, [1]))
    let type = try #require(graph.outputType(0))
    #expect(type.rank == 1)
    #expect(type.shape.symbols == ["carried0_0@Loop1"])
    let inner = try #require(graph.bodies[0][graph.bodies[0].inputs[2]].type)
    #expect(inner.shape.symbols == ["next0_0@Loop1"])
    #expect(
      try run(graph, ["n": Tensor(scalar: Int64(3)), "x": try floats([1], [1])])
        == [[1, 2, 2, 2], [-3, -5, -7]])
  }

  @Test func aConditionThatFailsEndsTheLoop() throws {
    var body = ModelDraft("body")
    _ = body.input("iteration")
    _ = body.input("condition")
    let x = body.input("x"), factor = body.input("factor")
    let next = body.add("Mul", [x, factor])[0]
    let largest = body.add("ReduceMax", [next], ["keepdims": .int(0)])[0]
    let bound = body.constant(Tensor(scalar: Float(10)))
    body.output("condition", body.add("Less", [largest, bound])[0])
    body.output("x", next)
    body.output("each", body.add("Identity", [next])[0])
    let graph = try loop(body.graph, trips: 8, type: TensorType(.float32, [1]))
    #expect(graph.families == ["loop", "pointwise"])
    #expect(graph.outputType(1)?.shape[0].constant == nil)
    #expect(
      try run(graph, ["x": try floats([1], [1])]) == [[16], [-2, -4, -8, -16]])
  }

  @Test func whatEveryRunHandsOnIsStillKnown() throws {
    var body = ModelDraft("body")
    _ = body.input("iteration")
    let condition = body.input("condition"), x = body.input("x"), shape = body.input("shape")
    let flat = body.add("Reshape", [x, shape])[0]
    body.output("condition", condition)
    body.output("x", body.add("Relu", [flat])[0])
    body.output("shape", shape)
    var draft = ModelDraft()
    let trips = draft.input("n", Self.number)
    let x0 = draft.input("x", TensorType(.float32, [2, 3]))
    let shape0 = draft.constant(Tensor([Int64(2), 3]))
    let outputs = draft.add(
      "Loop", [trips, nil, x0, shape0], outputs: ["x", "shape"], ["body": .graph(body.graph)])
    draft.output("x", outputs[0])
    draft.output("y", draft.add("Reshape", [x0, outputs[1]])[0])
    let graph = try draft.expanded()
    #expect(graph.outputType(0) == TensorType(.float32, [2, 3]))
    #expect(graph.outputType(1) == TensorType(.float32, [2, 3]))
    #expect(graph.families == ["loop"])
  }

  @Test func scansRunBackwardsAndAlongOtherAxes() throws {
    var body = ModelDraft("body")
    let state = body.input("state"), element = body.input("element")
    let next = body.add("Add", [state, element])[0]
    body.output("state", next)
    body.output("each", body.add("Identity", [next])[0])
    var draft = ModelDraft()
    let state0 = draft.input("state", TensorType(.float32, [2]))
    let sequence = draft.input("sequence", TensorType(.float32, [2, .symbol("length")]))
    let outputs = draft.add(
      "Scan", [state0, sequence], outputs: ["state", "each"],
      [
        "body": .graph(body.graph), "num_scan_inputs": .int(1), "scan_input_axes": .ints([-1]),
        "scan_input_directions": .ints([1]), "scan_output_axes": .ints([1]),
        "scan_output_directions": .ints([0]),
      ])
    draft.output("state", outputs[0])
    draft.output("each", outputs[1])
    let graph = try draft.expanded()
    #expect(graph.families == ["scan"])
    #expect(graph.outputType(1) == TensorType(.float32, [2, .symbol("length")]))
    let result = try run(
      graph,
      ["state": try floats([0, 10], [2]), "sequence": try floats([1, 2, 3, 4, 5, 6], [2, 3])])
    #expect(result == [[6, 25], [3, 5, 6, 16, 21, 25]])
  }
}

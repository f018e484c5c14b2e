import GraphModel
import KernelModel
import Operators
import TensorModel
import Testing

@Suite struct BranchTests {
  private let row = TensorType(.float32, [.symbol("batch"), 4])

  /// A body that applies one operator to a captured value.
  private func body(
    _ name: String, of operatorName: String, _ attributes: [String: AttributeValue] = [:]
  ) -> Graph {
    var draft = ModelDraft(name)
    let x = draft.input("x")
    let y = draft.add(operatorName, [x], attributes)[0]
    draft.output("y", y)
    return draft.graph
  }

  /// Whether the extent of an axis of x is a number.
  private func extentIs(
    _ draft: inout ModelDraft, _ x: ValueID, axis: Int64, _ extent: Int64
  ) -> ValueID {
    let shape = draft.add("Shape", [x])[0]
    let place = draft.constant(Tensor(scalar: axis))
    let found = draft.add("Gather", [shape, place])[0]
    return draft.add("Equal", [found, draft.constant(Tensor(scalar: extent))])[0]
  }

  @Test func aConditionOnShapesIsDecidedWhileTheBatchIsSymbolic() throws {
    var inner = ModelDraft("inner")
    let captured = inner.input("x")
    let isOne = extentIs(&inner, captured, axis: 1, 1)
    let chosen = inner.add(
      "If", [isOne], captures: [captured],
      [
        "then_branch": .graph(body("squeeze", of: "Squeeze")),
        "else_branch": .graph(body("relu", of: "Relu")),
      ])[0]
    inner.output("y", chosen)
    var draft = ModelDraft()
    let x = draft.input("x", row)
    let isFour = extentIs(&draft, x, axis: 1, 4)
    let y = draft.add(
      "If", [isFour], captures: [x],
      [
        "then_branch": .graph(inner.graph), "else_branch": .graph(body("neg", of: "Neg")),
      ])[0]
    let z = draft.add("Add", [y, x])[0]
    draft.output("z", z)
    let graph = try draft.expanded()
    #expect(graph.families == ["pointwise", "pointwise"])
    #expect(graph.outputType(0) == row)
    #expect(graph.values.contains { $0.name == "model.out4" })
    #expect(try run(graph, ["x": try floats([-1, 2, -3, 4], [1, 4])]) == [[-1, 4, -3, 8]])
  }

  private func branch(
    then: Graph, otherwise: Graph, type: TensorType
  ) throws -> Graph {
    var draft = ModelDraft()
    let condition = draft.input("condition", TensorType(.bool, [Int]()))
    let x = draft.input("x", type)
    let y = draft.add(
      "If", [condition], captures: [x],
      ["then_branch": .graph(then), "else_branch": .graph(otherwise)])[0]
    draft.output("y", draft.add("Neg", [y])[0])
    return try draft.expanded()
  }

  private func results(_ graph: Graph, _ x: Tensor) throws -> [[Float]] {
    try [true, false].map {
      try run(graph, ["condition": Tensor(scalar: $0), "x": x])[0]
    }
  }

  @Test func branchesThatAgreeGiveATypedResult() throws {
    let graph = try branch(
      then: body("a", of: "Relu"), otherwise: body("b", of: "Abs"), type: row)
    #expect(graph.families == ["branch", "pointwise"])
    #expect(graph.outputType(0) == row)
    #expect(graph.bodies.map(\.families) == [["pointwise"], ["pointwise"]])
    #expect(
      try results(graph, try floats([-1, 2, -3, 4], [1, 4]))
        == [[0, -2, 0, -4], [-1, -2, -3, -4]])
  }

  @Test func branchesOfDifferentExtentsGiveASymbol() throws {
    let graph = try branch(
      then: body("a", of: "Relu"),
      otherwise: body("b", of: "ReduceSum", ["keepdims": .int(1)]), type: row)
    let type = try #require(graph.outputType(0))
    #expect(type.rank == 2)
    #expect(type.shape[1].constant == nil)
    #expect(type.shape.symbols.allSatisfy { $0.hasSuffix("@If1") })
    #expect(
      try results(graph, try floats([-1, 2, -3, 4], [1, 4])) == [[0, -2, 0, -4], [-2]])
  }

  @Test func branchesOfDifferentRanksLeaveTheRestPending() throws {
    let graph = try branch(
      then: body("a", of: "Relu"),
      otherwise: body("b", of: "ReduceSum", ["keepdims": .int(0)]), type: row)
    #expect(graph.outputType(0) == nil)
    #expect(graph.families == ["branch", "pending Neg"])
    #expect(
      try results(graph, try floats([-1, 2, -3, 4], [1, 4])) == [[0, -2, 0, -4], [-2]])
  }

  @Test func aBranchThatCannotWorkIsLeftAlone() throws {
    let permuted = body("a", of: "Transpose", ["perm": .ints([0, 2, 1])])
    let graph = try branch(then: permuted, otherwise: body("b", of: "Relu"), type: row)
    #expect(graph.outputType(0) == row)
    #expect(graph.bodies.map(\.families) == [["pending Transpose"], ["pointwise"]])
    let x = try floats([-1, 2, -3, 4], [1, 4])
    #expect(
      try run(graph, ["condition": Tensor(scalar: false), "x": x]) == [[0, -2, 0, -4]])
    #expect(throws: (any Error).self) {
      try run(graph, ["condition": Tensor(scalar: true), "x": x])
    }
    #expect(throws: ExpansionError.self) {
      try branch(
        then: body("a", of: "Nonesuch"), otherwise: body("b", of: "Relu"), type: row)
    }
    #expect(throws: ExpansionError.self) {
      try branch(then: permuted, otherwise: permuted, type: row)
    }
  }

  @Test func capturedConstantsBecomePartOfTheBodies() throws {
    var body = ModelDraft("scaled")
    let x = body.input("x"), factor = body.input("factor"), offset = body.input("offset")
    let sum = body.add("Add", [factor, offset])[0]
    body.output("y", body.add("Mul", [x, sum])[0])
    var draft = ModelDraft()
    let condition = draft.input("condition", TensorType(.bool, [Int]()))
    let value = draft.input("x", row)
    let captures = [
      value, draft.constant(Tensor(scalar: Float(2))), draft.constant(Tensor(scalar: Float(3))),
    ]
    let y = draft.add(
      "If", [condition], captures: captures,
      ["then_branch": .graph(body.graph), "else_branch": .graph(body.graph)])[0]
    draft.output("y", y)
    let graph = try draft.expanded()
    #expect(graph.bodies.allSatisfy { $0.inputs.count == 1 && $0.families == ["pointwise"] })
    #expect(graph.liveNodes[0].node.inputs.count == 2)
    #expect(
      try results(graph, try floats([1, 2, 3, 4], [1, 4])) == [[5, 10, 15, 20], [5, 10, 15, 20]])
  }
}

import GraphModel
import KernelModel
import Operators
import TensorModel
import Testing

@Suite struct GraphExpansionTests {
  private let square = TensorType(.float32, [2, 2])

  @Test func valuesKeepTheNamesOfTheModel() throws {
    var draft = ModelDraft()
    let x = draft.input("x", square)
    let y = draft.add("Softmax", [x])[0]
    draft.output("y", draft.add("Relu", [y])[0])
    let graph = try draft.expanded()
    #expect(graph.liveNodes.map { graph[$0.node.outputs[0]].name } == ["model.out1", "model.out2"])
  }

  @Test func anOutputThatIsNotComputedMayNotBeUsed() throws {
    var draft = ModelDraft()
    let x = draft.input("x", TensorType(.float32, [1, 2, 3]))
    let vector = draft.constant(Tensor([Float(1), 2]))
    let outputs = draft.add(
      "BatchNormalization", [x, vector, vector, vector, vector], outputs: ["y", nil])
    draft.output("y", outputs[0])
    #expect(try draft.expanded().outputType(0) == TensorType(.float32, [1, 2, 3]))
    draft.output("z", draft.add("Relu", [outputs[1]])[0])
    #expect(throws: ExpansionError.self) { try draft.expanded() }
  }

  @Test func nodesWaitForTypes() throws {
    var draft = ModelDraft()
    let x = draft.input("x"), y = draft.input("y", square)
    draft.output("a", draft.add("Relu", [x])[0])
    draft.output("b", draft.add("Relu", [y])[0])
    var graph = try draft.expanded()
    #expect(graph.families == ["pending Relu", "pointwise"])
    graph[graph.inputs[0]].type = square
    let again = try GraphExpansion.expand(graph)
    #expect(again.families == ["pointwise", "pointwise"])
    #expect(again.outputType(0) == square)
  }

  @Test func unknownExtentsOfDifferentNodesDiffer() throws {
    var draft = ModelDraft()
    let x = draft.input("x", square)
    var graph = draft.graph
    let ids = (0..<2).map { _ in graph.addValue(Value(name: "nonzero")) }
    for id in ids {
      graph.addNode(
        Node(
          name: "",
          operation: .pending(
            OperatorRecord(domain: "onnx", name: "NonZero", version: 13, attributes: [:])),
          inputs: [x], outputs: [id], origins: []))
      graph.outputs.append(("n\(id.index)", id))
    }
    let expanded = try GraphExpansion.expand(graph)
    #expect(expanded.outputType(0) != expanded.outputType(1))
  }

  @Test func anUnknownOperatorIsNamed() throws {
    var draft = ModelDraft()
    draft.output("y", draft.add("Nonesuch", [draft.input("x", square)])[0])
    #expect { try draft.expanded() } throws: { error in
      "\(error)".contains("Nonesuch1") && "\(error)".contains("not supported")
    }
  }

  /// A loop or branch around itself, again and again.
  private func nested(_ depth: Int, isLoop: Bool) -> Graph {
    var graph: Graph?
    var other = ModelDraft("other")
    _ = other.input("condition")
    other.output("y", other.add("Abs", [other.input("x")])[0])
    for level in 0..<depth {
      var draft = ModelDraft("level\(level)")
      let iteration = isLoop ? draft.input("iteration") : nil
      let goesOn = isLoop ? draft.input("goes on") : draft.input("condition")
      let x = draft.input("x")
      var y = draft.add("Relu", [x])[0]
      if let inner = graph {
        y =
          isLoop
          ? draft.add("Loop", [iteration, goesOn, y], ["body": .graph(inner)])[0]
          : draft.add(
            "If", [goesOn], captures: [goesOn, y],
            ["then_branch": .graph(inner), "else_branch": .graph(other.graph)])[0]
      }
      if isLoop { draft.output("condition", goesOn) }
      draft.output("y", y)
      graph = draft.graph
    }
    return graph ?? Graph(name: "")
  }

  private func typed(_ graph: Graph, isLoop: Bool) -> Graph {
    var graph = graph
    let types =
      (isLoop ? [TensorType(.int64, [Int]())] : []) + [TensorType(.bool, [Int]()), square]
    for (id, type) in zip(graph.inputs, types) { graph[id].type = type }
    return graph
  }

  @Test func deepNestingIsRefused() throws {
    for isLoop in [false, true] {
      let graph = typed(nested(40, isLoop: isLoop), isLoop: isLoop)
      #expect(throws: ExpansionError.self) { try GraphExpansion.expand(graph) }
    }
  }

  @Test(.timeLimit(.minutes(1))) func nestedLoopsTakeLinearTime() throws {
    let graph = typed(nested(30, isLoop: true), isLoop: true)
    #expect(try GraphExpansion.expand(graph).families.contains("loop"))
  }
}

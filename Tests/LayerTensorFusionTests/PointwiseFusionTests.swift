import GraphModel
import KernelModel
import LayerTensorFusion
import TensorModel
import Testing

/// Chains of pointwise nodes, reductions, and movements in between.
@Suite struct PointwiseFusionTests {
  @Test func chainsOfAnyLengthBecomeOne() throws {
    var draft = GraphDraft()
    var x = draft.input([3, 1, 5])
    let other = draft.input([4, 5])
    for _ in 0..<10 { x = try draft.pointwise(.unary(.sine, .x0), x) }
    x = try draft.pointwise(.x0 * .x1, x, try draft.weights([3, 4, 1]))
    x = try draft.pointwise(.x0 + .x1, x, other)
    draft.output(try draft.pointwise(.unary(.absolute, .x0), x))
    let outcome = try draft.fused()
    // The sines of the smaller tensor are not repeated for each of its copies.
    #expect(outcome.families == ["pointwise", "pointwise"])
  }

  @Test func geluWrittenOutJoinsTheMatmul() throws {
    var draft = GraphDraft()
    let y = try draft.matmul(draft.input([5, 4]), try draft.weights([4, 6]))
    let x = try draft.pointwise(.x0 + .x1, y, try draft.weights([6]))
    let a = try draft.pointwise(.x0 / .float(2.0.squareRoot()), x)
    let b = try draft.pointwise(.unary(.errorFunction, .x0), a)
    let c = try draft.pointwise(.x0 + .float(1), b)
    let d = try draft.pointwise(.x0 * .x1, x, c)
    draft.output(try draft.pointwise(.x0 * .float(0.5), d))
    let outcome = try draft.fused()
    #expect(outcome.families == ["matmul"])
    #expect(outcome.problems[0].epilogue == .gelu(.x0 + .x1))
  }

  @Test func coordinatesFollowTheirAxis() throws {
    var draft = GraphDraft()
    let x = draft.input([4])
    let position = try draft.add(
      .pointwise(Pointwise(.cast(.index(axis: 0), .float32) + .x0)), [x])
    let y = draft.input([2, 3, 4])
    draft.output(try draft.pointwise(.x0 * .x1, position, y))
    #expect(try draft.fused().families == ["pointwise"])
    var second = GraphDraft()
    let column = try second.add(
      .pointwise(Pointwise(.cast(.index(axis: 0), .float32) + .x0)), [second.input([1, 4])])
    second.output(try second.pointwise(.x0 * .x1, column, second.input([3, 4])))
    #expect(try second.fused().families == ["pointwise", "pointwise"])
  }

  @Test func outputsAndSharedResultsStay() throws {
    var draft = GraphDraft()
    let x = draft.input([4, 4])
    let a = try draft.pointwise(.unary(.exponential, .x0), x)
    let b = try draft.pointwise(.unary(.sine, .x0), a)
    let c = try draft.reduce(.sum, a, [1])
    draft.output(b, c, a)
    #expect(try draft.fused().families == ["pointwise", "pointwise", "reduction"])
  }

  @Test func cheapProducersAreRepeated() throws {
    var draft = GraphDraft()
    let x = draft.input([4, 4])
    let a = try draft.pointwise(.x0 + .float(1), x)
    draft.output(
      try draft.pointwise(.unary(.exponential, .x0), a), try draft.pointwise(.unary(.sine, .x0), a))
    let outcome = try draft.fused()
    #expect(outcome.count("cheap pointwise of several pointwise => several pointwise") == 1)
    #expect(outcome.families == ["pointwise", "pointwise"])
  }

  @Test func pointwiseAroundAReduction() throws {
    var draft = GraphDraft()
    let x = draft.input([3, 7])
    let square = try draft.pointwise(.x0 * .x0, x)
    let sum = try draft.reduce(.sum, square, [1])
    draft.output(try draft.pointwise(.unary(.squareRoot, .x0), sum))
    let outcome = try draft.fused()
    #expect(outcome.families == ["reduction"])
    #expect(outcome.count("pointwise + reduction => reduction") == 1)
  }

  @Test func channelsLastGraphsLoseTheirTransposes() throws {
    var draft = GraphDraft()
    var x = draft.input([1, 8, 8, 3])
    func back(_ x: ValueID, _ draft: inout GraphDraft) throws -> ValueID {
      try draft.transpose(x, [0, 2, 3, 1])
    }
    func convolution(_ x: ValueID, _ from: Int, _ to: Int, _ draft: inout GraphDraft) throws
      -> ValueID
    {
      let padded = try draft.add(
        .copy(.pad(.constant(0), before: [0, 1, 1, 0], after: [0, 1, 1, 0])), [x])
      let first = try draft.transpose(padded, [0, 3, 1, 2])
      let y = try draft.convolution(first, try draft.weights([to, from, 3, 3]))
      let last = try draft.transpose(y, [0, 2, 3, 1])
      let biased = try draft.pointwise(.x0 + .x1, last, try draft.weights([to]))
      return try draft.pointwise(.relu, biased)
    }
    x = try convolution(x, 3, 4, &draft)
    let a = try convolution(x, 4, 4, &draft)
    let sum = try draft.pointwise(.x0 + .x1, a, x)
    let b = try convolution(sum, 4, 2, &draft)
    let both = try draft.add(.copy(.concatenate(axis: 3)), [b, sum])
    let mean = try draft.add(
      .reduction(Reduction(.mean, axes: [1, 2], keepsDimensions: false)), [both])
    draft.output(try draft.matmul(mean, try draft.weights([6, 5])))
    let outcome = try draft.fused()
    // The transpose of the input is left, and the concatenation.
    #expect(outcome.families.filter { $0 == "copy" }.count == 2)
    #expect(outcome.families.filter { $0 == "pointwise" }.isEmpty)
    #expect(outcome.families.filter { $0 == "convolution" }.count == 3)
  }

  @Test func normalizationsAndPoolingTakeEpilogues() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 4, 4])
    let pooled = try draft.add(
      .window(
        Window(
          .maximum, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], padsBefore: [0, 0],
          padsAfter: [0, 0])), [x])
    let a = try draft.pointwise(.relu, pooled)
    let b = try draft.softmax(a, axis: 1)
    draft.output(try draft.pointwise(.x0 * .x1, b, draft.input([2, 3, 2, 2])))
    let outcome = try draft.fused()
    #expect(outcome.families == ["window", "normalization"])
  }

  @Test func bodiesOfControlFlowAreFused() throws {
    var body = GraphDraft()
    let inner = body.input([2, 3])
    let product = try body.matmul(inner, try body.weights([3, 4]))
    body.output(try body.pointwise(.relu, product))
    var draft = GraphDraft()
    let x = draft.input([2, 3])
    let condition = try draft.constant([true], [])
    draft.output(
      draft.add(
        .branch(then: body.graph, otherwise: body.graph), [condition, x],
        type: TensorType(.float32, [2, 4])))
    let outcome = try draft.fused()
    guard case .control(let control)? = outcome.graph.liveNodes.first?.node.operation else {
      Issue.record("the branch is gone")
      return
    }
    #expect(control.bodies.map(\.nodeCount) == [1, 1])
    #expect(outcome.count("matmul + pointwise => matmul") == 2)
  }
}

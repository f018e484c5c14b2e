import GraphModel
import GraphSimplification
import KernelModel
import PrecisionCalibration
import TensorModel
import Testing

/// What is removed before anything is fused.
@Suite struct SimplificationTests {
  private func simplified(_ expression: ScalarExpression, _ types: [DataType] = [.float32])
    -> ScalarExpression
  {
    ExpressionSimplifier(operands: types).simplified(expression)
  }

  @Test func identitiesOfScalars() {
    let x = ScalarExpression.x0
    #expect(simplified(x * .float(1) + .float(0)) == x)
    #expect(simplified(.float(1) * (x - .float(0))) == x)
    #expect(simplified(-(-x)) == x)
    #expect(simplified(x / .float(8)) == x * .float(0.125))
    #expect(simplified(x / .float(3)) == x / .float(3))
    #expect(simplified(.binary(.power, x, .float(2))) == x * x)
    #expect(simplified(.binary(.power, x, .float(0.5))) == .unary(.squareRoot, x))
    #expect(simplified((x * .float(2)) * .float(3)) == x * .float(6))
    #expect(simplified(x * .float(0)) == x * .float(0))
    #expect(
      simplified(x * .constant(0, .int32), [.int32]) == .constant(0, .int32))
    #expect(
      simplified(.maximum(.minimum(x, .float(6)), .float(0)))
        == .minimum(.maximum(x, .float(0)), .float(6)))
    #expect(
      simplified(.maximum(.maximum(x, .float(0)), .float(-1))) == .maximum(x, .float(0)))
    #expect(
      simplified(.float(1) / (.float(1) + .unary(.exponential, -x))) == .unary(.sigmoid, x))
    #expect(simplified(.cast(.cast(x, .float64), .float32)) == x)
    #expect(
      simplified(.cast(.cast(x, .float32), .int64), [.int64])
        == .cast(.cast(x, .float32), .int64))
    let notANumber = x + .float(.nan)
    #expect(simplified(notANumber).description == notANumber.description)
  }

  @Test func identitiesOfMovement() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 4])
    var y = try draft.reshape(try draft.reshape(x, [6, 4]), [2, 3, 4])
    y = try draft.transpose(try draft.transpose(y, [1, 2, 0]), [2, 0, 1])
    y = try draft.add(.copy(.expand([2, 3, 4])), [y])
    y = try draft.add(
      .copy(.slice(starts: [0, 0, 0], sizes: [2, 3, 4], steps: [1, 1, 1])), [y])
    y = try draft.add(.copy(.pad(.constant(0), before: [0, 0, 0], after: [0, 0, 0])), [y])
    y = try draft.add(.copy(.concatenate(axis: 1)), [y])
    y = try draft.pointwise(.cast(.x0, .float32), y)
    y = try draft.pointwise(.x0 * .x1, y, try draft.constant([Float](repeating: 1, count: 4), [4]))
    draft.output(try draft.pointwise(.unary(.sine, .x0), y))
    let outcome = try draft.simplified()
    #expect(outcome.families == ["pointwise"])
  }

  @Test func slicesAndConcatenations() throws {
    var draft = GraphDraft()
    let a = draft.input(["n", 3]), b = draft.input(["n", 5])
    let both = try draft.add(.copy(.concatenate(axis: 1)), [a, b])
    let second = try draft.add(
      .copy(.slice(starts: [0, 3], sizes: ["n", 5], steps: [1, 1])), [both])
    let part = try draft.add(
      .copy(.slice(starts: [0, 0], sizes: ["n", 2], steps: [1, 2])), [second])
    draft.output(try draft.pointwise(.unary(.sine, .x0), part), second)
    let outcome = try draft.simplified(symbols: ["n": 2])
    #expect(outcome.families == ["copy", "pointwise"])
    #expect(outcome.count("slice of concat inside one part => slice of the part") == 1)
  }

  @Test func constantsFoldAndEqualNodesMerge() throws {
    var draft = GraphDraft()
    let x = draft.input([3])
    let one = try draft.constant([Float(1), 2, 3], [3])
    let same = try draft.constant([Float(1), 2, 3], [3])
    let folded = try draft.pointwise(.x0 * .float(3), one)
    let a = try draft.pointwise(.x0 + .x1, x, folded)
    let b = try draft.pointwise(.x0 + .x1, x, try draft.pointwise(.x0 * .float(3), same))
    let unused = try draft.pointwise(.unary(.sine, .x0), a)
    _ = unused
    draft.output(try draft.pointwise(.x0 * .x1, a, b))
    let outcome = try draft.simplified()
    #expect(outcome.families == ["pointwise", "pointwise"])
    #expect(outcome.count("same problem on same operands => one node") == 1)
    #expect(outcome.count("unused => nothing") == 1)
  }

  @Test func largeFillsAreNotFolded() throws {
    var draft = GraphDraft()
    let row = try draft.weights([1, 4])
    draft.output(try draft.add(.copy(.expand([200_000, 4])), [row]))
    #expect(try draft.simplified().families == ["copy"])
  }

  @Test func operandsOfOneNumberAndFills() throws {
    var draft = GraphDraft()
    let x = draft.input(["n", 4])
    let fill = try draft.add(.pointwise(Pointwise(.float(2), shape: ["n", 4])), [])
    let y = try draft.pointwise(.x0 * .x1, x, fill)
    let z = try draft.pointwise(
      .x0 + .x1, y, try draft.constant([Float](repeating: 3, count: 4), [1, 1, 4]))
    draft.output(try draft.add(.copy(.expand([1, 1, "n", 4])), [z]))
    let outcome = try draft.simplified(symbols: ["n": 3])
    #expect(outcome.families == ["pointwise", "pointwise", "copy"])
    #expect(outcome.problems[0] == .pointwise(Pointwise(.x0 * .float(2))))
  }

  @Test func partsOfConstants() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 4])
    let variance = try draft.constant([Float(1), 2, 3], [3, 1])
    let y = try draft.pointwise(
      .x0 * (.x1 / .unary(.squareRoot, .x2 + .float(1e-3))), x, try draft.weights([3, 1]), variance)
    draft.output(y)
    let outcome = try draft.simplified()
    #expect(outcome.problems == [.pointwise(Pointwise(.x0 * .x1))])
  }

  @Test func reductionsOfNothing() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 1, 3, 1])
    let a = try draft.add(.reduction(Reduction(.mean, axes: [1, 3], keepsDimensions: false)), [x])
    let b = try draft.reduce(.sum, a, [1])
    draft.output(try draft.reshape(b, [2]))
    let outcome = try draft.simplified()
    #expect(outcome.families == ["copy", "reduction"])
  }

  @Test func oneIndexIsASlice() throws {
    var draft = GraphDraft()
    let x = draft.input(["n", 5, 3])
    let last = try draft.constant([Int64(-1)], [])
    draft.output(try draft.add(.gather(.slices(axis: 1)), [x, last]))
    #expect(try draft.simplified(symbols: ["n": 2]).families == ["copy", "copy"])
  }

  @Test func epiloguesAreSimplifiedToo() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3])
    let product = try draft.add(
      .matmul(MatrixProduct(epilogue: .float(0.5) * .x0 * .float(4) + .x1)),
      [x, try draft.weights([3, 4]), try draft.constant([Float](repeating: 0, count: 4), [4])])
    draft.output(product)
    let outcome = try draft.simplified()
    #expect(outcome.problems == [.matmul(MatrixProduct(epilogue: .x0 * .float(2)))])
    #expect(outcome.graph.liveNodes[0].node.inputs.count == 2)
  }

  @Test func precisionIsAssignedOrRefused() throws {
    var draft = GraphDraft()
    draft.output(try draft.matmul(draft.input([2, 3]), try draft.weights([3, 4])))
    let assignment = try PrecisionPolicy.assign(draft.graph, .fp32)
    #expect(assignment.entries.map(\.precision) == [.fp32])
    #expect(assignment.description.contains("1 in fp32"))
    #expect(throws: PrecisionError.notImplemented(.fp8)) {
      try PrecisionPolicy.assign(draft.graph, .fp8)
    }
    #expect(throws: PrecisionError.notCalibrated(.int8)) {
      try PrecisionPolicy.assign(draft.graph, .int8)
    }
  }
}

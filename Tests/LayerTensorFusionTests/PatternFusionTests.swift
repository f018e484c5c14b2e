import GraphModel
import KernelModel
import LayerTensorFusion
import TensorModel
import Testing

/// Normalisations, softmax and attention written out in primitive operators.
@Suite struct PatternFusionTests {
  enum Spelling: CaseIterable {
    case divided, power, reciprocalRoot, inversePower, reciprocal, tensorFlow
  }

  @Test(arguments: Spelling.allCases) func layerNormalization(_ spelling: Spelling) throws {
    var draft = GraphDraft()
    let x = draft.input(["batch", 5, 8])
    let mean = try draft.reduce(.mean, x, [2])
    let centred = try draft.pointwise(.x0 - .x1, x, mean)
    let square: ValueID
    if spelling == .power {
      square = try draft.pointwise(
        .binary(.power, .x0, .x1), centred, try draft.constant([Float(2)], []))
    } else {
      square = try draft.pointwise(.x0 * .x0, centred)
    }
    let variance = try draft.reduce(.mean, square, [2])
    let shifted = try draft.pointwise(
      .x0 + .x1, variance, try draft.constant([Float(1e-5)], []))
    let scale = try draft.weights([8]), bias = try draft.weights([8])
    var y: ValueID
    switch spelling {
    case .divided, .power:
      y = try draft.pointwise(
        .x0 / .x1, centred, try draft.pointwise(.unary(.squareRoot, .x0), shifted))
    case .reciprocalRoot:
      y = try draft.pointwise(
        .x0 * .x1, centred, try draft.pointwise(.unary(.reciprocalSquareRoot, .x0), shifted))
    case .inversePower:
      y = try draft.pointwise(
        .x0 * .x1, centred, try draft.pointwise(.binary(.power, .x0, .float(-0.5)), shifted))
    case .reciprocal:
      let root = try draft.pointwise(.unary(.squareRoot, .x0), shifted)
      y = try draft.pointwise(.x0 * .x1, centred, try draft.pointwise(.float(1) / .x0, root))
    case .tensorFlow:
      let root = try draft.pointwise(.unary(.reciprocalSquareRoot, .x0), shifted)
      let factor = try draft.pointwise(.x0 * .x1, root, scale)
      let main = try draft.pointwise(.x0 * .x1, x, factor)
      let offset = try draft.pointwise(
        .x0 - .x1, bias, try draft.pointwise(.x0 * .x1, mean, factor))
      y = try draft.pointwise(.x0 + .x1, main, offset)
    }
    if spelling != .tensorFlow {
      y = try draft.pointwise(.x0 * .x1, y, scale)
      y = try draft.pointwise(.x0 + .x1, y, bias)
    }
    draft.output(y)
    let outcome = try draft.fused(symbols: ["batch": 3])
    #expect(outcome.count("(x - mean(x)) / sqrt(variance(x) + e) => layer normalisation") == 1)
    #expect(outcome.families == ["normalization"])
    #expect(outcome.graph.liveNodes[0].node.inputs.count == 3)
  }

  @Test func varianceOverOtherAxesIsNoLayerNormalization() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 5, 8])
    let centred = try draft.pointwise(.x0 - .x1, x, try draft.reduce(.mean, x, [2]))
    let variance = try draft.reduce(.mean, try draft.pointwise(.x0 * .x0, centred), [1])
    let root = try draft.pointwise(.unary(.squareRoot, .x0 + .float(1e-5)), variance)
    draft.output(try draft.pointwise(.x0 / .x1, centred, root))
    #expect(!(try draft.fused().families.contains("normalization")))
  }

  @Test func rootMeanSquare() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 8])
    let y = draft.input([2, 3, 8])
    let sum = try draft.pointwise(.x0 * .x1, x, y)
    let square = try draft.pointwise(.binary(.power, .x0, .float(2)), sum)
    let mean = try draft.reduce(.mean, square, [2])
    let root = try draft.pointwise(
      .float(1) / .unary(.squareRoot, .x0 + .float(1e-6)), mean)
    let scaled = try draft.pointwise(.x0 * .x1, sum, root)
    draft.output(try draft.pointwise(.x0 * .x1, try draft.weights([8]), scaled))
    let outcome = try draft.fused()
    #expect(outcome.families == ["pointwise", "normalization"])
    #expect(
      outcome.count("x / sqrt(mean(x * x) + e) => root mean square normalisation") == 1)
    #expect(outcome.count("normalisation * scale => normalisation with scale") == 1)
  }

  @Test func softmaxAndItsLogarithm() throws {
    var draft = GraphDraft()
    let x = draft.input([3, 4, 6])
    let shifted = try draft.pointwise(.x0 - .x1, x, try draft.reduce(.maximum, x, [1]))
    let exponential = try draft.pointwise(.unary(.exponential, .x0), shifted)
    let sum = try draft.reduce(.sum, exponential, [1])
    draft.output(try draft.pointwise(.x0 / .x1, exponential, sum))
    let other = draft.input([3, 6])
    let difference = try draft.pointwise(
      .x0 - .x1, other, try draft.reduce(.maximum, other, [1]))
    let total = try draft.reduce(
      .sum, try draft.pointwise(.unary(.exponential, .x0), difference), [1])
    draft.output(
      try draft.pointwise(
        .x0 - .x1, difference, try draft.pointwise(.unary(.logarithm, .x0), total)))
    let third = draft.input([3, 6])
    draft.output(
      try draft.pointwise(.unary(.logarithm, .x0), try draft.softmax(third, axis: 1)))
    let outcome = try draft.fused()
    #expect(outcome.families == ["normalization", "normalization", "normalization"])
    #expect(
      outcome.problems[0] == .normalization(Normalization(.softmax(axis: 1))))
    #expect(
      outcome.problems[1] == .normalization(Normalization(.logSoftmax(axis: 1))))
  }

  @Test func attentionOfAnEncoder() throws {
    var draft = GraphDraft()
    let x = draft.input(["batch", "tokens", 8])
    func heads(_ permutation: [Int], _ draft: inout GraphDraft) throws -> ValueID {
      let y = try draft.matmul(x, try draft.weights([8, 8]))
      let biased = try draft.pointwise(.x0 + .x1, y, try draft.weights([8]))
      return try draft.transpose(
        try draft.reshape(biased, ["batch", "tokens", 2, 4]), permutation)
    }
    let q = try heads([0, 2, 1, 3], &draft)
    let k = try heads([0, 2, 3, 1], &draft)
    let v = try heads([0, 2, 1, 3], &draft)
    let scores = try draft.pointwise(.x0 / .float(2), try draft.matmul(q, k))
    let mask = try draft.pointwise(
      (.float(1) - .x0) * .float(-1e9), draft.input(["batch", 1, 1, "tokens"]))
    let masked = try draft.pointwise(.x0 + .x1, scores, mask)
    let context = try draft.matmul(try draft.softmax(masked, axis: 3), v)
    let joined = try draft.reshape(
      try draft.transpose(context, [0, 2, 1, 3]), ["batch", "tokens", 8])
    draft.output(try draft.matmul(joined, try draft.weights([8, 3])))
    let outcome = try draft.fused(symbols: ["batch": 2, "tokens": 5])
    #expect(outcome.count("softmax(scale * q * k^T + mask) * v => attention") == 1)
    #expect(outcome.count("matmuls of one tensor => matmul + slices") == 1)
    #expect(outcome.families.filter { $0 == "normalization" }.isEmpty)
    #expect(outcome.families.filter { $0 == "matmul" }.count == 2)
  }

  @Test func attentionOfRankThreeWithScaledOperands() throws {
    var draft = GraphDraft()
    let q = try draft.pointwise(.x0 * .float(0.5), draft.input([6, 3, 4]))
    let k = try draft.pointwise(
      .x0 * .float(0.7), try draft.transpose(draft.input([6, 5, 4]), [0, 2, 1]))
    let v = draft.input([6, 5, 2])
    let scores = try draft.pointwise(.x0 + .x1, draft.input([1, 3, 5]), try draft.matmul(q, k))
    let y = try draft.matmul(try draft.softmax(scores, axis: 2), v)
    draft.output(try draft.pointwise(.x0 + .x1, y, draft.input([6, 3, 2])))
    let outcome = try draft.fused()
    #expect(outcome.families.filter { $0 != "copy" } == ["attention"])
    guard case .attention(let attention)? = outcome.problems.first(where: { $0.family != "copy" })
    else { return }
    #expect(abs(attention.scale - 0.35) < 1e-6)
  }

  @Test func attentionWithHeadsTakenApartForTheMask() throws {
    var draft = GraphDraft()
    let q = draft.input([6, 3, 4]), k = draft.input([6, 5, 4]), v = draft.input([6, 5, 2])
    let scores = try draft.add(.matmul(MatrixProduct(transposesB: true)), [q, k])
    let apart = try draft.reshape(scores, [2, 3, 3, 5])
    let masked = try draft.pointwise(.x0 + .x1, apart, draft.input([2, 1, 3, 5]))
    let together = try draft.reshape(masked, [6, 3, 5])
    draft.output(try draft.matmul(try draft.softmax(together, axis: 2), v))
    let outcome = try draft.fused()
    #expect(outcome.families.filter { $0 != "copy" } == ["attention"])
  }

  @Test func packedProjectionsOfAVisionTransformer() throws {
    var draft = GraphDraft()
    let x = try draft.transpose(draft.input(["batch", 5, 8]), [1, 0, 2])
    let packed = try draft.matmul(x, try draft.weights([8, 24]))
    let apart = try draft.transpose(
      try draft.reshape(packed, [1, 5, "batch", 3, 8]), [3, 1, 2, 0, 4])
    let batch = Dimension.symbol("batch")
    var parts: [ValueID] = []
    for index in 0..<3 {
      let part = try draft.add(
        .copy(
          .slice(
            starts: [Dimension(index), 0, 0, 0, 0], sizes: [1, 5, batch, 1, 8],
            steps: [1, 1, 1, 1, 1])), [apart])
      let rows = try draft.transpose(try draft.reshape(part, [5, batch * 2, 4]), [1, 0, 2])
      parts.append(try draft.reshape(rows, [batch, 2, 5, 4]))
    }
    let scores = try draft.matmul(parts[0], try draft.transpose(parts[1], [0, 1, 3, 2]))
    draft.output(try draft.matmul(try draft.softmax(scores, axis: 3), parts[2]))
    let outcome = try draft.fused(symbols: ["batch": 2])
    #expect(outcome.families.filter { $0 != "copy" } == ["matmul", "attention"])
    #expect(outcome.count("split of transpose => transpose of split") >= 3)
    #expect(outcome.count("matmul of transposed rows => transpose of matmul") == 1)
  }

  @Test func causalAttentionBySelection() throws {
    var draft = GraphDraft()
    let q = draft.input([1, 2, 4, 4]), k = draft.input([1, 2, 4, 4]), v = draft.input([1, 2, 4, 3])
    let scores = try draft.add(.matmul(MatrixProduct(transposesB: true)), [q, k])
    let scaled = try draft.pointwise(.x0 / .float(2), scores)
    let visible = (0..<16).map { $0 % 4 <= $0 / 4 }
    let condition = try draft.constant(visible, [1, 1, 4, 4])
    let lowest = ScalarExpression.float(-Double(Float.greatestFiniteMagnitude))
    let masked = try draft.pointwise(.select(.x0, .x1, lowest), condition, scaled)
    draft.output(try draft.matmul(try draft.softmax(masked, axis: 3), v))
    let outcome = try draft.fused()
    #expect(outcome.families == ["attention"])
  }

  @Test func scoresThatAreReadElsewhereStay() throws {
    var draft = GraphDraft()
    let q = draft.input([1, 2, 3, 4]), k = draft.input([1, 2, 4, 5]), v = draft.input([1, 2, 5, 3])
    let scores = try draft.matmul(q, k)
    let probabilities = try draft.softmax(scores, axis: 3)
    draft.output(try draft.matmul(probabilities, v), scores)
    #expect(!(try draft.fused().families.contains("attention")))
    var second = GraphDraft()
    let a = second.input([1, 2, 3, 4]), b = second.input([1, 2, 4, 5])
    let weights = try second.softmax(try second.matmul(a, b), axis: 3)
    second.output(try second.matmul(weights, second.input([1, 2, 5, 3])), weights)
    #expect(!(try second.fused().families.contains("attention")))
  }
}

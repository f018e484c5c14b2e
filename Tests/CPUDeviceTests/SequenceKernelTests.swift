import KernelModel
import TensorModel
import Testing

@Suite struct SequenceKernelTests {
  @Test func attention() throws {
    for seed in 0..<60 {
      var maker = CaseMaker(seed: seed)
      let batch = 1 + maker.random.below(2), groups = 1 + maker.random.below(2)
      let heads = groups * (1 + maker.random.below(2))
      let queries = maker.random.pick([1, 2, 5, 17, 50])
      let keys = maker.random.pick([1, 3, 16, 33, 70])
      let depth = maker.random.pick([1, 4, 7, 33]), width = maker.random.pick([1, 5, 20, 70])
      var problem = Attention(
        scale: 1 / Double(depth).squareRoot(), isCausal: maker.random.chance(30),
        alignsEnds: maker.random.chance(50), softCap: maker.random.chance(20) ? 2 : 0)
      var stepCase = StepCase(
        .attention(problem),
        [
          try maker.tensor(.float32, [batch, heads, queries, depth]),
          try maker.tensor(.float32, [batch, groups, keys, depth]),
          try maker.tensor(.float32, [batch, groups, keys, width]),
        ])
      func order() -> [Int]? { maker.random.chance(60) ? [0, 2, 1, 3] : maker.order(4) }
      stepCase.orders = [order(), order(), order()]
      stepCase.outputOrder = order()
      stepCase.gap = maker.random.chance(30) ? 1 : 0
      if maker.random.chance(60) {
        try addMask(&stepCase, [batch, heads, queries, keys], &maker)
      }
      problem.epilogue = try maker.epilogue([batch, heads, queries, width], &stepCase, own: 4)
      stepCase.problem = .attention(problem)
      #expect(try stepCase.check(seed: seed) > 0)
    }
  }

  private func addMask(
    _ stepCase: inout StepCase, _ scores: [Int], _ maker: inout CaseMaker
  ) throws {
    let shape = scores.map { maker.random.chance(40) ? 1 : $0 }
    var mask = try maker.tensor(maker.random.chance(50) ? .bool : .float32, shape)
    if mask.dataType == .float32, maker.random.chance(50) {
      let terms = try mask.elements(as: Float.self).map { $0 > 1 ? -.infinity : $0 }
      mask = try Tensor(terms, shape: shape)
    }
    stepCase.inputs.append(mask)
    stepCase.orders.append(maker.order(4))
  }

  @Test func recurrence() throws {
    let x = ScalarExpression.operand(0)
    let functions: [ScalarExpression] = [
      .unary(.sigmoid, x), .unary(.hyperbolicTangent, x), .maximum(x, .float(0)),
      .unary(.hyperbolicTangent, x) * .float(0.5),
    ]
    for seed in 0..<80 {
      var maker = CaseMaker(seed: seed)
      let steps = 1 + maker.random.below(4), batch = maker.random.pick([1, 2, 5, 17])
      let inputs = maker.random.pick([1, 3, 16]), size = maker.random.pick([1, 4, 7, 33])
      let cell = maker.random.pick([Recurrence.Cell.rnn, .gru, .lstm])
      let direction = maker.random.pick([
        Recurrence.Direction.forward, .reverse, .bidirectional,
      ])
      let directions = direction == .bidirectional ? 2 : 1
      let count = directions * (cell == .lstm ? 3 : cell == .gru ? 2 : 1)
      let problem = Recurrence(
        cell: cell, direction: direction, hiddenSize: size,
        activations: (0..<count).map { _ in maker.random.pick(functions) },
        clip: maker.random.chance(30) ? 0.8 : 0, resetsAfterLinear: maker.random.chance(50),
        couplesInputAndForget: maker.random.chance(30))
      let rows = problem.gateCount * size
      func optional(_ percent: Int, _ shape: [Int]) throws -> Tensor? {
        guard maker.random.chance(percent) else { return nil }
        return try maker.tensor(.float32, shape, scale: 0.5)
      }
      let isLSTM = cell == .lstm
      let lengths = (0..<batch).map { _ in Int32(maker.random.below(steps + 1)) }
      var stepCase = StepCase(
        .recurrence(problem),
        [
          try maker.tensor(.float32, [steps, batch, inputs], scale: 0.5),
          try maker.tensor(.float32, [directions, rows, inputs], scale: 0.5),
          try maker.tensor(.float32, [directions, rows, size], scale: 0.5),
          try optional(60, [directions, 2 * rows]),
          maker.random.chance(40) ? try Tensor(lengths, shape: [batch]) : nil,
          try optional(50, [directions, batch, size]),
          try optional(isLSTM ? 50 : 0, [directions, batch, size]),
          try optional(isLSTM ? 30 : 0, [directions, 3 * size]),
        ])
      stepCase.constants = [1, 2, 3, 7]
      #expect(try stepCase.check(seed: seed) > 0)
    }
  }
}

import KernelModel
import TensorModel

/// Attention, recurrent layers, sorting and running results.
enum SequenceCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("attention", attention),
    SelfTest.Family("attention of a fused projection", fusedAttention),
    SelfTest.Family("attention over many keys", longAttention),
    SelfTest.Family("attention in TF32", dividedAttention),
    SelfTest.Family("recurrence", recurrence),
    SelfTest.Family("sort", sort),
    SelfTest.Family("sort of long lanes", longSort),
    SelfTest.Family("scan", scan),
    SelfTest.Family("scan of long lanes", longScan),
  ]

  // MARK: - Attention

  private static func attention(_ maker: inout CaseMaker) throws -> StepCase {
    let groups = 1 + maker.random.below(2)
    let sizes = AttentionSizes(
      batch: 1 + maker.random.below(2), heads: groups * (1 + maker.random.below(2)),
      groups: groups, queries: maker.random.pick([1, 2, 5, 17, 50]),
      keys: maker.random.pick([1, 3, 16, 33, 70]),
      depth: maker.random.pick([1, 4, 7, 8, 20, 33, 64]),
      width: maker.random.pick([1, 5, 8, 20, 40, 64, 70]))
    let type = maker.random.pick([DataType.float32, .float32, .float16, .bfloat16, .float64])
    var stepCase = try sizes.stepCase(type, &maker)
    func order() -> [Int]? { maker.random.chance(60) ? [0, 2, 1, 3] : maker.order(4) }
    for index in stepCase.orders.indices where stepCase.inputs[index]?.shape.count == 4 {
      stepCase.orders[index] = order()
    }
    stepCase.outputOrder = order()
    stepCase.gap = maker.random.chance(30) ? maker.random.pick([1, 2, 8]) : 0
    return stepCase
  }

  /// Queries, keys and values side by side, and results as the next matrix product takes them.
  private static func fusedAttention(_ maker: inout CaseMaker) throws -> StepCase {
    let sizes = AttentionSizes(
      batch: 1 + maker.random.below(2), heads: 1 + maker.random.below(3), groups: nil,
      queries: maker.random.pick([7, 32, 65]), keys: nil,
      depth: maker.random.pick([16, 24, 32, 64]), width: nil)
    let type = maker.random.pick([DataType.float32, .float16, .bfloat16])
    var stepCase = try sizes.stepCase(type, &maker)
    for index in 0..<3 { stepCase.orders[index] = [0, 2, 1, 3] }
    stepCase.outputOrder = [0, 2, 1, 3]
    stepCase.gap = maker.random.pick([0, 8, 64])
    return stepCase
  }

  private static func longAttention(_ maker: inout CaseMaker) throws -> StepCase {
    let sizes = AttentionSizes(
      batch: 1, heads: 1, groups: nil, queries: maker.random.pick([3, 37, 130]),
      keys: maker.random.pick([100, 197, 300]),
      depth: maker.random.pick([32, 64, 128, 136, 256]),
      width: maker.random.pick([32, 64, 128, 200]))
    let type = maker.random.pick([DataType.float32, .float16, .bfloat16])
    return try sizes.stepCase(type, &maker)
  }

  private static func dividedAttention(_ maker: inout CaseMaker) throws -> StepCase {
    let sizes = AttentionSizes(
      batch: 1, heads: 2, groups: 1, queries: maker.random.pick([3, 37, 70]),
      keys: maker.random.pick([5, 64, 100, 197]),
      depth: maker.random.pick([7, 32, 64, 128, 136]),
      width: maker.random.pick([5, 32, 64, 72, 128]))
    var stepCase = try sizes.stepCase(.float32, &maker)
    for index in 0..<3 { stepCase.orders[index] = maker.random.chance(60) ? [0, 2, 1, 3] : nil }
    stepCase.arithmetic = .tensorFloat32
    stepCase.tolerance = 1e-4
    return stepCase
  }

  private struct AttentionSizes {
    var batch, heads: Int
    var groups: Int?
    var queries: Int
    var keys: Int?
    var depth: Int
    var width: Int?

    func stepCase(_ type: DataType, _ maker: inout CaseMaker) throws -> StepCase {
      let groups = groups ?? heads, keys = keys ?? queries, width = width ?? depth
      var problem = Attention(
        scale: 1 / Double(depth).squareRoot(), isCausal: maker.random.chance(30),
        alignsEnds: maker.random.chance(50), softCap: maker.random.chance(20) ? 2 : 0)
      var inputs: [Tensor?] = [
        try maker.tensor(type, [batch, heads, queries, depth]),
        try maker.tensor(type, [batch, groups, keys, depth]),
        try maker.tensor(type, [batch, groups, keys, width]),
      ]
      if maker.random.chance(50) {
        inputs.append(try mask(type, [batch, heads, queries, keys], &maker))
      }
      let result = [batch, heads, queries, width]
      if maker.random.chance(30) {
        while inputs.count < 4 { inputs.append(nil) }
        let x = ScalarExpression.operand(0)
        problem.epilogue = .maximum(x, .constant(0, type)) + .operand(1)
        inputs.append(try maker.tensor(type, maker.broadcasting(result)))
      }
      return StepCase(.attention(problem), inputs)
    }

    /// Some keys are excluded, of some queries all.
    private func mask(
      _ type: DataType, _ scores: [Int], _ maker: inout CaseMaker
    ) throws -> Tensor {
      let shape = scores.map { maker.random.chance(40) ? 1 : $0 }
      if maker.random.chance(40) { return try maker.tensor(.bool, shape) }
      let chosen = maker.random.chance(50) ? type : DataType.float32
      let terms = (0..<shape.reduce(1, *)).map { _ -> Double in
        maker.random.chance(30) ? -.infinity : Double(maker.random.float(2))
      }
      return try Tensor(numbers: terms, dataType: chosen, shape: shape)
    }
  }

  // MARK: - Recurrence

  private static func recurrence(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick([DataType.float32, .float32, .float16, .bfloat16, .float64])
    let steps = 1 + maker.random.below(4), batch = maker.random.pick([1, 2, 5, 9])
    let inputs = maker.random.pick([1, 3, 20]), size = maker.random.pick([1, 4, 7, 33, 48])
    let cell = maker.random.pick([Recurrence.Cell.rnn, .gru, .lstm])
    let direction = maker.random.pick([Recurrence.Direction.forward, .reverse, .bidirectional])
    let directions = direction == .bidirectional ? 2 : 1
    let count = directions * (cell == .lstm ? 3 : cell == .gru ? 2 : 1)
    let x = ScalarExpression.operand(0)
    let functions: [ScalarExpression] = [
      .unary(.sigmoid, x), .unary(.hyperbolicTangent, x), .maximum(x, .constant(0, type)),
      .unary(.hyperbolicTangent, x) * .constant(0.5, type),
    ]
    let problem = Recurrence(
      cell: cell, direction: direction, hiddenSize: size,
      activations: (0..<count).map { _ in maker.random.pick(functions) },
      clip: maker.random.chance(30) ? 0.8 : 0, resetsAfterLinear: maker.random.chance(50),
      couplesInputAndForget: maker.random.chance(30))
    let rows = problem.gateCount * size
    func optional(_ percent: Int, _ shape: [Int]) throws -> Tensor? {
      maker.random.chance(percent) ? try maker.tensor(type, shape, scale: 0.5) : nil
    }
    let isLSTM = cell == .lstm
    let lengths = (0..<batch).map { _ in Int32(maker.random.below(steps + 1)) }
    var stepCase = StepCase(
      .recurrence(problem),
      [
        try maker.tensor(type, [steps, batch, inputs], scale: 0.5),
        try maker.tensor(type, [directions, rows, inputs], scale: 0.5),
        try maker.tensor(type, [directions, rows, size], scale: 0.5),
        try optional(60, [directions, 2 * rows]),
        maker.random.chance(40) ? try Tensor(lengths, shape: [batch]) : nil,
        try optional(50, [directions, batch, size]),
        try optional(isLSTM ? 50 : 0, [directions, batch, size]),
        try optional(isLSTM ? 30 : 0, [directions, 3 * size]),
      ])
    if maker.random.chance(70) { stepCase.constants = [1, 2, 3, 7] }
    stepCase.gap = maker.random.chance(30) ? 1 : 0
    if maker.random.chance(30) { stepCase.outputOrder = [2, 0, 1, 3] }
    return stepCase
  }

  // MARK: - Sort

  private static let sortTypes: [DataType] = [
    .float32, .float32, .float16, .bfloat16, .float64, .int64, .int32, .uint8, .int8, .uint64,
    .uint16, .bool,
  ]

  private static func sort(_ maker: inout CaseMaker) throws -> StepCase {
    let rank = 1 + maker.random.below(4)
    let shape = maker.shape(rank)
    let axis = maker.random.below(rank)
    let count =
      maker.random.chance(50) ? shape[axis] : 1 + maker.random.below(shape[axis])
    let type = maker.random.pick(sortTypes)
    var stepCase = StepCase(
      .sort(
        Sort(
          axis: axis, count: Dimension(count), descending: maker.random.chance(60))),
      [try tied(type, shape, &maker)])
    stepCase.orders = [maker.order(rank)]
    stepCase.outputOrder = maker.order(rank)
    stepCase.gap = maker.random.chance(30) ? 2 : 0
    return stepCase
  }

  /// Elements of which many are equal, with NaN and zeros of both signs.
  private static func tied(
    _ type: DataType, _ shape: [Int], _ maker: inout CaseMaker
  ) throws -> Tensor {
    let isSpread = maker.random.chance(50)
    let random = try maker.tensor(type, shape, specials: type.isFloatingPoint, scale: 100)
    if isSpread || !type.isFloatingPoint { return random }
    let numbers = (0..<random.elementCount).map { _ -> Double in
      maker.random.pick([0, -0.0, 1, -1, 2, .nan, .infinity])
    }
    return try Tensor(numbers: numbers, dataType: type, shape: shape)
  }

  private static func longSort(_ maker: inout CaseMaker) throws -> StepCase {
    let extent = maker.random.pick([513, 2049, 4097, 9001, 20000])
    let lanes = extent > 5000 ? 1 : 1 + maker.random.below(3)
    let count = maker.random.pick([1, 5, 100, 300, min(extent, 2500), extent])
    let type = maker.random.pick(sortTypes)
    let isLast = maker.random.chance(60)
    var stepCase = StepCase(
      .sort(
        Sort(
          axis: isLast ? 1 : 0, count: Dimension(min(count, extent)),
          descending: maker.random.chance(60))),
      [try tied(type, isLast ? [lanes, extent] : [extent, lanes], &maker)])
    stepCase.gap = maker.random.chance(30) ? 2 : 0
    return stepCase
  }

  // MARK: - Scan

  private static let scanTypes: [DataType] = [
    .float32, .float32, .float16, .bfloat16, .float64, .int64, .int32, .uint8, .int8,
  ]

  private static func scan(_ maker: inout CaseMaker) throws -> StepCase {
    let rank = 1 + maker.random.below(4)
    return try scan(maker.shape(rank), axis: maker.random.below(rank), &maker)
  }

  private static func longScan(_ maker: inout CaseMaker) throws -> StepCase {
    let extent = maker.random.pick([300, 1024, 1031, 9000, 20000])
    let lanes = extent > 5000 ? 1 : 1 + maker.random.below(4)
    return try maker.random.chance(60)
      ? scan([lanes, extent], axis: 1, &maker) : scan([extent, lanes], axis: 0, &maker)
  }

  private static func scan(
    _ shape: [Int], axis: Int, _ maker: inout CaseMaker
  ) throws -> StepCase {
    let type = maker.random.pick(scanTypes)
    let isSum = maker.random.chance(70)
    // Products of many numbers overflow and vanish; those of numbers near 1 do not.
    var x = try maker.tensor(type, shape)
    if !isSum, type.isFloatingPoint {
      let numbers = (0..<x.elementCount).map { _ in 1 + Double(maker.random.float(0.05)) }
      x = try Tensor(numbers: numbers, dataType: type, shape: shape)
    }
    var stepCase = StepCase(
      .scan(
        Scan(
          isSum ? .sum : .product, axis: axis, isExclusive: maker.random.chance(40),
          isReversed: maker.random.chance(40))),
      [x])
    stepCase.orders = [maker.order(shape.count)]
    stepCase.outputOrder = maker.order(shape.count)
    stepCase.gap = maker.random.chance(30) ? 2 : 0
    return stepCase
  }
}

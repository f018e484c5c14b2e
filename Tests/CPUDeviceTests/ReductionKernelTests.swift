import KernelModel
import TensorModel
import Testing

@Suite struct ReductionKernelTests {
  private static let functions: [Reduction.Function] = [
    .sum, .mean, .product, .minimum, .maximum, .sumOfSquares, .l1Norm, .l2Norm,
  ]

  @Test func numbers() throws {
    for seed in 0..<120 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(1 + maker.random.below(4))
      let axes = shape.indices.filter { _ in maker.random.chance(50) }
      let function = maker.random.pick(Self.functions)
      var problem = Reduction(function, axes: axes, keepsDimensions: maker.random.chance(50))
      let isOrder = function == .minimum || function == .maximum
      let isWhole = maker.random.chance(10)
      let x = try maker.tensor(isWhole ? .int64 : .float32, shape, specials: isOrder && !isWhole)
      let number: ScalarExpression = isWhole ? .cast(.operand(0), .float32) : .operand(0)
      problem.prologue =
        maker.random.chance(40) ? .unary(.hyperbolicTangent, number * .float(0.7)) : number
      if function == .product {
        problem.prologue = .float(1) + .float(0.001) * .unary(.hyperbolicTangent, number)
      }
      var stepCase = StepCase(.reduction(problem), [x])
      stepCase.orders = [maker.order(shape.count)]
      let kept = shape.indices.compactMap { axis -> Int? in
        axes.contains(axis) ? (problem.keepsDimensions ? 1 : nil) : shape[axis]
      }
      stepCase.outputOrder = maker.order(kept.count)
      stepCase.gap = maker.random.chance(30) ? 1 : 0
      stepCase.tolerance = 5e-5
      problem.epilogue = try maker.epilogue(kept, &stepCase, own: 1)
      stepCase.problem = .reduction(problem)
      #expect(try stepCase.check(seed: seed) > 0)
    }
  }

  @Test func indices() throws {
    let functions: [Reduction.Function] = [
      .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum,
    ]
    for seed in 0..<80 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(1 + maker.random.below(3))
      let problem = Reduction(
        maker.random.pick(functions), axes: [maker.random.below(shape.count)],
        keepsDimensions: maker.random.chance(50))
      var x = try maker.tensor(.float32, shape, specials: maker.random.chance(20))
      if maker.random.chance(50) {
        x = try Tensor(try x.elements(as: Float.self).map { $0.rounded() }, shape: shape)
      }
      var stepCase = StepCase(.reduction(problem), [x])
      stepCase.orders = [maker.order(shape.count)]
      #expect(try stepCase.check(seed: seed) > 0)
    }
  }
}

@Suite struct NormalizationKernelTests {
  @Test func rows() throws {
    for seed in 0..<120 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(2 + maker.random.below(3))
      var stepCase = StepCase(
        .scan(Scan(.sum, axis: 0, isExclusive: false, isReversed: false)),
        [try maker.tensor(.float32, shape)])
      stepCase.orders = [maker.order(shape.count)]
      stepCase.outputOrder =
        maker.random.chance(80) ? stepCase.orders[0] : maker.order(shape.count)
      stepCase.gap = maker.random.chance(30) ? 1 : 0
      let last = shape.count - 1
      let axis = maker.random.chance(60) ? last : maker.random.below(shape.count)
      var kind = Normalization.Kind.softmax(axis: axis)
      switch maker.random.below(4) {
      case 0: break
      case 1: kind = .logSoftmax(axis: axis)
      default:
        kind =
          maker.random.chance(60)
          ? .layer(axis: axis, epsilon: 1e-5) : .rootMeanSquare(axis: axis, epsilon: 1e-5)
        try addVectors(&stepCase, Array(shape[axis...]), &maker)
      }
      try finish(Normalization(kind), shape, &stepCase, &maker, seed)
    }
  }

  @Test func groups() throws {
    for seed in 0..<60 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(2 + maker.random.below(3))
      var stepCase = StepCase(
        .scan(Scan(.sum, axis: 0, isExclusive: false, isReversed: false)),
        [try maker.tensor(.float32, shape)])
      let divisors = (1...shape[1]).filter { shape[1] % $0 == 0 }
      let channelsLast = [0] + Array(2..<shape.count) + [1]
      stepCase.orders = [maker.random.chance(50) ? channelsLast : nil]
      stepCase.outputOrder = stepCase.orders[0]
      try addVectors(&stepCase, [shape[1]], &maker)
      let kind = Normalization.Kind.group(
        groups: Dimension(maker.random.pick(divisors)), epsilon: 1e-3)
      try finish(Normalization(kind), shape, &stepCase, &maker, seed)
    }
  }

  @Test func localResponse() throws {
    for seed in 0..<40 {
      var maker = CaseMaker(seed: seed)
      let shape = maker.shape(2 + maker.random.below(3))
      var stepCase = StepCase(
        .scan(Scan(.sum, axis: 0, isExclusive: false, isReversed: false)),
        [try maker.tensor(.float32, shape)])
      stepCase.orders = [[0] + Array(2..<shape.count) + [1]]
      stepCase.outputOrder = stepCase.orders[0]
      let kind = Normalization.Kind.localResponse(
        size: 1 + maker.random.below(6), alpha: 0.3, beta: maker.random.pick([0.75, 0.5, 0.6, 1]),
        bias: 1)
      try finish(Normalization(kind), shape, &stepCase, &maker, seed)
    }
  }

  private func addVectors(
    _ stepCase: inout StepCase, _ shape: [Int], _ maker: inout CaseMaker
  ) throws {
    for _ in 0..<2 {
      stepCase.orders.append(nil)
      if maker.random.chance(70) {
        stepCase.inputs.append(try maker.tensor(.float32, shape))
        if maker.random.chance(60) { stepCase.constants.insert(stepCase.inputs.count - 1) }
      } else {
        stepCase.inputs.append(nil)
      }
    }
  }

  private func finish(
    _ problem: Normalization, _ shape: [Int], _ stepCase: inout StepCase,
    _ maker: inout CaseMaker, _ seed: Int
  ) throws {
    var problem = problem
    problem.epilogue = try maker.epilogue(shape, &stepCase, own: 3)
    stepCase.problem = .normalization(problem)
    stepCase.tolerance = 1e-4
    try stepCase.check(seed: seed)
  }
}

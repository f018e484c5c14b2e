import KernelModel
import TensorModel

/// Products and convolutions large and regular enough for the matrix units of Hopper, with several tiles
/// for each multiprocessor and with tails along every axis.
enum HopperCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("hopper matmul") { try matmul(&$0) },
    SelfTest.Family("hopper many tiles") { try manyTiles(&$0) },
    SelfTest.Family("hopper residual") { try residual(&$0) },
    SelfTest.Family("hopper convolution") { try convolution(&$0) },
    SelfTest.Family("hopper first layer") { try firstLayer(&$0) },
  ]

  private static let types: [DataType] = [.float16, .float16, .bfloat16, .float32, .float32]

  private static func matmul(_ maker: inout CaseMaker) throws -> StepCase {
    let m = maker.random.pick([1, 8, 50, 64, 100, 129, 200, 333])
    let n = maker.random.pick([8, 24, 64, 96, 136, 200, 264])
    let k = maker.random.pick([8, 40, 64, 72, 136, 328, 768])
    return try matmul(&maker, m, n, k)
  }

  /// More tiles than a multiprocessor has, so that every ring and barrier goes round.
  private static func manyTiles(_ maker: inout CaseMaker) throws -> StepCase {
    try matmul(
      &maker, 2000 + maker.random.below(3000), maker.random.pick([384, 520, 1000]),
      maker.random.pick([16, 72, 192]))
  }

  /// Little to multiply, much to add: what residuals need is under way long before.
  private static func residual(_ maker: inout CaseMaker) throws -> StepCase {
    try matmul(
      &maker, 12000 + maker.random.below(8000), maker.random.pick([256, 264, 512]),
      maker.random.pick([16, 64, 72]), type: maker.random.pick([.float16, .bfloat16]),
      addsTensor: true)
  }

  private static func matmul(
    _ maker: inout CaseMaker, _ m: Int, _ n: Int, _ k: Int, type: DataType? = nil,
    addsTensor: Bool = false
  ) throws -> StepCase {
    let type = type ?? maker.random.pick(types)
    var problem = MatrixProduct(transposesB: maker.random.chance(30))
    let rows = m % 2 == 0 && maker.random.chance(40) ? [2, m / 2] : [m]
    let a = try maker.tensor(type, rows + [k], scale: 1)
    let b = try maker.tensor(type, problem.transposesB ? [n, k] : [k, n], scale: 1)
    var result = StepCase(.matmul(problem), [a, b])
    if !problem.transposesB || maker.random.chance(60) { result.constants = [1] }
    problem.epilogue = try epilogue(
      rows + [n], columns: rows.count, type, addsTensor: addsTensor, &result, &maker)
    result.problem = .matmul(problem)
    return result
  }

  /// Images of few channels, in any layout, under windows that overlap or do not.
  private static func firstLayer(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(types)
    let kernel = (0..<2).map { _ in maker.random.pick([1, 2, 3, 3, 5, 7, 16]) }
    let strides = kernel.map { maker.random.pick([1, 2, 2, 3, $0]) }
    let before = kernel.map { maker.random.below($0) }
    let after = kernel.map { maker.random.below($0) }
    let x = try maker.tensor(
      type,
      [1 + maker.random.below(5), 1 + maker.random.below(4)]
        + kernel.map { $0 + maker.random.below(60) }, scale: 1)
    let weights = try maker.tensor(
      type, [maker.random.pick([8, 24, 64, 104, 136]), x.shape[1]] + kernel, scale: 1)
    return try convolution(
      x, weights, strides: strides, dilations: [1, 1], before: before, after: after,
      order: maker.random.chance(50) ? nil : [0, 2, 3, 1], &maker)
  }

  private static func convolution(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(types)
    let spatial = maker.random.pick([1, 2, 2, 2, 2, 3])
    let kernel = (0..<spatial).map { _ in maker.random.pick([1, 1, 2, 3, 3, 5]) }
    let strides = kernel.map { _ in maker.random.pick([1, 1, 2, 3]) }
    let dilations = kernel.map { _ in maker.random.pick([1, 1, 1, 2]) }
    let reach = zip(kernel, dilations).map { ($0 - 1) * $1 }
    let before = reach.map { maker.random.below($0 + 1) }
    let after = reach.map { maker.random.below($0 + 1) }
    let extents = kernel.indices.map { axis in
      max(reach[axis] + 1 - before[axis] - after[axis], 1)
        + maker.random.below(spatial == 1 ? 300 : spatial == 2 ? 30 : 9)
    }
    let x = try maker.tensor(
      type, [1 + maker.random.below(4), maker.random.pick([8, 16, 40, 64, 72, 136])] + extents,
      scale: 1)
    let weights = try maker.tensor(
      type, [maker.random.pick([8, 40, 64, 104, 136]), x.shape[1]] + kernel, scale: 1)
    return try convolution(
      x, weights, strides: strides, dilations: dilations, before: before, after: after,
      order: [0] + Array(2..<spatial + 2) + [1], &maker)
  }

  private static func convolution(
    _ x: Tensor, _ weights: Tensor, strides: [Int], dilations: [Int], before: [Int], after: [Int],
    order: [Int]?, _ maker: inout CaseMaker
  ) throws -> StepCase {
    var problem = Convolution(
      strides: strides, dilations: dilations, padsBefore: before.map { Dimension($0) },
      padsAfter: after.map { Dimension($0) })
    let types = try KernelProblem.convolution(problem).outputTypes(of: [x.type, weights.type])
    let shape = types[0].shape.constants ?? []
    let channelsLast = [0] + Array(2..<shape.count) + [1]
    var result = StepCase(.convolution(problem), [x, weights])
    result.orders = [order, nil]
    result.outputOrder = channelsLast
    result.constants = [1]
    problem.epilogue = try epilogue(shape, columns: 1, x.dataType, &result, &maker)
    result.problem = .convolution(problem)
    return result
  }

  /// Bias, a residual that may lie in the output's place, an activation, another type.
  private static func epilogue(
    _ shape: [Int], columns: Int, _ type: DataType, addsTensor: Bool = false,
    _ result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    if type == .float32, maker.random.chance(50) {
      result.arithmetic = .tensorFloat32
      result.tolerance = 1e-4
    }
    result.gap = maker.random.pick([0, 0, 0, 8])
    var expression = ScalarExpression.operand(0)
    func add(_ tensor: Tensor, order: [Int]?) {
      expression = expression + .operand(result.inputs.count - 1)
      result.inputs.append(tensor)
      result.orders.append(order)
    }
    if maker.random.chance(60) {
      let bias = shape.indices.map { $0 == columns ? shape[$0] : 1 }
      add(
        try maker.tensor(type, Array(bias[columns == 1 && shape.count > 2 ? 0... : columns...])),
        order: nil)
      if maker.random.chance(70) { result.constants.insert(result.inputs.count - 1) }
    }
    if maker.random.chance(addsTensor ? 100 : 40) {
      add(try maker.tensor(type, shape), order: result.outputOrder)
      if maker.random.chance(60) { result.inPlace = result.inputs.count - 1 }
    }
    switch maker.random.below(4) {
    case 0: expression = .maximum(expression, .constant(0, type))
    case 1:
      let half = ScalarExpression.constant(0.5, type)
      let scaled = expression * .constant(0.70710678, type)
      expression = half * expression * (.unary(.errorFunction, scaled) + .constant(1, type))
    case 2: expression = .cast(expression, .float32)
    default: break
    }
    return expression
  }
}

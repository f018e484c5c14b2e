import KernelModel
import TensorModel

/// Convolutions and matrix products of the types that tiles hold.
enum ContractionCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("contraction matmul") { try matmul(&$0) },
    SelfTest.Family("contraction few rows") { try fewRows(&$0) },
    SelfTest.Family("contraction tiles") { try tiles(&$0) },
    SelfTest.Family("contraction convolution") { try convolution(&$0) },
    SelfTest.Family("contraction pointwise convolution") { try pointwise(&$0) },
    SelfTest.Family("contraction image") { try image(&$0) },
    SelfTest.Family("library matmul") { try large(&$0) },
    SelfTest.Family("library convolution") { try LibraryConvolutionCases.convolution(&$0) },
    SelfTest.Family("sixteen bits matmul") { try deepProduct(&$0) },
    SelfTest.Family("sixteen bits convolution") { try deepConvolution(&$0) },
  ]

  // MARK: - Matrix products

  private static func matmul(_ maker: inout CaseMaker) throws -> StepCase {
    let aligned = maker.random.chance(60)
    let extents = aligned ? [8, 16, 32, 40, 64, 72] : [1, 3, 7, 17, 31, 37, 65]
    let m = maker.random.pick(extents + [9, 50]), n = maker.random.pick(extents)
    let k = maker.random.pick(extents + [aligned ? 136 : 131])
    let batch = maker.random.pick([[], [], [2], [3, 2], [1, 2]])
    return try matmul(&maker, m, n, k, batch: batch)
  }

  private static func fewRows(_ maker: inout CaseMaker) throws -> StepCase {
    let k = maker.random.pick([1, 5, 64, 96, 257, 520, 1024])
    let n = maker.random.pick([1, 3, 10, 33, 100])
    return try matmul(
      &maker, 1 + maker.random.below(8), n, k, batch: maker.random.pick([[], [], [], [2]]))
  }

  /// Several tiles of any shape.
  private static func tiles(_ maker: inout CaseMaker) throws -> StepCase {
    try matmul(
      &maker, 200 + maker.random.below(400), maker.random.pick([96, 136, 200, 256, 301]),
      maker.random.pick([16, 33, 64, 72, 160]), batch: [])
  }

  /// Products in 16 bits whose reduction is done in several blocks.
  private static func deepProduct(_ maker: inout CaseMaker) throws -> StepCase {
    try matmul(
      &maker, maker.random.pick([1, 3, 17, 67, 301]), maker.random.pick([1, 17, 64, 83, 130]),
      maker.random.pick([1, 257, 521, 1031]), batch: maker.random.pick([[], [], [3]]),
      type: maker.random.pick([.float16, .bfloat16]))
  }

  /// Exact products in single precision that are worth a library.
  private static func large(_ maker: inout CaseMaker) throws -> StepCase {
    let m = maker.random.pick([1024, 1040, 1301]), n = maker.random.pick([1024, 1028])
    let k = maker.random.pick([1024, 1036])
    var problem = MatrixProduct(
      transposesA: maker.random.chance(25), transposesB: maker.random.chance(40))
    let a = try maker.tensor(.float32, problem.transposesA ? [k, m] : [m, k], scale: 1)
    let b = try maker.tensor(.float32, problem.transposesB ? [n, k] : [k, n], scale: 1)
    let bias = try maker.tensor(.float32, [n], scale: 1)
    var result = StepCase(.matmul(problem), [a, b, bias])
    result.constants = maker.random.chance(60) ? [1, 2] : [2]
    var expression = ScalarExpression.operand(0) + .operand(1)
    if maker.random.chance(60) {
      result.inputs.append(try maker.tensor(.float32, [m, n], scale: 1))
      result.orders.append(nil)
      expression = expression + .operand(2)
      if maker.random.chance(60) { result.inPlace = 3 }
    }
    if maker.random.chance(60) { expression = expression * .unary(.sigmoid, expression) }
    problem.epilogue = expression
    result.problem = .matmul(problem)
    return result
  }

  private static func matmul(
    _ maker: inout CaseMaker, _ m: Int, _ n: Int, _ k: Int, batch: [Int],
    type wanted: DataType? = nil
  ) throws -> StepCase {
    var problem = MatrixProduct(
      transposesA: maker.random.chance(25), transposesB: maker.random.chance(40))
    let type = wanted ?? elementType(&maker)
    let isConstant = maker.random.chance(50)
    let batchA = maker.random.chance(80) ? batch : []
    let batchB = isConstant || maker.random.chance(30) ? [] : batch
    let a = try maker.tensor(
      type, batchA + (problem.transposesA ? [k, m] : [m, k]), scale: 1)
    let b = try maker.tensor(
      type, batchB + (problem.transposesB ? [n, k] : [k, n]), scale: 1)
    let shape = (batchA.isEmpty ? batchB : batchA) + [m, n]
    let rank = shape.count
    var result = StepCase(.matmul(problem), [a, b])
    result.orders = [maker.order(a.shape.count), maker.order(b.shape.count)]
    if isConstant { result.constants = [1] }
    result.outputOrder = maker.order(rank)
    problem.epilogue = try epilogue(shape, columns: rank - 1, type, &result, &maker)
    result.problem = .matmul(problem)
    finish(type, &result, &maker)
    return result
  }

  // MARK: - Convolutions

  private static func convolution(_ maker: inout CaseMaker) throws -> StepCase {
    let spatial = maker.random.pick([1, 2, 2, 2, 3])
    let channels = maker.random.pick([1, 3, 4, 6, 8, 16, 20, 32, 64])
    let filters = maker.random.pick([1, 5, 8, 16, 24, 33, 64])
    let kernel = (0..<spatial).map { _ in maker.random.pick([1, 2, 3, 3, 5]) }
    return try convolution(
      &maker, channels, filters, kernel,
      strides: kernel.map { _ in maker.random.pick([1, 1, 2, 3]) },
      dilations: kernel.map { _ in maker.random.pick([1, 1, 1, 2]) }, padding: true)
  }

  private static func pointwise(_ maker: inout CaseMaker) throws -> StepCase {
    try convolution(
      &maker, maker.random.pick([8, 16, 64, 72, 128]), maker.random.pick([8, 16, 40, 64, 96]),
      [1, 1], strides: maker.random.pick([[1, 1], [1, 1], [2, 2]]), dilations: [1, 1],
      padding: false)
  }

  /// Convolutions in 16 bits whose reduction is done in several blocks, and whose blocks of pixels span lines and
  /// images.
  private static func deepConvolution(_ maker: inout CaseMaker) throws -> StepCase {
    let kernel = maker.random.pick([[1, 1], [3, 3], [3, 3], [5, 2]])
    return try convolution(
      &maker, maker.random.pick([3, 17, 67, 130, 300]), maker.random.pick([1, 17, 64, 83]), kernel,
      strides: kernel.map { _ in maker.random.pick([1, 1, 2]) },
      dilations: kernel.map { _ in maker.random.pick([1, 1, 1, 2]) }, padding: true, room: 19,
      type: maker.random.pick([.float16, .bfloat16]))
  }

  /// The first layer of a network: three channels.
  private static func image(_ maker: inout CaseMaker) throws -> StepCase {
    let extent = maker.random.pick([3, 5, 7])
    return try convolution(
      &maker, maker.random.pick([1, 3, 3, 3, 4]), maker.random.pick([16, 32, 64]),
      [extent, extent], strides: [2, 2], dilations: [1, 1], padding: true)
  }

  private static func convolution(
    _ maker: inout CaseMaker, _ channels: Int, _ filters: Int, _ kernel: [Int], strides: [Int],
    dilations: [Int], padding: Bool, room: Int? = nil, type wanted: DataType? = nil
  ) throws -> StepCase {
    let type = wanted ?? elementType(&maker)
    let reach = zip(kernel, dilations).map { ($0 - 1) * $1 }
    let before = reach.map { padding ? maker.random.below($0 + 1) : 0 }
    let after = reach.map { padding ? maker.random.below($0 + 1) : 0 }
    let extents = kernel.indices.map { axis in
      let least = max(reach[axis] + 1 - before[axis] - after[axis], 1)
      let room = room ?? (kernel.count == 1 ? 40 : kernel.count == 2 ? 9 : 4)
      return least + maker.random.below(room)
    }
    let images = 1 + maker.random.below(3)
    let x = try maker.tensor(type, [images, channels] + extents, scale: 1)
    let weights = try maker.tensor(type, [filters, channels] + kernel, scale: 1)
    var problem = Convolution(
      strides: strides, dilations: dilations, padsBefore: before.map { Dimension($0) },
      padsAfter: after.map { Dimension($0) })
    let types = try KernelProblem.convolution(problem).outputTypes(of: [x.type, weights.type])
    let shape = types[0].shape.constants ?? []
    var result = StepCase(.convolution(problem), [x, weights])
    let channelsLast = [0] + Array(2..<shape.count) + [1]
    result.orders = [
      maker.random.chance(75) ? channelsLast : maker.order(shape.count), nil,
    ]
    result.outputOrder = maker.random.chance(75) ? channelsLast : maker.order(shape.count)
    if maker.random.chance(85) {
      result.constants = [1]
    } else {
      result.orders[1] = maker.order(shape.count)
    }
    problem.epilogue = try epilogue(shape, columns: 1, type, &result, &maker)
    result.problem = .convolution(problem)
    finish(type, &result, &maker)
    return result
  }

  // MARK: - What they share

  private static func elementType(_ maker: inout CaseMaker) -> DataType {
    maker.random.pick([.float16, .float16, .bfloat16, .float32, .float32, .float32])
  }

  private static func finish(
    _ type: DataType, _ result: inout StepCase, _ maker: inout CaseMaker
  ) {
    if type == .float32, maker.random.chance(45) {
      result.arithmetic = .tensorFloat32
      result.tolerance = 1e-4
    }
    result.gap = maker.random.pick([0, 0, 0, 1, 8])
  }

  /// Bias, a residual that may lie in the output's place, an activation, another type.
  private static func epilogue(
    _ shape: [Int], columns: Int, _ type: DataType, _ result: inout StepCase,
    _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    var expression = ScalarExpression.operand(0)
    func add(_ tensor: Tensor, order: [Int]?) {
      let index = result.inputs.count - 1
      let operand = ScalarExpression.operand(index)
      expression =
        expression + (tensor.dataType == type ? operand : .cast(operand, type))
      result.inputs.append(tensor)
      result.orders.append(order)
    }
    if maker.random.chance(60) {
      let bias = shape.indices.map { $0 == columns ? shape[$0] : 1 }
      let biasType = maker.random.chance(30) ? .float32 : type
      add(try maker.tensor(biasType, Array(bias[columns == 1 ? 0... : columns...])), order: nil)
      if maker.random.chance(50) { result.constants.insert(result.inputs.count - 1) }
    }
    if maker.random.chance(40) {
      let isResidual = maker.random.chance(70)
      let operandType = maker.random.chance(25) ? .float32 : type
      let operand = try maker.tensor(
        operandType, isResidual ? shape : maker.broadcasting(shape))
      let fits = operand.shape.count == shape.count
      add(operand, order: fits ? result.outputOrder : nil)
      if isResidual, maker.random.chance(60) { result.inPlace = result.inputs.count - 1 }
    }
    switch maker.random.below(4) {
    case 0: expression = .maximum(expression, .constant(0, type))
    case 1: expression = expression * .unary(.sigmoid, expression)
    case 2: expression = .cast(expression, maker.random.pick([.float32, .float16]))
    default: break
    }
    return expression
  }
}

import KernelModel
import TensorModel

/// Convolution and pooling that are no matrix products, and contractions of unusual types.
enum DirectCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("direct convolution") { try convolution(&$0) },
    SelfTest.Family("direct depthwise") { try depthwise(&$0) },
    SelfTest.Family("direct grouped") { try grouped(&$0) },
    SelfTest.Family("direct transposed") { try transposed(&$0) },
    SelfTest.Family("direct first layer") { try firstLayer(&$0) },
    SelfTest.Family("direct matmul") { try matmul(&$0) },
    SelfTest.Family("direct pooling") { try pooling(&$0) },
    SelfTest.Family("direct image pooling") { try imagePooling(&$0) },
    SelfTest.Family("direct global pooling") { try globalPooling(&$0) },
  ]

  // MARK: - Convolution

  /// Any rank, type, grouping and layout.
  private static func convolution(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(
      [.float64, .float64, .int32, .int64, .int8, .uint8, .int16, .float32, .float16, .bfloat16]
        as [DataType])
    let spatial = 1 + maker.random.below(3)
    let groups = maker.random.pick([1, 1, 2, 3])
    let shape = SpatialShape(
      batch: 1 + maker.random.below(2), inputs: maker.random.pick([1, 2, 3, 4]),
      outputs: maker.random.pick([1, 2, 3, 4, 8]), groups: groups,
      extents: (0..<spatial).map { _ in maker.random.pick([1, 3, 5, 6]) },
      kernel: (0..<spatial).map { _ in maker.random.pick([1, 2, 3]) })
    var result = try make(shape, type, isTransposed: maker.random.chance(35), &maker)
    let rank = spatial + 2
    result.orders[0] = maker.order(rank)
    result.orders[1] = maker.order(rank)
    result.outputOrder = maker.order(rank)
    result.gap = maker.random.chance(40) ? 1 + maker.random.below(3) : 0
    return result
  }

  private static func depthwise(_ maker: inout CaseMaker) throws -> StepCase {
    let kernel = maker.random.pick([[3, 3], [3, 3], [5, 5], [3], [1, 3], [7, 7]])
    let channels = maker.random.pick([8, 16, 24, 40, 96, 12, 6, 7, 30])
    let multiplier = maker.random.pick([1, 1, 1, 1, 2, 3, 4, 8])
    let shape = SpatialShape(
      batch: 1 + maker.random.below(2), inputs: 1, outputs: multiplier, groups: channels,
      extents: kernel.map { _ in maker.random.pick([1, 4, 7, 9, 14]) }, kernel: kernel)
    return try channelsLast(shape, &maker)
  }

  private static func grouped(_ maker: inout CaseMaker) throws -> StepCase {
    let kernel = maker.random.pick([[3, 3], [3, 3], [1, 1], [3], [5, 2]])
    let inputs = maker.random.pick([2, 3, 4, 8, 16, 20, 32])
    let shape = SpatialShape(
      batch: 1 + maker.random.below(2), inputs: inputs,
      outputs: maker.random.pick([1, 2, 4, 8, 16, 5]), groups: maker.random.pick([2, 3, 4, 8]),
      extents: kernel.map { _ in maker.random.pick([1, 4, 7, 9]) }, kernel: kernel)
    return try channelsLast(shape, &maker)
  }

  private static func transposed(_ maker: inout CaseMaker) throws -> StepCase {
    let kernel = maker.random.pick([[2, 2], [4, 4], [3, 3], [3], [5, 2]])
    let shape = SpatialShape(
      batch: 1 + maker.random.below(2), inputs: maker.random.pick([4, 8, 16, 5]),
      outputs: maker.random.pick([1, 2, 4, 8, 16]), groups: maker.random.pick([1, 1, 2, 3]),
      extents: kernel.map { _ in maker.random.pick([1, 4, 5, 7]) }, kernel: kernel)
    return try channelsLast(shape, isTransposed: true, &maker)
  }

  private static func firstLayer(_ maker: inout CaseMaker) throws -> StepCase {
    let kernel = maker.random.pick([[7, 7], [3, 3], [3, 3], [4, 4], [5]])
    let shape = SpatialShape(
      batch: 1 + maker.random.below(2), inputs: maker.random.pick([3, 3, 1, 4]),
      outputs: maker.random.pick([64, 32, 16, 24, 20]), groups: 1,
      extents: kernel.map { _ in maker.random.pick([9, 16, 23, 33]) }, kernel: kernel)
    var result = try channelsLast(shape, &maker)
    if maker.random.chance(60) { result.orders[0] = nil }
    if maker.random.chance(30) { result.outputOrder = nil }
    return result
  }

  private struct SpatialShape {
    var batch: Int
    /// Channels of each group.
    var inputs: Int
    var outputs: Int
    var groups: Int
    var extents: [Int]
    var kernel: [Int]
  }

  /// A case whose channels lie side by side, with weights that are mostly constant.
  private static func channelsLast(
    _ shape: SpatialShape, isTransposed: Bool = false, _ maker: inout CaseMaker
  ) throws -> StepCase {
    let type = maker.random.pick(
      [.float32, .float32, .float16, .float16, .bfloat16, .float64] as [DataType])
    var result = try make(shape, type, isTransposed: isTransposed, &maker)
    let order = [0] + Array(2..<shape.kernel.count + 2) + [1]
    result.orders[0] = order
    result.outputOrder = order
    if maker.random.chance(75) { result.constants = [1] }
    result.gap = maker.random.chance(25) ? maker.random.pick([8, 4, 1]) : 0
    return result
  }

  private static func make(
    _ shape: SpatialShape, _ type: DataType, isTransposed: Bool, _ maker: inout CaseMaker
  ) throws -> StepCase {
    while true {
      func each(_ body: (inout RandomSource, Int) -> Int) -> [Int] {
        shape.kernel.map { body(&maker.random, $0) }
      }
      let strides = each { random, _ in 1 + random.below(3) }
      var problem = Convolution(
        strides: strides, dilations: each { random, _ in random.chance(25) ? 2 : 1 },
        padsBefore: each { random, k in random.below(k) }.map { Dimension($0) },
        padsAfter: each { random, k in random.below(k) }.map { Dimension($0) },
        groups: shape.groups, isTransposed: isTransposed,
        outputPadding: isTransposed ? strides.map { maker.random.below($0) } : [])
      let inputs = shape.inputs * shape.groups, outputs = shape.outputs * shape.groups
      let x = try maker.tensor(type, [shape.batch, inputs] + shape.extents, scale: 1)
      let filter =
        isTransposed ? [inputs, shape.outputs] : [outputs, shape.inputs]
      let weights = try maker.tensor(type, filter + shape.kernel, scale: 1)
      guard
        let types = try? KernelProblem.convolution(problem).outputTypes(of: [x.type, weights.type]),
        let output = types[0].shape.constants, !output.contains(0)
      else { continue }
      var result = StepCase(.convolution(problem), [x, weights])
      let order = [0] + Array(2..<output.count) + [1]
      problem.epilogue = try epilogue(output, sumType(type), order, own: 2, &result, &maker)
      result.problem = .convolution(problem)
      return result
    }
  }

  // MARK: - Matrix products

  private static func matmul(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(
      [.float64, .float64, .float32, .int32, .int64, .uint8, .float16, .bfloat16] as [DataType])
    let m = maker.random.pick([1, 3, 16, 33, 70]), n = maker.random.pick([1, 5, 17, 32, 66])
    let k = maker.random.pick([1, 2, 15, 16, 40])
    var problem = MatrixProduct(
      transposesA: maker.random.chance(40), transposesB: maker.random.chance(40))
    let batch = (0..<maker.random.below(3)).map { _ in 1 + maker.random.below(3) }
    let batchA = maker.broadcasting(batch), batchB = maker.broadcasting(batch)
    let a = try maker.tensor(type, batchA + (problem.transposesA ? [k, m] : [m, k]), scale: 1)
    let b = try maker.tensor(type, batchB + (problem.transposesB ? [n, k] : [k, n]), scale: 1)
    var result = StepCase(.matmul(problem), [a, b])
    result.orders = [maker.order(a.shape.count), maker.order(b.shape.count)]
    let output = try outputShape(result)
    result.outputOrder = maker.order(output.count)
    result.gap = maker.random.chance(40) ? 1 + maker.random.below(3) : 0
    problem.epilogue = try epilogue(
      output, sumType(type), result.outputOrder, own: 2, &result, &maker)
    result.problem = .matmul(problem)
    return result
  }

  // MARK: - Pooling

  private static func pooling(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick(
      [.float32, .float32, .float64, .float16, .bfloat16, .int32, .int8, .uint8] as [DataType])
    let rank = 1 + maker.random.below(3)
    let shape =
      [1 + maker.random.below(2), maker.random.pick([1, 3, 8, 17])]
      + (0..<rank).map { _ in maker.random.pick([1, 2, 3, 5, 7]) }
    var result = try window(type, shape, indices: maker.random.chance(50), &maker)
    result.orders[0] = maker.order(shape.count)
    result.outputOrder = maker.order(shape.count)
    return result
  }

  private static func imagePooling(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick([.float32, .float16, .bfloat16, .float64, .int8] as [DataType])
    let rank = maker.random.pick([1, 2, 2, 2])
    let shape =
      [1 + maker.random.below(2), maker.random.pick([2, 4, 8, 16, 24, 64])]
      + (0..<rank).map { _ in maker.random.pick([3, 5, 8, 13]) }
    var result = try window(type, shape, indices: false, &maker)
    let order = [0] + Array(2..<shape.count) + [1]
    result.orders[0] = order
    result.outputOrder = order
    result.gap = maker.random.chance(25) ? maker.random.pick([8, 4, 1]) : 0
    return result
  }

  private static func globalPooling(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick([.float32, .float16, .bfloat16, .float64, .int32] as [DataType])
    let rank = maker.random.pick([1, 2, 2, 3])
    let spatial = (0..<rank).map { _ in maker.random.pick([1, 3, 7, 8]) }
    let shape = [1 + maker.random.below(2), maker.random.pick([1, 3, 8, 40, 72])] + spatial
    let isPadded = maker.random.chance(25)
    let pads = spatial.map { _ in isPadded ? maker.random.below(2) : 0 }
    let isMaximum = maker.random.chance(40)
    var problem = Window(
      isMaximum
        ? .maximum
        : maker.random.pick([
          .average(countsPadding: false), .average(countsPadding: true), .norm(p: root(2, type)),
          .norm(p: root(3, type)),
        ]),
      kernel: zip(spatial, pads).map { $0 + 2 * $1 }, strides: spatial.map { _ in 1 },
      dilations: spatial.map { _ in 1 }, padsBefore: pads.map { Dimension($0) },
      padsAfter: pads.map { Dimension($0) })
    var result = StepCase(
      .window(problem), [try maker.tensor(type, shape, specials: isMaximum && type.isFloatingPoint)]
    )
    result.orders = [maker.random.chance(60) ? [0] + Array(2..<shape.count) + [1] : nil]
    result.gap = maker.random.chance(25) ? maker.random.pick([8, 4, 1]) : 0
    problem.epilogue = try epilogue(
      Array(shape[..<2]) + spatial.map { _ in 1 }, type, nil, own: 1, &result, &maker)
    result.problem = .window(problem)
    return result
  }

  /// The power of a norm. A root that is rounded towards zero to an integer is ill-posed: 3 or 2.999... is
  /// chance.
  private static func root(_ p: Int, _ type: DataType) -> Int { type.isFloatingPoint ? p : 1 }

  private static func window(
    _ type: DataType, _ shape: [Int], indices: Bool, _ maker: inout CaseMaker
  ) throws -> StepCase {
    while true {
      let kernel = shape.dropFirst(2).map { _ in 1 + maker.random.below(3) }
      func each(_ body: (inout RandomSource, Int) -> Int) -> [Int] {
        kernel.map { body(&maker.random, $0) }
      }
      let functions: [Window.Function] = [
        .maximum, .average(countsPadding: false), .average(countsPadding: true), .norm(p: 1),
        .norm(p: root(2, type)), .norm(p: root(3, type)),
      ]
      let function = indices ? .maximum : maker.random.pick(functions)
      var problem = Window(
        function, kernel: kernel, strides: each { random, _ in 1 + random.below(3) },
        dilations: each { random, _ in random.chance(25) ? 2 : 1 },
        padsBefore: each { random, k in random.below(k) }.map { Dimension($0) },
        padsAfter: each { random, k in random.below(k) }.map { Dimension($0) },
        roundsUp: maker.random.chance(30),
        indices: indices ? maker.random.pick([.rowMajor, .columnMajor]) : .none)
      let specials = function == .maximum && type.isFloatingPoint && maker.random.chance(30)
      let x = try maker.tensor(type, shape, specials: specials)
      guard let types = try? KernelProblem.window(problem).outputTypes(of: [x.type]),
        let output = types[0].shape.constants, !output.contains(0)
      else { continue }
      var result = StepCase(.window(problem), [x])
      let order = [0] + Array(2..<shape.count) + [1]
      problem.epilogue = try epilogue(output, type, order, own: 1, &result, &maker)
      result.problem = .window(problem)
      return result
    }
  }

  // MARK: - Epilogues

  private static func outputShape(_ stepCase: StepCase) throws -> [Int] {
    let types = try stepCase.problem.outputTypes(of: stepCase.inputs.map { $0?.type })
    return types[0].shape.constants ?? []
  }

  /// The type of sums of products of one type.
  private static func sumType(_ type: DataType) -> DataType {
    type.sumOfProducts(with: type) ?? type
  }

  /// A bias, a residual that may lie where the output does, a bound, or a change of type.
  private static func epilogue(
    _ shape: [Int], _ type: DataType, _ order: [Int]?, own: Int, _ result: inout StepCase,
    _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    func add(_ tensor: Tensor, order: [Int]?) {
      result.inputs.append(tensor)
      result.orders.append(order)
    }
    switch maker.random.below(6) {
    case 0: return x
    case 1: return type.isFloatingPoint ? .maximum(x, .constant(0, type)) : x
    case 2:
      // A real number near an integer may be rounded either way.
      return .cast(x, type.isFloatingPoint ? .float32 : maker.random.pick([.int32, .float32]))
    default: break
    }
    var bias = shape.map { _ in 1 }
    if shape.count > 1 { bias[1] = shape[1] }
    let other = maker.random.chance(60) ? bias : maker.broadcasting(shape)
    add(try maker.tensor(type, other), order: maker.order(other.count))
    let sum = x + .operand(1)
    if maker.random.chance(40) { return sum }
    add(try maker.tensor(type, shape), order: order)
    if maker.random.chance(50) {
      result.inPlace = result.inputs.count - 1
      result.outputOrder = order
    }
    let residual = sum + .operand(2)
    return type.isFloatingPoint ? .maximum(residual, .constant(-0.5, type)) : residual
  }
}

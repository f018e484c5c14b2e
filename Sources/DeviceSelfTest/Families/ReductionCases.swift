import KernelModel
import TensorModel

enum ReductionCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("reduction") { try numbers(&$0) },
    SelfTest.Family("reduction index") { try indices(&$0) },
    SelfTest.Family("reduction large") { try large(&$0) },
    SelfTest.Family("normalization axis") { try axis(&$0) },
    SelfTest.Family("normalization group") { try groups(&$0) },
    SelfTest.Family("normalization local response") { try localResponse(&$0) },
    SelfTest.Family("normalization large") { try largeNormalization(&$0) },
  ]

  private static let types: [DataType] = [
    .float32, .float32, .float32, .float16, .float16, .bfloat16, .float64, .int64, .int32, .int16,
    .int8, .uint8, .uint16, .uint32, .uint64, .int4, .uint2, .bool,
  ]

  private static func numbers(_ maker: inout CaseMaker) throws -> StepCase {
    let shape =
      maker.random.chance(10)
      ? (0..<3).map { _ in maker.random.below(4) } : maker.shape(maker.random.below(5))
    let axes = shape.indices.filter { _ in maker.random.chance(50) }
    let function = maker.random.pick(
      Array(Reduction.Function.allCases.prefix { $0 != .firstMaximum }))
    return try stepCase(&maker, function, shape, axes: axes)
  }

  private static func indices(_ maker: inout CaseMaker) throws -> StepCase {
    let shape = maker.shape(1 + maker.random.below(3))
    let function = maker.random.pick([
      Reduction.Function.firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum,
    ])
    return try stepCase(&maker, function, shape, axes: [maker.random.below(shape.count)])
  }

  /// Layouts that have kernels of their own: long rows, columns, and everything at once.
  private static func large(_ maker: inout CaseMaker) throws -> StepCase {
    let shapes: [([Int], [Int])] = [
      ([4, 4096], [1]), ([3, 5003], [1]), ([20011], [0]), ([32768], [0]), ([2, 49, 128], [1]),
      ([1024, 24], [0]), ([700, 20], [0]), ([2, 16, 32, 24], [0, 2, 3]), ([100, 8], [1]),
      ([3, 3, 2048], [0]), ([300, 40], [1]),
    ]
    let (shape, axes) = maker.random.pick(shapes)
    let function = maker.random.pick([
      Reduction.Function.sum, .mean, .maximum, .l2Norm, .logSumExp, .lastMinimum,
    ])
    let isIndex = function == .lastMinimum
    return try stepCase(
      &maker, function, shape, axes: isIndex ? Array(axes.prefix(1)) : axes, isLarge: true)
  }

  private static func stepCase(
    _ maker: inout CaseMaker, _ function: Reduction.Function, _ shape: [Int], axes: [Int],
    isLarge: Bool = false
  ) throws -> StepCase {
    let type = maker.random.pick(isLarge ? [.float32, .float16, .bfloat16, .int32] : types)
    var problem = Reduction(function, axes: axes, keepsDimensions: maker.random.chance(50))
    let isOrdered = [.minimum, .maximum, .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum]
      .contains(function)
    var x = try maker.tensor(
      type, shape, specials: isOrdered && type.isFloatingPoint && maker.random.chance(30))
    if type == .float32, isOrdered, maker.random.chance(40) {
      x = try Tensor(try x.elements(as: Float.self).map { $0.rounded() }, shape: shape)
    }
    problem.prologue = prologue(&maker, function, type)
    var stepCase = StepCase(.reduction(problem), [x])
    if !isLarge || maker.random.chance(30) { stepCase.orders = [maker.order(shape.count)] }
    let kept = shape.indices.compactMap { axis -> Int? in
      axes.contains(axis) ? (problem.keepsDimensions ? 1 : nil) : shape[axis]
    }
    if !isLarge { stepCase.outputOrder = maker.order(kept.count) }
    stepCase.gap = maker.random.chance(20) ? 1 + maker.random.below(4) : 0
    let result =
      isIndex(function)
      ? DataType.int64 : problem.prologue.dataType(operands: [type]) ?? type
    problem.epilogue = try epilogue(&maker, &stepCase, kept, of: result, own: 1)
    stepCase.problem = .reduction(problem)
    return stepCase
  }

  private static func isIndex(_ function: Reduction.Function) -> Bool {
    [.firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum].contains(function)
  }

  private static func prologue(
    _ maker: inout CaseMaker, _ function: Reduction.Function, _ type: DataType
  ) -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    // Where order decides, rounding must not make elements equal.
    if isIndex(function) { return maker.random.chance(30) ? .unary(.negate, x) : x }
    guard type.isFloatingPoint else {
      return maker.random.chance(30) ? .unary(.hyperbolicTangent, .cast(x, .float32)) : x
    }
    func number(_ value: Double) -> ScalarExpression { .constant(value, type) }
    switch function {
    case .product: return number(1) + number(0.01) * .unary(.hyperbolicTangent, x)
    case .logSum: return .unary(.absolute, x) + number(0.5)
    default: return maker.random.chance(30) ? .unary(.hyperbolicTangent, x * number(0.7)) : x
    }
  }

  /// An epilogue for results of a type, with operands, one of which may lie where the output does.
  static func epilogue(
    _ maker: inout CaseMaker, _ stepCase: inout StepCase, _ shape: [Int], of type: DataType,
    own: Int
  ) throws -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    func add(_ tensor: Tensor, order: [Int]?) {
      while stepCase.inputs.count < own {
        stepCase.inputs.append(nil)
        stepCase.orders.append(nil)
      }
      stepCase.inputs.append(tensor)
      stepCase.orders.append(order)
    }
    let choice = maker.random.below(5)
    if choice == 0 { return x }
    guard type.isFloatingPoint else {
      if type == .bool || choice < 3 { return x }
      add(try maker.tensor(type, shape), order: maker.order(shape.count))
      return choice == 3 ? x + .operand(1) : .cast(x + .operand(1), .float32)
    }
    if choice == 1 {
      return .cast(.maximum(x, .constant(0, type)), maker.random.pick([.float16, .float32]))
    }
    let other = maker.broadcasting(shape)
    add(try maker.tensor(type, other), order: maker.order(other.count))
    let sum = ScalarExpression.maximum(x + .operand(1), .constant(-0.5, type))
    if choice == 2 { return sum }
    add(try maker.tensor(type, shape), order: stepCase.outputOrder)
    if maker.random.chance(60) { stepCase.inPlace = stepCase.inputs.count - 1 }
    return sum * .constant(0.5, type) + .operand(2)
  }

  // MARK: - Normalisation

  private static func axis(_ maker: inout CaseMaker) throws -> StepCase {
    let shape =
      maker.random.chance(5)
      ? (0..<2).map { _ in maker.random.below(3) } : maker.shape(1 + maker.random.below(4))
    let last = shape.count - 1
    let axis = maker.random.chance(50) ? last : maker.random.below(shape.count)
    let kinds: [Normalization.Kind] = [
      .softmax(axis: axis), .logSoftmax(axis: axis), .layer(axis: axis, epsilon: 1e-3),
      .rootMeanSquare(axis: axis, epsilon: 1e-3),
    ]
    return try normalization(&maker, maker.random.pick(kinds), shape)
  }

  private static func groups(_ maker: inout CaseMaker) throws -> StepCase {
    let shape = maker.shape(2 + maker.random.below(3))
    let divisors = (1...shape[1]).filter { shape[1] % $0 == 0 }
    return try normalization(
      &maker, .group(groups: Dimension(maker.random.pick(divisors)), epsilon: 1e-2), shape,
      isImage: true)
  }

  private static func localResponse(_ maker: inout CaseMaker) throws -> StepCase {
    let kind = Normalization.Kind.localResponse(
      size: 1 + maker.random.below(6), alpha: 0.3, beta: maker.random.pick([0.75, 0.5, 0.6, 1]),
      bias: 1)
    return try normalization(
      &maker, kind, maker.shape(2 + maker.random.below(3)), isImage: true)
  }

  /// Sizes and layouts that have kernels of their own.
  private static func largeNormalization(_ maker: inout CaseMaker) throws -> StepCase {
    let cases: [([Int], Normalization.Kind)] = [
      ([24, 128], .softmax(axis: 1)), ([6, 768], .layer(axis: 1, epsilon: 1e-5)),
      ([2, 3, 384], .layer(axis: 2, epsilon: 1e-5)), ([3, 1000], .logSoftmax(axis: 1)),
      ([2, 8192], .rootMeanSquare(axis: 1, epsilon: 1e-5)), ([1, 20480], .softmax(axis: 1)),
      ([2, 5000], .layer(axis: 1, epsilon: 1e-5)), ([2, 50, 96], .softmax(axis: 1)),
      ([2, 32, 12, 12], .group(groups: 8, epsilon: 1e-5)),
      ([1, 64, 24, 24], .group(groups: 4, epsilon: 1e-5)),
      ([1, 40, 40, 40], .layer(axis: 1, epsilon: 1e-5)), ([3, 12000], .softmax(axis: 1)),
      ([1, 70000], .softmax(axis: 1)), ([2, 1100, 40], .softmax(axis: 1)),
      ([1, 1200, 6, 8], .layer(axis: 1, epsilon: 1e-5)),
    ]
    let (shape, kind) = maker.random.pick(cases)
    var isImage = false
    if case .group = kind { isImage = true }
    return try normalization(&maker, kind, shape, isImage: isImage, isLarge: true)
  }

  private static func normalization(
    _ maker: inout CaseMaker, _ kind: Normalization.Kind, _ shape: [Int], isImage: Bool = false,
    isLarge: Bool = false
  ) throws -> StepCase {
    let types: [DataType] = [.float32, .float32, .float16, .bfloat16]
    // Probabilities of that many classes are too small for float16.
    let isVast = shape.reduce(1, *) > 50_000
    let type = isVast ? .float32 : maker.random.pick(isLarge ? types : types + [.float64])
    var problem = Normalization(kind)
    var stepCase = StepCase(.normalization(problem), [try maker.tensor(type, shape)])
    let channelsLast = [0] + Array(shape.indices.dropFirst(2)) + [1]
    if isImage {
      stepCase.orders = [maker.random.chance(50) ? channelsLast : nil]
      stepCase.outputOrder = stepCase.orders[0]
    } else if !isLarge || maker.random.chance(20) {
      stepCase.orders = [maker.order(shape.count)]
      stepCase.outputOrder = maker.random.chance(70) ? stepCase.orders[0] : maker.order(shape.count)
    }
    stepCase.gap = maker.random.chance(20) ? 1 + maker.random.below(4) : 0
    for _ in 0..<2 {
      guard let vector = vectorShape(&maker, kind, shape), maker.random.chance(70) else {
        stepCase.inputs.append(nil)
        stepCase.orders.append(nil)
        continue
      }
      let vectorType = maker.random.chance(70) ? type : .float32
      stepCase.inputs.append(try maker.tensor(vectorType, vector))
      stepCase.orders.append(nil)
      if maker.random.chance(60) { stepCase.constants.insert(stepCase.inputs.count - 1) }
    }
    if !isVast {
      problem.epilogue = try epilogue(&maker, &stepCase, shape, of: type, own: 3)
    }
    stepCase.problem = .normalization(problem)
    return stepCase
  }

  /// The shape of a scale or bias, where the kind takes one.
  private static func vectorShape(
    _ maker: inout CaseMaker, _ kind: Normalization.Kind, _ shape: [Int]
  ) -> [Int]? {
    switch kind {
    case .layer(let axis, _), .rootMeanSquare(let axis, _):
      maker.random.chance(70) ? Array(shape[axis...]) : maker.broadcasting(shape)
    case .group: [shape[1]]
    case .softmax, .logSoftmax, .localResponse: nil
    }
  }
}

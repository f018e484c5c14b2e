import KernelModel
import TensorModel

/// Expressions of every function and type, and the ways in which their operands can lie.
enum PointwiseCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("pointwise expression") { maker in
      let count = 1 + maker.random.below(3)
      let type = maker.random.pick([DataType.float32, .float32, .float16, .float64])
      let expression = maker.expression(4, operands: count, type)
      return try place(&maker, expression, Array(repeating: type, count: count))
    },
    SelfTest.Family("pointwise unary") { maker in
      let type = maker.random.pick(types)
      return try rows(&maker, unary(type), [type])
    },
    SelfTest.Family("pointwise binary") { maker in
      let type = maker.random.pick(types)
      return try rows(&maker, binary(type), [type, type])
    },
    SelfTest.Family("pointwise cast") { maker in
      let type = maker.random.pick(types)
      return try rows(&maker, casts(type), [type])
    },
    SelfTest.Family("pointwise mixed") { maker in
      let real = ScalarExpression.cast(.operand(0), .float32) * .float(0.25)
      let sum = real + .cast(.operand(1), .float32)
      let target = maker.random.pick([DataType.float16, .float32, .uint8, .int64])
      let first = maker.random.pick([DataType.uint8, .float16, .int32, .bool])
      return try place(
        &maker, .select(.operand(2), .cast(sum, target), .constant(7, target)),
        [first, .float64, .bool])
    },
    SelfTest.Family("pointwise coordinates") { maker in
      let shape = maker.shape(1 + maker.random.below(4))
      var value = ScalarExpression.operand(0)
      for axis in shape.indices where maker.random.chance(60) {
        value = value * .float(0.5) + .cast(.index(axis: axis), .float32)
      }
      var result = StepCase(
        .pointwise(Pointwise(value)), [try maker.tensor(.float32, shape)])
      result.orders = [maker.order(shape.count)]
      result.outputOrder = maker.order(shape.count)
      return result
    },
    SelfTest.Family("pointwise runs") { maker in try runs(&maker) },
    SelfTest.Family("pointwise large") { maker in
      // Enough for several vectors of each thread.
      let shape = maker.random.pick([[150_001], [5, 8, 64, 61], [37, 64, 64], [1_100_003]])
      let sum = ScalarExpression.operand(0) * .float(0.5) + .operand(1)
      let channels = shape.indices.map { $0 == 1 ? shape[1] : 1 }
      return StepCase(
        .pointwise(Pointwise(sum)),
        [try maker.tensor(.float32, shape), try maker.tensor(.float32, channels)])
    },
    SelfTest.Family("pointwise transposed") { maker in try transposed(&maker) },
  ]

  private static let types: [DataType] = [
    .float32, .float64, .float16, .bfloat16, .int64, .int32, .int16, .int8, .int4, .uint64,
    .uint32, .uint16, .uint8, .uint4, .uint2, .bool,
  ]

  /// Operands of random layouts; the first may lie where the output does.
  private static func place(
    _ maker: inout CaseMaker, _ expression: ScalarExpression, _ types: [DataType]
  ) throws -> StepCase {
    let shape = maker.shape(maker.random.below(5))
    var result = StepCase(.pointwise(Pointwise(expression, shape: Shape(shape))))
    for (index, type) in types.enumerated() {
      let own = index == 0 ? shape : maker.broadcasting(shape)
      result.inputs.append(try maker.tensor(type, own))
      result.orders.append(maker.order(own.count))
    }
    result.outputOrder = maker.order(shape.count)
    result.gap = maker.random.chance(30) ? 1 + maker.random.below(3) : 0
    if maker.random.chance(30) { result.inPlace = 0 }
    return result
  }

  /// One row for each expression.
  private static func rows(
    _ maker: inout CaseMaker, _ expressions: [ScalarExpression], _ types: [DataType]
  ) throws -> StepCase {
    var value = expressions[0]
    for (row, expression) in expressions.enumerated().dropFirst() {
      let isRow = ScalarExpression.binary(
        .equal, .index(axis: 0), .integer(Int64(row), .int64))
      value = .select(isRow, expression, value)
    }
    let shape = [expressions.count, 24]
    var result = StepCase(.pointwise(Pointwise(value, shape: Shape(shape))))
    let specials = maker.random.chance(40)
    for type in types {
      result.inputs.append(
        try maker.scalars(type, [24], specials: specials && type.isFloatingPoint))
      result.orders.append(nil)
    }
    return result
  }

  private static func unary(_ type: DataType) -> [ScalarExpression] {
    UnaryFunction.allCases.compactMap { function in
      if function == .logicalNot, type != .bool { return nil }
      return .cast(.unary(function, .operand(0)), type)
    }
  }

  private static func binary(_ type: DataType) -> [ScalarExpression] {
    let logical: [BinaryFunction] = [.logicalAnd, .logicalOr, .logicalXor]
    return BinaryFunction.allCases.compactMap { function in
      if logical.contains(function), type != .bool { return nil }
      return .cast(.binary(function, .operand(0), .operand(1)), type)
    }
  }

  private static func casts(_ type: DataType) -> [ScalarExpression] {
    let real = ScalarExpression.cast(.operand(0), .float64) * .constant(0.37, .float64)
    let small = ScalarExpression.cast(.operand(0), .float32) * .float(-0.25)
    return types.flatMap { target in
      [.operand(0), real, small].map { .cast(.cast($0, target), .float64) }
        + [.cast(.constant(2.7, target), .float64), .cast(.constant(-1e3, target), .float64)]
    }
  }

  /// Operands that vectors suit, mixed with those that repeat.
  private static func runs(_ maker: inout CaseMaker) throws -> StepCase {
    let shape = maker.random.pick([[4096], [3, 5, 7, 64], [2, 48, 49], [1021], [2, 9, 16, 8]])
    let type = maker.random.pick([DataType.float32, .float16, .int64, .uint8])
    let other = maker.random.pick([DataType.float32, .float16, .uint8])
    let sum =
      ScalarExpression.cast(.operand(0), .float32) + .cast(.operand(1), .float32)
      * .cast(.operand(2), .float32)
    var result = StepCase(
      .pointwise(Pointwise(.cast(.maximum(sum, .float(0)), type), shape: Shape(shape))))
    var channels = shape.map { _ in 1 }
    channels[maker.random.below(shape.count)] = shape[0]
    if channels.reduce(1, *) != 1 || shape.count > 1 {
      let axis = maker.random.below(shape.count)
      channels = shape.indices.map { $0 == axis ? shape[$0] : 1 }
    }
    result.inputs = [
      try maker.tensor(type, shape), try maker.tensor(other, shape),
      try maker.tensor(.float32, channels),
    ]
    result.orders = [nil, nil, nil]
    if maker.random.chance(40), shape.count > 2 {
      let order = [0] + Array(2..<shape.count) + [1]
      result.orders = [order, order, nil]
      result.outputOrder = order
    }
    if maker.random.chance(50) { result.inPlace = 0 }
    return result
  }

  /// Operands in different orders, and one that repeats.
  private static func transposed(_ maker: inout CaseMaker) throws -> StepCase {
    let shape = [
      1 + maker.random.below(2), maker.random.pick([16, 33, 64]), maker.random.pick([3, 7]),
      maker.random.pick([8, 11]),
    ]
    let type = maker.random.pick([DataType.float16, .float32, .uint8])
    let sum =
      ScalarExpression.cast(.operand(0), .float32) + .cast(.operand(1), .float32)
      + .operand(2) * .cast(.index(axis: 1), .float32)
    var result = StepCase(.pointwise(Pointwise(sum, shape: Shape(shape))))
    result.inputs = [
      try maker.tensor(type, shape), try maker.tensor(.float32, shape),
      try maker.tensor(.float32, [shape[1], 1, 1]),
    ]
    let last = [0, 2, 3, 1]
    result.orders = [nil, maker.random.chance(50) ? last : nil, nil]
    result.outputOrder = last
    result.inPlace = maker.random.chance(50) ? 1 : nil
    return result
  }
}

extension CaseMaker {
  /// Elements of any type, in its range.
  fileprivate mutating func scalars(
    _ type: DataType, _ shape: [Int], specials: Bool
  ) throws -> Tensor {
    guard type.bitCount < 8, let range = type.integerRange else {
      return try tensor(type, shape, specials: specials)
    }
    var tensor = try Tensor(uninitialized: type, shape: shape)
    tensor.withUnsafeMutableBytes { bytes in
      for index in bytes.indices {
        let value = Int(range.lowerBound) + random.below(range.count)
        bytes[index] = UInt8(truncatingIfNeeded: value)
      }
    }
    return tensor
  }

  /// A well conditioned expression of operands of a floating-point type.
  fileprivate mutating func expression(
    _ depth: Int, operands: Int, _ type: DataType
  ) -> ScalarExpression {
    func number(_ random: inout RandomSource) -> ScalarExpression {
      .constant(Double(random.float(2)), type)
    }
    if depth == 0 || random.chance(15) {
      return random.chance(75) ? .operand(random.below(operands)) : number(&random)
    }
    let a = expression(depth - 1, operands: operands, type)
    func other(_ maker: inout CaseMaker) -> ScalarExpression {
      maker.expression(depth - 1, operands: operands, type)
    }
    switch random.below(9) {
    case 0, 1: return a + other(&self)
    case 2: return a - other(&self)
    case 3: return .unary(.hyperbolicTangent, a) * .unary(.sigmoid, other(&self))
    case 4: return .maximum(a, other(&self))
    case 5: return .minimum(a, number(&random))
    case 6: return .unary(random.pick([.errorFunction, .absolute, .negate]), a)
    case 7:
      let condition = ScalarExpression.binary(
        random.pick([.less, .greater]), .operand(random.below(operands)), .constant(0.1, type))
      return .select(condition, a, other(&self))
    default: return a * number(&random)
    }
  }

  /// Gives a case operands for an epilogue, one of which may lie where the output does.
  mutating func movementEpilogue(
    _ shape: [Int], _ stepCase: inout StepCase
  ) throws -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    if random.chance(25) { return x }
    if random.chance(25) { return .maximum(x, .float(0)) }
    let other = broadcasting(shape)
    stepCase.inputs.append(try tensor(.float32, other))
    stepCase.orders.append(order(other.count))
    let sum = ScalarExpression.maximum(x + .operand(1), .float(-0.5))
    if random.chance(50) { return sum }
    stepCase.inputs.append(try tensor(.float32, shape))
    stepCase.orders.append(stepCase.outputOrder)
    if random.chance(60) { stepCase.inPlace = stepCase.inputs.count - 1 }
    return sum * .float(0.5) + .operand(2)
  }
}

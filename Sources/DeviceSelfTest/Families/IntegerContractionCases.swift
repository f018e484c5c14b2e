import KernelModel
import TensorModel

/// Convolutions and matrix products of 8-bit integers, with what quantised networks do to the sums.
///
/// Every scale is a power of two, so that each result is exact whatever a device joins into one
/// operation, and results half way between two integers occur.
enum IntegerContractionCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("integer matmul") { try matmul(&$0, large: false) },
    SelfTest.Family("integer convolution") { try convolution(&$0, large: false) },
    SelfTest.Family("integer first layer") { try firstLayer(&$0) },
    SelfTest.Family("integer grouped") { try grouped(&$0) },
    SelfTest.Family("hopper integer matmul") { try matmul(&$0, large: true) },
    SelfTest.Family("hopper integer convolution") { try convolution(&$0, large: true) },
  ]

  private static let bytes: [DataType] = [.uint8, .uint8, .int8]
  private static let weightTypes: [DataType] = [.int8, .int8, .int8, .uint8]

  // MARK: - Matrix products

  private static func matmul(_ maker: inout CaseMaker, large: Bool) throws -> StepCase {
    let m = maker.random.pick(large ? [1, 64, 129, 333, 3000] : [1, 3, 8, 17, 50, 130])
    let n = maker.random.pick(large ? [16, 64, 136, 264, 1000] : [1, 3, 16, 31, 40, 72])
    let k = maker.random.pick(large ? [16, 64, 128, 144, 768] : [1, 7, 16, 33, 64, 136, 300])
    let batch = large ? [] : maker.random.pick([[], [], [2], [3, 2]])
    var problem = MatrixProduct(
      transposesA: !large && maker.random.chance(20), transposesB: maker.random.chance(40))
    let isConstant = large || maker.random.chance(60)
    let a = try maker.tensor(
      maker.random.pick(bytes), batch + (problem.transposesA ? [k, m] : [m, k]))
    let b = try maker.tensor(
      maker.random.pick(weightTypes),
      (isConstant ? [] : batch) + (problem.transposesB ? [n, k] : [k, n]))
    var result = StepCase(.matmul(problem), [a, b])
    if isConstant { result.constants = [1] }
    if !large {
      result.orders = [maker.order(a.shape.count), isConstant ? nil : maker.order(b.shape.count)]
      result.outputOrder = maker.order(batch.count + 2)
      result.gap = maker.random.pick([0, 0, 0, 4, 1])
    }
    problem.epilogue = try epilogue(
      batch + [m, n], columns: batch.count + 1, depth: k, &result, &maker)
    result.problem = .matmul(problem)
    return result
  }

  // MARK: - Convolutions

  private static func convolution(_ maker: inout CaseMaker, large: Bool) throws -> StepCase {
    let spatial = maker.random.pick([1, 2, 2, 2, 2, 3])
    let channels = maker.random.pick(large ? [16, 64, 128, 160] : [1, 3, 6, 8, 16, 20, 32, 64])
    let filters = maker.random.pick(large ? [16, 64, 104, 136] : [1, 5, 8, 16, 24, 33])
    return try convolution(
      &maker, channels: channels, filters: filters, groups: 1,
      kernel: (0..<spatial).map { _ in maker.random.pick([1, 1, 2, 3, 3, 5]) },
      extent: large ? [300, 30, 9][spatial - 1] : [40, 9, 4][spatial - 1],
      isChannelsLast: large || maker.random.chance(75))
  }

  private static func firstLayer(_ maker: inout CaseMaker) throws -> StepCase {
    let extent = maker.random.pick([3, 5, 7])
    return try convolution(
      &maker, channels: maker.random.pick([1, 3, 3, 4]), filters: maker.random.pick([16, 32, 64]),
      groups: 1, kernel: [extent, extent], extent: 20, isChannelsLast: maker.random.chance(60))
  }

  private static func grouped(_ maker: inout CaseMaker) throws -> StepCase {
    let groups = maker.random.pick([2, 3, 8, 16, 24, 40])
    let isDepthwise = maker.random.chance(60)
    let inputs = isDepthwise ? 1 : maker.random.pick([2, 4, 8])
    return try convolution(
      &maker, channels: inputs * groups,
      filters: groups * (isDepthwise ? 1 : maker.random.pick([1, 2, 4, 8])), groups: groups,
      kernel: maker.random.pick([[3, 3], [3, 3], [5, 5], [3], [1, 3]]), extent: 10,
      isChannelsLast: maker.random.chance(80))
  }

  private static func convolution(
    _ maker: inout CaseMaker, channels: Int, filters: Int, groups: Int, kernel: [Int],
    extent: Int, isChannelsLast: Bool
  ) throws -> StepCase {
    let dilations = kernel.map { _ in maker.random.pick([1, 1, 1, 2]) }
    let reach = zip(kernel, dilations).map { ($0 - 1) * $1 }
    let before = reach.map { maker.random.below($0 + 1) }
    let after = reach.map { maker.random.below($0 + 1) }
    let extents = kernel.indices.map { axis in
      max(reach[axis] + 1 - before[axis] - after[axis], 1) + maker.random.below(extent)
    }
    let type = maker.random.pick(bytes)
    let x = try maker.tensor(type, [1 + maker.random.below(3), channels] + extents)
    let weights = try maker.tensor(
      maker.random.pick(weightTypes), [filters, channels / groups] + kernel)
    let padValue = maker.random.pick(type == .uint8 ? [0, 0, 3, 128, 255] : [0, 0, -128, -7, 5])
    var problem = Convolution(
      strides: kernel.map { _ in maker.random.pick([1, 1, 2, 3]) }, dilations: dilations,
      padsBefore: before.map { Dimension($0) }, padsAfter: after.map { Dimension($0) },
      groups: groups, padValue: padValue)
    let types = try KernelProblem.convolution(problem).outputTypes(of: [x.type, weights.type])
    let shape = types[0].shape.constants ?? []
    var result = StepCase(.convolution(problem), [x, weights])
    let order = isChannelsLast ? [0] + Array(2..<shape.count) + [1] : nil
    result.orders[0] = order
    result.outputOrder = order
    if maker.random.chance(85) { result.constants = [1] }
    problem.epilogue = try epilogue(
      shape, columns: 1, depth: channels / groups * kernel.reduce(1, *), &result, &maker)
    result.problem = .convolution(problem)
    return result
  }

  // MARK: - Epilogues

  /// The sums as they are; dequantised; or quantised again after a residual and an activation.
  private static func epilogue(
    _ shape: [Int], columns: Int, depth: Int, _ result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    let kind = maker.random.below(4)
    guard kind > 0 else { return .operand(0) }
    let isImage = columns == 1 && shape.count > 2
    let line = isImage ? shape.indices.map { $0 == 1 ? shape[1] : 1 } : [shape[columns]]
    func add(_ tensor: Tensor, order: [Int]?, constant: Bool) -> ScalarExpression {
      if constant { result.constants.insert(result.inputs.count) }
      result.inputs.append(tensor)
      result.orders.append(order)
      return .operand(result.inputs.count - 2)
    }
    // Sums of random products spread over about 128 * 74 * sqrt(depth).
    let spread =
      Int((Double(depth).squareRoot() * 128).rounded()).bitWidth
      - Int((Double(depth).squareRoot() * 128).rounded()).leadingZeroBitCount
    let count = shape[columns]
    let scales = (0..<count).map { _ in
      Float(sign: .plus, exponent: -spread - maker.random.below(3), significand: 1)
    }
    var value = ScalarExpression.cast(.operand(0), .float32)
    value =
      value * add(try Tensor(scales, shape: line), order: nil, constant: true)
      + add(try maker.tensor(.float32, line, scale: 20), order: nil, constant: true)
    guard kind > 1 else {
      return maker.random.chance(50) ? .maximum(value, .constant(0, .float32)) : value
    }
    let output = maker.random.pick([DataType.uint8, .uint8, .int8])
    if kind == 3 {
      let isInPlace = maker.random.chance(50)
      let residual = try maker.tensor(output, shape)
      let operand = add(residual, order: result.outputOrder, constant: false)
      if isInPlace { result.inPlace = result.inputs.count - 1 }
      value =
        value + (.cast(operand, .float32) - .constant(117, .float32)) * .constant(0.25, .float32)
    }
    if maker.random.chance(60) { value = .maximum(value, .constant(0, .float32)) }
    let bounds = output == .uint8 ? (0.0, 255.0) : (-128.0, 127.0)
    // A kernel may round a product and a sum once where the interpreter rounds both.
    result.wholeTolerance = 1
    let rounded =
      ScalarExpression.unary(.round, value * .constant(2, .float32)) + .constant(3, .float32)
    return .cast(
      .minimum(.maximum(rounded, .constant(bounds.0, .float32)), .constant(bounds.1, .float32)),
      output)
  }
}

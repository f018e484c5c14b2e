import KernelModel
import TensorModel

/// Contractions of 8-bit integers, with the epilogues of quantised networks.
enum ByteCases {
  static let families: [SelfTest.Family] = [
    SelfTest.Family("bytes convolution") { try convolution(&$0) },
    SelfTest.Family("bytes pointwise convolution") { try pointwise(&$0) },
    SelfTest.Family("bytes image") { try image(&$0) },
    SelfTest.Family("bytes groups") { try groups(&$0) },
    SelfTest.Family("bytes depthwise") { try depthwise(&$0) },
    SelfTest.Family("bytes matmul") { try matmul(&$0) },
    SelfTest.Family("bytes pooling") { try pooling(&$0) },
    SelfTest.Family("bytes mean") { try mean(&$0) },
    SelfTest.Family("bytes quantize") { try quantize(&$0) },
  ]

  // MARK: - Convolutions

  private struct Form {
    var channels: Int
    var filters: Int
    var groups = 1
    var kernel: [Int]
    var strides: [Int]
    var dilations: [Int]
    var isPadded = true
    /// The least extent of the output, and how much greater it may be.
    var extent = 9
  }

  private static func convolution(_ maker: inout CaseMaker) throws -> StepCase {
    let spatial = maker.random.pick([1, 2, 2, 2, 3])
    let kernel = (0..<spatial).map { _ in maker.random.pick([1, 2, 3, 3, 5]) }
    return try convolution(
      Form(
        channels: maker.random.pick([1, 3, 4, 5, 8, 16, 17, 20, 32, 64, 67]),
        filters: maker.random.pick([1, 5, 8, 16, 17, 24, 33, 64, 70, 130]), kernel: kernel,
        strides: kernel.map { _ in maker.random.pick([1, 1, 2, 3]) },
        dilations: kernel.map { _ in maker.random.pick([1, 1, 1, 2]) },
        extent: spatial == 1 ? 40 : spatial == 2 ? 9 : 4), &maker)
  }

  private static func pointwise(_ maker: inout CaseMaker) throws -> StepCase {
    let stride = maker.random.pick([1, 1, 2])
    return try convolution(
      Form(
        channels: maker.random.pick([8, 16, 23, 64, 72, 128, 256]),
        filters: maker.random.pick([8, 16, 40, 64, 96, 131]), kernel: [1, 1],
        strides: [stride, stride], dilations: [1, 1], isPadded: false, extent: 15), &maker)
  }

  private static func image(_ maker: inout CaseMaker) throws -> StepCase {
    let extent = maker.random.pick([3, 5, 7])
    return try convolution(
      Form(
        channels: maker.random.pick([1, 3, 3, 3, 4, 6]), filters: maker.random.pick([16, 32, 64]),
        kernel: [extent, extent], strides: [2, 2], dilations: [1, 1], extent: 12), &maker)
  }

  private static func groups(_ maker: inout CaseMaker) throws -> StepCase {
    let groups = maker.random.pick([2, 3, 4])
    let extent = maker.random.pick([1, 3])
    return try convolution(
      Form(
        channels: groups * maker.random.pick([1, 3, 4, 8, 17]),
        filters: groups * maker.random.pick([1, 5, 16, 33]), groups: groups,
        kernel: [extent, extent], strides: [1, 1], dilations: [1, 1], extent: 5), &maker)
  }

  private static func depthwise(_ maker: inout CaseMaker) throws -> StepCase {
    let channels = maker.random.pick([2, 3, 8, 16, 17, 24, 32, 40, 64, 96, 131, 144])
    let height = maker.random.pick([1, 2, 3, 3, 3, 5, 5, 7])
    let kernel = [height, maker.random.chance(70) ? height : maker.random.pick([1, 3, 5])]
    let stride = maker.random.pick([1, 1, 2, 3])
    let dilation = maker.random.pick([1, 1, 1, 2])
    return try convolution(
      Form(
        channels: channels, filters: channels, groups: channels, kernel: kernel,
        strides: [stride, stride], dilations: [dilation, dilation], extent: 19), &maker)
  }

  private static func convolution(_ form: Form, _ maker: inout CaseMaker) throws -> StepCase {
    let reach = zip(form.kernel, form.dilations).map { ($0 - 1) * $1 }
    let before = reach.map { form.isPadded ? maker.random.below($0 + 1) : 0 }
    let after = reach.map { form.isPadded ? maker.random.below($0 + 1) : 0 }
    let extents = form.kernel.indices.map { axis in
      max(reach[axis] + 1 - before[axis] - after[axis], 1) + maker.random.below(form.extent)
    }
    let types = byteTypes(&maker)
    let images = 1 + maker.random.below(3)
    let x = try maker.tensor(types.x, [images, form.channels] + extents)
    let weights = try maker.tensor(
      types.weights, [form.filters, form.channels / form.groups] + form.kernel)
    var problem = Convolution(
      strides: form.strides, dilations: form.dilations, padsBefore: before.map { Dimension($0) },
      padsAfter: after.map { Dimension($0) }, groups: form.groups)
    if maker.random.chance(60) {
      problem.padValue = maker.random.below(256) - (types.x == .int8 ? 128 : 0)
    }
    let outputs = try KernelProblem.convolution(problem).outputTypes(of: [x.type, weights.type])
    let shape = outputs[0].shape.constants ?? []
    var result = StepCase(.convolution(problem), [x, weights])
    let channelsLast = [0] + Array(2..<shape.count) + [1]
    result.orders = [
      maker.random.chance(75) ? channelsLast : maker.order(shape.count), nil,
    ]
    result.outputOrder = maker.random.chance(85) ? channelsLast : maker.order(shape.count)
    result.constants = [1]
    var epilogue = QuantizedEpilogue(shape: shape, channelAxis: 1)
    let depth = weights.elementCount / form.filters
    problem.epilogue = try epilogue.make(depth: depth, in: &result, &maker)
    result.problem = .convolution(problem)
    result.gap = maker.random.pick([0, 0, 0, 1, 8])
    return result
  }

  // MARK: - Matrix products

  private static func matmul(_ maker: inout CaseMaker) throws -> StepCase {
    let m = maker.random.pick([1, 2, 3, 7, 16, 31, 50, 100])
    let n = maker.random.pick([1, 3, 10, 16, 33, 64, 100, 130])
    let k = maker.random.pick([1, 3, 8, 17, 64, 100, 256, 515])
    let batch = maker.random.pick([[], [], [2], [3, 2]])
    var problem = MatrixProduct(
      transposesA: maker.random.chance(25), transposesB: maker.random.chance(50))
    let types = byteTypes(&maker)
    let a = try maker.tensor(types.x, batch + (problem.transposesA ? [k, m] : [m, k]))
    let isConstant = maker.random.chance(60)
    let batchB = isConstant || maker.random.chance(40) ? [] : batch
    let b = try maker.tensor(types.weights, batchB + (problem.transposesB ? [n, k] : [k, n]))
    let shape = batch + [m, n]
    var result = StepCase(.matmul(problem), [a, b])
    result.orders = [
      maker.order(a.shape.count), isConstant ? nil : maker.order(b.shape.count),
    ]
    if maker.random.chance(30) { result.outputOrder = maker.order(shape.count) }
    if isConstant { result.constants = [1] }
    var epilogue = QuantizedEpilogue(shape: shape, channelAxis: shape.count - 1)
    problem.epilogue = try epilogue.make(depth: k, in: &result, &maker)
    result.problem = .matmul(problem)
    result.gap = maker.random.pick([0, 0, 0, 1, 8])
    return result
  }

  // MARK: - What is not a contraction

  private static func pooling(_ maker: inout CaseMaker) throws -> StepCase {
    let spatial = maker.random.pick([1, 2, 2, 3])
    let kernel = (0..<spatial).map { _ in maker.random.pick([1, 2, 3, 5]) }
    let pads = kernel.map { maker.random.below($0) }
    let function: Window.Function =
      maker.random.chance(50)
      ? .maximum : .average(countsPadding: maker.random.chance(50))
    let channels = maker.random.pick([1, 3, 16, 17, 33, 64, 100])
    let extents = kernel.map { $0 + maker.random.below(9) }
    let type = maker.random.pick([DataType.uint8, .int8])
    let window = Window(
      function, kernel: kernel, strides: kernel.map { _ in maker.random.pick([1, 2, 3]) },
      dilations: kernel.map { _ in 1 }, padsBefore: pads.map { Dimension($0) },
      padsAfter: pads.map { Dimension($0) }, roundsUp: maker.random.chance(30))
    var result = StepCase(.window(window), [try maker.tensor(type, [2, channels] + extents)])
    let channelsLast = [0] + Array(2..<spatial + 2) + [1]
    result.orders = [channelsLast]
    result.outputOrder = channelsLast
    result.gap = maker.random.pick([0, 0, 1, 8])
    return result
  }

  /// A global mean of dequantised numbers.
  private static func mean(_ maker: inout CaseMaker) throws -> StepCase {
    let type = maker.random.pick([DataType.uint8, .int8])
    let shape = [2, maker.random.pick([1, 5, 32, 67]), 1 + maker.random.below(9), 7]
    let prologue =
      (ScalarExpression.cast(.operand(0), .float32) - .float(3)) * .float(0.03)
    var epilogue = ScalarExpression.operand(0)
    if maker.random.chance(60) {
      epilogue = .cast(.unary(.round, epilogue / .float(0.021)) + .float(7), type)
    }
    var result = StepCase(
      .reduction(
        Reduction(
          .mean, axes: [2, 3], keepsDimensions: maker.random.chance(50), prologue: prologue,
          epilogue: epilogue)), [try maker.tensor(type, shape)])
    result.orders = [maker.random.chance(70) ? [0, 2, 3, 1] : nil]
    result.wholeTolerance = 1
    return result
  }

  /// Real numbers to bytes and back, and bytes of one scale to another.
  private static func quantize(_ maker: inout CaseMaker) throws -> StepCase {
    let shape = maker.shape(maker.random.pick([1, 2, 4]))
    let types: [DataType] = [.uint8, .int8, .float32]
    let from = maker.random.pick(types), to = maker.random.pick(types)
    var value = ScalarExpression.operand(0)
    if from != .float32 {
      value = (ScalarExpression.cast(value, .float32) - .float(5)) * .float(0.017)
    }
    if to != .float32 {
      value = .unary(.round, value / .float(0.0123)) + .float(4)
      if maker.random.chance(50) {
        value = .minimum(.maximum(value, .float(to == .int8 ? -128 : 0)), .float(127))
      }
      value = .cast(value, to)
    }
    var result = StepCase(.pointwise(Pointwise(value)), [try maker.tensor(from, shape)])
    result.orders = [maker.order(shape.count)]
    result.outputOrder = maker.random.chance(60) ? result.orders[0] : maker.order(shape.count)
    result.gap = maker.random.pick([0, 0, 1, 8])
    result.wholeTolerance = 1
    return result
  }

  private static func byteTypes(_ maker: inout CaseMaker) -> (x: DataType, weights: DataType) {
    (maker.random.pick([.uint8, .uint8, .int8]), maker.random.chance(85) ? .int8 : .uint8)
  }
}

/// Epilogues as graphs of quantised layers have them, in several spellings.
private struct QuantizedEpilogue {
  let shape: [Int]
  let channelAxis: Int
  private var expression = ScalarExpression.operand(0)

  init(shape: [Int], channelAxis: Int) {
    self.shape = shape
    self.channelAxis = channelAxis
  }

  /// - Parameter depth: how many products a sum has.
  mutating func make(
    depth: Int, in result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    if maker.random.chance(8) { return expression }
    if maker.random.chance(25) {
      expression = expression + (try channels(.int32, scale: 500, in: &result, &maker))
      if maker.random.chance(10) { return expression }
    }
    // Sums of such random bytes are of about this size.
    let size = 8000 * Float(depth).squareRoot()
    let factor = try number(3 / size, in: &result, &maker)
    expression = .cast(expression, .float32) * factor
    if maker.random.chance(70) {
      expression = expression + (try channels(.float32, scale: 3, in: &result, &maker))
    }
    let isQuantized = maker.random.chance(70)
    // A residual is added to what has been quantised before.
    if isQuantized, maker.random.chance(30) {
      let zero = Double(maker.random.pick([0, 128, 3]))
      let bytes = ScalarExpression.cast(
        .minimum(
          .maximum(.unary(.round, expression / .float(0.04)) + .float(zero), .float(0)),
          .float(255)), .uint8)
      expression = (.cast(bytes, .float32) - .float(zero)) * .float(0.04)
    }
    if maker.random.chance(40) { try addResidual(in: &result, &maker) }
    activate(&maker)
    if isQuantized { try quantize(in: &result, &maker) }
    result.wholeTolerance = 1
    return expression
  }

  private mutating func activate(_ maker: inout CaseMaker) {
    switch maker.random.below(8) {
    case 0, 1, 2: expression = .maximum(expression, .float(0))
    case 3: expression = .minimum(.maximum(expression, .float(0)), .float(2.5))
    case 4: expression = .maximum(.minimum(expression, .float(3)), .float(-1))
    case 5: expression = expression * .unary(.sigmoid, expression)
    default: break
    }
  }

  /// A residual of the output's shape, dequantised.
  private mutating func addResidual(
    in result: inout StepCase, _ maker: inout CaseMaker
  ) throws {
    let type = maker.random.pick([DataType.uint8, .uint8, .int8, .float32])
    result.inputs.append(try maker.tensor(type, shape))
    result.orders.append(result.outputOrder)
    let operand = ScalarExpression.operand(result.inputs.count - 2)
    if maker.random.chance(40) { result.inPlace = result.inputs.count - 1 }
    guard type != .float32 else {
      expression = expression + operand
      return
    }
    let real = ScalarExpression.cast(operand, .float32)
    let factor = try number(0.03, in: &result, &maker)
    switch maker.random.below(3) {
    case 0: expression = expression + (real - .float(3)) * factor
    case 1: expression = real * factor + expression
    default:
      let zero = ScalarExpression.cast(.cast(operand, .int32) - .constant(3, .int32), .float32)
      expression = expression + zero * factor
    }
  }

  private mutating func quantize(in result: inout StepCase, _ maker: inout CaseMaker) throws {
    let isSigned = maker.random.chance(35)
    let range = isSigned ? (-128.0, 127.0) : (0.0, 255.0)
    let zeroPoint = Double(maker.random.pick([0, isSigned ? 0 : 128, 3, isSigned ? -7 : 100]))
    var steps: ScalarExpression
    if maker.random.chance(50) {
      steps = expression / (try number(0.05, in: &result, &maker))
    } else {
      steps = expression * (try number(20, in: &result, &maker))
    }
    switch maker.random.below(4) {
    case 0: steps = .unary(.round, steps) + .float(zeroPoint)
    case 3:
      // In whole numbers, as models spell it.
      let whole =
        ScalarExpression.cast(.unary(.round, steps), .int32) + .constant(zeroPoint, .int32)
      expression = .cast(
        .minimum(.maximum(whole, .constant(range.0, .int32)), .constant(range.1, .int32)),
        isSigned ? .int8 : .uint8)
      return
    case 1:
      steps = .unary(.round, steps)
      if zeroPoint != 0 { steps = steps + .float(zeroPoint) }
    default: steps = .unary(.round, steps + .float(zeroPoint))
    }
    if maker.random.chance(70) {
      steps = .minimum(.maximum(steps, .float(range.0)), .float(range.1))
    }
    expression = .cast(steps, isSigned ? .int8 : .uint8)
  }

  // MARK: - Numbers

  /// A positive number of about a size, the same everywhere or for each channel.
  private func number(
    _ size: Float, in result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    let value = size * (1 + maker.random.float(0.5))
    if maker.random.chance(50) { return .float(Double(value)) }
    let count = maker.random.chance(70) ? shape[channelAxis] : 1
    let values = (0..<count).map { _ in value * (1 + maker.random.float(0.3)) }
    return append(try Tensor(values, shape: extents(count)), to: &result)
  }

  private func channels(
    _ type: DataType, scale: Float, in result: inout StepCase, _ maker: inout CaseMaker
  ) throws -> ScalarExpression {
    let tensor = try maker.tensor(type, extents(shape[channelAxis]), scale: scale)
    return append(tensor, to: &result)
  }

  private func extents(_ count: Int) -> [Int] {
    [count] + [Int](repeating: 1, count: shape.count - 1 - channelAxis)
  }

  private func append(_ tensor: Tensor, to result: inout StepCase) -> ScalarExpression {
    result.inputs.append(tensor)
    result.orders.append(nil)
    result.constants.insert(result.inputs.count - 1)
    return .operand(result.inputs.count - 2)
  }
}

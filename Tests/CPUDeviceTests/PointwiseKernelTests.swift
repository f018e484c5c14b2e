import CPUDevice
import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct PointwiseKernelTests {
  private static let x = ScalarExpression.operand(0)

  private func check(
    _ maker: inout CaseMaker, _ expression: ScalarExpression, _ types: [DataType], _ seed: Int,
    specials: Bool = false, tolerance: Float = 2e-6
  ) throws {
    let shape = maker.shape(maker.random.below(5))
    var stepCase = StepCase(.pointwise(Pointwise(expression, shape: Shape(shape))))
    for (index, type) in types.enumerated() {
      let own = index == 0 ? shape : maker.broadcasting(shape)
      stepCase.inputs.append(try maker.tensor(type, own, specials: specials))
      stepCase.orders.append(maker.order(own.count))
    }
    stepCase.outputOrder = maker.order(shape.count)
    stepCase.gap = maker.random.chance(30) ? 1 + maker.random.below(3) : 0
    stepCase.tolerance = tolerance
    if maker.random.chance(30) { stepCase.inPlace = 0 }
    #expect(try stepCase.check(seed: seed) > 0)
  }

  @Test func expressionsOfFloats() throws {
    for seed in 0..<80 {
      var maker = CaseMaker(seed: seed)
      let count = 1 + maker.random.below(3)
      let expression = maker.expression(4, operands: count)
      try check(&maker, expression, Array(repeating: .float32, count: count), seed)
    }
  }

  @Test(arguments: [
    UnaryFunction.negate, .absolute, .sign, .reciprocal, .squareRoot, .reciprocalSquareRoot,
    .exponential, .logarithm, .logarithm1p, .exponentialMinus1, .sine, .arcTangent,
    .hyperbolicSine, .hyperbolicTangent, .sigmoid, .errorFunction, .floor, .ceiling, .round,
    .truncate, .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite,
  ])
  func functions(_ function: UnaryFunction) throws {
    for seed in 0..<6 {
      var maker = CaseMaker(seed: seed)
      try check(&maker, .unary(function, Self.x), [.float32], seed, specials: true)
    }
  }

  @Test(arguments: [
    BinaryFunction.add, .subtract, .multiply, .divide, .minimum, .maximum, .equal, .notEqual,
    .less, .lessOrEqual, .greater, .greaterOrEqual,
  ])
  func functionsOfTwo(_ function: BinaryFunction) throws {
    for seed in 0..<6 {
      var maker = CaseMaker(seed: seed)
      let expression = ScalarExpression.binary(function, Self.x, .operand(1))
      try check(&maker, expression, [.float32, .float32], seed, specials: true)
      let flipped = ScalarExpression.binary(function, .float(0.5), Self.x)
      try check(&maker, flipped, [.float32], seed, specials: true)
    }
  }

  /// Spellings of GELU that exporters write.
  private static let gelus: [ScalarExpression] = {
    let half = ScalarExpression.float(0.5), one = ScalarExpression.float(1)
    let cubic = x + .float(0.044715) * .binary(.power, x, .float(3))
    return [
      half * x * (one + .unary(.errorFunction, x * .float(0.5.squareRoot()))),
      x * (.unary(.errorFunction, x / .float(1.4142135381698608)) + one) * half,
      half * x * (one + .unary(.hyperbolicTangent, .float(0.7978845608) * cubic)),
      x / .float(2)
        * (.unary(.hyperbolicTangent, .float(0.79788458) * (x + .float(0.044715) * (x * x * x)))
          + one),
    ]
  }()

  @Test func gelu() throws {
    for (seed, expression) in Self.gelus.enumerated() {
      var maker = CaseMaker(seed: seed)
      try check(&maker, expression, [.float32], seed)
      // Not quite GELU.
      let other = expression.substituting([Self.x * .float(1.01)]) + expression
      try check(&maker, other, [.float32], seed)
    }
  }

  @Test func integersAndCasts() throws {
    let types: [DataType] = [
      .int64, .int32, .uint8, .int8, .int16, .uint16, .bool, .float16, .bfloat16,
    ]
    for (index, type) in types.enumerated() {
      for (seed, target) in (types + [.float32]).enumerated() {
        var maker = CaseMaker(seed: seed + 100 * index)
        let number = ScalarExpression.cast(Self.x, .float32) * .float(0.25)
        try check(&maker, .cast(number, target), [type], seed)
        try check(&maker, .cast(Self.x, target), [type], seed)
      }
    }
    for (seed, type) in [DataType.int64, .int32].enumerated() {
      for function in [BinaryFunction.add, .subtract, .multiply, .minimum, .maximum] {
        var maker = CaseMaker(seed: seed)
        let value = ScalarExpression.binary(function, Self.x, .operand(1))
        let expression = ScalarExpression.select(.operand(2), value, .constant(7, type))
        try check(&maker, expression, [type, type, .bool], seed)
      }
    }
  }

  @Test func coordinates() throws {
    let shape = [3, 5, 17]
    for axis in 0..<3 {
      let value = ScalarExpression.cast(.index(axis: axis), .float32) + Self.x
      var maker = CaseMaker(seed: axis)
      var stepCase = StepCase(
        .pointwise(Pointwise(value)), [try maker.tensor(.float32, shape)])
      stepCase.outputOrder = [2, 0, 1]
      #expect(try stepCase.check(seed: axis) > 0)
    }
  }

  @Test func emptyAndScalar() throws {
    for shape in [[], [0], [3, 0, 2], [1, 1]] {
      var maker = CaseMaker(seed: 1)
      let stepCase = StepCase(
        .pointwise(Pointwise(.maximum(Self.x, .float(0)))), [try maker.tensor(.float32, shape)])
      #expect(try stepCase.check(seed: 1) > 0)
    }
  }
}

/// Accuracy of functions, in units in the last place.
@Suite struct FunctionAccuracyTests {
  private static let functions:
    [(UnaryFunction, @Sendable (Double) -> Double, ClosedRange<Float>)] =
      [
        (.exponential, { exp($0) }, -80...80), (.logarithm, { log($0) }, 0.01...100),
        (.logarithm1p, { log1p($0) }, -0.9...10), (.exponentialMinus1, { expm1($0) }, -20...20),
        (.sigmoid, { 1 / (1 + exp(-$0)) }, -60...20), (.hyperbolicTangent, { tanh($0) }, -10...10),
        (.errorFunction, { erf($0) }, -4...4),
      ]

  @Test func functionsAreAccurate() throws {
    let count = 20_000
    for (function, exact, range) in Self.functions {
      let step = (range.upperBound - range.lowerBound) / Float(count)
      let numbers = (0..<count).map { range.lowerBound + step * Float($0) }
      let stepCase = StepCase(
        .pointwise(Pointwise(.unary(function, .operand(0)))), [try Tensor(numbers, shape: [count])])
      for table in try StepCase.tables() {
        let bench = try StepBench(stepCase, expected: [try Tensor(zeros: .float32, shape: [count])])
        let request = TacticRequest(
          step: bench.step, constants: [nil], threads: 1, kernels: table)
        let tactic = try #require(TacticCatalog.tactics(for: request).first)
        try bench.run(try tactic.prepare(request), seed: 1)
        let results = bench.memory[bench.step.outputs[0].buffer.index].base
          .assumingMemoryBound(to: Float.self)
        var worst = 0.0
        for index in 0..<count {
          let wanted = exact(Double(numbers[index]))
          let unit = Double(max(Float(wanted).magnitude, .leastNormalMagnitude).ulp)
          worst = max(worst, abs(Double(results[index]) - wanted) / unit)
        }
        #expect(worst < 3, "\(function), \(table.instructionSet)")
      }
    }
  }
}

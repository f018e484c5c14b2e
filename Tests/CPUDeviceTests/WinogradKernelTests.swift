import CPUDevice
import CPUKernelInterface
import KernelModel
import ProgramModel
import ReferenceInterpreter
import TensorModel
import Testing

/// 3x3 convolutions by minimal filtering, every algorithm with every register tile.
@Suite struct WinogradKernelTests {
  private static let channelsLast = [0, 2, 3, 1]

  @Test func anyExtentsAndEpilogues() throws {
    var done = 0
    var seed = 0
    while done < 50 {
      seed += 1
      var maker = CaseMaker(seed: seed)
      let channels = [1, 2, 3, 7, 16, 17, 31, 32, 37]
      let x = try maker.tensor(
        .float32,
        [
          1 + maker.random.below(2), maker.random.pick(channels),
          maker.random.pick([1, 2, 3, 5, 7, 8, 13]), maker.random.pick([1, 2, 3, 4, 6, 11, 17]),
        ], scale: 1)
      let w = try maker.tensor(
        .float32, [maker.random.pick(channels + [67]), x.shape[1], 3, 3], scale: 1)
      var problem = Self.problem(
        before: [maker.random.below(3), maker.random.below(3)],
        after: [maker.random.below(3), maker.random.below(3)])
      guard let types = try? KernelProblem.convolution(problem).outputTypes(of: [x.type, w.type]),
        let output = types[0].shape.constants, output.allSatisfy({ $0 > 0 })
      else { continue }
      done += 1
      var stepCase = Self.stepCase(problem, x, w)
      stepCase.gap = maker.random.chance(30) ? 2 : 0
      problem.epilogue = try maker.epilogue(output, &stepCase, own: 2)
      stepCase.problem = .convolution(problem)
      try check(stepCase, seed: seed, threads: 1 + maker.random.below(4), mayRefuse: true)
    }
  }

  /// A bias and a residual that lies where the output does, applied in registers.
  @Test func biasAndResidualInPlace() throws {
    let x = ScalarExpression.operand(0)
    let sum = x + .operand(1) + .operand(2)
    let epilogues: [ScalarExpression] = [
      sum, .maximum(sum, .float(0)), .minimum(.maximum(sum, .float(-1)), .float(1.5)),
    ]
    for (seed, columns) in [1, 3, 16, 17, 64, 71].enumerated() {
      var maker = CaseMaker(seed: seed)
      let shape = [2, columns, 9, 14]
      let input = try maker.tensor(.float32, [2, 19, 9, 14], scale: 1)
      let weights = try maker.tensor(.float32, [columns, 19, 3, 3], scale: 1)
      var problem = Self.problem(before: [1, 1], after: [1, 1])
      problem.epilogue = epilogues[seed % epilogues.count]
      var stepCase = Self.stepCase(problem, input, weights)
      stepCase.inputs += [
        try maker.tensor(.float32, [columns, 1, 1]), try maker.tensor(.float32, shape),
      ]
      stepCase.orders += [nil, Self.channelsLast]
      stepCase.constants.insert(2)
      stepCase.inPlace = 3
      stepCase.gap = seed % 2
      try check(stepCase, seed: seed, threads: 2)
    }
  }

  /// More windows than one task takes, and more panels than one thread takes.
  @Test func manyTasks() throws {
    for (seed, (extent, channels, columns)) in [(41, 33, 40), (9, 40, 130)]
      .enumerated()
    {
      var maker = CaseMaker(seed: seed)
      let x = try maker.tensor(.float32, [1, channels, extent, extent + 1], scale: 1)
      let w = try maker.tensor(.float32, [columns, channels, 3, 3], scale: 1)
      let stepCase = Self.stepCase(Self.problem(before: [1, 1], after: [1, 1]), x, w)
      for threads in [1, 3] { try check(stepCase, seed: seed, threads: threads) }
    }
  }

  /// Against sums in double precision.
  @Test(arguments: [(64, 2e-6), (512, 4e-6), (2048, 8e-6)])
  func accuracy(channels: Int, bound: Double) throws {
    var maker = CaseMaker(seed: channels)
    let extent = 8
    let x = try maker.tensor(.float32, [1, channels, extent, extent], scale: 1)
    let w = try maker.tensor(.float32, [5, channels, 3, 3], scale: 1)
    let stepCase = Self.stepCase(Self.problem(before: [0, 0], after: [0, 0]), x, w)
    let wanted = try Self.exact(x, w)
    for table in try StepCase.tables() {
      let output = try Tensor([Float](repeating: 0, count: wanted.count), shape: [1, 5, 6, 6])
      for (name, found) in try Self.results(stepCase, [output], table, seed: 1, threads: 1) {
        let error = Self.relativeError(found, wanted)
        #expect(error < bound, "\(table.instructionSet), \(name): \(error)")
      }
    }
  }

  @Test func refusesOtherConvolutions() throws {
    var maker = CaseMaker(seed: 0)
    let x = try maker.tensor(.float32, [1, 4, 9, 9])
    var strided = Self.problem(before: [1, 1], after: [1, 1])
    strided.strides = [1, 2]
    var dilated = Self.problem(before: [1, 1], after: [1, 1])
    dilated.dilations = [2, 1]
    var grouped = Self.problem(before: [1, 1], after: [1, 1])
    grouped.groups = 2
    let plain = Self.problem(before: [1, 1], after: [1, 1])
    let cases: [(Convolution, [Int], [Int]?)] = [
      (strided, [8, 4, 3, 3], Self.channelsLast), (dilated, [8, 4, 3, 3], Self.channelsLast),
      (grouped, [8, 2, 3, 3], Self.channelsLast), (plain, [8, 4, 3, 5], Self.channelsLast),
      (plain, [8, 4, 3, 3], nil),
    ]
    for (problem, shape, order) in cases {
      var stepCase = Self.stepCase(problem, x, try maker.tensor(.float32, shape))
      stepCase.orders[0] = order
      let expected = try Interpreter.evaluate(stepCase.problem, stepCase.inputs)
      for table in try StepCase.tables() {
        #expect(try Self.results(stepCase, expected, table, seed: 1, threads: 1).isEmpty)
      }
    }
  }
}

// MARK: - Checks

extension WinogradKernelTests {
  private static func problem(before: [Int], after: [Int]) -> Convolution {
    Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: before.map { Dimension($0) },
      padsAfter: after.map { Dimension($0) })
  }

  private static func stepCase(_ problem: Convolution, _ x: Tensor, _ w: Tensor) -> StepCase {
    var stepCase = StepCase(.convolution(problem), [x, w])
    stepCase.orders = [channelsLast, nil]
    stepCase.outputOrder = channelsLast
    stepCase.constants = [1]
    return stepCase
  }

  /// - Parameter mayRefuse: whether the epilogue may be one that no contraction applies.
  private func check(
    _ stepCase: StepCase, seed: Int, threads: Int, mayRefuse: Bool = false
  ) throws {
    let expected = try Interpreter.evaluate(stepCase.problem, stepCase.inputs)
    let wanted = try expected[0].elements(as: Float.self).map { Double($0) }
    for table in try StepCase.tables() {
      let results = try Self.results(stepCase, expected, table, seed: seed, threads: threads)
      let all = table.contraction.winograd.count * table.contraction.winogradTiles.count
      #expect(results.count == all || (mayRefuse && results.isEmpty))
      for (name, found) in results {
        let error = Self.relativeError(found, wanted)
        #expect(error < 3e-6, "seed \(seed), \(table.instructionSet), \(name): \(error)")
      }
    }
  }

  /// The results of every Winograd tactic, each from a fresh step with a poisoned output.
  private static func results(
    _ stepCase: StepCase, _ expected: [Tensor], _ table: CPUKernelTable, seed: Int, threads: Int
  ) throws -> [(name: String, values: [Float])] {
    let bench = try StepBench(stepCase, expected: expected)
    let request = TacticRequest(
      step: bench.step, constants: bench.constants, threads: threads, kernels: table)
    var results: [(String, [Float])] = []
    for tactic in TacticCatalog.tactics(for: request) where tactic.name.hasPrefix("winograd") {
      #expect(tactic.estimate(request) > 0)
      // The output may lie where an input does, so each tactic has memory of its own.
      let own = try StepBench(stepCase, expected: expected)
      let view = own.step.outputs[0]
      var before = own.bytes(view)
      try own.run(try tactic.prepare(request), seed: seed)
      let after = own.bytes(view)
      var values = [Float](repeating: 0, count: view.elementCount)
      StepBench.forEach(view) { index, offset in
        for byte in offset * 4..<offset * 4 + 4 { before[byte] = after[byte] }
        values[index] = after.withUnsafeBytes {
          $0.load(fromByteOffset: offset * 4, as: Float.self)
        }
      }
      #expect(before == after, "seed \(seed), \(tactic.name) wrote beside the output")
      results.append((tactic.name, values))
    }
    return results
  }

  /// The norm of the difference over the norm of what is wanted, which is at least that of ones.
  private static func relativeError(_ found: [Float], _ wanted: [Double]) -> Double {
    var difference = 0.0
    var norm = 0.0
    for (a, b) in zip(found, wanted) {
      difference += (Double(a) - b) * (Double(a) - b)
      norm += b * b
    }
    return (difference / max(norm, Double(wanted.count))).squareRoot()
  }

  /// An unpadded convolution of one image in double precision.
  private static func exact(_ x: Tensor, _ w: Tensor) throws -> [Double] {
    let input = try x.elements(as: Float.self).map { Double($0) }
    let weights = try w.elements(as: Float.self).map { Double($0) }
    let (channels, height, width) = (x.shape[1], x.shape[2], x.shape[3])
    var result: [Double] = []
    for k in 0..<w.shape[0] {
      for y in 0..<height - 2 {
        for z in 0..<width - 2 {
          var sum = 0.0
          for c in 0..<channels {
            for tap in 0..<9 {
              let pixel = (c * height + y + tap / 3) * width + z + tap % 3
              sum += input[pixel] * weights[(k * channels + c) * 9 + tap]
            }
          }
          result.append(sum)
        }
      }
    }
    return result
  }
}

import KernelModel
import TensorModel
import Testing

@Suite struct SpatialKernelTests {
  @Test func pooling() throws {
    var seed = 0
    var done = 0
    while done < 80 {
      seed += 1
      var maker = CaseMaker(seed: seed)
      let spatial = 1 + maker.random.below(3)
      func each(_ body: (inout RandomSource) -> Int) -> [Int] {
        (0..<spatial).map { _ in body(&maker.random) }
      }
      let kernel = each { 1 + $0.below(3) }
      let before = kernel.map { maker.random.below($0) }
      let after = kernel.map { maker.random.below($0) }
      let isMaximum = maker.random.chance(50)
      var problem = Window(
        isMaximum ? .maximum : .average(countsPadding: maker.random.chance(50)), kernel: kernel,
        strides: each { 1 + $0.below(3) }, dilations: each { 1 + $0.below(2) },
        padsBefore: before.map { Dimension($0) }, padsAfter: after.map { Dimension($0) },
        roundsUp: maker.random.chance(30))
      let shape =
        [1 + maker.random.below(2), maker.random.pick([1, 3, 16, 17, 70])]
        + each { $0.pick([1, 2, 3, 5, 7]) }
      let x = try maker.tensor(.float32, shape, specials: isMaximum && maker.random.chance(30))
      guard let types = try? KernelProblem.window(problem).outputTypes(of: [x.type]),
        let output = types[0].shape.constants, !output.contains(0)
      else { continue }
      done += 1
      try check(x, output, seed, &maker) { epilogue in
        problem.epilogue = epilogue
        return .window(problem)
      }
    }
  }

  @Test func resampling() throws {
    let interpolations: [Resample.Interpolation] = [
      .nearest(.preferFloor), .nearest(.floor), .nearest(.ceiling), .nearest(.preferCeiling),
      .linear(antialias: false), .linear(antialias: true),
      .cubic(coefficient: -0.75, antialias: false), .cubic(coefficient: -0.5, antialias: true),
    ]
    let coordinates: [Resample.Coordinates] = [
      .halfPixel, .halfPixelSymmetric, .pytorchHalfPixel, .alignCorners, .asymmetric,
    ]
    for seed in 0..<80 {
      var maker = CaseMaker(seed: seed)
      let spatial = 1 + maker.random.below(3)
      let shape =
        [1 + maker.random.below(2), maker.random.pick([1, 3, 17, 40])]
        + (0..<spatial).map { _ in maker.random.pick([1, 2, 3, 5, 8]) }
      let factors = (0..<spatial).map { _ in maker.random.pick([0.5, 1, 1.5, 2, 2.6]) }
      let output =
        Array(shape[..<2])
        + (0..<spatial).map { max(Int(Double(shape[$0 + 2]) * factors[$0]), 1) }
      var problem = Resample(
        interpolations[seed % interpolations.count], coordinates: maker.random.pick(coordinates),
        shape: Shape(output), scales: maker.random.chance(30) ? [1, 1] + factors : nil,
        excludesOutside: maker.random.chance(20))
      try check(try maker.tensor(.float32, shape), output, seed, &maker) { epilogue in
        problem.epilogue = epilogue
        return .resample(problem)
      }
    }
  }

  /// Checks a problem of one input whose channels lie side by side.
  private func check(
    _ x: Tensor, _ output: [Int], _ seed: Int, _ maker: inout CaseMaker,
    _ problem: (ScalarExpression) -> KernelProblem
  ) throws {
    var stepCase = StepCase(problem(.operand(0)), [x])
    let channelsLast = [0] + Array(2..<x.shape.count) + [1]
    stepCase.orders = [channelsLast]
    stepCase.outputOrder = channelsLast
    stepCase.gap = maker.random.chance(30) ? 2 : 0
    stepCase.problem = problem(try maker.epilogue(output, &stepCase, own: 1))
    #expect(try stepCase.check(seed: seed) > 0)
  }
}

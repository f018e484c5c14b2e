import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct WindowTests {
  private func window(
    _ function: Window.Function, _ kernel: [Int], strides: [Int], dilations: [Int]? = nil,
    pads: [Dimension]? = nil, roundsUp: Bool = false, indices: Window.Indices = .none
  ) -> KernelProblem {
    .window(
      Window(
        function, kernel: kernel, strides: strides, dilations: dilations ?? kernel.map { _ in 1 },
        padsBefore: pads ?? kernel.map { _ in 0 }, padsAfter: pads ?? kernel.map { _ in 0 },
        roundsUp: roundsUp, indices: indices))
  }

  @Test func maxima() throws {
    let x = try ramp([1, 1, 4, 4])
    expectEqual(
      try evaluate(window(.maximum, [2, 2], strides: [2, 2]), x), [5, 7, 13, 15],
      shape: [1, 1, 2, 2])
    expectEqual(
      try evaluate(window(.maximum, [2, 2], strides: [2, 2], dilations: [2, 2]), x), [10])
    let below = try floats([-3, -2, -1], [1, 1, 3])
    expectEqual(
      try evaluate(window(.maximum, [3], strides: [2], pads: [1]), below), [-2, -1])
  }

  @Test func indicesOfMaxima() throws {
    let x = try floats([0, 5, 1, 2, 3, 5, 0, 7], [1, 2, 2, 2])
    let rows = try Interpreter.evaluate(
      window(.maximum, [2, 2], strides: [1, 1], indices: .rowMajor), [x])
    expectEqual(rows[1], [1, 7])
    let columns = try Interpreter.evaluate(
      window(.maximum, [2, 2], strides: [1, 1], indices: .columnMajor), [x])
    expectEqual(columns[0], [5, 7])
    expectEqual(columns[1], [2, 7])
    #expect(columns[1].dataType == .int64)
  }

  @Test func averages() throws {
    let x = try ramp([1, 1, 4])
    func average(_ counts: Bool, roundsUp: Bool = false) throws -> Tensor {
      try evaluate(
        window(
          .average(countsPadding: counts), [3], strides: [2], pads: [1], roundsUp: roundsUp), x)
    }
    expectClose(try average(false), [0.5, 2])
    expectClose(try average(true), [1.0 / 3, 2])
    // The last window reaches one element beyond the padding, which never counts.
    expectClose(try average(false, roundsUp: true), [0.5, 2, 3])
    expectClose(try average(true, roundsUp: true), [1.0 / 3, 2, 1.5])
  }

  @Test func norms() throws {
    let x = try floats([3, -4, 0, 1], [1, 1, 4])
    expectClose(try evaluate(window(.norm(p: 2), [2], strides: [2]), x), [5, 1])
    expectClose(try evaluate(window(.norm(p: 1), [2], strides: [2]), x), [7, 1])
  }

  @Test func integers() throws {
    let x = try Tensor([UInt8(1), 200, 3, 4], shape: [1, 1, 4])
    let result = try evaluate(window(.maximum, [2], strides: [2], pads: [0]), x)
    #expect(try result.elements(as: UInt8.self) == [200, 4])
  }

  @Test func nothingInsideAWindow() throws {
    let x = try ramp([1, 1, 1])
    let result = try evaluate(window(.maximum, [1], strides: [1], pads: [1]), x)
    expectEqual(result, [-.infinity, 0, -.infinity])
  }
}

@Suite struct ResampleTests {
  private func resize(
    _ values: [Float], to count: Int, _ interpolation: Resample.Interpolation,
    _ coordinates: Resample.Coordinates, scale: Double? = nil, region: [Double] = [],
    extrapolation: Double = 0, excludesOutside: Bool = false
  ) throws -> Tensor {
    try evaluate(
      .resample(
        Resample(
          interpolation, coordinates: coordinates, shape: [Dimension(count)],
          scales: scale.map { [$0] }, regionOfInterest: region, extrapolation: extrapolation,
          excludesOutside: excludesOutside)), try floats(values, [values.count]))
  }

  @Test func nearest() throws {
    let x: [Float] = [1, 2]
    expectEqual(
      try resize(x, to: 4, .nearest(.preferFloor), .halfPixel), [1, 1, 2, 2])
    expectEqual(
      try resize(x, to: 4, .nearest(.floor), .asymmetric), [1, 1, 2, 2])
    expectEqual(
      try resize(x, to: 4, .nearest(.ceiling), .asymmetric), [1, 2, 2, 2])
    expectEqual(
      try resize(x, to: 3, .nearest(.preferFloor), .alignCorners), [1, 1, 2])
    expectEqual(
      try resize(x, to: 3, .nearest(.preferCeiling), .alignCorners), [1, 2, 2])
  }

  @Test func linear() throws {
    let linear = Resample.Interpolation.linear(antialias: false)
    expectClose(try resize([0, 4], to: 4, linear, .halfPixel), [0, 1, 3, 4])
    expectClose(try resize([0, 3], to: 4, linear, .alignCorners), [0, 1, 2, 3])
    expectClose(try resize([0, 4], to: 4, linear, .asymmetric), [0, 2, 4, 4])
    expectClose(try resize([0, 1, 2, 3], to: 1, linear, .pytorchHalfPixel), [0])
    expectClose(try resize([0, 1, 2, 3], to: 1, linear, .halfPixel), [1.5])
  }

  @Test func cubicKeepsStraightLines() throws {
    let cubic = Resample.Interpolation.cubic(coefficient: -0.5, antialias: false)
    let result = try resize([0, 1, 2, 3, 4, 5, 6, 7], to: 15, cubic, .alignCorners)
    expectClose(
      try evaluate(.copy(.slice(starts: [3], sizes: [9], steps: [1])), result),
      (3..<12).map { Double($0) / 2 })
  }

  @Test func antialiasAverages() throws {
    let linear = Resample.Interpolation.linear(antialias: true)
    // A triangle of width 4 around 1.5: weights 1, 3, 3, 1 over 8, and the like at the ends.
    expectClose(
      try resize([1, 2, 3, 4], to: 2, linear, .halfPixel, excludesOutside: true),
      [12.0 / 7, 23.0 / 7])
  }

  @Test func cropAndExtrapolation() throws {
    let linear = Resample.Interpolation.linear(antialias: false)
    let result = try resize(
      [0, 1, 2, 3, 4], to: 3, linear, .cropAndResize, region: [0.5, 1.5], extrapolation: 9)
    expectClose(result, [2, 4, 9])
  }

  @Test func axesAreIndependent() throws {
    let x = try ramp([1, 1, 2, 2])
    let result = try evaluate(
      .resample(
        Resample(.linear(antialias: false), coordinates: .alignCorners, shape: [1, 1, 3, 3])), x)
    expectClose(result, [0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3])
  }

  @Test func scalesThatCannotBeAreRefused() throws {
    for scale in [0, -1, .nan, .infinity, 1e-300] as [Double] {
      #expect(throws: ProblemError.self) {
        try resize([1, 2], to: 4, .linear(antialias: true), .halfPixel, scale: scale)
      }
    }
  }
}

@Suite struct NormalizationTests {
  @Test func softmax() throws {
    let x = try floats([0, 0, 1000, 1000, -.infinity, 0], [3, 2])
    expectEqual(
      try evaluate(.normalization(Normalization(.softmax(axis: 1))), x),
      [0.5, 0.5, 0.5, 0.5, 0, 1])
    expectClose(
      try evaluate(.normalization(Normalization(.logSoftmax(axis: 0))), try ramp([2, 1])),
      [-1.3132616875, -0.3132616875])
  }

  @Test func layer() throws {
    let x = try floats([1, 3, 10, 10], [2, 2])
    let scale = try floats([2, 3], [2]), bias = try floats([1, 1], [2])
    let problem = KernelProblem.normalization(Normalization(.layer(axis: 1, epsilon: 1e-12)))
    expectClose(try evaluate(problem, x, scale, bias), [-1, 4, 1, 1])
    expectClose(try evaluate(problem, x), [-1, 1, 0, 0])
  }

  @Test func rootMeanSquare() throws {
    let problem = KernelProblem.normalization(
      Normalization(.rootMeanSquare(axis: 0, epsilon: 0)))
    expectClose(
      try evaluate(problem, Tensor([Float(1), 7]), Tensor([Float(10), 10])), [2, 14])
  }

  @Test func group() throws {
    // Two groups of two channels of two elements.
    let x = try floats([0, 0, 2, 2, 5, 7, 5, 7], [1, 4, 2])
    let problem = KernelProblem.normalization(Normalization(.group(groups: 2, epsilon: 0)))
    let scale = Tensor([Float(1), 2, 3, 4])
    expectClose(try evaluate(problem, x, scale), [-1, -1, 2, 2, -3, 3, -4, 4])
  }

  @Test func localResponse() throws {
    let x = try floats([1, 2, 3, 4], [1, 4, 1])
    let problem = KernelProblem.normalization(
      Normalization(.localResponse(size: 2, alpha: 2, beta: 1, bias: 1)))
    // Channel c sees c and c + 1.
    expectClose(try evaluate(problem, x), [1.0 / 6, 2.0 / 14, 3.0 / 26, 4.0 / 17])
  }

  @Test func epilogue() throws {
    let problem = KernelProblem.normalization(
      Normalization(.softmax(axis: 0), epilogue: x0 * x1))
    expectClose(
      try evaluate(problem, Tensor([Float(0), 0]), nil, nil, Tensor([Float(4), 6])), [2, 3])
  }
}

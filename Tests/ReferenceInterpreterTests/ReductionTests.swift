import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct ReductionTests {
  private func reduce(
    _ function: Reduction.Function, _ x: Tensor, axes: [Int], keeps: Bool = false
  ) throws -> Tensor {
    try evaluate(.reduction(Reduction(function, axes: axes, keepsDimensions: keeps)), x)
  }

  @Test func sumsAnyAxes() throws {
    let x = try ramp([2, 3, 4])
    expectEqual(try reduce(.sum, x, axes: [1]), [12, 15, 18, 21, 48, 51, 54, 57], shape: [2, 4])
    expectEqual(try reduce(.sum, x, axes: [0, 2], keeps: true), [60, 92, 124], shape: [1, 3, 1])
    expectEqual(try reduce(.mean, x, axes: [0, 1, 2]), [11.5], shape: [])
    #expect(try reduce(.sum, x, axes: []).isIdentical(to: x))
  }

  @Test func everyFunction() throws {
    let x = try floats([1, -2, 3, -4], [4])
    let expected: [(Reduction.Function, Double)] = [
      (.sum, -2), (.mean, -0.5), (.product, 24), (.minimum, -4), (.maximum, 3),
      (.sumOfSquares, 30), (.l1Norm, 10), (.l2Norm, 5.477225575), (.logSum, .nan),
      (.logSumExp, 3.1336433887),
    ]
    for (function, value) in expected { expectClose(try reduce(function, x, axes: [0]), [value]) }
  }

  @Test func integers() throws {
    let x = Tensor([Int32(7), -2, 4, 4])
    let expected: [(Reduction.Function, Double)] = [
      (.sum, 13), (.mean, 3), (.product, -224), (.minimum, -2), (.maximum, 7),
      (.sumOfSquares, 85), (.l1Norm, 17), (.l2Norm, 9), (.logSum, 2), (.logSumExp, 7),
    ]
    for (function, value) in expected { expectEqual(try reduce(function, x, axes: [0]), [value]) }
    let large = Tensor([UInt64.max, 5])
    #expect(try reduce(.maximum, large, axes: [0]).elements() == [UInt64.max])
    #expect(try reduce(.minimum, large, axes: [0]).elements() == [UInt64(5)])
    let bytes = Tensor([UInt8(200), 100])
    #expect(try reduce(.sum, bytes, axes: [0]).elements() == [UInt8(44)])
  }

  @Test func ofNothing() throws {
    let empty = try Tensor(zeros: .float32, shape: [2, 0])
    expectEqual(try reduce(.sum, empty, axes: [1]), [0, 0])
    expectEqual(try reduce(.product, empty, axes: [1]), [1, 1])
    expectEqual(try reduce(.maximum, empty, axes: [1]), [-.infinity, -.infinity])
    expectEqual(try reduce(.minimum, empty, axes: [1]), [.infinity, .infinity])
    expectEqual(try reduce(.mean, empty, axes: [1]), [.nan, .nan])
    expectEqual(try reduce(.logSumExp, empty, axes: [1]), [-.infinity, -.infinity])
    expectEqual(
      try reduce(.maximum, try Tensor(zeros: .int8, shape: [0]), axes: [0]), [-128])
  }

  @Test func infinitiesInLogSumExp() throws {
    expectEqual(
      try reduce(.logSumExp, Tensor([-Float.infinity, -.infinity]), axes: [0]), [-.infinity])
    expectEqual(try reduce(.logSumExp, Tensor([Float.infinity, 1]), axes: [0]), [.infinity])
    expectClose(try reduce(.logSumExp, Tensor([Float(1000), 1000]), axes: [0]), [1000.69314718])
  }

  @Test func indicesOfExtrema() throws {
    let x = try floats([1, 3, 3, 0, 2, 0, 0, 2], [2, 4])
    expectEqual(try reduce(.firstMaximum, x, axes: [1]), [1, 0])
    expectEqual(try reduce(.lastMaximum, x, axes: [1]), [2, 3])
    expectEqual(try reduce(.firstMinimum, x, axes: [1]), [3, 1])
    expectEqual(try reduce(.lastMinimum, x, axes: [1], keeps: true), [3, 2], shape: [2, 1])
    expectEqual(try reduce(.firstMaximum, x, axes: [0]), [1, 0, 0, 1])
    expectEqual(try reduce(.firstMaximum, Tensor([Float(1), .nan, 2, .nan]), axes: [0]), [1])
    #expect(try reduce(.firstMinimum, x, axes: [1]).dataType == .int64)
  }

  @Test func prologueAndEpilogue() throws {
    let rootMeanSquare = Reduction(
      .mean, axes: [1], keepsDimensions: true, prologue: x0 * x0,
      epilogue: .unary(.squareRoot, x0) + x1)
    let result = try evaluate(
      .reduction(rootMeanSquare), try floats([3, 4, 0, 0, 1, 1, 1, 1], [2, 4]),
      try floats([10], [1, 1]))
    expectClose(result, [12.5, 11])
  }

  @Test func agreesWithSumsOfSlices() throws {
    // An odd shape across many blocks.
    let x = try noise([13, 17, 19])
    let values = x.numbers() ?? []
    var expected = [Double](repeating: 0, count: 13 * 19)
    for (i, value) in values.enumerated() { expected[i / (17 * 19) * 19 + i % 19] += value }
    expectClose(try reduce(.sum, x, axes: [1]), expected)
  }
}

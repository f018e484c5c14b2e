import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct ConvolutionTests {
  private func problem(
    _ strides: [Int], dilations: [Int] = [1, 1], pads: [Dimension] = [0, 0], groups: Int = 1,
    transposed: Bool = false, outputPadding: [Int] = [], epilogue: ScalarExpression = x0
  ) -> KernelProblem {
    .convolution(
      Convolution(
        strides: strides, dilations: dilations, padsBefore: pads, padsAfter: pads, groups: groups,
        isTransposed: transposed, outputPadding: outputPadding, epilogue: epilogue))
  }

  @Test func byHand() throws {
    let x = try ramp([1, 1, 3, 3])
    let w = try floats([1, 1, 1, 1], [1, 1, 2, 2])
    expectEqual(try evaluate(problem([1, 1]), x, w), [8, 12, 20, 24], shape: [1, 1, 2, 2])
    expectEqual(try evaluate(problem([2, 2], pads: [1, 1]), x, w), [0, 3, 9, 24])
    expectEqual(try evaluate(problem([1, 1], dilations: [2, 2]), x, w), [16])
  }

  @Test func groupsAreSeparate() throws {
    let x = try noise([2, 4, 5, 6], seed: 2), w = try noise([6, 2, 3, 2], seed: 3)
    let whole = try evaluate(problem([1, 2], pads: [1, 0], groups: 2), x, w)
    for group in 0..<2 {
      let slice = { (t: Tensor, axis: Int, count: Int) throws -> Tensor in
        var starts = [Dimension](repeating: 0, count: 4)
        starts[axis] = Dimension(group * count)
        var sizes = t.shape.map { Dimension($0) }
        sizes[axis] = Dimension(count)
        return try evaluate(
          .copy(.slice(starts: starts, sizes: sizes, steps: [1, 1, 1, 1])), t)
      }
      let part = try evaluate(
        problem([1, 2], pads: [1, 0]), try slice(x, 1, 2), try slice(w, 0, 3))
      #expect(try slice(whole, 1, 3).isIdentical(to: part))
    }
  }

  /// The transpose is the adjoint: `<conv(x), y> = <x, transposed(y)>`.
  @Test(arguments: [1, 2, 3], [1, 2]) func transposedIsTheAdjoint(stride: Int, groups: Int) throws {
    let extent = 4 * stride + 1
    let x = try noise([2, 2 * groups, extent, extent], seed: 4)
    let w = try noise([3 * groups, 2, 3, 3], seed: 5)
    let result = try evaluate(
      problem([stride, stride], dilations: [2, 1], pads: [2, 1], groups: groups), x, w)
    let y = try noise(result.shape, seed: 6)
    let back = try evaluate(
      problem(
        [stride, stride], dilations: [2, 1], pads: [2, 1], groups: groups, transposed: true), y, w)
    #expect(back.shape == x.shape)
    func inner(_ a: Tensor, _ b: Tensor) -> Double {
      zip(a.numbers() ?? [], b.numbers() ?? []).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let difference = abs(inner(result, y) - inner(x, back))
    #expect(difference < 1e-4)
  }

  @Test func transposedByHand() throws {
    let x = try floats([1, 2], [1, 1, 2]), w = try floats([1, 10, 100], [1, 1, 3])
    func run(_ pad: Dimension, _ outputPadding: Int) throws -> Tensor {
      try evaluate(
        .convolution(
          Convolution(
            strides: [2], dilations: [1], padsBefore: [pad], padsAfter: [pad], isTransposed: true,
            outputPadding: [outputPadding])), x, w)
    }
    expectEqual(try run(0, 0), [1, 10, 102, 20, 200])
    expectEqual(try run(0, 1), [1, 10, 102, 20, 200, 0])
    expectEqual(try run(1, 0), [10, 102, 20])
  }

  @Test func integersAndEpilogue() throws {
    let x = try Tensor([Int32](repeating: 1 << 30, count: 4), shape: [1, 1, 4])
    let w = try Tensor([Int32(1), 1, 1, 1], shape: [1, 1, 4])
    let sum = try evaluate(
      .convolution(Convolution(strides: [1], dilations: [1], padsBefore: [0], padsAfter: [0])), x, w
    )
    #expect(try sum.elements(as: Int32.self) == [0])
    let biased = try evaluate(
      problem([1, 1], epilogue: .maximum(x0 + x1, .float(0))), try ramp([1, 1, 2, 2]),
      try floats([1, -1], [2, 1, 1, 1]), try floats([1, 2], [2, 1, 1]))
    expectEqual(biased, [1, 2, 3, 4, 2, 1, 0, 0])
  }

  @Test func hostileNumbersAreRefused() throws {
    let x = try ramp([1, 1, 3, 3]), w = try ramp([1, 1, 1, 1])
    #expect(throws: ProblemError.self) {
      try evaluate(problem([Int.max, 1]), x, w)
    }
    #expect(throws: ProblemError.self) {
      try evaluate(
        .convolution(
          Convolution(
            strides: [1, 1], dilations: [1, 1], padsBefore: [Dimension(-Int.max), 0],
            padsAfter: [Dimension(Int.max), 0])), x, w)
    }
    #expect(throws: ProblemError.self) {
      try evaluate(problem([1, 1], pads: [.symbol("p"), 0]), x, w)
    }
  }
}

@Suite struct MatrixProductTests {
  @Test func byHand() throws {
    let a = try ramp([2, 3]), b = try ramp([3, 2])
    expectEqual(try evaluate(.matmul(MatrixProduct()), a, b), [10, 13, 28, 40], shape: [2, 2])
  }

  @Test func transposedOperands() throws {
    let a = try noise([2, 3, 5], seed: 1), b = try noise([5, 7], seed: 2)
    let expected = try evaluate(.matmul(MatrixProduct()), a, b)
    #expect(expected.shape == [2, 3, 7])
    let ta = try evaluate(.copy(.transpose([0, 2, 1])), a)
    let tb = try evaluate(.copy(.transpose([1, 0])), b)
    let result = try evaluate(
      .matmul(MatrixProduct(transposesA: true, transposesB: true)), ta, tb)
    #expect(result.isIdentical(to: expected))
  }

  @Test func batchesBroadcast() throws {
    let a = try ramp([2, 1, 1, 2]), b = try ramp([3, 2, 1])
    expectEqual(
      try evaluate(.matmul(MatrixProduct()), a, b), [1, 3, 5, 3, 13, 23], shape: [2, 3, 1, 1])
  }

  @Test func accumulatesInDouble() throws {
    let a = try floats([1e8, 1, -1e8], [1, 3]), b = try floats([1, 1, 1], [3, 1])
    expectEqual(try evaluate(.matmul(MatrixProduct()), a, b), [1])
  }

  @Test func innerExtentOfZero() throws {
    let a = try Tensor(zeros: .float32, shape: [2, 0]),
      b = try Tensor(zeros: .float32, shape: [0, 2])
    expectEqual(
      try evaluate(.matmul(MatrixProduct(epilogue: x0 + .float(1))), a, b), [1, 1, 1, 1])
  }
}

@Suite struct AttentionTests {
  private func attend(
    _ problem: Attention, heads: Int = 1, groups: Int = 1, queries: Int = 2, keys: Int = 3,
    mask: Tensor? = nil
  ) throws -> Tensor {
    // Equal scores, so that every visible key has the same weight.
    let query = try Tensor(zeros: .float32, shape: [1, heads, queries, 4])
    let key = try noise([1, groups, keys, 4])
    let value = try ramp([1, groups, keys, 1])
    return try evaluate(.attention(problem), query, key, value, mask)
  }

  @Test func averagesVisibleKeys() throws {
    expectClose(try attend(Attention(scale: 1)), [1, 1])
    expectClose(try attend(Attention(scale: 1, isCausal: true)), [0, 0.5])
    expectClose(
      try attend(Attention(scale: 1, isCausal: true, alignsEnds: true)), [0.5, 1])
  }

  @Test func masks() throws {
    let bits = try Tensor([true, false, true, false, false, false], shape: [2, 3])
    expectClose(try attend(Attention(scale: 1), mask: bits), [1, 0])
    let added = try floats([0, -.infinity, 0, -.infinity, -.infinity, -.infinity], [2, 3])
    expectClose(try attend(Attention(scale: 1), mask: added), [1, 0])
  }

  @Test func groupedHeads() throws {
    // Heads 0 and 1 share the first group of keys.
    expectClose(try attend(Attention(scale: 1), heads: 4, groups: 2, queries: 1), [1, 1, 4, 4])
  }

  @Test func weightsAndSoftCap() throws {
    let query = try floats([1], [1, 1, 1, 1]), key = try floats([0, 2], [1, 1, 2, 1])
    let value = try floats([0, 1], [1, 1, 2, 1])
    // 1 / (1 + exp(-score)).
    expectClose(
      try evaluate(.attention(Attention(scale: 0.5)), query, key, value), [0.7310585786])
    expectClose(
      try evaluate(.attention(Attention(scale: 0.5, softCap: 0.5)), query, key, value),
      [0.6182233095])
  }
}

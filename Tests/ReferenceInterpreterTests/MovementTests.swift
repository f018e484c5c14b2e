import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct CopyTests {
  @Test func reshapeTransposeExpandTile() throws {
    let x = try ramp([2, 3])
    expectEqual(try evaluate(.copy(.reshape([3, 2])), x), [0, 1, 2, 3, 4, 5], shape: [3, 2])
    expectEqual(try evaluate(.copy(.transpose([1, 0])), x), [0, 3, 1, 4, 2, 5], shape: [3, 2])
    expectEqual(
      try evaluate(.copy(.expand([2, 2, 2])), try ramp([2, 1])), [0, 0, 1, 1, 0, 0, 1, 1])
    expectEqual(
      try evaluate(.copy(.tile([1, 2])), x), [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5], shape: [2, 6])
    #expect(try evaluate(.copy(.expand([])), Tensor(scalar: Float(3))).shape == [])
  }

  @Test func slices() throws {
    let x = try ramp([3, 4])
    expectEqual(
      try evaluate(.copy(.slice(starts: [2, 3], sizes: [2, 2], steps: [-2, -1])), x),
      [11, 10, 3, 2])
    expectEqual(
      try evaluate(.copy(.slice(starts: [1, 0], sizes: [1, 2], steps: [1, 3])), x), [4, 7])
    #expect(throws: ProblemError.self) {
      try evaluate(.copy(.slice(starts: [1, 0], sizes: [3, 2], steps: [1, 1])), x)
    }
  }

  @Test func pads() throws {
    let x = try ramp([3])
    func pad(_ mode: Copy.PadMode, _ before: Dimension, _ after: Dimension) throws -> Tensor {
      try evaluate(.copy(.pad(mode, before: [before], after: [after])), x)
    }
    expectEqual(try pad(.constant(9), 1, 2), [9, 0, 1, 2, 9, 9])
    expectEqual(try pad(.constant(9), -1, 1), [1, 2, 9])
    expectEqual(try pad(.edge, 2, 1), [0, 0, 0, 1, 2, 2])
    expectEqual(try pad(.reflect, 2, 3), [2, 1, 0, 1, 2, 1, 0, 1])
    expectEqual(try pad(.wrap, 2, 4), [1, 2, 0, 1, 2, 0, 1, 2, 0])
    expectEqual(try pad(.reflect, -1, 2), [1, 2, 1, 0])
    let outside = try evaluate(
      .copy(.pad(.constant(5), before: [1, 0], after: [0, 1])), try ramp([1, 1]))
    expectEqual(outside, [5, 5, 0, 5], shape: [2, 2])
  }

  @Test func concatenates() throws {
    let a = try ramp([2, 1]), b = try ramp([2, 2]),
      empty = try Tensor(zeros: .float32, shape: [2, 0])
    expectEqual(
      try evaluate(.copy(.concatenate(axis: 1)), a, empty, b), [0, 0, 1, 1, 2, 3], shape: [2, 3])
  }

  @Test func everyElementType() throws {
    for type in DataType.allCases where type != .string {
      var x = try Tensor(uninitialized: type, shape: [2, 3])
      x.withUnsafeMutableBytes { for i in $0.indices { $0[i] = UInt8(i & 1) } }
      let turned = try evaluate(.copy(.transpose([1, 0])), x)
      let back = try evaluate(.copy(.transpose([1, 0])), turned)
      #expect(back.isIdentical(to: x), "\(type)")
    }
  }

  @Test func strings() throws {
    let x = try Tensor(strings: ["a", "b", "c", "d"], shape: [2, 2])
    #expect(try evaluate(.copy(.transpose([1, 0])), x).strings == ["a", "c", "b", "d"])
    #expect(
      try evaluate(.copy(.concatenate(axis: 0)), x, x).strings
        == ["a", "b", "c", "d", "a", "b", "c", "d"])
    let padded = try evaluate(
      .copy(.pad(.constant(0), before: [0, 1], after: [0, 0])), x)
    #expect(padded.strings == ["", "a", "b", "", "c", "d"])
    #expect(try evaluate(.gather(.slices(axis: 1)), x, Tensor([Int64(-1)])).strings == ["b", "d"])
  }

  @Test func elementsThatAreNotAligned() throws {
    let storage = try #require(TensorStorage(byteCount: 13))
    storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: 13)
    for (i, value) in [Float(1), 2, 3].enumerated() {
      storage.base.storeBytes(of: value, toByteOffset: 1 + 4 * i, as: Float.self)
    }
    let x = try Tensor(dataType: .float32, shape: [3], storage: storage, byteOffset: 1)
    expectEqual(try evaluate(pointwise(x0 + x0), x), [2, 4, 6])
    expectEqual(try evaluate(.copy(.tile([2])), x), [1, 2, 3, 1, 2, 3])
  }
}

@Suite struct GatherScatterTests {
  @Test func gathersSlices() throws {
    let x = try ramp([3, 2])
    let indices = try Tensor([Int64(2), -3, 0, 99], shape: [2, 2])
    expectEqual(
      try evaluate(.gather(.slices(axis: 0)), x, indices), [4, 5, 0, 1, 0, 1, 4, 5],
      shape: [2, 2, 2])
    expectEqual(
      try evaluate(.gather(.slices(axis: 1)), x, Tensor(scalar: Int32(1))), [1, 3, 5], shape: [3])
  }

  @Test func gathersElementsAndCoordinates() throws {
    let x = try ramp([2, 3])
    let elements = try Tensor([Int64(0), 2, -1, 1], shape: [2, 2])
    expectEqual(try evaluate(.gather(.elements(axis: 1)), x, elements), [0, 2, 5, 4])
    let points = try Tensor([Int64(0), 1, 1, -1, 7, -7], shape: [3, 2])
    expectEqual(try evaluate(.gather(.coordinates(batchAxes: 0)), x, points), [1, 5, 3])
    let batched = try Tensor([Int64(2), 0], shape: [2, 1])
    expectEqual(try evaluate(.gather(.coordinates(batchAxes: 1)), x, batched), [2, 3])
    #expect(throws: ProblemError.self) {
      try evaluate(
        .gather(.coordinates(batchAxes: 1)), x, try Tensor([Int64(2)], shape: [1, 1]))
    }
  }

  @Test func emptyDataIsRefused() throws {
    #expect(throws: ProblemError.self) {
      try evaluate(
        .gather(.slices(axis: 0)), try Tensor(zeros: .float32, shape: [0]), Tensor([Int64(0)]))
    }
  }

  @Test func scattersElements() throws {
    let x = try ramp([2, 3])
    let indices = try Tensor([Int64(0), -1, 1, 50], shape: [2, 2])
    let updates = try floats([10, 20, 30, 40], [2, 2])
    func scatter(_ combination: Scatter.Combination) throws -> Tensor {
      try evaluate(.scatter(Scatter(.elements(axis: 1), combination)), x, indices, updates)
    }
    expectEqual(try scatter(.replace), [10, 1, 20, 3, 30, 5])
    expectEqual(try scatter(.add), [10, 1, 22, 3, 34, 5])
    expectEqual(try scatter(.multiply), [0, 1, 40, 3, 120, 5])
    expectEqual(try scatter(.minimum), [0, 1, 2, 3, 4, 5])
    expectEqual(try scatter(.maximum), [10, 1, 20, 3, 30, 5])
  }

  @Test func scattersRowsThatRepeat() throws {
    let x = try Tensor(zeros: .int64, shape: [2, 2])
    let indices = try Tensor([Int64(1), 1, Int64.min], shape: [3, 1])
    let updates = try Tensor([Int64(1), 2, 3, 4, 5, 6], shape: [3, 2])
    let sum = try evaluate(.scatter(Scatter(.coordinates, .add)), x, indices, updates)
    #expect(try sum.elements(as: Int64.self) == [0, 0, 4, 6])
    let last = try evaluate(.scatter(Scatter(.coordinates, .replace)), x, indices, updates)
    #expect(try last.elements(as: Int64.self) == [0, 0, 3, 4])
  }
}

@Suite struct SortScanTests {
  private func sort(
    _ x: Tensor, axis: Int, count: Dimension, descending: Bool
  ) throws -> [Tensor] {
    try Interpreter.evaluate(
      .sort(Sort(axis: axis, count: count, descending: descending)), [x])
  }

  @Test func keepsTheOrderOfEqualElements() throws {
    let x = Tensor([Float(2), 1, 2, 1])
    let falling = try sort(x, axis: 0, count: 4, descending: true)
    expectEqual(falling[0], [2, 2, 1, 1])
    expectEqual(falling[1], [0, 2, 1, 3])
    let rising = try sort(x, axis: 0, count: 3, descending: false)
    expectEqual(rising[0], [1, 1, 2])
    expectEqual(rising[1], [1, 3, 0])
  }

  @Test func anyAxis() throws {
    let x = try floats([3, 1, 2, 4, 5, 0], [3, 2])
    let result = try sort(x, axis: 0, count: 2, descending: true)
    expectEqual(result[0], [5, 4, 3, 1], shape: [2, 2])
    expectEqual(result[1], [2, 1, 0, 0])
  }

  @Test func notANumberIsTheLargest() throws {
    let x = Tensor([Float(1), .nan, .infinity, .nan])
    expectEqual(try sort(x, axis: 0, count: 4, descending: true)[1], [1, 3, 2, 0])
    expectEqual(try sort(x, axis: 0, count: 4, descending: false)[1], [0, 2, 1, 3])
    let unsigned = Tensor([UInt64(1), .max])
    expectEqual(try sort(unsigned, axis: 0, count: 1, descending: true)[1], [1])
  }

  @Test func scans() throws {
    func scan(_ function: Scan.Function, _ exclusive: Bool, _ reversed: Bool) throws -> Tensor {
      try evaluate(
        .scan(Scan(function, axis: 1, isExclusive: exclusive, isReversed: reversed)),
        try floats([1, 2, 3, 4, 5, 6], [2, 3]))
    }
    expectEqual(try scan(.sum, false, false), [1, 3, 6, 4, 9, 15])
    expectEqual(try scan(.sum, true, false), [0, 1, 3, 0, 4, 9])
    expectEqual(try scan(.sum, false, true), [6, 5, 3, 15, 11, 6])
    expectEqual(try scan(.sum, true, true), [5, 3, 0, 11, 6, 0])
    expectEqual(try scan(.product, false, false), [1, 2, 6, 4, 20, 120])
    let wrapped = try evaluate(
      .scan(Scan(.sum, axis: 0, isExclusive: false, isReversed: false)), Tensor([Int8(100), 100]))
    #expect(try wrapped.elements(as: Int8.self) == [100, -56])
  }
}

import KernelModel
import ReferenceInterpreter
import TensorModel
import Testing

@Suite struct PointwiseTests {
  @Test func broadcastsOperands() throws {
    let column = try floats([10, 20], [2, 1])
    let row = try floats([1, 2, 3], [3])
    let sum = try evaluate(pointwise(x0 + x1), column, row)
    expectEqual(sum, [11, 12, 13, 21, 22, 23], shape: [2, 3])
  }

  @Test func fillsAShapeOfItsOwn() throws {
    let coordinates = try evaluate(
      .pointwise(
        Pointwise(.index(axis: 0) * .constant(10, .int64) + .index(axis: 1), shape: [2, 3])))
    #expect(try coordinates.elements(as: Int64.self) == [0, 1, 2, 10, 11, 12])
  }

  @Test func crossesBlocks() throws {
    // Longer than a block, and rows that no block begins with.
    let x = try ramp([7, 301])
    let y = try ramp([301])
    let difference = try evaluate(pointwise(x0 - x1), x, y)
    expectEqual(difference, (0..<7 * 301).map { Double($0 / 301 * 301) })
  }

  @Test func roundsOnce() throws {
    // In float32 the sum would lose the small term before it is the result.
    let big = Tensor([Float(1 << 24)]), one = Tensor([Float(1)])
    let result = try evaluate(pointwise((x0 + x1) - x0), big, one)
    expectEqual(result, [1])
  }

  @Test func roundsArgumentsOfDiscontinuousFunctions() throws {
    // 0.1 * 10 is a little more than 1 before it is rounded to float32.
    let a = Tensor([Float(0.1)]), b = Tensor([Float(10)])
    let floor = try evaluate(pointwise(.unary(.ceiling, x0 * x1)), a, b)
    expectEqual(floor, [1])
    let isOne = try evaluate(pointwise(.binary(.equal, x0 * x1, .float(1))), a, b)
    expectEqual(isOne, [1])
  }

  @Test func roundsConstantsToTheirType() throws {
    let result = try evaluate(pointwise(x0 - .float(0.1)), Tensor([Float(0.1)]))
    expectEqual(result, [0])
  }

  @Test func wrapsIntegers() throws {
    let a = Tensor([Int8(127), -128, 100]), b = Tensor([Int8(1), -1, 3])
    #expect(try evaluate(pointwise(x0 + x1), a, b).elements(as: Int8.self) == [-128, 127, 103])
    #expect(try evaluate(pointwise(x0 * x1), a, b).elements(as: Int8.self) == [127, -128, 44])
    #expect(try evaluate(pointwise(-x0), a).elements(as: Int8.self) == [-127, -128, -100])
  }

  @Test func dividesIntegersWithoutTraps() throws {
    let a = Tensor([Int64.min, 7, -7, -7, 5]), b = Tensor([Int64(-1), 2, 2, -2, 0])
    func run(_ function: BinaryFunction) throws -> [Int64] {
      try evaluate(pointwise(.binary(function, x0, x1)), a, b).elements()
    }
    #expect(try run(.divide) == [Int64.min, 3, -3, 3, 0])
    #expect(try run(.floorDivide) == [Int64.min, 3, -4, 3, 0])
    #expect(try run(.moduloTruncate) == [0, 1, -1, -1, 0])
    #expect(try run(.moduloFloor) == [0, 1, 1, -1, 0])
  }

  @Test func treatsUnsignedIntegersAsSuch() throws {
    let a = Tensor([UInt64.max, 1]), b = Tensor([UInt64(2), 2])
    #expect(try evaluate(pointwise(x0 / x1), a, b).elements(as: UInt64.self) == [1 << 63 - 1, 0])
    expectEqual(try evaluate(pointwise(.binary(.less, x0, x1)), a, b), [0, 1])
    #expect(try evaluate(pointwise(.maximum(x0, x1)), a, b).elements() == [UInt64.max, 2])
    let shifted = try evaluate(pointwise(.binary(.shiftRight, x0, x1)), a, b)
    #expect(try shifted.elements() == [UInt64.max >> 2, 0])
    expectEqual(try evaluate(pointwise(.cast(x0, .float32)), a), [0x1p64, 1])
  }

  @Test func raisesIntegersToPowers() throws {
    let a = Tensor([Int32(3), -2, -1, 2, 0]), b = Tensor([Int32(4), 3, -3, -1, 0])
    let power = try evaluate(pointwise(.binary(.power, x0, x1)), a, b)
    #expect(try power.elements(as: Int32.self) == [81, -8, -1, 0, 1])
  }

  @Test func propagatesNaN() throws {
    let a = Tensor([Float.nan, 1, 2]), b = Tensor([Float(1), .nan, 3])
    expectEqual(try evaluate(pointwise(.minimum(x0, x1)), a, b), [.nan, .nan, 2])
    expectEqual(try evaluate(pointwise(.maximum(x0, x1)), a, b), [.nan, .nan, 3])
    expectEqual(try evaluate(pointwise(.binary(.notEqual, x0, x0)), a), [1, 0, 0])
    expectEqual(try evaluate(pointwise(.unary(.isNaN, x0)), a), [1, 0, 0])
  }

  @Test func computesFunctions() throws {
    let x = try noise([200])
    let values = x.numbers() ?? []
    expectClose(
      try evaluate(pointwise(.unary(.sigmoid, x0) * x0), x),
      values.map { $0 / (1 + ScalarFunctions.exponential(-$0)) })
    let halves = Tensor([Float(-1.5), -0.5, 0.5, 1.5, 2.5])
    expectEqual(try evaluate(pointwise(.unary(.round, x0)), halves), [-2, 0, 0, 2, 2])
    expectEqual(try evaluate(pointwise(.unary(.sign, x0)), halves), [-1, -1, 1, 1, 1])
    expectClose(
      try evaluate(pointwise(.unary(.errorFunction, x0)), Tensor([Float(0), 0.5, -1])),
      [0, 0.5204998778, -0.8427007929])
  }

  @Test func selects() throws {
    let c = Tensor([true, false, true])
    let result = try evaluate(
      pointwise(.select(x0, x1, .operand(2))), c, try ramp([3]), Tensor([Float(9)]))
    expectEqual(result, [0, 9, 2])
  }

  @Test func moduloOfRealsFollowsDivisorOrDividend() throws {
    let a = Tensor([Float(-5.5), 5.5]), b = Tensor([Float(2), -2])
    expectEqual(try evaluate(pointwise(.binary(.moduloFloor, x0, x1)), a, b), [0.5, -0.5])
    expectEqual(try evaluate(pointwise(.binary(.moduloTruncate, x0, x1)), a, b), [-1.5, 1.5])
  }

  @Test func mergesEqualParts() throws {
    // A tree of 2^12 leaves, of which every two are the same.
    var expression = x0
    for _ in 0..<12 { expression = (expression + expression) * .float(0.5) }
    expectEqual(try evaluate(pointwise(expression), Tensor([Float(3)])), [3])
  }

  @Test func refusesWhatDoesNotFit() throws {
    #expect(throws: ProblemError.self) {
      try evaluate(pointwise(x0 + x1), Tensor([Float(1)]), Tensor([Int64(1)]))
    }
    #expect(throws: ProblemError.self) {
      try evaluate(pointwise(x0 + x1), try ramp([2]), try ramp([3]))
    }
    #expect(throws: ProblemError.self) {
      try Interpreter.evaluate(
        pointwise(-x0), [try ramp([2])], [TensorType(.float32, [3])])
    }
  }

  @Test func emptyInputsGiveEmptyOutputs() throws {
    let empty = try Tensor(zeros: .float32, shape: [0, 1 << 40, 3])
    #expect(try evaluate(pointwise(-x0), empty).shape == [0, 1 << 40, 3])
  }
}

@Suite struct CastTests {
  @Test func realToIntegerTruncatesAndSaturates() throws {
    let x = Tensor([Float(-1.9), 1.9, 1e30, -1e30, .nan, 300])
    func cast(_ type: DataType) throws -> Tensor { try evaluate(pointwise(.cast(x0, type)), x) }
    #expect(try cast(.int8).elements(as: Int8.self) == [-1, 1, 127, -128, 0, 127])
    #expect(try cast(.uint8).elements(as: UInt8.self) == [0, 1, 255, 0, 0, 255])
    #expect(try cast(.int64).elements() == [-1, 1, Int64.max, Int64.min, 0, 300])
    #expect(try cast(.uint64).elements() == [0, 1, UInt64.max, 0, 0, 300])
    expectEqual(try cast(.bool), [1, 1, 1, 1, 1, 1])
    expectEqual(try cast(.int4), [-1, 1, 7, -8, 0, 7])
  }

  @Test func integersWrap() throws {
    let x = Tensor([Int64(300), -1, 1 << 40])
    expectEqual(try evaluate(pointwise(.cast(x0, .uint8)), x), [44, 255, 0])
    expectEqual(try evaluate(pointwise(.cast(x0, .int32)), x), [300, -1, 0])
    expectEqual(try evaluate(pointwise(.cast(x0, .bool)), x), [1, 1, 1])
  }

  @Test func smallFloats() throws {
    let x = Tensor([Float(70000), 1.0009766, 500, -1e9])
    expectEqual(
      try evaluate(pointwise(.cast(x0, .float16)), x), [.infinity, 1.0009765625, 500, -.infinity])
    expectEqual(
      try evaluate(pointwise(.cast(x0, .float8E4M3FN)), x), [448, 1, 448, -448])
    expectEqual(
      try evaluate(pointwise(.cast(x0, .float8E5M2)), x), [57344, 1, 512, -57344])
    // A cast in the middle rounds too.
    expectEqual(
      try evaluate(pointwise(.cast(.cast(x0, .bfloat16), .float32)), Tensor([Float(1.003)])), [1])
  }

  @Test func largeIntegersRoundOnce() throws {
    // Rounded to Double first, the tie would go to even: down.
    let x = Tensor([Int64(1) << 60 + Int64(1) << 36 + 1])
    let expected = Float(Int64(1) << 60 + Int64(1) << 36 + 1)
    #expect(try evaluate(pointwise(.cast(x0, .float32)), x).elements() == [expected])
  }

  @Test func strings() throws {
    let numbers = try Tensor(strings: ["1.5", " -2", "inf"], shape: [3])
    expectEqual(try evaluate(pointwise(.cast(x0, .float32)), numbers), [1.5, -2, .infinity])
    let text = try evaluate(pointwise(.cast(x0, .string)), Tensor([Float(0.1), 3]))
    #expect(text.strings == ["0.1", "3.0"])
    #expect(throws: ProblemError.self) {
      try evaluate(pointwise(.cast(x0, .int32)), try Tensor(strings: ["one"], shape: [1]))
    }
    let a = try Tensor(strings: ["a", "b"], shape: [2]), b = try Tensor(strings: ["a"], shape: [1])
    expectEqual(try evaluate(pointwise(.binary(.equal, x0, x1)), a, b), [1, 0])
    let chosen = try evaluate(
      pointwise(.select(.operand(2), x0, x1)), a, b, Tensor([false, true]))
    #expect(chosen.strings == ["a", "b"])
  }
}

/// Functions to compare with, by their series.
enum ScalarFunctions {
  static func exponential(_ x: Double) -> Double {
    (1...40).reversed().reduce(1.0) { 1 + x / Double($1) * $0 }
  }
}

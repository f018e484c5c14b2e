import GraphModel
import KernelModel
import LayerTensorFusion
import TensorModel
import Testing

/// Multiples of a scale between quantised tensors, as models write them out.
@Suite struct QuantizationFusionTests {
  private static let convolution =
    "convolution(dequantize(x), dequantize(w)) => dequantize(integer convolution(x, w))"
  private static let matmul =
    "matmul(dequantize(x), dequantize(w)) => dequantize(integer matmul(x, w))"

  @Test func convolutionReadsIntegers() throws {
    var draft = GraphDraft()
    let x = draft.input([2, 3, 7, 5], .uint8)
    let w = try draft.dequantized(
      try draft.integers([4, 3, 3, 3], .int8), scales: [0.01, 0.02, 0.005, 0.03], trailing: 3)
    let y = try draft.convolution(try draft.dequantized(x, 0.05, 131), w, pads: 1)
    let relu = try draft.pointwise(.relu, y)
    draft.output(try draft.quantized(relu, 0.1, 3, .uint8))
    let outcome = try draft.fused(tolerance: 1)
    #expect(outcome.count(Self.convolution) == 1)
    #expect(outcome.families == ["convolution"])
    guard case .convolution(let fused) = outcome.problems.first else { return }
    #expect(fused.padValue == 131)
    let inputs = outcome.graph.liveNodes[0].node.inputs
    #expect(outcome.graph.types(of: inputs).map { $0?.dataType }.prefix(2) == [.uint8, .int8])
  }

  @Test func biasJoinsTheSums() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 2, 4, 4], .int8)
    let w = try draft.dequantized(try draft.integers([3, 2, 1, 1], .int8), 0.25, 0)
    let bias = try draft.dequantized(
      try draft.constant([500, -70, 12] as [Int32], [3, 1, 1]), 0.125, 0)
    let convolution = Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: [0, 0], padsAfter: [0, 0],
      epilogue: .x0 + .x1)
    draft.output(
      try draft.add(.convolution(convolution), [try draft.dequantized(x, 0.5, -7), w, bias]))
    let outcome = try draft.fused(tolerance: 1e-5)
    #expect(outcome.families == ["convolution"])
    let sum = ScalarExpression.x0 + .x1
    #expect(outcome.problems[0].epilogue == .cast(sum, .float32) * .float(0.125))
  }

  @Test func weightsOfUnsignedNumbersAroundTheMiddle() throws {
    var draft = GraphDraft()
    let x = draft.input([5, 7], .uint8)
    let w = try draft.dequantized(try draft.integers([7, 3], .uint8), 0.25, 128)
    draft.output(try draft.matmul(try draft.dequantized(x, 0.5, 4), w))
    let outcome = try draft.fused(tolerance: 1e-5)
    #expect(outcome.count(Self.matmul) == 1)
    let inputs = outcome.graph.liveNodes[0].node.inputs
    #expect(outcome.graph.types(of: inputs).map { $0?.dataType }.prefix(2) == [.uint8, .int8])
  }

  @Test func otherZeroPointsOfWeightsStayInFloatingPoint() throws {
    var draft = GraphDraft()
    let x = draft.input([5, 7], .uint8)
    let w = try draft.dequantized(try draft.integers([7, 3], .uint8), 0.25, 20)
    draft.output(try draft.matmul(try draft.dequantized(x, 0.5, 4), w))
    let outcome = try draft.fused(tolerance: 1e-4)
    #expect(outcome.count(Self.matmul) == 0)
  }

  @Test func scalesAlongTheSumStayInFloatingPoint() throws {
    var draft = GraphDraft()
    let x = draft.input([5, 3], .uint8)
    let w = try draft.dequantized(
      try draft.integers([3, 4], .int8), scales: [0.1, 0.2, 0.3], trailing: 1)
    draft.output(try draft.matmul(try draft.dequantized(x, 0.5, 4), w))
    let outcome = try draft.fused(tolerance: 1e-4)
    #expect(outcome.count(Self.matmul) == 0)
  }

  @Test func transposedWeightsAreStillIntegers() throws {
    var draft = GraphDraft()
    let x = draft.input([5, 7], .uint8)
    let w = try draft.dequantized(
      try draft.integers([3, 7], .int8), scales: [0.1, 0.2, 0.3], trailing: 1)
    draft.output(
      try draft.matmul(try draft.dequantized(x, 0.5, 4), try draft.transpose(w, [1, 0])))
    let outcome = try draft.fused(tolerance: 1e-4)
    #expect(outcome.count(Self.matmul) == 1)
    #expect(outcome.families == ["matmul"])
  }

  @Test func tensorsStayIntegersOnTheirWay() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 6, 6], .uint8)
    let pooled = try draft.add(
      .window(
        Window(
          .maximum, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], padsBefore: [0, 0],
          padsAfter: [0, 0])), [try draft.dequantized(x, 0.5, 9)])
    let padded = try draft.add(
      .copy(.pad(.constant(0), before: [0, 0, 1, 1], after: [0, 0, 1, 1])), [pooled])
    let moved = try draft.reshape(try draft.transpose(padded, [0, 2, 3, 1]), [25, 4])
    draft.output(try draft.quantized(moved, 0.5, 9, .uint8))
    let outcome = try draft.fused(tolerance: 0)
    #expect(outcome.count("quantize(dequantize(x)) of one scale => x") == 1)
    #expect(!outcome.families.contains("pointwise"))
  }

  @Test func partsAreQuantizedBeforeTheyAreJoined() throws {
    var draft = GraphDraft()
    let a = draft.input([1, 2, 3, 3], .uint8)
    let b = draft.input([1, 3, 3, 3], .uint8)
    let parts = [try draft.dequantized(a, 0.5, 9), try draft.dequantized(b, 0.25, 3)]
    let joined = try draft.add(.copy(.concatenate(axis: 1)), parts)
    draft.output(try draft.quantized(joined, 0.5, 9, .uint8))
    let outcome = try draft.fused(tolerance: 0)
    #expect(outcome.families == ["pointwise", "copy"])
  }

  @Test func residualOfIntegersJoinsTheContraction() throws {
    var draft = GraphDraft()
    let x = draft.input([1, 4, 5, 5], .uint8)
    let numbers = try draft.dequantized(x, 0.05, 131)
    let w = try draft.dequantized(try draft.integers([4, 4, 3, 3], .int8), 0.01, 0)
    let product = try draft.quantized(try draft.convolution(numbers, w, pads: 1), 0.2, 100, .uint8)
    let sum = try draft.pointwise(.x0 + .x1, try draft.dequantized(product, 0.2, 100), numbers)
    draft.output(try draft.quantized(try draft.pointwise(.relu, sum), 0.2, 0, .uint8))
    let outcome = try draft.fused(tolerance: 1)
    #expect(outcome.families == ["convolution"])
    let node = outcome.graph.liveNodes[0].node
    #expect(node.inputs.filter { $0 == node.inputs[0] }.count == 2)
  }
}

extension GraphDraft {
  /// Integers over the whole range of a type of 8 bits.
  mutating func integers(_ shape: [Int], _ type: DataType) throws -> ValueID {
    let lowest = type == .uint8 ? 0 : -128
    let numbers = (0..<shape.reduce(1, *)).map { Int64(lowest + ($0 * 89 + 13) % 256) }
    return try constant(try Tensor(integers: numbers, dataType: type, shape: shape))
  }

  private mutating func constant(_ tensor: Tensor) throws -> ValueID {
    switch tensor.dataType {
    case .int8: try constant(try tensor.elements(as: Int8.self), tensor.shape)
    default: try constant(try tensor.elements(as: UInt8.self), tensor.shape)
    }
  }

  mutating func dequantized(_ x: ValueID, _ scale: Double, _ zeroPoint: Double) throws -> ValueID {
    try pointwise((.cast(.x0, .float32) - .float(zeroPoint)) * .float(scale), x)
  }

  mutating func dequantized(_ x: ValueID, scales: [Float], trailing: Int) throws -> ValueID {
    let scale = try constant(scales, [scales.count] + [Int](repeating: 1, count: trailing))
    return try pointwise(.cast(.x0, .float32) * .x1, x, scale)
  }

  mutating func quantized(
    _ x: ValueID, _ scale: Double, _ zeroPoint: Double, _ type: DataType
  ) throws -> ValueID {
    let range = try #require(type.integerRange)
    let shifted = ScalarExpression.unary(.round, .x0 / .float(scale)) + .float(zeroPoint)
    let bounded = ScalarExpression.minimum(
      .maximum(shifted, .float(Double(range.lowerBound))), .float(Double(range.upperBound)))
    return try pointwise(.cast(bounded, type), x)
  }
}

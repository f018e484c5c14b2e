import EngineFormat
import Foundation
import GraphModel
import KernelModel
import Needletail
import PrecisionCalibration
import TensorModel
import Testing

@Suite struct QuantizationTests {
  /// Convolutions, one of them depthwise, with a residual, pooling and a classifier; channels of very
  /// different size.
  private static func network(_ random: inout Numbers) throws -> Model {
    var draft = Draft()
    let x = draft.input("x", [.symbol("N"), 3, 17, 13])
    let a = try draft.convolution(x, random.tensor([16, 3, 3, 3]), "a", pad: 1, isRectified: true)
    let spread = Tensor.channels(
      (0..<16).map { Float(sign: .plus, exponent: $0 % 8 - 4, significand: 1) })
    let b = try draft.pointwise(
      .operand(0) * .operand(1), [a, draft.constant("spread", spread)], "b")
    let c = try draft.convolution(
      b, random.tensor([16, 1, 3, 3]), "c", pad: 1, groups: 16, isRectified: true)
    let d = try draft.convolution(c, random.tensor([16, 16, 1, 1]), "d", pad: 0)
    let e = try draft.pointwise(.operand(0) + .operand(1), [a, d], "e")
    let f = try draft.add(
      .window(
        Window(
          .maximum, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], padsBefore: [0, 0],
          padsAfter: [0, 0])), [e], "f")
    let g = try draft.convolution(f, random.tensor([7, 16, 3, 3]), "g", pad: 1)
    let h = try draft.add(
      .reduction(Reduction(.mean, axes: [2, 3], keepsDimensions: false)), [g], "h")
    let y = try draft.add(
      .matmul(MatrixProduct()), [h, draft.constant("classes", random.tensor([7, 5]))], "y")
    draft.graph.outputs = [("y", y)]
    return Model(name: "test", graph: draft.graph)
  }

  private static func calibrated(
    _ model: Model, _ batches: [Tensor]
  ) throws -> Builder {
    var builder = CalibrationFixtures.builder
    builder.calibration = try CalibrationFixtures.calibration(model, batches)
    builder.precision = .int8
    return builder
  }

  @Test func integersComputeTheNetwork() throws {
    var random = Numbers(seed: 11)
    let model = try Self.network(&random)
    let batches = try (0..<4).map { _ in try random.tensor([5, 3, 17, 13]) }
    let builder = try Self.calibrated(model, batches)
    let engine = try builder.buildNow(model)
    let reference = try builder.reference.buildNow(model)
    let fresh = try random.tensor([3, 3, 17, 13])
    let found = try #require(try engine.runNow(["x": fresh])["y"])
    let expected = try #require(try reference.runNow(["x": fresh])["y"])
    #expect(TensorDifference(found, expected).relative < 0.03)
    let contractions = engine.contents.graph.liveNodes.filter {
      if case .kernel(let problem) = $0.node.operation { problem.isContraction } else { false }
    }
    #expect(contractions.count == 5)
    for (_, node) in contractions {
      let types = engine.contents.graph.types(of: node.inputs)
      #expect(types[0]?.dataType == .uint8)
      #expect(types[1]?.dataType == .int8)
    }
    // Pooling moves bytes.
    let pooling = engine.contents.graph.liveNodes.first {
      if case .kernel(.window) = $0.node.operation { true } else { false }
    }
    let pooled = try #require(pooling)
    #expect(engine.contents.graph.types(of: pooled.node.outputs)[0]?.dataType == .uint8)
  }

  @Test func engineIsTheSameFromItsFile() throws {
    var random = Numbers(seed: 12)
    let model = try Self.network(&random)
    let builder = try Self.calibrated(model, [try random.tensor([5, 3, 17, 13])])
    let x = try random.tensor([2, 3, 17, 13])
    let engine = try builder.buildNow(model)
    let expected = try #require(try engine.runNow(["x": x])["y"])
    try CalibrationFixtures.withFolder { folder in
      let file = folder.appendingPathComponent("m.engine")
      try engine.write(to: file)
      let loaded = try Engine(contentsOf: file, threads: 1)
      #expect(try #require(try loaded.runNow(["x": x])["y"]).isIdentical(to: expected))
    }
  }

  @Test func excludedLayersStayInFloatingPoint() throws {
    var random = Numbers(seed: 13)
    let model = try Self.network(&random)
    var builder = try Self.calibrated(model, [try random.tensor([5, 3, 17, 13])])
    let layers = try LayerSensitivity(model, builder: builder).layers().map(\.node)
    #expect(layers.count == 5)
    builder.excluded = [layers[2]: .sensitive(0.5)]
    let report = try #require(try builder.buildNow(model).report)
    #expect(report.precision.counts.first { $0.precision == .int8 }?.count == 4)
    #expect(report.precision.exceptions.map(\.node) == [layers[2]])
    #expect(report.metadata.values.contains("it alone adds 0.5 to the error"))
  }

  @Test func restOfTheNetworkIsInSixteenBits() throws {
    var random = Numbers(seed: 17)
    let model = try Self.network(&random)
    var builder = try Self.calibrated(model, [try random.tensor([5, 3, 17, 13])])
    let layers = try LayerSensitivity(model, builder: builder).layers().map(\.node)
    builder.excluded = [layers[3]: .sensitive(0.5)]
    builder.rest = .fp16
    let engine = try builder.buildNow(model)
    let report = try #require(engine.report)
    let kept = try #require(report.precision.exceptions.first)
    #expect(kept.node == layers[3] && kept.precision == .fp16)
    let graph = engine.contents.graph
    let types = graph.liveNodes.flatMap { graph.types(of: $0.node.inputs + $0.node.outputs) }
      .compactMap { $0?.dataType }
    #expect(types.contains(.float16))
    // Scales keep their digits.
    let halves = graph.values.filter { $0.constant?.dataType == .float16 }
    #expect(halves.allSatisfy { $0.constant?.shape.count == 4 })
    let fresh = try random.tensor([3, 3, 17, 13])
    let found = try #require(try engine.runNow(["x": fresh])["y"])
    let expected = try #require(try builder.reference.buildNow(model).runNow(["x": fresh])["y"])
    #expect(TensorDifference(found, expected).relative < 0.03)
  }

  @Test func equalSignaturesShareWhatCalibrationGave() throws {
    var random = Numbers(seed: 18)
    let graph = try Self.network(&random).graph
    let model = Model(
      name: "test", graph: graph,
      further: [("same", graph), ("other", try Self.network(&random).graph)])
    let engine = try Self.calibrated(model, [try random.tensor([5, 3, 17, 13])])
      .buildNow(model)
    #expect(engine.signaturesNotCalibrated == ["other"])
    let x = ["x": try random.tensor([2, 3, 17, 13])]
    let expected = try #require(try engine.runNow(x)["y"])
    let same = try #require(try engine.signature("same").runNow(x)["y"])
    #expect(same.isIdentical(to: expected))
  }

  @Test func everyLayerHasAnError() throws {
    var random = Numbers(seed: 14)
    let model = try Self.network(&random)
    let builder = try Self.calibrated(model, [try random.tensor([5, 3, 17, 13])])
    let errors = try LayerSensitivity(model, builder: builder)
      .errors(on: ["x": try random.tensor([3, 3, 17, 13])])
    #expect(errors.count == 5)
    #expect(errors.values.allSatisfy { $0 > 0 && $0 < 0.03 })
  }

  @Test func needsRanges() throws {
    var random = Numbers(seed: 15)
    var builder = CalibrationFixtures.builder
    builder.precision = .int8
    #expect(throws: NeedletailError.self) { try builder.buildNow(try Self.network(&random)) }
  }

  @Test func searchKeepsTheBound() throws {
    var random = Numbers(seed: 16)
    let model = try Self.network(&random)
    let samples = try random.tensor([24, 3, 17, 13])
    try CalibrationFixtures.withFolder { folder in
      let file = folder.appendingPathComponent("x.npy")
      try NPYFile.write(samples, to: file.path)
      let data = try CalibrationData(contentsOf: file, for: model)
      let (ranges, heldOut) = try data.dividingLastQuarter()
      let builder = try Self.calibrated(model, [try ranges.tensors(ofBatch: 0)["x"] ?? samples])
      for bound in [1e-6, 0.01, 1] {
        let search = try PrecisionSearch(
          model, builder: builder, bound: .error(bound), data: ranges, heldOut: heldOut)
        let error = try HeldOutError(
          of: search.engine, model, builder: builder, data: heldOut)
        #expect(error.largest <= bound * 1.2)
        #expect(search.layers.count == 5)
      }
    }
  }

  @Test func weightsAreSymmetricPerOutput() throws {
    let weights = try Tensor([1, -2, 0.5, 4, 0, -127] as [Float], shape: [3, 2])
    let grid = try #require(WeightGrid(.matmul(MatrixProduct(transposesB: true)), weights))
    let quantized = try QuantizedWeights(grid, weights, factors: [1, 1], means: [1, 10])
    #expect(quantized.integers.integers() == [64, -127, 16, 127, 0, -127])
    #expect(quantized.scales == [2.0 / 127, 4.0 / 127, 1])
    #expect(quantized.sums == [-63, 143, -127])
    // 1 became 64 * 2 / 127.
    #expect(abs(quantized.corrections[0] - (1 - 128.0 / 127)) < 1e-6)
  }

  @Test func channelStatisticsMergeExactly() throws {
    var random = Numbers(seed: 17)
    let tensors = try (1...5).map { try random.tensor([$0, 3, 7]) }
    func observed(_ tensors: some Sequence<Tensor>) throws -> ChannelStatistics {
      var result = ChannelStatistics(axis: 1, channels: 3)
      for tensor in tensors {
        try tensor.withUnsafeBytes { bytes throws(CalibrationError) in
          try result.observe(bytes.assumingMemoryBound(to: Float.self), shape: tensor.shape)
        }
      }
      return result
    }
    let whole = try observed(tensors)
    var merged = try observed(tensors[3...].reversed())
    try merged.merge(try observed(tensors[..<3]))
    #expect(merged == whole)
    let copy = try JSONDecoder().decode(
      ChannelStatistics.self, from: try JSONEncoder().encode(whole))
    #expect(copy == whole)
    let mean = tensors.flatMap { tensor -> [Double] in
      let numbers = tensor.numbers() ?? []
      return numbers.indices.filter { $0 / 7 % 3 == 1 }.map { numbers[$0] }
    }
    #expect(abs(whole.mean(1) - mean.reduce(0, +) / Double(mean.count)) < 1e-6)
  }
}

/// Numbers from -1 to 1.
private struct Numbers {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func tensor(_ shape: [Int]) throws -> Tensor {
    let numbers = (0..<shape.reduce(1, *)).map { _ -> Float in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }
    return try Tensor(numbers, shape: shape)
  }
}

extension Tensor {
  fileprivate static func channels(_ numbers: [Float]) -> Tensor {
    let vector = Tensor(numbers)
    return (try? vector.reshaped([numbers.count, 1, 1])) ?? vector
  }
}

/// A graph that is being written.
private struct Draft {
  var graph = Graph(name: "test")

  mutating func input(_ name: String, _ shape: [TensorModel.Dimension]) -> ValueID {
    graph.addInput(name: name, type: TensorType(.float32, Shape(shape)))
  }

  mutating func constant(_ name: String, _ tensor: Tensor) -> ValueID {
    graph.addConstant(name: name, tensor)
  }

  mutating func add(
    _ problem: KernelProblem, _ inputs: [ValueID?], _ name: String
  ) throws -> ValueID {
    let types = try problem.outputTypes(of: graph.types(of: inputs))
    let output = graph.addValue(Value(name: name, type: types[0]))
    graph.addNode(
      Node(
        name: name, operation: .kernel(problem), inputs: inputs, outputs: [output],
        origins: [name]))
    return output
  }

  mutating func pointwise(
    _ expression: ScalarExpression, _ inputs: [ValueID], _ name: String
  ) throws -> ValueID {
    try add(.pointwise(Pointwise(expression)), inputs, name)
  }

  mutating func convolution(
    _ x: ValueID, _ weights: Tensor, _ name: String, pad: Int, groups: Int = 1,
    isRectified: Bool = false
  ) throws -> ValueID {
    let pads = [TensorModel.Dimension](repeating: Dimension(pad), count: 2)
    let problem = Convolution(
      strides: [1, 1], dilations: [1, 1], padsBefore: pads, padsAfter: pads, groups: groups)
    let sum = try add(
      .convolution(problem), [x, constant("\(name).weights", weights)],
      isRectified ? "\(name).sum" : name)
    guard isRectified else { return sum }
    return try pointwise(.maximum(.operand(0), .float(0)), [sum], name)
  }
}

import GraphModel
import GraphSimplification
import ModelZoo
import ONNXImport
import Operators
import TensorModel
import Testing

/// Networks of the zoo are about as sensitive to rounding as trained ones, and their outputs depend on inputs.
@Suite struct ZooWeightsTests {
  /// Single seeds differ by a factor of three, so the bound is on their mean.
  @Test func roundedWeightsChangeLittleBesideInputs() throws {
    var errors: [Double] = []
    for seed: UInt64 in 1...4 {
      let graph = try ONNXImporter.read(bytes: try Zoo.serialized("tiny_cnn", seed: seed)).graph
      let rounded = try roundingWeights(graph)
      let images = try [1, 2].map { try image(seed: $0) }
      let expected = try images.map { try scores(graph, $0) }
      let found = try images.map { try scores(rounded, $0) }
      errors.append(distance(found[0] + found[1], expected[0] + expected[1]))
      #expect(distance(expected[0], expected[1]) > 0.3)
    }
    #expect(errors.allSatisfy { $0 > 0 })
    #expect(errors.reduce(0, +) / 4 < 2e-3)
  }

  private func roundingWeights(_ graph: Graph) throws -> Graph {
    var rounded = graph
    for index in graph.values.indices {
      guard let weight = graph.values[index].constant, weight.dataType == .float32,
        weight.shape.count > 1, let numbers = weight.numbers()
      else { continue }
      let half = try Tensor(numbers: numbers, dataType: .float16, shape: weight.shape)
      rounded[ValueID(index)].constant = try Tensor(
        numbers: try #require(half.numbers()), dataType: .float32, shape: weight.shape)
    }
    return rounded
  }

  private func image(seed: UInt64) throws -> Tensor {
    var state = seed
    let numbers = (0..<2 * 3 * 32 * 32).map { _ -> Double in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 40) * 0x1p-23 - 1
    }
    return try Tensor(numbers: numbers, dataType: .float32, shape: [2, 3, 32, 32])
  }

  private func scores(_ graph: Graph, _ image: Tensor) throws -> [Double] {
    let outputs = try GraphInterpreter.run(
      try GraphExpansion.expand(graph), inputs: ["input": image])
    return try #require(outputs["output"]?.numbers())
  }

  /// The norm of the difference as a share of the second vector's.
  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
  }
}

import Foundation
import GraphModel
import KernelModel
import Needletail
import TensorModel

enum CalibrationFixtures {
  /// Two products with an activation between them. The weights of the first are `factor`.
  static func twoProducts(factor: Float) throws -> Model {
    var graph = Graph(name: "test")
    let x = graph.addInput(
      name: "x", type: TensorType(.float32, [.symbol("N"), Dimension(4)]))
    let first = graph.addConstant(
      name: "first", try Tensor([Float](repeating: factor, count: 16), shape: [4, 4]))
    let second = graph.addConstant(
      name: "second", try Tensor([Float](repeating: 1 / 64, count: 8), shape: [4, 2]))
    let large = try add(.matmul(MatrixProduct()), [x, first], "large", &graph)
    let bent = try add(
      .pointwise(Pointwise(.unary(.hyperbolicTangent, .operand(0)))), [large], "bent", &graph)
    let y = try add(.matmul(MatrixProduct()), [bent, second], "result", &graph)
    graph.outputs = [("y", y), ("large", large)]
    return Model(name: "test", graph: graph)
  }

  private static func add(
    _ problem: KernelProblem, _ inputs: [ValueID?], _ name: String, _ graph: inout Graph
  ) throws -> ValueID {
    let types = try problem.outputTypes(of: graph.types(of: inputs))
    let output = graph.addValue(Value(name: name, type: types[0]))
    graph.addNode(
      Node(
        name: name, operation: .kernel(problem), inputs: inputs, outputs: [output], origins: [name])
    )
    return output
  }

  static func samples(_ count: Int, seed: UInt64 = 1, factor: Float = 1) throws -> Tensor {
    var state = seed
    let numbers = (0..<(count * 4)).map { _ -> Float in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31 * factor
    }
    return try Tensor(numbers, shape: [count, 4])
  }

  static var builder: Builder {
    var builder = Builder()
    builder.threads = 1
    builder.tuning = 0
    return builder
  }

  /// A folder that is gone after the body.
  static func withFolder<R>(_ body: (URL) throws -> R) throws -> R {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-calibration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url)
  }

  static func calibration(_ model: Model, _ batches: [Tensor]) throws -> Calibration {
    var calibrator = try Calibrator(model, builder: builder)
    for batch in batches { try calibrator.observe(["x": batch]) }
    return try calibrator.finish(method: nil)
  }
}

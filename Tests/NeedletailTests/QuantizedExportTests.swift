import EngineFormat
import Foundation
import GraphModel
import KernelModel
import ModelZoo
import Needletail
import TensorModel
import Testing

/// A model written with 8-bit integers, and read again.
@Suite struct QuantizedExportTests {
  private func calibration(_ model: Model) async throws -> Calibration {
    let batches = AsyncStream<[String: Tensor]> { continuation in
      for seed in 1...4 {
        if let image = try? Fixtures.random([1, 3, 32, 32], seed: UInt64(seed)) {
          continuation.yield(["input": image])
        }
      }
      continuation.finish()
    }
    return try await Calibration(samples: batches, for: model)
  }

  @Test func aModelOfIntegersComputesNearlyTheSame() async throws {
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Model(zoo: "tiny_cnn", seed: 1)
    let file = folder.appendingPathComponent("int8.onnx")
    let export = try await calibration(model).writeQuantized(model, to: file)
    #expect(export.quantizedNodes > 2 && export.skipped.isEmpty && !export.usesRuntimeOperators)
    var builder = Builder()
    builder.tuning = 0
    let quantized = try builder.buildNow(try Model(contentsOf: file))
    let exact = try builder.buildNow(model)
    let image = try Fixtures.random([1, 3, 32, 32])
    let name = try #require(exact.outputs.first?.name)
    let expected = try #require(try exact.runNow(["input": image])[name]?.numbers())
    let found = try #require(try quantized.runNow(["input": image])[name]?.numbers())
    let difference = zip(expected, found).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let norm = expected.reduce(0) { $0 + $1 * $1 }
    #expect((difference / norm).squareRoot() < 0.1)
    // Every contraction reads integers.
    let graph = quantized.contents.graph
    for (_, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation, problem.isContraction else { continue }
      let types = graph.types(of: node.inputs).prefix(2).map { $0?.dataType }
      #expect(types == [.uint8, .int8], "\(node.name)")
    }
  }

  @Test func anotherModelsTableIsRefused() async throws {
    let table = try await calibration(try Model(zoo: "tiny_cnn", seed: 1))
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("int8.onnx")
    #expect(throws: NeedletailError.self) {
      try table.writeQuantized(try Model(zoo: "tiny_cnn", seed: 2), to: file)
    }
    #expect(!FileManager.default.fileExists(atPath: file.path))
  }
}

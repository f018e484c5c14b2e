import CAllocationCounter
import Foundation
import GraphModel
import Needletail
import TensorModel
import Testing

@Suite struct ExecutionTests {
  @Test func aRunAllocatesNothing() throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let context = try engine.makeContext(shapes: [:])
    for _ in 0..<3 { try context.run() }
    try #require(allocation_count() >= 0)
    let before = allocation_count()
    for _ in 0..<10 { try context.run() }
    let after = allocation_count()
    #expect(after == before)
    // The counter itself works.
    let list = [UInt8](repeating: 1, count: Int(before % 2) + 1000)
    #expect(list.count >= 1000)
    #expect(allocation_count() > before)
  }

  @Test(arguments: ["tiny_cnn", "tiny_transformer", "tiny_vit", "squeezenet"])
  func optimisedEqualsReference(_ name: String) throws {
    let model = try Model(zoo: name, seed: 3)
    let types = try model.graph.representativeTypes()
    var inputs: [String: Tensor] = [:]
    for (id, type) in zip(model.graph.inputs, types) {
      let shape = type.shape.constants ?? []
      inputs[model.graph[id].name] =
        type.dataType == .float32
        ? try Fixtures.random(shape)
        : try Tensor(
          integers: shape.isEmpty ? [1] : (0..<shape.reduce(1, *)).map { Int64($0 % 2) },
          dataType: type.dataType, shape: shape)
    }
    let comparison = try Comparison(model, builder: Fixtures.builder, inputs: inputs)
    #expect(comparison.firstBeyond(1e-4) == nil)
    #expect(!comparison.layers.isEmpty)
  }

  @Test func everyBatchSizeGetsItsPlan() throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let name = engine.inputs[0].name
    let all = try Fixtures.random([5, 3, 32, 32])
    let together = try engine.runNow([name: all])
    let output = engine.outputs[0].name
    let whole = try #require(try together[output]?.elements(as: Float.self))
    for image in 0..<5 {
      let elements = try all.elements(as: Float.self)[(image * 3072)..<((image + 1) * 3072)]
      let one = try engine.runNow([name: try Tensor(Array(elements), shape: [1, 3, 32, 32])])
      let row = try #require(try one[output]?.elements(as: Float.self))
      for (a, b) in zip(row, whole[(image * row.count)...]) {
        #expect(abs(a - b) <= 1e-4 * max(1, abs(b)))
      }
    }
  }

  @Test func manyThreadsShareOneEngine() async throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let name = engine.inputs[0].name
    let input = try Fixtures.random([1, 3, 32, 32])
    let expected = try engine.runNow([name: input])
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<16 {
        group.addTask {
          let result = try await engine.run([name: input])
          return result.allSatisfy { expected[$0.key]?.isIdentical(to: $0.value) ?? false }
        }
      }
      for try await same in group { #expect(same) }
    }
  }

  @Test func optimisationsChangeNoResult() throws {
    let model = try Model(zoo: "inception", seed: 1)
    let input = try Fixtures.random([1, 3, 224, 224])
    var results: [Tensor] = []
    for optimizations in [Optimizations.all, .native, .all.subtracting(.dynamicTensorMemory)] {
      var builder = Fixtures.builder
      builder.optimizations = optimizations
      builder.threads = 2
      let engine = try builder.buildNow(model)
      results.append(try #require(try engine.runNow([engine.inputs[0].name: input]).values.first))
    }
    for other in results.dropFirst() {
      #expect(TensorDifference(results[0], other).relative < 1e-4)
    }
  }

  @Test func badInputsAreNamed() throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let name = engine.inputs[0].name
    let good = try Fixtures.random([1, 3, 32, 32])
    func message(_ inputs: [String: Tensor]) -> String {
      do {
        _ = try engine.runNow(inputs)
        return ""
      } catch { return error.description }
    }
    #expect(message([:]).contains("'\(name)' is missing"))
    #expect(message([name: good, "other": good]).contains("'other'"))
    #expect(message([name: try Fixtures.random([1, 4, 32, 32])]).contains("1x4x32x32"))
    #expect(message([name: try Fixtures.random([3, 32, 32])]).contains("3x32x32"))
    #expect(message([name: try Tensor(zeros: .int32, shape: [1, 3, 32, 32])]).contains("int32"))
    #expect(try Tensor(zeros: .float32, shape: [0, 3, 32, 32]).elementCount == 0)
  }
}

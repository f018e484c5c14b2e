import EngineFormat
import Foundation
import GraphModel
import KernelAutoTuning
import KernelModel
import Needletail
import PrecisionCalibration
import ProgramModel
import TensorModel
import Testing

/// Engines of reduced precision, from the builder to the file and back.
@Suite struct PrecisionEngineTests {
  private func builder(_ precision: Precision) -> Builder {
    var builder = Fixtures.builder
    builder.precision = precision
    return builder
  }

  @Test(arguments: [Precision.fp16, .bf16, .tf32])
  func engineGivesTheSameAfterItsFile(precision: Precision) throws {
    let model = try Model(zoo: "tiny_cnn", seed: 1)
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("net.engine")
    let engine = try builder(precision).buildNow(model)
    try engine.write(to: file)
    let read = try Engine(contentsOf: file, threads: 1)
    #expect(read.contents.graph == engine.contents.graph)
    #expect(read.inputs == model.inputs)
    #expect(read.outputs.allSatisfy { $0.dataType == .float32 })
    let name = try #require(model.inputs.first).name
    let inputs = [name: try Fixtures.random([1, 3, 32, 32])]
    let reference = try builder(.fp32).buildNow(model).runNow(inputs)
    let outputs = try engine.runNow(inputs)
    for (name, tensor) in try read.runNow(inputs) {
      #expect(outputs[name]?.isIdentical(to: tensor) == true)
      let expected = try #require(reference[name])
      #expect(TensorDifference(tensor, expected).relative < Comparison.tolerance(for: precision))
    }
  }

  @Test func contractionsOfTensorFloatReachTheProgram() throws {
    let engine = try builder(.tf32).buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let context = try engine.makeContext(shapes: ["input": [1, 3, 32, 32]])
    let steps = try #require(context.tuned?.tuned.program.steps)
    for step in steps {
      let expected = step.problem.isContraction ? Arithmetic.tensorFloat32 : .exact
      #expect(step.arithmetic == expected, "\(step.name)")
    }
  }

  @Test func leavingThePassOutGivesSinglePrecision() throws {
    var builder = builder(.fp16)
    builder.optimizations = .all.subtracting(.precisionCalibration)
    let graph = try builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1)).contents.graph
    #expect(graph.values.allSatisfy { $0.type?.dataType != .float16 })
  }

  @Test(arguments: ["tiny_cnn", "tiny_transformer"])
  func layersStayWithinTheirTolerance(name: String) throws {
    let model = try Model(zoo: name, seed: 1)
    let inputs: [String: Tensor] =
      name == "tiny_cnn"
      ? ["input": try Fixtures.random([1, 3, 32, 32])]
      : try Dictionary(
        uniqueKeysWithValues: model.inputs.map {
          ($0.name, try Tensor([Int64](arrayLiteral: 1, 1, 1, 0, 1, 0), shape: [1, 6]))
        })
    for precision in [Precision.fp16, .bf16] {
      let comparison = try Comparison(model, builder: builder(precision), inputs: inputs)
      let first = comparison.firstBeyond(Comparison.tolerance(for: precision))
      #expect(first == nil, "\(first.map { "\($0.name) \($0.relativeError)" } ?? "")")
      #expect(!comparison.layers.isEmpty)
    }
  }

  @Test func networksThatAreExpandedLateKeepTheirPrecision() throws {
    for name in Fixtures.sharedModels where name.contains("silero") {
      let folder = try #require(Fixtures.shared).appendingPathComponent("models/\(name)")
      let model = try Model(contentsOf: folder.appendingPathComponent("model.onnx"))
      let inputs = try Fixtures.tensors("input_", in: folder)
      guard !inputs.isEmpty else { continue }
      let expected = try builder(.fp32).buildNow(model).runNow(inputs)
      for (name, tensor) in try builder(.fp16).buildNow(model).runNow(inputs) {
        #expect(TensorDifference(tensor, try #require(expected[name])).relative < 3e-2)
      }
    }
  }
}

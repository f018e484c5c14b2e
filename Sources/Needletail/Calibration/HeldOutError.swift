import EngineFormat
import Foundation
import GraphModel
import KernelModel
import PrecisionCalibration
import TensorModel

/// How far an engine is from the same network in FP32 on data that its ranges were not taken from.
package struct HeldOutError: Sendable {
  package struct Entry: Sendable {
    package var name: String
    package var kind: String
    /// Norm of the difference over norm, over all samples.
    package var relativeError: Double
  }

  package let samples: Int
  package let outputs: [Entry]
  private let engine: Engine
  private let reference: Engine
  private let model: Model
  private let builder: Builder
  private let data: CalibrationData

  package var largest: Double { outputs.map(\.relativeError).max() ?? 0 }

  /// - Parameter builder: what built the engine.
  package init(
    of engine: Engine, _ model: Model, builder: Builder, data: CalibrationData,
    progress: (Double) -> Void = { _ in }
  ) throws(NeedletailError) {
    let reference = try builder.reference.buildNow(model)
    var samples = 0
    var sums: [String: ErrorSum] = [:]
    for index in 0..<data.batchCount {
      progress(Double(index) / Double(data.batchCount))
      let batch = try data.tensors(ofBatch: index)
      let expected = try reference.runNow(batch)
      for (name, tensor) in try engine.runNow(batch) {
        if let other = expected[name] { sums[name, default: ErrorSum()].add(tensor, other) }
      }
      samples += max(try engine.arranged(batch).first?.shape.first ?? 1, 1)
    }
    progress(1)
    self.samples = samples
    outputs = engine.outputs.map {
      Entry(name: $0.name, kind: "output", relativeError: sums[$0.name]?.relative ?? 0)
    }
    self.engine = engine
    self.reference = reference
    self.model = model
    self.builder = builder
    self.data = data
  }

  /// - Throws: `NeedletailError` that names the layers that are the cause.
  package func require(
    atMost bound: Double, progress: (Double) -> Void = { _ in }
  ) throws(NeedletailError) {
    guard !(largest <= bound) else { return }
    let layers = try worstLayers(progress).prefix(5).map {
      "'\($0.name)' \(Self.short($0.relativeError))"
    }
    throw NeedletailError(
      .build,
      "the error on \(samples) held-out samples is \(Self.short(largest)), above the bound of "
        + "\(bound); no engine is written; largest errors: \(layers.joined(separator: ", "))")
  }

  /// The layers with the largest errors, largest first: what each of them alone does to the outputs where integers
  /// are the cause, else how far its own result is off.
  private func worstLayers(_ progress: (Double) -> Void) throws(NeedletailError) -> [Entry] {
    guard engine.report?.precision.requested == .int8 else {
      return try Self.layers(engine, reference, try data.tensors(ofBatch: 0))
    }
    let errors = try LayerSensitivity(model, builder: builder)
      .errors(on: try data.prefix(4).tensors(ofBatch: 0), progress: progress)
    return errors.map { Entry(name: $0.key, kind: "alone", relativeError: $0.value) }
      .sorted { ($1.relativeError, $0.name) < ($0.relativeError, $1.name) }
  }

  private static func short(_ number: Double) -> String { String(format: "%.3g", number) }

  private static func layers(
    _ engine: Engine, _ reference: Engine, _ batch: [String: Tensor]
  ) throws(NeedletailError) -> [Entry] {
    let expected = try values(reference, batch)
    let found = try values(engine, batch)
    let entries = found.compactMap { name, value -> Entry? in
      guard let other = expected[name]?.tensor, other.shape == value.tensor.shape else {
        return nil
      }
      let error = TensorDifference(value.tensor, other).relative
      return Entry(name: name, kind: value.kind, relativeError: error)
    }
    return entries.sorted { ($1.relativeError, $0.name) < ($0.relativeError, $1.name) }
  }

  private static func values(
    _ engine: Engine, _ batch: [String: Tensor]
  ) throws(NeedletailError) -> [String: (tensor: Tensor, kind: String)] {
    let tapped = engine.contents.graph.withAllValuesAsOutputs(includesOutputs: true)
    let executor = GraphExecutor(tapped, runtime: engine.executor.runtime)
    let results = try executor.run(try engine.arranged(batch))
    var values: [String: (tensor: Tensor, kind: String)] = [:]
    for ((name, value), tensor) in zip(tapped.outputs, results) {
      values[name] = (try engine.realNumbers(tensor, of: name), tapped.kind(of: value))
    }
    return values
  }
}

import EngineFormat
import GraphModel
package import PrecisionCalibration
package import TensorModel

/// Runs the optimised network in FP32 and observes every tensor that it computes, and its inputs.
///
/// Bodies of control flow, and what is planned only when shapes are known, are not observed.
package struct Calibrator {
  private let model: Model
  private let hash: String
  private let engine: Engine
  private let tapped: GraphExecutor
  private var observers: [String: ActivationObserver] = [:]
  /// The axes of the channels that contractions sum over, by the names of what they read.
  private let channelAxes: [String: Int]
  private var channels: [String: ChannelStatistics] = [:]
  private var samples = 0

  /// - Parameter builder: where and how to run; its precision is not looked at.
  package init(_ model: Model, builder: Builder) throws(NeedletailError) {
    self.model = model
    hash = try model.sha256()
    engine = try builder.reference.buildNow(model)
    channelAxes = QuantizationAnalysis.channelAxes(engine.contents.graph)
    tapped = GraphExecutor(
      engine.contents.graph.withAllValuesAsOutputs(includesOutputs: true),
      runtime: engine.executor.runtime)
  }

  package mutating func observe(_ batch: [String: Tensor]) throws(NeedletailError) {
    let inputs = try engine.arranged(batch)
    let size = max(inputs.first?.shape.first ?? 1, 1)
    let results = try tapped.run(inputs)
    for (description, tensor) in zip(engine.inputs, inputs) {
      try observe(description.name, tensor, size)
    }
    for ((name, _), tensor) in zip(tapped.graph.outputs, results) {
      try observe(name, tensor, size)
    }
    samples += size
  }

  private mutating func observe(
    _ name: String, _ tensor: Tensor, _ size: Int
  ) throws(NeedletailError) {
    guard tensor.dataType.isFloatingPoint else { return }
    do {
      if tensor.dataType == .float32 {
        try tensor.withUnsafeBytes { bytes throws(CalibrationError) in
          let numbers = UnsafeBufferPointer(
            start: bytes.baseAddress?.assumingMemoryBound(to: Float.self),
            count: tensor.elementCount)
          try observers[name, default: ActivationObserver()].observe(numbers, samples: size)
          try observeChannels(name, numbers, tensor.shape)
        }
      } else if let numbers = tensor.numbers() {
        try observers[name, default: ActivationObserver()]
          .observe(numbers.map { Float($0) }, samples: size)
      }
    } catch { throw NeedletailError(.input, "tensor '\(name)': \(error.description)") }
  }

  private mutating func observeChannels(
    _ name: String, _ numbers: UnsafeBufferPointer<Float>, _ shape: [Int]
  ) throws(CalibrationError) {
    guard let axis = channelAxes[name], shape.count >= 2 else { return }
    let extent = shape[axis < 0 ? shape.count + axis : axis]
    try channels[name, default: ChannelStatistics(axis: axis, channels: extent)]
      .observe(numbers, shape: shape)
  }

  /// - Parameter method: nil for the best of each tensor.
  package func finish(method: CalibrationMethod?) throws(NeedletailError) -> Calibration {
    guard samples > 0 else { throw NeedletailError(.input, "the calibration set is empty") }
    return Calibration(
      CalibrationTable(
        model: model.name, modelSHA256: hash, method: method, samples: samples,
        observers: observers, channels: channels))
  }
}

extension Builder {
  /// A builder of the same network in FP32, which measures nothing and says nothing.
  package var reference: Builder {
    var builder = self
    builder.precision = .fp32
    builder.optimizations = .all
    builder.tuning = 0
    builder.timingCache = nil
    builder.dumpDirectory = nil
    builder.calibration = nil
    builder.progress = nil
    return builder
  }
}

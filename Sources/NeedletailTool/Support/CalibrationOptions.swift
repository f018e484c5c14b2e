import ArgumentParser
import Foundation
import Needletail
import PrecisionCalibration
import TensorModel

/// The user's data, for commands that build.
struct CalibrationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Samples: a .npy file, or a folder of INPUT.npy.",
      discussion: "Layers whose numbers would overflow in fp16 stay in fp32."))
  var calibration: String?

  @Option(help: "A table that 'needletail calibrate' wrote, in place of or beside the samples.")
  var calibrationTable: String?

  /// Data for a bound on the error, where there are samples.
  struct Prepared {
    var calibration: Calibration?
    /// What the ranges are of, and what is held out.
    var ranges: CalibrationData?
    var heldOut: CalibrationData?
  }

  /// - Parameter divides: whether the last quarter of the samples is held out.
  func prepare(
    _ model: Model, _ builder: Builder, divides: Bool, _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Prepared {
    var result = Prepared()
    if let calibrationTable {
      result.calibration = try Calibration(contentsOf: URL(fileURLWithPath: calibrationTable))
    }
    guard let calibration else { return result }
    let all = try CalibrationData(
      contentsOf: URL(fileURLWithPath: calibration), for: model, shapes: builder.shapes)
    var ranges = all
    if divides { (ranges, result.heldOut) = try all.dividingLastQuarter() }
    result.ranges = ranges
    if result.calibration == nil {
      result.calibration = try CalibrationRun.run(model, builder, ranges, nil, display)
    }
    return result
  }

  /// The engine: read from its file, or built now with the ranges.
  func engine(
    _ source: EngineSource, _ common: CommonOptions, _ build: BuildOptions,
    _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Engine {
    guard isGiven else { return try source.engine(common, build, progress: display) }
    let model = try source.model(common)
    var builder = EngineSource.builder(common, build, progress: display)
    builder.calibration = try prepare(model, builder, divides: false, display).calibration
    return try builder.buildNow(model)
  }

  var isGiven: Bool { calibration != nil || calibrationTable != nil }
}

enum CalibrationRun {
  static func run(
    _ model: Model, _ builder: Builder, _ data: CalibrationData, _ method: CalibrationMethod?,
    _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Calibration {
    var calibrator = try Calibrator(model, builder: builder)
    for index in 0..<data.batchCount {
      display?.show("calibrating", fraction: Double(index) / Double(data.batchCount))
      try calibrator.observe(try data.tensors(ofBatch: index))
    }
    display?.show("calibrating", fraction: 1)
    return try calibrator.finish(method: method)
  }
}

import Needletail
import PrecisionCalibration
import TensorModel

/// A build in a precision that the user's data decides on.
struct PrecisionBuild {
  var source: EngineSource
  var common: CommonOptions
  var build: BuildOptions
  var calibration: CalibrationOptions
  var bound: PrecisionBound?

  struct Result {
    var engine: Engine
    var bound: PrecisionBound?
    var heldOut: (loss: Double, samples: Int)?
    var search: PrecisionSearch?
  }

  func run(_ display: ProgressDisplay?) throws(NeedletailError) -> Result {
    guard calibration.isGiven else {
      return Result(engine: try source.engine(common, build, progress: display))
    }
    let model = try source.model(common)
    var builder = EngineSource.builder(common, build, progress: display)
    let data = try calibration.prepare(model, builder, divides: bound != nil, display)
    builder.calibration = data.calibration
    guard let bound, let ranges = data.ranges, let heldOut = data.heldOut else {
      return Result(engine: try builder.buildNow(model))
    }
    if case .accuracyLoss(_, let labels) = bound {
      let samples = ranges.sampleCount + heldOut.sampleCount + heldOut.leftOut
      guard labels.count == samples else {
        throw NeedletailError(
          .input, "\(labels.count) labels for \(samples) samples: one for each is needed")
      }
    }
    if common.isAutomatic {
      let search = try PrecisionSearch(
        model, builder: builder, bound: bound, data: ranges, heldOut: heldOut
      ) { display?.show($0, fraction: $1) }
      let loss = search.heldOutLoss.map { ($0, heldOut.sampleCount) }
      return Result(engine: search.engine, bound: bound, heldOut: loss, search: search)
    }
    let engine = try builder.buildNow(model)
    let loss = try HeldOutLoss.measure(engine, model, builder, bound, ranges, heldOut, display)
    return Result(engine: engine, bound: bound, heldOut: (loss, heldOut.sampleCount))
  }
}

private enum HeldOutLoss {
  static func measure(
    _ engine: Engine, _ model: Model, _ builder: Builder, _ bound: PrecisionBound,
    _ ranges: CalibrationData, _ heldOut: CalibrationData, _ display: ProgressDisplay?
  ) throws(NeedletailError) -> Double {
    switch bound {
    case .error(let limit):
      let error = try HeldOutError(of: engine, model, builder: builder, data: heldOut) {
        display?.show("measuring the error", fraction: $0)
      }
      try error.require(atMost: limit) { display?.show("looking for the cause", fraction: $0) }
      return error.largest
    case .accuracyLoss(let limit, _):
      let loss = try engine.loss(
        model, builder: builder, bound: bound, data: heldOut, firstSample: ranges.sampleCount)
      guard loss <= limit else {
        throw NeedletailError(
          .build,
          "the engine loses \(loss) points of accuracy on \(heldOut.sampleCount) held-out samples, "
            + "above the bound of \(limit); no engine is written; --precision auto keeps layers in fp32"
        )
      }
      return loss
    }
  }
}

/// What a search has found, as a table.
enum PrecisionTable {
  static func show(_ search: PrecisionSearch) {
    var rows = [["layer", "int8", "floating point", "error alone", "built in", "reason"]]
    for layer in search.layers {
      rows.append([
        layer.node, Output.seconds(layer.integerSeconds), Output.seconds(layer.floatSeconds),
        layer.error.map { Output.short($0) } ?? "-", layer.precision.rawValue,
        layer.precision == .int8 ? "" : layer.reason.description,
      ])
    }
    Output.table(rows, leftAligned: [0, 4, 5])
    Output.line()
  }
}

import ArgumentParser
import Foundation
import KernelAutoTuning
import Needletail
import PrecisionCalibration
import ProgramModel
import TensorModel

struct BuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Build an engine from a model and write it to a file.",
    discussion: """
      needletail build model.onnx -o model.engine
      needletail build model.onnx -o model.engine --shapes image:8x3x224x224 --timing-cache times.json
      needletail build model.onnx -o model.engine --precision fp16 --calibration x.npy --max-error 0.01

      With --max-error the last quarter of the samples is held out of the ranges. Where the engine's outputs \
      differ from FP32 by more on them, the build fails and writes nothing.
      """)

  @Argument(help: "A model file, a folder that holds one, or a name of the zoo.")
  var model: String

  @Option(name: [.customShort("o"), .long], help: "The engine file to write.")
  var output: String

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions
  @OptionGroup var calibration: CalibrationOptions

  @Option(
    help: ArgumentHelp(
      "The largest error of an output (norm of the difference over norm) on held-out samples.",
      valueName: "error"))
  var maxError: Double?

  func validate() throws {
    guard let maxError else { return }
    guard maxError >= 0, maxError.isFinite else {
      throw ValidationError("--max-error must be a number of at least 0, not \(maxError)")
    }
    guard calibration.calibration != nil else {
      throw ValidationError("--max-error needs samples: give --calibration")
    }
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let clock = ContinuousClock()
    let start = clock.now
    let source = try EngineSource(model)
    let (engine, error) = try built(source, display)
    let seconds = start.duration(to: clock.now).seconds
    try engine.write(to: URL(fileURLWithPath: output))
    let size = (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? nil
    let context = try engine.makeContext(shapes: common.shapesByName)
    let report = Report(
      model: engine.name, engine: output, bytes: size ?? 0, buildSeconds: seconds,
      layers: context.tuned?.tuned.program.steps.count ?? 0, arenaBytes: context.arenaBytes,
      rangeAnalysis: engine.report?.precision.overflowSummary, heldOutError: error?.largest,
      heldOutSamples: error?.samples)
    if common.json {
      try Output.json(report)
    } else {
      Output.line(
        "\(report.engine): \(Output.bytes(report.bytes)), \(report.layers) layers, "
          + "arena \(Output.bytes(report.arenaBytes)), built in \(Output.seconds(seconds))")
      if let analysis = report.rangeAnalysis { Output.line("range analysis: \(analysis)") }
      if let error {
        Output.line(
          String(
            format: "error on %d held-out samples %.3g, bound %.3g", error.samples, error.largest,
            maxError ?? 0))
      }
    }
  }

  private func built(
    _ source: EngineSource, _ display: ProgressDisplay?
  ) throws -> (Engine, HeldOutError?) {
    guard calibration.isGiven else {
      return (try source.engine(common, build, progress: display), nil)
    }
    let model = try source.model(common)
    var builder = EngineSource.builder(common, build, progress: display)
    let data = try calibration.prepare(model, builder, divides: maxError != nil, display)
    builder.calibration = data.calibration
    let engine = try builder.buildNow(model)
    guard let maxError, let heldOut = data.heldOut else { return (engine, nil) }
    let error = try HeldOutError(of: engine, model, builder: builder, data: heldOut) {
      display?.show("measuring the error", fraction: $0)
    }
    try error.require(atMost: maxError)
    return (engine, error)
  }

  private struct Report: Encodable {
    var model: String
    var engine: String
    var bytes: Int
    var buildSeconds: Double
    var layers: Int
    var arenaBytes: Int
    var rangeAnalysis: String?
    var heldOutError: Double?
    var heldOutSamples: Int?
  }
}

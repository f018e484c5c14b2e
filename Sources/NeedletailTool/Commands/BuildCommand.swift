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
      needletail build model.onnx -o model.engine --precision int8 --calibration x.npy --max-error 0.01
      needletail build model.onnx -o model.engine --precision auto --calibration x.npy --labels y.npy \
        --max-accuracy-loss 0.2

      With a bound the last quarter of the samples is held out of the ranges. Where the engine's outputs \
      differ from FP32 by more on them, the build fails and writes nothing. --precision auto finds the fastest \
      mixture of int8 and fp32 layers within the bound (--max-error 0.01 where none is given).
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

  @Option(
    help: ArgumentHelp(
      "The largest loss of top-1 accuracy against FP32, in points, with --labels.",
      valueName: "points"))
  var maxAccuracyLoss: Double?

  @Option(help: "A label for each sample of --calibration, .npy of integers.")
  var labels: String?

  func validate() throws {
    for (name, bound) in [("--max-error", maxError), ("--max-accuracy-loss", maxAccuracyLoss)] {
      guard let bound else { continue }
      guard bound >= 0, bound.isFinite else {
        throw ValidationError("\(name) must be a number of at least 0, not \(bound)")
      }
      guard calibration.calibration != nil else {
        throw ValidationError("\(name) needs samples: give --calibration")
      }
    }
    guard maxError == nil || maxAccuracyLoss == nil else {
      throw ValidationError("give --max-error or --max-accuracy-loss, not both")
    }
    guard (maxAccuracyLoss == nil) == (labels == nil) else {
      throw ValidationError("--max-accuracy-loss and --labels need each other")
    }
    if common.isAutomatic, calibration.calibration == nil {
      throw ValidationError("--precision auto measures errors on samples: give --calibration")
    }
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let clock = ContinuousClock()
    let start = clock.now
    let source = try EngineSource(model)
    var common = common
    if common.signature.isEmpty { common.signature = try source.allSignatures() }
    let built = try PrecisionBuild(
      source: source, common: common, build: build, calibration: calibration,
      bound: try bound()
    ).run(display)
    let seconds = start.duration(to: clock.now).seconds
    let engine = built.engine
    try engine.write(to: URL(fileURLWithPath: output))
    let size = (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? nil
    let inputs = engine.inputs.map(\.name)
    let context = try engine.makeContext(
      shapes: common.shapesByName.filter { inputs.contains($0.key) })
    let segments = SegmentReport(context)
    let precision = engine.report?.precision
    let report = Report(
      model: engine.name, engine: output, bytes: size ?? 0, buildSeconds: seconds,
      layers: context.tuned?.tuned.program.steps.count ?? 0, arenaBytes: context.arenaBytes,
      precision: precision?.countSummary,
      higherLayers: precision?.exceptions.map {
        .init(
          layer: $0.node, operation: $0.operation, precision: $0.precision?.rawValue ?? "-",
          reason: $0.reason.description)
      } ?? [],
      rangeAnalysis: precision?.overflowSummary, heldOutLoss: built.heldOut?.loss,
      heldOutSamples: built.heldOut?.samples, bound: built.bound?.limit,
      boundOn: built.bound?.name, signatures: engine.signatures.keys.sorted(),
      notCalibrated: engine.signaturesNotCalibrated,
      convertedShare: segments.convertedShare, segments: segments.segments)
    if common.json { return try Output.json(report) }
    if let search = built.search { PrecisionTable.show(search) }
    report.show(
      isReduced: precision.map { $0.requested != .fp32 } ?? false,
      listsLayers: built.search == nil)
  }

  private func bound() throws -> PrecisionBound? {
    if let maxError { return .error(maxError) }
    guard let maxAccuracyLoss, let labels else {
      return common.isAutomatic ? .error(0.01) : nil
    }
    let tensor = try NPYFile.read(labels)
    guard let integers = tensor.integers(), tensor.shape.count == 1 else {
      throw NeedletailError(
        .input, "labels '\(labels)' are \(tensor.type), expected integers along one axis")
    }
    return .accuracyLoss(maxAccuracyLoss, labels: integers)
  }

  private struct Report: Encodable {
    struct HigherLayer: Encodable {
      var layer: String
      var operation: String
      var precision: String
      var reason: String
    }
    var model: String
    var engine: String
    var bytes: Int
    var buildSeconds: Double
    var layers: Int
    var arenaBytes: Int
    var precision: String?
    var higherLayers: [HigherLayer]
    var rangeAnalysis: String?
    var heldOutLoss: Double?
    var heldOutSamples: Int?
    var bound: Double?
    var boundOn: String?
    var signatures: [String]
    var notCalibrated: [String]
    var convertedShare: Double
    var segments: [SegmentReport.Segment]

    func show(isReduced: Bool, listsLayers: Bool) {
      Output.line(
        "\(engine): \(Output.bytes(bytes)), \(layers) layers, "
          + "arena \(Output.bytes(arenaBytes)), built in \(Output.seconds(buildSeconds))")
      if signatures.count > 1 { Output.line("signatures: \(signatures.joined(separator: ", "))") }
      for name in notCalibrated {
        Output.line(
          "  signature '\(name)' stays in fp32: the samples calibrate another one; "
            + "build it by itself with --signature \(name)")
      }
      if segments.contains(where: \.isFallback) {
        for line in SegmentReport(segments: segments).lines { Output.line(line) }
      }
      if isReduced, let precision { Output.line("precision: \(precision)") }
      let higherLayers = listsLayers ? higherLayers : []
      for layer in higherLayers.prefix(20) {
        Output.line(
          "  '\(layer.layer)' (\(layer.operation)) stays in \(layer.precision): \(layer.reason)")
      }
      if higherLayers.count > 20 {
        Output.line("  and \(higherLayers.count - 20) more: see 'needletail inspect'")
      }
      if let rangeAnalysis { Output.line("range analysis: \(rangeAnalysis)") }
      guard let heldOutLoss, let heldOutSamples, let bound, let boundOn else { return }
      Output.line(
        String(
          format: "%@ on %d held-out samples %.3g, bound %.3g", boundOn, heldOutSamples,
          heldOutLoss, bound))
    }
  }
}

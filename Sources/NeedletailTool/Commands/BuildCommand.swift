import ArgumentParser
import Foundation
import KernelAutoTuning
import Needletail
import ProgramModel
import TensorModel

struct BuildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Build an engine from a model and write it to a file.",
    discussion: """
      needletail build model.onnx -o model.engine
      needletail build model.onnx -o model.engine --shapes image:8x3x224x224 --timing-cache times.json
      """)

  @Argument(help: "A model file, a folder that holds one, or a name of the zoo.")
  var model: String

  @Option(name: [.customShort("o"), .long], help: "The engine file to write.")
  var output: String

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let clock = ContinuousClock()
    let start = clock.now
    let source = try EngineSource(model)
    let engine = try source.engine(common, build, progress: display)
    let seconds = start.duration(to: clock.now).seconds
    try engine.write(to: URL(fileURLWithPath: output))
    let size = (try? FileManager.default.attributesOfItem(atPath: output)[.size] as? Int) ?? nil
    let context = try engine.makeContext(shapes: common.shapesByName)
    let report = Report(
      model: engine.name, engine: output, bytes: size ?? 0, buildSeconds: seconds,
      layers: context.tuned?.tuned.program.steps.count ?? 0, arenaBytes: context.arenaBytes)
    if common.json {
      try Output.json(report)
    } else {
      Output.line(
        "\(report.engine): \(Output.bytes(report.bytes)), \(report.layers) layers, "
          + "arena \(Output.bytes(report.arenaBytes)), built in \(Output.seconds(seconds))")
    }
  }

  private struct Report: Encodable {
    var model: String
    var engine: String
    var bytes: Int
    var buildSeconds: Double
    var layers: Int
    var arenaBytes: Int
  }
}

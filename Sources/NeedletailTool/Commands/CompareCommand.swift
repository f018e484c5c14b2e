import ArgumentParser
import Foundation
import Needletail
import TensorModel

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare the optimised network with the reference interpreter, layer by layer.",
    discussion:
      "The status is 1 where a layer or output is beyond the tolerance; the first one is named.")

  @Argument(help: "A model or a name of the zoo.")
  var model: String

  @Option(
    help: ArgumentHelp(
      "The largest relative error (norm of the difference over norm) of a layer.",
      discussion: """
        1e-4 for fp32, 2e-4 for tf32, 3e-3 for fp16, 2e-2 for bf16 and 5e-2 for int8 by default.
        """))
  var tolerance: Double?

  @Option(help: ArgumentHelp("A tensor to read; repeatable.", valueName: "name=file.npy"))
  var input: [FileArgument] = []

  @Flag(help: "Show every layer, not only the worst.")
  var all = false

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions
  @OptionGroup var calibration: CalibrationOptions

  func run() throws {
    let model = try EngineSource(model).model(common)
    let display = common.json ? nil : ProgressDisplay()
    var build = build
    if build.timingCache == nil { build.tuning = min(build.tuning, 1) }
    var builder = EngineSource.builder(common, build, progress: display)
    builder.calibration =
      try calibration.prepare(model, builder, divides: false, display).calibration
    let comparison = try Comparison(model, builder: builder, inputs: try inputs(model))
    let tolerance = tolerance ?? Comparison.tolerance(for: builder.precision)
    let first = comparison.firstBeyond(tolerance)
    if common.json {
      try Output.json(Report(model.name, comparison, tolerance))
    } else {
      show(comparison, first, tolerance)
    }
    if first != nil { throw ExitCode.failure }
  }

  private func inputs(_ model: Model) throws -> [String: Tensor] {
    var tensors = try RandomInputs.tensors(
      for: model.graph, shapes: common.shapesByName, seed: common.seed)
    for file in input {
      let names = model.inputs.map(\.name)
      guard let name = file.name ?? (names.count == 1 ? names[0] : nil), names.contains(name) else {
        throw NeedletailError(
          .input,
          "--input \(file.path): name one of \(names.map { "'\($0)'" }.joined(separator: ", "))")
      }
      tensors[name] = try NPYFile.read(file.path)
    }
    return tensors
  }

  private func show(
    _ comparison: Comparison, _ first: Comparison.Layer?, _ tolerance: Double
  ) {
    let worst = comparison.layers.sorted { $0.relativeError > $1.relativeError }
    let shown = all ? comparison.layers : Array(worst.prefix(10))
    var rows = [["layer", "kind", "shape", "relative error", "largest difference"]]
    for layer in shown + comparison.outputs {
      rows.append([
        layer.name, String(layer.kind.prefix(48)),
        layer.shape.map(String.init).joined(separator: "x"),
        String(format: "%.3g", layer.relativeError),
        String(format: "%.3g", layer.largestDifference),
      ])
    }
    Output.table(rows, leftAligned: [0, 1])
    Output.line()
    if let first {
      Output.line(
        "first beyond \(tolerance): '\(first.name)' (\(first.kind)), relative error "
          + String(format: "%.3g", first.relativeError))
    } else {
      Output.line(
        "\(comparison.layers.count) layers and \(comparison.outputs.count) outputs within \(tolerance)"
      )
    }
  }

  private struct Report: Encodable {
    struct Entry: Encodable {
      var name: String
      var kind: String
      var shape: [Int]
      var relativeError: Double
      var isWithin: Bool
    }
    var model: String
    var tolerance: Double
    var firstBeyond: String?
    var layers: [Entry]
    var outputs: [Entry]

    init(_ model: String, _ comparison: Comparison, _ tolerance: Double) {
      func entry(_ layer: Comparison.Layer) -> Entry {
        // JSON has no infinity.
        Entry(
          name: layer.name, kind: layer.kind, shape: layer.shape,
          relativeError: min(layer.relativeError, 1e300), isWithin: layer.relativeError <= tolerance
        )
      }
      self.model = model
      self.tolerance = tolerance
      firstBeyond = comparison.firstBeyond(tolerance)?.name
      layers = comparison.layers.map(entry)
      outputs = comparison.outputs.map(entry)
    }
  }
}

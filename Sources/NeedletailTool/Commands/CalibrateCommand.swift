import ArgumentParser
import Foundation
import Needletail
import PrecisionCalibration
import TensorModel

struct CalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Find the ranges of a model's tensors on data, and write them as a table.",
    discussion: """
      The optimised network runs in FP32 over all samples. The table is JSON, by tensor name; it belongs to \
      the model, whose hash it holds, and to no device. 'auto' chooses for each tensor the method whose 8-bit \
      integers have the least mean squared error by the tensor's histogram.

      With --export-qdq the model is also written as ONNX with QuantizeLinear and DequantizeLinear around \
      the inputs of its convolutions and matrix products, as other engines read it.

      needletail calibrate model.onnx --calibration images.npy -o scales.json
      needletail calibrate model.onnx --calibration photos/ --image-size 256 --mean 0.485,0.456,0.406 \
      --std 0.229,0.224,0.225 -o scales.json --export-qdq int8.onnx
      needletail calibrate --merge a.json b.json -o c.json
      """)

  @Argument(help: "A model or a name of the zoo; with --merge, nothing.")
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Samples: a .npy or .npz file whose first axes count them, a folder of INPUT.npy or of .npz, or "
        + "a folder of PNG and JPEG images."))
  var calibration: String?

  @OptionGroup var images: ImageArguments

  @Option(help: "A table of the model that was written before, in place of samples.")
  var table: String?

  @Option(help: "Samples of one inference, where the model does not fix it.")
  var batch = 32

  @Option(
    help: "How ranges are chosen: \(CalibrationMethod.requests.joined(separator: ", ")).")
  var method = CalibrationMethod.automatic

  @Option(parsing: .upToNextOption, help: "Tables of one model to merge.")
  var merge: [String] = []

  @Option(name: [.customShort("o"), .long], help: "The table to write.")
  var output: String?

  @Option(
    name: .customLong("export-qdq"),
    help: ArgumentHelp("The model to write with 8-bit integers, as ONNX.", valueName: "file.onnx"))
  var exported: String?

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard batch > 0 else { throw ValidationError("--batch must be at least 1, not \(batch)") }
    guard CalibrationMethod.requests.contains(method) else {
      throw ValidationError(
        "--method '\(method)' is not one of \(CalibrationMethod.requests.joined(separator: ", "))")
    }
    guard output != nil || exported != nil else {
      throw ValidationError("nothing to write: give --output, --export-qdq or both")
    }
    if merge.isEmpty {
      guard model != nil, (calibration == nil) != (table == nil) else {
        throw ValidationError(
          "give a model and either --calibration or --table, or --merge and tables")
      }
    } else if model != nil || calibration != nil || table != nil || exported != nil {
      throw ValidationError("--merge takes tables alone: no model, no samples, no --export-qdq")
    }
  }

  func run() throws {
    let clock = ContinuousClock()
    let start = clock.now
    let (result, leftOut) = try merge.isEmpty ? calibrated() : (merged(), 0)
    var export: QuantizedExport?
    if let exported, let model {
      let network = try EngineSource(model).model(common)
      export = try result.writeQuantized(network, to: URL(fileURLWithPath: exported))
    }
    if let output { try result.write(to: URL(fileURLWithPath: output)) }
    let report = Report(
      result.table, output: output, leftOut: leftOut,
      seconds: start.duration(to: clock.now).seconds, exported: exported, export: export)
    if common.json { try Output.json(report) } else { report.show() }
  }

  private func merged() throws(NeedletailError) -> Calibration {
    var tables: [Calibration] = []
    for path in merge { tables.append(try Calibration(contentsOf: URL(fileURLWithPath: path))) }
    return try Calibration.merge(tables)
  }

  private func calibrated() throws -> (Calibration, leftOut: Int) {
    if let table { return (try Calibration(contentsOf: URL(fileURLWithPath: table)), 0) }
    let display = common.json ? nil : ProgressDisplay()
    let network = try EngineSource(model ?? "").model(common)
    let data = try CalibrationData(
      contentsOf: URL(fileURLWithPath: calibration ?? ""), for: network, batch: batch,
      shapes: common.shapesByName, images: images.options)
    var builder = Builder()
    builder.device = common.device
    builder.threads = common.threads
    builder.instructionSet = common.instructionSet
    builder.shapes = common.shapesByName
    let method = try CalibrationTable.method(named: method)
    return (try CalibrationRun.run(network, builder, data, method, display), data.leftOut)
  }

  private struct Report: Encodable {
    var model: String
    var modelSHA256: String
    var table: String?
    var samples: Int
    var samplesLeftOut: Int
    var tensors: Int
    var methods: [String: Int]
    var widestTensor: String?
    var absoluteMaximum: Double?
    var seconds: Double
    var exportedModel: String?
    var integerNodes: Int?
    var skippedNodes: [String: String]?
    var usesRuntimeOperators: Bool?

    init(
      _ table: CalibrationTable, output: String?, leftOut: Int, seconds: Double,
      exported: String?, export: QuantizedExport?
    ) {
      exportedModel = exported
      integerNodes = export?.quantizedNodes
      skippedNodes = export.map { result in
        Dictionary(result.skipped.map { ($0.node, $0.reason) }, uniquingKeysWith: { a, _ in a })
      }
      usesRuntimeOperators = export?.usesRuntimeOperators
      model = table.model
      modelSHA256 = table.modelSHA256
      self.table = output
      samples = table.samples
      samplesLeftOut = leftOut
      tensors = table.tensors.count
      methods = table.tensors.values.reduce(into: [:]) { $0[$1.method.rawValue, default: 0] += 1 }
      let widest = table.tensors.max {
        ($0.value.absoluteMaximum, $1.key) < ($1.value.absoluteMaximum, $0.key)
      }
      widestTensor = widest?.key
      absoluteMaximum = widest?.value.absoluteMaximum
      self.seconds = seconds
    }

    func show() {
      let chosen = methods.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      Output.line(
        "\(table ?? "table"): \(tensors) tensors of \(samples) samples in \(Output.seconds(seconds))"
          + " (\(chosen.joined(separator: ", ")))")
      if samplesLeftOut > 0 {
        Output.line("\(samplesLeftOut) samples at the end fill no batch and were left out")
      }
      if let widestTensor, let absoluteMaximum {
        Output.line(
          String(format: "largest magnitude %.6g in '", absoluteMaximum) + widestTensor + "'")
      }
      showExport()
    }

    private func showExport() {
      guard let exportedModel, let integerNodes, let skippedNodes else { return }
      Output.line(
        "\(exportedModel): \(integerNodes) convolutions and matrix products on 8-bit integers, "
          + "\(skippedNodes.count) left as they are")
      for (node, reason) in skippedNodes.sorted(by: { $0.key < $1.key }) {
        Output.line("  '\(node)': \(reason)")
      }
      if usesRuntimeOperators == true {
        Output.line(
          "the model's operator set is older than 13: the file uses ONNX Runtime's operators "
            + "(com.microsoft)")
      }
    }
  }
}

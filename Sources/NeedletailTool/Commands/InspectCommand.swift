import ArgumentParser
import DeviceInterface
import EngineFormat
import Foundation
import GraphModel
import KernelAutoTuning
import KernelModel
import Needletail
import ProgramModel
import TensorFlowImport
import TensorModel

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show the layers of an engine: what was fused, tactic, time, memory.",
    discussion: """
      A model is built first, with the cost model's tactics unless --tuning says otherwise. Times are
      medians of --steps runs on this machine. Of a TensorFlow model the signatures come first. --kernels writes
      the CUDA text instead that the engine would run on a chip, which need not be there.
      """)

  @Argument(help: "An engine, a model, or a name of the zoo.")
  var model: String

  @Flag(help: "Show what a model takes and gives, without building an engine.")
  var modelOnly = false

  @Option(help: "Inferences to time; 0 shows no times.")
  var steps = 10

  @OptionGroup var common: CommonOptions
  @OptionGroup var calibration: CalibrationOptions

  @Option(help: "How hard to tune a model: 0 (cost model alone) to 5.")
  var tuning = 0

  @Flag(
    help: "Fail, naming the node, where something would not run on the device's own kernels.")
  var noFallback = false

  @Option(
    help: ArgumentHelp(
      "Write the text of the CUDA kernels for a chip: sm_80 or sm_90.", valueName: "chip"))
  var kernels: String?

  func validate() throws {
    guard let kernels, KernelListing.chips[kernels] == nil else { return }
    let names = KernelListing.chips.keys.sorted().joined(separator: ", ")
    throw ValidationError("--kernels '\(kernels)' is not one of \(names)")
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    var build = BuildOptions()
    build.tuning = tuning
    build.dump = nil
    build.timingCache = nil
    build.tuningBudget = nil
    build.workspace = nil
    build.minimumSegmentSize = 1
    build.noFallback = noFallback
    let source = try EngineSource(model)
    if modelOnly {
      // Of several signatures none may be meant.
      if common.signature.isEmpty, let description = try source.savedModel(),
        description.signatures.count > 1,
        !description.signatures.contains(where: { $0.name == "serving_default" })
      {
        return try show(description)
      }
      return try showModel(try source.model(common))
    }
    if kernels == nil, let description = try source.savedModel() {
      let isImportable = try showsLayers(of: description)
      guard isImportable else { return }
    }
    let engine = try calibration.engine(source, common, build, display)
    let context = try engine.makeContext(shapes: common.shapesByName)
    if let kernels, let chip = KernelListing.chips[kernels] {
      let listing = KernelReport(chip: kernels, text: try KernelListing.text(context, for: chip))
      if common.json { return try Output.json(listing) }
      return Output.line(listing.text)
    }
    let inputs = try RandomInputs.tensors(
      for: engine, shapes: common.shapesByName, seed: common.seed)
    for (name, tensor) in inputs { try context.setInput(name, tensor) }
    let report = try InspectReport(engine, context, steps: steps)
    if common.json { try Output.json(report) } else { report.show() }
  }

  private func show(_ description: SavedModelDescription) throws {
    common.json ? try Output.json(description) : SavedModelReport(description: description).show()
  }

  private func showModel(_ model: Model) throws {
    if let description = model.savedModel { return try show(description) }
    let inputs = model.inputs.map(InspectReport.Port.init)
    let outputs = model.outputs.map(InspectReport.Port.init)
    if common.json { return try Output.json(["inputs": inputs, "outputs": outputs]) }
    Output.line(model.name)
    for port in inputs { Output.line("  input  \(InspectReport.text(port))") }
    for port in outputs { Output.line("  output \(InspectReport.text(port))") }
  }

  /// Shows what a TensorFlow model holds.
  ///
  /// - Returns: whether layers can be shown too: one signature is meant, and all of it is supported.
  private func showsLayers(of description: SavedModelDescription) throws -> Bool {
    let names = description.signatures.map(\.name)
    let named = common.signature.first
    let isNamed = named != nil || names.count == 1 || names.contains("serving_default")
    let meant = named ?? (names.count == 1 ? names[0] : "serving_default")
    let isSupported =
      description.signatures.first { $0.name == meant }?.unsupported.isEmpty ?? true
    if !common.json {
      SavedModelReport(description: description).show()
    } else if !isNamed || !isSupported {
      try Output.json(description)
    }
    return isNamed && isSupported
  }
}

/// The CUDA kernels that an engine would run on a chip.
struct KernelReport: Encodable {
  var chip: String
  var text: String
}

struct InspectReport: Encodable {
  struct Layer: Encodable {
    var index: Int
    var name: String
    var kind: String
    var computes: [String]
    var tactic: String
    var inputs: [String]
    var outputs: [String]
    var microseconds: Double?
    var gflops: Double?
    var bytes: Int
  }

  struct Port: Encodable {
    var name: String
    var dataType: String?
    var shape: [String]?

    init(_ description: TensorDescription) {
      name = description.name
      dataType = description.dataType?.rawValue
      shape = description.shape
    }
  }

  struct Signature: Encodable {
    var name: String
    var inputs: [Port]
    var outputs: [Port]

    init(_ engine: Engine) {
      name = engine.signatureName
      inputs = engine.inputs.map(Port.init)
      outputs = engine.outputs.map(Port.init)
    }
  }

  var name: String
  var device: String
  var inputs: [Port]
  var outputs: [Port]
  var layers: [Layer]
  var hostNodes: [String]
  var signature: String
  var furtherSignatures: [Signature]
  var segments: SegmentReport
  var convertedShare: Double
  var fallbackTimeShare: Double?
  var arenaBytes: Int
  var arenaLowerBound: Int
  var weightBytes: Int
  var tunedFor: [String]
  var madeBy: [String: String]

  init(_ engine: Engine, _ context: ExecutionContext, steps: Int) throws {
    name = engine.name
    device = engine.deviceSummary
    inputs = engine.inputs.map(Port.init)
    outputs = engine.outputs.map(Port.init)
    hostNodes = context.hostNodeNames
    arenaBytes = context.arenaBytes
    arenaLowerBound = context.executable?.arenaLowerBound ?? 0
    weightBytes = context.executable?.weightBytes ?? 0
    tunedFor = engine.contents.sections.filter { !$0.choices.isEmpty }.map(\.deviceClass)
    madeBy = engine.contents.metadata
    layers = []
    signature = engine.signatureName
    furtherSignatures = engine.signatures.sorted { $0.key < $1.key }
      .filter { $0.key != engine.signatureName }.map { Signature($0.value) }
    let times = context.tuned == nil ? [] : try Self.times(context, steps: steps)
    segments = SegmentReport(
      context, seconds: times, host: steps > 0 ? try Self.hostTimes(context, steps: steps) : nil)
    convertedShare = segments.convertedShare
    fallbackTimeShare = segments.fallbackTimeShare
    guard let compiled = context.tuned else { return }
    let tactics = compiled.executable.tactics
    for (index, step) in compiled.tuned.program.steps.enumerated() {
      let seconds = times.isEmpty ? nil : times[index]
      let views = step.inputs.compactMap { $0 }
      layers.append(
        Layer(
          index: index, name: step.name, kind: Self.kind(step), computes: step.origins,
          tactic: tactics[index].name, inputs: views.map { "\($0.type)" },
          outputs: step.outputs.map { "\($0.type)" }, microseconds: seconds.map { $0 * 1e6 },
          gflops: seconds.flatMap { step.multiplyAdds > 0 ? 2e-9 * step.multiplyAdds / $0 : nil },
          bytes: Int(step.trafficBytes)))
    }
  }

  private static func kind(_ step: Step) -> String {
    guard step.arithmetic != .exact else { return step.problem.summary }
    return "\(step.arithmetic.rawValue) \(step.problem.summary)"
  }

  /// The run that takes the median time.
  private static func hostTimes(
    _ context: ExecutionContext, steps: Int
  ) throws -> (whole: Double, nodes: [String: Double])? {
    guard !context.hostNodeNames.isEmpty else { return nil }
    var runs: [(whole: Double, nodes: [String: Double])] = []
    for _ in 0..<(steps + 2) { runs.append(try context.hostSeconds()) }
    return runs.dropFirst(2).sorted { $0.whole < $1.whole }[steps / 2]
  }

  /// Medians of each step's seconds.
  private static func times(_ context: ExecutionContext, steps: Int) throws -> [Double] {
    guard steps > 0 else { return [] }
    var runs: [[Double]] = []
    for _ in 0..<(steps + 2) { runs.append(try context.profile()) }
    runs.removeFirst(2)
    guard let count = runs.first?.count else { return [] }
    return (0..<count).map { step in runs.map { $0[step] }.sorted()[runs.count / 2] }
  }

  func show() {
    let named = furtherSignatures.isEmpty ? "" : ", signature \(signature)"
    Output.line("\(name)\(named) on \(device)")
    for port in inputs { Output.line("  input  \(Self.text(port))") }
    for port in outputs { Output.line("  output \(Self.text(port))") }
    for further in furtherSignatures {
      Output.line("signature \(further.name)")
      for port in further.inputs { Output.line("  input  \(Self.text(port))") }
      for port in further.outputs { Output.line("  output \(Self.text(port))") }
    }
    Output.line()
    let total = layers.reduce(0) { $0 + ($1.microseconds ?? 0) }
    var rows = [["#", "layer", "kind", "output", "tactic", "time", "share", "GFLOP/s", "memory"]]
    for layer in layers {
      let time = layer.microseconds.map { String(format: "%.1f us", $0) } ?? "-"
      let share =
        layer.microseconds.map { String(format: "%.1f %%", 100 * $0 / max(total, 1e-9)) } ?? "-"
      rows.append([
        "\(layer.index)", Self.shortened(layer.name, 36), Self.shortened(layer.kind, 48),
        layer.outputs.first ?? "", Self.shortened(layer.tactic, 32), time, share,
        layer.gflops.map { String(format: "%.0f", $0) } ?? "", Output.bytes(layer.bytes),
      ])
    }
    Output.table(rows, leftAligned: [1, 2, 3, 4])
    Output.line()
    let fused = layers.filter { $0.computes.count > 1 }
    if !fused.isEmpty { Output.line("Layers that compute several nodes of the model:") }
    for layer in fused {
      Output.line("  \(layer.index) = \(layer.computes.joined(separator: " + "))")
    }
    for node in hostNodes { Output.line("  on the host: \(node)") }
    for line in segments.lines { Output.line(line) }
    Output.line(
      "\(layers.count) layers, \(Output.seconds(total * 1e-6)), arena \(Output.bytes(arenaBytes)) "
        + "(lower bound \(Output.bytes(arenaLowerBound))), weights \(Output.bytes(weightBytes))")
    for (key, value) in madeBy.sorted(by: { $0.key < $1.key }) { Output.line("  \(key): \(value)") }
    for section in tunedFor { Output.line("  tuned for: \(section)") }
  }

  static func text(_ port: Port) -> String {
    "\(port.name): \(port.dataType ?? "unknown") \(port.shape.map { $0.joined(separator: "x") } ?? "of unknown shape")"
  }

  private static func shortened(_ text: String, _ width: Int) -> String {
    text.count <= width ? text : text.prefix(width - 1) + "…"
  }
}

import ArgumentParser
import DeviceInterface
import Foundation
import KernelAutoTuning
import KernelModel
import Needletail
import ProgramModel

struct ProfileCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profile",
    abstract: "Show where the time goes, layer by layer.",
    discussion: """
      Each layer is timed by itself, many times over; the whole is timed as it runs. On a GPU the difference \
      between the two is what the layers gain or lose by running together: launch gaps, parallel branches, \
      warm caches. The floor of a layer is the time that its bytes need through the GPU's memory, or its \
      products through the units for them, whichever is longer.

      needletail profile resnet50 --device cuda:0 --shapes image:8x3x224x224 --trace trace.json
      """)

  @Argument(help: "An engine, a model, or a name of the zoo.")
  var model: String

  @Option(help: "Inferences to time as a whole.")
  var steps = 50

  @Option(help: "Layers to show, the slowest first; 0 for all, in their order.")
  var top = 0

  @Option(help: ArgumentHelp("A Chrome trace to write (chrome://tracing).", valueName: "file"))
  var trace: String?

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions

  func validate() throws {
    guard steps > 0 else { throw ValidationError("--steps must be at least 1, not \(steps)") }
    guard top >= 0 else { throw ValidationError("--top must not be negative") }
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let engine = try EngineSource(model).engine(common, build, progress: display)
    let context = try engine.makeContext(shapes: common.shapesByName)
    for (name, tensor) in try RandomInputs.tensors(
      for: engine, shapes: common.shapesByName, seed: common.seed)
    {
      try context.setInput(name, tensor)
    }
    let report = try ProfileReport(engine, context, steps: steps)
    if let trace { try report.writeTrace(to: trace) }
    if common.json { try Output.json(report) } else { report.show(top: top) }
  }
}

struct ProfileReport: Encodable {
  struct Layer: Encodable {
    var name: String
    var kind: String
    var tactic: String
    var microseconds: Double
    /// Percent of the sum of all layers.
    var share: Double
    var gigaflopsPerSecond: Double
    var gigabytesPerSecond: Double
    /// What the device's limits allow at best; nil where they are not known.
    var floorMicroseconds: Double?
    var isOnHost: Bool
  }

  var name: String
  var device: String
  var layers: [Layer] = []
  var sumMicroseconds: Double
  /// The median of whole runs, without copies to and from a GPU.
  var wholeMicroseconds: Double
  /// The median with them.
  var latencyMicroseconds: Double
  /// Operators of the host, in microseconds.
  var hostNodes: [HostNode]

  struct HostNode: Encodable {
    var name: String
    var microseconds: Double
  }

  init(_ engine: Engine, _ context: ExecutionContext, steps: Int) throws {
    name = engine.name
    device = engine.deviceSummary
    hostNodes = []
    for _ in 0..<3 { try context.run() }
    var latencies: [Double] = []
    let clock = ContinuousClock()
    for _ in 0..<steps {
      let start = clock.now
      try context.run()
      latencies.append(start.duration(to: clock.now).seconds)
    }
    latencyMicroseconds = Self.median(latencies) * 1e6
    let device = try context.deviceSeconds(runs: steps)
    wholeMicroseconds = device.map { Self.median($0) * 1e6 } ?? latencyMicroseconds
    sumMicroseconds = 0
    if !context.hostNodeNames.isEmpty {
      let nodes = try context.hostSeconds().nodes
      hostNodes = nodes.sorted { $0.value > $1.value }
        .map { HostNode(name: $0.key, microseconds: $0.value * 1e6) }
    }
    guard let compiled = context.tuned else { return }
    var runs: [[Double]] = []
    for _ in 0..<5 { runs.append(try context.profile()) }
    let hostSteps = Set(compiled.executable.hostSteps)
    for (index, step) in compiled.tuned.program.steps.enumerated() {
      let seconds = Self.median(runs.map { $0[index] })
      sumMicroseconds += seconds * 1e6
      layers.append(
        Layer(
          name: step.name, kind: step.problem.family,
          tactic: compiled.executable.tactics[index].name, microseconds: seconds * 1e6, share: 0,
          gigaflopsPerSecond: seconds > 0 ? 2e-9 * step.multiplyAdds / seconds : 0,
          gigabytesPerSecond: seconds > 0 ? 1e-9 * step.trafficBytes / seconds : 0,
          floorMicroseconds: compiled.executable.floorSeconds(ofStep: index).map { $0 * 1e6 },
          isOnHost: hostSteps.contains(index)))
    }
    for index in layers.indices where sumMicroseconds > 0 {
      layers[index].share = layers[index].microseconds / sumMicroseconds * 100
    }
  }

  private static func median(_ times: [Double]) -> Double {
    times.isEmpty ? 0 : times.sorted()[times.count / 2]
  }

  func show(top: Int) {
    Output.line("\(name) on \(device)")
    Output.line()
    let shown =
      top == 0
      ? layers
      : Array(layers.sorted { $0.microseconds > $1.microseconds }.prefix(top))
    var rows = [["layer", "kind", "tactic", "time", "floor", "share", "GFLOP/s", "GB/s"]]
    for layer in shown {
      rows.append([
        String(layer.name.prefix(44)), layer.kind, layer.tactic,
        String(format: "%.2f us", layer.microseconds),
        layer.floorMicroseconds.map { String(format: "%.2f us", $0) } ?? "-",
        String(format: "%.1f %%", layer.share),
        layer.gigaflopsPerSecond > 0 ? String(format: "%.0f", layer.gigaflopsPerSecond) : "",
        String(format: "%.0f", layer.gigabytesPerSecond),
      ])
    }
    Output.table(rows, leftAligned: [0, 1, 2])
    Output.line()
    Output.line(
      String(format: "Sum of %d layers, each by itself  %.1f us", layers.count, sumMicroseconds))
    let floors = layers.compactMap(\.floorMicroseconds)
    if !floors.isEmpty {
      Output.line(
        String(format: "Sum of their floors               %.1f us", floors.reduce(0, +)))
    }
    Output.line(String(format: "Whole run, median                %.1f us", wholeMicroseconds))
    Output.line(String(format: "With copies to and from the host  %.1f us", latencyMicroseconds))
    let onHost = layers.filter(\.isOnHost)
    if !onHost.isEmpty {
      let share = onHost.reduce(0) { $0 + $1.share }
      Output.line(
        String(format: "%d layers run on the host, %.1f %% of the time: ", onHost.count, share)
          + onHost.map(\.name).joined(separator: ", "))
    }
    if !hostNodes.isEmpty {
      let sum = hostNodes.reduce(0) { $0 + $1.microseconds }
      Output.line(
        String(format: "%d operators run on the host, %.1f us: ", hostNodes.count, sum)
          + hostNodes.map { String(format: "%@ %.1f us", $0.name, $0.microseconds) }
          .joined(separator: ", "))
    }
  }

  private struct TraceEvent: Encodable {
    var name: String
    var cat: String
    var ph = "X"
    var ts: Double
    var dur: Double
    var pid = 1
    var tid = 1
    var args: [String: String]
  }

  func writeTrace(to path: String) throws {
    var events: [TraceEvent] = []
    var time = 0.0
    for layer in layers {
      events.append(
        TraceEvent(
          name: layer.name, cat: layer.kind, ts: time, dur: layer.microseconds,
          args: ["tactic": layer.tactic]))
      time += layer.microseconds
    }
    do {
      try JSONEncoder().encode(["traceEvents": events]).write(
        to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw NeedletailError(.engine, "'\(path)' cannot be written: \(error.localizedDescription)")
    }
  }
}

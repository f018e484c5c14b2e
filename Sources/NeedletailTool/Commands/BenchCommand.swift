import ArgumentParser
import DeviceInterface
import Foundation
import KernelAutoTuning
import Needletail
import PrecisionCalibration
import ProgramModel
import TensorModel

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure a model: native against optimised, side by side.",
    discussion: """
      Native is the same model run operator by operator in FP32 with the same kernels: tensors in the \
      model's own layout, each in a buffer of its own, no fusion, no tuning. All columns are measured in one \
      run, in turns; --ablate shows what each optimisation is worth by itself. Columns are native, fp32, on a GPU \
      fp16, and with --calibration or --calibration-table int8; --modes chooses others, --precision adds one. \
      Errors are norms of differences over norms of the native outputs, on the same random inputs.

      needletail bench resnet50
      needletail bench resnet50 --precision fp16
      needletail bench model.onnx --shapes image:8x3x224x224 --threads 1 --steps 200
      needletail bench saved_model/ --steps 10000 --warmup 2000 --batch 8 --modes native,fp32,fp16,int8
      """)

  @Argument(help: "A model, an engine, or a name of the zoo.")
  var model: String

  @Option(
    help: "Inferences to measure of each column, at most; as many as --duration allows by default.")
  var steps: Int?

  @Option(help: "Inferences that are not measured, at the start.")
  var warmup = 5

  @Option(help: "Seconds to measure each column.")
  var duration = 5.0

  @Option(help: "The first extent of every input that leaves it open; --shapes goes before it.")
  var batch: Int?

  @Option(
    help: ArgumentHelp(
      "The columns: native, fp32, tf32, fp16, bf16, int8, separated by commas.",
      valueName: "names"))
  var modes: String?

  @Flag(help: "Also measure the engine with each optimisation left out in turn.")
  var ablate = false

  @OptionGroup var common: CommonOptions
  @OptionGroup var build: BuildOptions
  @OptionGroup var calibration: CalibrationOptions

  func validate() throws {
    if let steps, steps < 1 { throw ValidationError("--steps must be at least 1, not \(steps)") }
    if let batch, batch < 1 { throw ValidationError("--batch must be at least 1, not \(batch)") }
    for mode in modeNames where mode != BenchVariants.native && Precision(rawValue: mode) == nil {
      throw ValidationError("--modes: '\(mode)' is neither native nor a precision")
    }
    guard warmup >= 0 else { throw ValidationError("--warmup must not be negative") }
    guard duration > 0, duration.isFinite else {
      throw ValidationError("--duration must be positive")
    }
  }

  func run() throws {
    let display = common.json ? nil : ProgressDisplay()
    let source = try EngineSource(model)
    let shapes = try self.shapes(source)
    var ranges: Calibration?
    if calibration.isGiven {
      let builder = EngineSource.builder(common, build, progress: nil)
      let model = try source.model(common)
      ranges = try calibration.prepare(model, builder, divides: false, display).calibration
    }
    var candidates = try variants(source).map { variant in
      try Candidate(variant, source, self, shapes: shapes, ranges: ranges, display: display)
    }
    try measure(&candidates, display)
    let report = try self.report(candidates)
    if common.json {
      try Output.json(report)
    } else {
      BenchTable.show(report, candidates: candidates)
    }
  }

  private var modeNames: [String] {
    (modes ?? "").split(separator: ",").map { $0.lowercased() }
  }

  /// The extents of the inputs: as given, with the batch where the model leaves the first one open.
  private func shapes(_ source: EngineSource) throws -> [String: [Int]] {
    var result = common.shapesByName
    guard let batch else { return result }
    let inputs: [TensorDescription]
    if case .engine = source {
      inputs = try source.engine(common, build, progress: nil).inputs
    } else {
      inputs = try source.model(common).inputs
    }
    var applies = false
    for input in inputs where result[input.name] == nil {
      guard let shape = input.shape, let first = shape.first, Int(first) == nil else { continue }
      result[input.name] = [batch] + shape.dropFirst().map { Int($0) ?? 1 }
      applies = true
    }
    guard applies || result.values.contains(where: { $0.first == batch }) else {
      throw NeedletailError(
        .input, "--batch \(batch): no input leaves its first extent open; --shapes names others")
    }
    return result
  }

  /// The columns of the table.
  private func variants(_ source: EngineSource) throws -> [Variant] {
    let precision = Precision(rawValue: common.precision) ?? .fp32
    if case .engine = source {
      return [Variant(name: "engine", optimizations: .all, precision: precision)]
    }
    var names = modeNames
    if names.isEmpty {
      names = [BenchVariants.native, Precision.fp32.rawValue]
      if common.device != "cpu" { names.append(Precision.fp16.rawValue) }
      if calibration.isGiven { names.append(Precision.int8.rawValue) }
    }
    if precision != .fp32 || modeNames.isEmpty { names.append(precision.rawValue) }
    var result: [Variant] = []
    for name in names where !result.contains(where: { $0.name == name }) {
      result.append(
        Variant(
          name: name, optimizations: name == BenchVariants.native ? .native : .all,
          precision: Precision(rawValue: name) ?? .fp32))
    }
    if ablate {
      let parts: [(String, Optimizations)] = [
        ("layer tensor fusion", .layerTensorFusion), ("kernel auto-tuning", .kernelAutoTuning),
        ("dynamic tensor memory", .dynamicTensorMemory),
        ("multi-stream execution", .multiStreamExecution),
      ]
      result += parts.map {
        Variant(
          name: "without \($0.0)", optimizations: .all.subtracting($0.1), precision: precision)
      }
    }
    return result
  }

  /// Measures all candidates in turns, so that they meet the same machine.
  private func measure(_ candidates: inout [Candidate], _ display: ProgressDisplay?) throws {
    for index in candidates.indices { try candidates[index].warmUp(warmup) }
    let turns = 10
    for turn in 0..<turns {
      display?.show("measuring", fraction: Double(turn) / Double(turns))
      for index in candidates.indices {
        let share = steps.map { ($0 * (turn + 1)) / turns - ($0 * turn) / turns }
        try candidates[index].measure(seconds: duration / Double(turns), steps: share)
      }
    }
    display?.show("measuring", fraction: 1)
  }

  private func report(_ candidates: [Candidate]) throws -> BenchReport {
    BenchReport(
      model: candidates[0].engine.name, device: candidates[0].deviceSummary,
      shapes: candidates[0].shapes, processPeakBytes: ProcessMemory.peakBytes,
      results: try candidates.enumerated().map { index, candidate in
        var result = candidate.result
        if index > 0 { result.relativeError = try candidate.relativeError(to: candidates[0]) }
        return result
      })
  }
}

enum BenchVariants {
  /// The model run operator by operator.
  static let native = "native"
}

/// One column: an engine that is measured.
struct Variant {
  var name: String
  var optimizations: Optimizations
  var precision: Precision
}

struct Candidate {
  let name: String
  let engine: Engine
  let context: ExecutionContext
  let buildSeconds: Double
  let shapes: [String: [Int]]
  private(set) var times: [Double] = []
  /// Without copies to and from the host; empty where the host is the device.
  private(set) var deviceTimes: [Double] = []

  init(
    _ variant: Variant, _ source: EngineSource, _ command: BenchCommand, shapes: [String: [Int]],
    ranges: Calibration?, display: ProgressDisplay?
  ) throws {
    name = variant.name
    let clock = ContinuousClock()
    let start = clock.now
    if case .engine = source {
      engine = try source.engine(command.common, command.build, progress: display)
    } else {
      var builder = EngineSource.builder(command.common, command.build, progress: display)
      builder.optimizations = variant.optimizations
      builder.precision = variant.precision
      builder.shapes = shapes
      builder.calibration = ranges
      if variant.name != command.common.precision { builder.dumpDirectory = nil }
      engine = try builder.buildNow(try source.model(command.common))
    }
    context = try engine.makeContext(shapes: shapes)
    buildSeconds = start.duration(to: clock.now).seconds
    let inputs = try RandomInputs.tensors(
      for: engine, shapes: shapes, seed: command.common.seed)
    for (name, tensor) in inputs { try context.setInput(name, tensor) }
    self.shapes = inputs.mapValues(\.shape)
  }

  var deviceSummary: String { engine.deviceSummary }

  /// Samples of one inference: the first extent of the first input.
  var batch: Int { engine.inputs.first.flatMap { shapes[$0.name]?.first } ?? 1 }

  mutating func warmUp(_ count: Int) throws {
    for _ in 0..<count { try context.run() }
  }

  mutating func measure(seconds: Double, steps: Int?) throws {
    let clock = ContinuousClock()
    let start = clock.now
    var done = 0
    while steps.map({ done < $0 }) ?? (start.duration(to: clock.now).seconds < seconds) {
      let began = clock.now
      try context.run()
      times.append(began.duration(to: clock.now).seconds)
      done += 1
    }
    deviceTimes += try context.deviceSeconds(runs: min(max(done, 3), 50)) ?? []
  }

  /// The largest error among the outputs of the last runs, which had the same inputs.
  func relativeError(to other: Candidate) throws -> Double {
    var worst = 0.0
    for name in engine.outputs.map(\.name) {
      let difference = TensorDifference(
        try context.output(name), try other.context.output(name))
      worst = max(worst, difference.relative)
    }
    // JSON has no infinity.
    return min(worst, 1e300)
  }

  var result: BenchResult {
    let sorted = times.sorted()
    let device = deviceTimes.sorted()
    let mean = times.reduce(0, +) / Double(max(times.count, 1))
    func percentile(_ share: Double) -> Double {
      sorted.isEmpty
        ? 0
        : sorted[min(sorted.count - 1, Int((share * Double(sorted.count)).rounded(.up)) - 1)] * 1e3
    }
    let median = percentile(0.5)
    return BenchResult(
      name: name, steps: times.count, batch: batch, medianMs: median, meanMs: mean * 1e3,
      minMs: (sorted.first ?? 0) * 1e3, maxMs: (sorted.last ?? 0) * 1e3, p90Ms: percentile(0.9),
      p95Ms: percentile(0.95), p99Ms: percentile(0.99),
      deviceMedianMs: device.isEmpty ? nil : device[device.count / 2] * 1e3,
      throughputPerSecond: mean > 0 ? Double(batch) / mean : 0,
      arenaBytes: context.arenaBytes, weightBytes: context.executable?.weightBytes ?? 0,
      layers: context.tuned?.tuned.program.steps.count ?? 0, buildSeconds: buildSeconds)
  }
}

struct BenchResult: Encodable {
  var name: String
  var steps: Int
  var batch: Int
  var medianMs: Double
  var meanMs: Double
  var minMs: Double
  var maxMs: Double
  var p90Ms: Double
  var p95Ms: Double
  var p99Ms: Double
  /// The GPU's own time, without copies to and from the host.
  var deviceMedianMs: Double?
  var throughputPerSecond: Double
  var arenaBytes: Int
  var weightBytes: Int
  var layers: Int
  var buildSeconds: Double
  /// Against the first column; nil for that column itself.
  var relativeError: Double?

  enum CodingKeys: String, CodingKey {
    case name, steps, batch, layers
    case medianMs = "median_ms"
    case meanMs = "mean_ms"
    case minMs = "min_ms"
    case maxMs = "max_ms"
    case p90Ms = "p90_ms"
    case p95Ms = "p95_ms"
    case p99Ms = "p99_ms"
    case deviceMedianMs = "device_median_ms"
    case throughputPerSecond = "throughput_per_s"
    case arenaBytes = "arena_bytes"
    case weightBytes = "weight_bytes"
    case buildSeconds = "build_s"
    case relativeError = "relative_error"
  }
}

struct BenchReport: Encodable {
  var model: String
  var device: String
  var shapes: [String: [Int]]
  var processPeakBytes: Int
  var results: [BenchResult]

  enum CodingKeys: String, CodingKey {
    case model, device, shapes, results
    case processPeakBytes = "process_peak_bytes"
  }
}

/// The table of `bench`.
enum BenchTable {
  static func show(_ report: BenchReport, candidates: [Candidate]) {
    let inputs = report.shapes.sorted { $0.key < $1.key }
      .map { "\($0.key) \($0.value.map(String.init).joined(separator: "x"))" }
    Output.line("\(report.model), \(inputs.joined(separator: ", "))")
    Output.line("\(report.device)")
    Output.line()
    for result in report.results {
      Output.line(result.name)
      Output.line(String(format: "  Average step time: %.3f msec", result.meanMs))
      Output.line(
        String(format: "  Average throughput: %.1f samples/sec", result.throughputPerSecond))
    }
    Output.line()
    let first = report.results[0]
    func row(_ title: String, _ cell: (BenchResult) -> String) -> [String] {
      [title] + report.results.map(cell)
    }
    func milliseconds(_ value: Double) -> String { String(format: "%.3f ms", value) }
    let deviceRows =
      first.deviceMedianMs == nil
      ? []
      : [
        row("Device time median") { $0.deviceMedianMs.map(milliseconds) ?? "-" },
        row("Device speed against \(first.name)") { result in
          guard let own = first.deviceMedianMs, let other = result.deviceMedianMs else {
            return "-"
          }
          return String(format: "%.2fx", own / max(other, 1e-9))
        },
      ]
    Output.table(
      [
        row("") { $0.name },
        row("Latency mean") { milliseconds($0.meanMs) },
        row("Latency median (p50)") { milliseconds($0.medianMs) },
        row("Latency minimum") { milliseconds($0.minMs) },
        row("Latency p90") { milliseconds($0.p90Ms) },
        row("Latency p95") { milliseconds($0.p95Ms) },
        row("Latency p99") { milliseconds($0.p99Ms) },
        row("Speed against \(first.name)") {
          String(format: "%.2fx", first.medianMs / max($0.medianMs, 1e-9))
        },
        row("Error against \(first.name)") {
          $0.relativeError.map { String(format: "%.2g", $0) } ?? "-"
        },
      ] + deviceRows + [
        row("Kernels") { "\($0.layers)" },
        row("Arena") { Output.bytes($0.arenaBytes) },
        row("Weights") { Output.bytes($0.weightBytes) },
        row("Build time") { Output.seconds($0.buildSeconds) },
        row("Steps measured") { "\($0.steps)" },
      ])
    Output.line()
    Output.line(
      "Peak memory of the whole run, builds included: \(Output.bytes(report.processPeakBytes))")
  }
}

import CPUDevice
import CUDADevice
package import DeviceInterface
import EngineFormat
public import Foundation
package import GraphModel
import KernelAutoTuning
package import PrecisionCalibration
package import TensorModel

/// Makes engines out of models.
///
///     let engine = try await Builder().build(Model(contentsOf: url))
public struct Builder: Sendable {
  /// Where the engine is tuned and runs: `cpu`, or `cuda:0` for the first GPU.
  public var device = "cpu"
  /// Threads of the CPU, the caller's included; nil for all that the process may use.
  public var threads: Int?
  /// How hard the tuner tries: 0 (the cost model alone) to 5.
  public var tuning = 3
  /// Seconds after which the tuner leaves the remaining layers to the cost model.
  public var tuningBudget: Double?
  /// A file of timings to start from; what is measured is added to it. The same cache gives the same
  /// engine, byte for byte.
  public var timingCache: URL?
  /// Extents to fix, by input name: the engine takes no others. Symbolic extents that are not given stay
  /// symbolic, and are tuned at 1.
  public var shapes: [String: [Int]] = [:]
  /// The ranges of the model's tensors: layers that would overflow in FP16 stay in FP32.
  public var calibration: Calibration?
  /// Bytes that a layer may use beside its operands while it runs; tactics that need more are not chosen where there are
  /// others. Nil for no bound. It bounds neither weights nor activations.
  public var maxWorkspaceSizeBytes: Int?
  /// On a GPU: layers between steps of the host that compute fewer operators than this run on the host too.
  public var minimumSegmentSize = 1
  /// Whether what the device has no kernel for runs on the host; otherwise it is an error that names the node.
  public var allowsFallback = true
  /// Told about the progress of long work.
  public var progress: (@Sendable (BuildProgress) -> Void)?

  package var precision = Precision.fp32
  /// For INT8, of what is not computed on integers; nil for what the device is fastest in, FP32 or FP16.
  package var rest: Precision?
  /// Why layers do not get the precision, by the names of nodes.
  package var excluded: [String: PrecisionAssignment.Reason] = [:]
  package var optimizations = Optimizations.all
  package var dumpDirectory: String?
  package var instructionSet: String?

  /// A builder for the CPU.
  public init() {}

  /// Optimises, tunes and loads a model.
  ///
  /// - Throws: `NeedletailError` that names the node, what was expected and what was found.
  public func build(_ model: Model) async throws(NeedletailError) -> Engine {
    try buildNow(model)
  }

  package func buildNow(_ model: Model) throws(NeedletailError) -> Engine {
    let device = try Devices.open(device, threads: threads, instructionSet: instructionSet)
    var pipeline = Pipeline()
    pipeline.optimizations = optimizations
    pipeline.precision = precision
    pipeline.rest = rest ?? (device.isFasterInSixteenBits ? .fp16 : .fp32)
    pipeline.minimumSegmentSize = minimumSegmentSize
    pipeline.allowsFallback = allowsFallback
    if let calibration {
      try calibration.verify(model)
      pipeline.calibration = calibration.table
    }
    pipeline.excluded = excluded
    if let dumpDirectory { pipeline.trace = try StepTrace(directory: dumpDirectory) }
    try checkShapes(of: model)
    let (tactics, choices) = try tacticSource()
    let whole = pipeline
    // What is expanded when shapes arrive, and what further signatures compute, has no ranges.
    pipeline.precision = precision.whereNotCalibrated
    pipeline.calibration = nil
    pipeline.excluded = [:]
    let runtime = Runtime(pipeline: pipeline, device: device, tactics: tactics)
    var parts = [try part(model.graph, whole, runtime, model.name)]
    for (name, graph) in model.further {
      do {
        parts.append(
          try part(graph, pipeline, runtime, "\(model.name) \(name)", first: parts[0]))
      } catch {
        throw NeedletailError(error.stage, "signature '\(name)': \(error.description)")
      }
    }
    if let choices { try save(choices.cache) }
    progress?(BuildProgress(phase: .finished, fraction: 1, detail: model.name))
    let section = DeviceSection(
      deviceClass: device.deviceClass, choices: choices?.choices ?? [:],
      code: parts.reduce(into: [:]) { $0.merge($1.executor.code) { $1 } })
    return Engine(
      contents: contents(model, parts, section), executors: parts.map(\.executor),
      report: parts[0].optimized)
  }

  /// What one signature becomes.
  private struct Part {
    var optimized: OptimizedGraph
    var executor: GraphExecutor
    /// Whether it is the first signature under another name.
    var isFirst = false
  }

  private func part(
    _ graph: Graph, _ pipeline: Pipeline, _ runtime: Runtime, _ detail: String,
    first: Part? = nil
  ) throws(NeedletailError) -> Part {
    progress?(BuildProgress(phase: .optimizing, fraction: 0, detail: detail))
    let own = graph.inputs.map { graph[$0].name }
    let fixed = try graph.fixingInputs(shapes.filter { own.contains($0.key) })
    let optimized = try pipeline.optimize(fixed)
    if let first, optimized.unassigned.isIdentical(to: first.optimized.unassigned) {
      return Part(optimized: first.optimized, executor: first.executor, isFirst: true)
    }
    let executor = GraphExecutor(optimized.graph, runtime: runtime)
    try tune(executor)
    return Part(optimized: optimized, executor: executor)
  }

  /// Each input that a shape is given for is one of a signature.
  private func checkShapes(of model: Model) throws(NeedletailError) {
    let graphs = [model.graph] + model.further.map(\.graph)
    let names = graphs.flatMap { graph in graph.inputs.map { graph[$0].name } }
    for name in shapes.keys.sorted() where !names.contains(name) {
      _ = try model.graph.fixingInputs([name: shapes[name] ?? []])
    }
  }

  private func contents(
    _ model: Model, _ parts: [Part], _ section: DeviceSection
  ) -> EngineContents {
    var options: [String: String] = [:]
    if let maxWorkspaceSizeBytes { options["workspace"] = "\(maxWorkspaceSizeBytes)" }
    if minimumSegmentSize > 1 { options["minimum segment size"] = "\(minimumSegmentSize)" }
    func metadata(_ part: Part) -> [String: String] {
      part.optimized.metadata.merging(options) { $1 }
    }
    var contents = EngineContents(
      name: model.name, graph: parts[0].optimized.graph, metadata: metadata(parts[0]),
      sections: [section])
    contents.signature = model.signature
    contents.furtherSignatures = zip(model.further, parts.dropFirst()).map { signature, part in
      EngineSignature(
        name: signature.name, graph: part.optimized.graph, metadata: metadata(part),
        isFirst: part.isFirst)
    }
    return contents
  }

  /// Plans, and thereby tunes, for representative shapes. A network that has none at extents of 1 is tuned
  /// when it first runs.
  private func tune(_ executor: GraphExecutor) throws(NeedletailError) {
    do { _ = try executor.plan(for: executor.graph.representativeTypes()) } catch {
      guard !executor.graph.inputSymbols.isEmpty else { throw error }
    }
  }

  private func tacticSource() throws(NeedletailError) -> (any TacticSource, MeasuringTactics?) {
    guard optimizations.contains(.kernelAutoTuning) else { return (FirstTactics(), nil) }
    guard let level = TuningLevel(tuning) else {
      throw NeedletailError(.build, "tuning level \(tuning) is not one of 0...5")
    }
    var cache = TimingCache()
    if let path = timingCache?.path, FileManager.default.fileExists(atPath: path) {
      do { cache = try TimingCache(contentsOf: path) } catch {
        throw NeedletailError(.build, error.description)
      }
    }
    let progress = progress
    let tuner = Tuner(
      level: level, budgetSeconds: tuningBudget, workspaceBytes: maxWorkspaceSizeBytes
    ) { tuning in
      progress?(
        BuildProgress(
          phase: .tuning,
          fraction: Double(tuning.finishedSteps) / Double(max(tuning.totalSteps, 1)),
          detail: tuning.step))
    }
    let source = MeasuringTactics(tuner, cache: cache)
    return (source, source)
  }

  private func save(_ cache: TimingCache) throws(NeedletailError) {
    guard let path = timingCache?.path else { return }
    do { try cache.write(to: path) } catch { throw NeedletailError(.build, error.description) }
  }
}

/// How far a build has come.
public struct BuildProgress: Sendable, Hashable {
  /// What the builder is doing.
  public enum Phase: String, Sendable, Hashable {
    /// Rewriting the graph.
    case optimizing
    /// Measuring tactics.
    case tuning
    /// Done.
    case finished
  }

  /// What the builder is doing.
  public let phase: Phase
  /// The share of the phase that is done, 0 to 1.
  public let fraction: Double
  /// The model or layer that is worked on.
  public let detail: String
}

/// The devices of this machine.
package enum Devices {
  package static func open(
    _ name: String, threads: Int?, instructionSet: String? = nil
  ) throws(NeedletailError) -> any Device {
    if let index = try cudaIndex(name) {
      do { return try CUDA(index: index) } catch {
        throw NeedletailError(.device, error.description)
      }
    }
    if let threads, threads < 1 {
      throw NeedletailError(.device, "\(threads) threads: at least one is needed")
    }
    do { return try CPU(threads: threads, instructionSet: instructionSet) } catch {
      throw NeedletailError(.device, error.description)
    }
  }
}

extension Devices {
  /// The number in `cuda:1`; `cuda` is the first; nil for the CPU.
  private static func cudaIndex(_ name: String) throws(NeedletailError) -> Int? {
    if name == "cpu" { return nil }
    if name == "cuda" { return 0 }
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0] == "cuda", let index = Int(parts[1]), index >= 0 else {
      throw NeedletailError(
        .device, "device '\(name)' is not known; give cpu, or cuda:0 for the first GPU")
    }
    return index
  }
}

extension Graph {
  /// The graph with the given inputs' extents fixed.
  package func fixingInputs(_ shapes: [String: [Int]]) throws(NeedletailError) -> Graph {
    guard !shapes.isEmpty else { return self }
    var result = self
    var symbols: [String: Int] = [:]
    for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      guard let id = inputs.first(where: { self[$0].name == name }) else {
        let names = inputs.map { "'\(self[$0].name)'" }.joined(separator: ", ")
        throw NeedletailError(.input, "there is no input '\(name)'; the model has \(names)")
      }
      guard shape.allSatisfy({ $0 >= 0 }), ShapeMath.elementCount(shape) != nil else {
        throw NeedletailError(.input, "shape \(Shape(shape)) for input '\(name)' is out of range")
      }
      guard let type = self[id].type else { continue }
      guard type.rank == shape.count else {
        throw NeedletailError(
          .input,
          "input '\(name)' has shape \(type.shape), not \(Shape(shape)): another count of axes")
      }
      for (declared, extent) in zip(type.shape.dimensions, shape) {
        if let fixed = declared.constant, fixed != extent {
          throw NeedletailError(
            .input, "input '\(name)' has shape \(type.shape), which does not take \(Shape(shape))")
        }
        for symbol in declared.symbols where declared == .symbol(symbol) {
          symbols[symbol] = extent
        }
      }
    }
    // A symbol that is fixed for one input is fixed wherever it occurs.
    for index in result.values.indices {
      let id = ValueID(index)
      result[id].type = result[id].type?.substituting(symbols)
      result[id].symbolic = result[id].symbolic?.map { $0.substituting(symbols) }
    }
    return result
  }

  /// The types of the inputs with every symbol replaced by 1.
  package func representativeTypes() throws(NeedletailError) -> [TensorType] {
    let ones = Dictionary(uniqueKeysWithValues: inputSymbols.map { ($0, 1) })
    var types: [TensorType] = []
    for id in inputs {
      guard let type = self[id].type else {
        throw NeedletailError(.input, "the type of input '\(self[id].name)' is not known")
      }
      types.append(type.substituting(ones))
    }
    return types
  }
}

extension OptimizedGraph {
  /// What an engine says about how it was made.
  package var metadata: [String: String] {
    var result: [String: String] = ["precision": precision.requested.rawValue]
    for (rule, count) in report.counts where count > 0 { result["rule: \(rule)"] = "\(count)" }
    if let overflows = precision.overflowSummary { result["range analysis"] = overflows }
    if precision.requested != .fp32 {
      result["layers"] = precision.countSummary
      for entry in precision.exceptions {
        result["\(entry.precision?.rawValue ?? "-"): '\(entry.node)' (\(entry.operation))"] =
          entry.reason.description
      }
    }
    return result
  }
}

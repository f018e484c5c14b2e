package import DeviceInterface
import Foundation
package import GraphModel
import GraphSimplification
package import KernelAutoTuning
import LayerTensorFusion
import Operators
package import PrecisionCalibration
import ProgramLowering
import ProgramModel
package import TensorModel

/// The five optimisations, each of which can be left out to see what it is worth.
package struct Optimizations: OptionSet, Sendable, Hashable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  package static let layerTensorFusion = Optimizations(rawValue: 1)
  package static let precisionCalibration = Optimizations(rawValue: 2)
  package static let kernelAutoTuning = Optimizations(rawValue: 4)
  package static let dynamicTensorMemory = Optimizations(rawValue: 8)
  package static let multiStreamExecution = Optimizations(rawValue: 16)

  package static let all: Optimizations = [
    .layerTensorFusion, .precisionCalibration, .kernelAutoTuning, .dynamicTensorMemory,
    .multiStreamExecution,
  ]
  /// The model run operator by operator: what everything else is measured against.
  package static let native: Optimizations = []
}

/// The way of the data: from a model's graph to an executable, one named step after the other.
///
///     graph -> expand -> simplify -> fuse -> precision -> | specialise -> lower -> tune -> load
///
/// What is left of the bar is done once for an engine, with symbolic shapes; what is right of it once for
/// each set of shapes.
package struct Pipeline: Sendable {
  package var optimizations: Optimizations = .all
  package var precision: Precision = .fp32
  /// For INT8, of what is not computed on integers.
  package var rest: Precision = .fp32
  /// What calibration has seen.
  package var calibration: CalibrationTable?
  /// Why layers do not get the precision, by the names of nodes.
  package var excluded: [String: PrecisionAssignment.Reason] = [:]
  /// On a GPU: kernels between steps of the host that compute fewer operators run on the host too.
  package var minimumSegmentSize = 1
  /// Whether what the device has no kernel for runs on the host, or is an error.
  package var allowsFallback = true
  package var limits = Limits()
  package var trace: StepTrace?

  package init() {}

  /// The graph that an engine keeps.
  package func optimize(_ model: Graph) throws(NeedletailError) -> OptimizedGraph {
    var report = RewriteReport()
    var graph = try step("expand") { () throws(ExpansionError) in try GraphExpansion.expand(model) }
    if optimizations.contains(.layerTensorFusion) {
      let isQuantized = LayerFusion.isQuantized(graph)
      graph = try step("simplify") { () throws(GraphError) in
        try GraphSimplifier.simplify(
          graph, limits: limits, keepsQuantized: isQuantized, report: &report)
      }
      if isQuantized { graph = try fuseQuantized(graph, report: &report) }
      graph = try step("layer-tensor-fusion") { () throws(GraphError) in
        try LayerFusion.fuse(graph, report: &report)
      }
      graph = try step("simplify-again") { () throws(GraphError) in
        try GraphSimplifier.simplify(graph, limits: limits, report: &report)
      }
    } else {
      graph = try step("order") { () throws(GraphError) in try graph.sorted().compacted() }
    }
    let assignment = try assignPrecisions(graph)
    let assigned = try step("precision-calibration") { () throws(GraphError) in
      try PrecisionRewriter.apply(graph, assignment)
    }
    return OptimizedGraph(
      graph: assigned, unassigned: graph, report: report, precision: assignment)
  }

  /// Contractions of integers in the place of those of multiples of a scale, where the model has any.
  private func fuseQuantized(
    _ model: Graph, report: inout RewriteReport
  ) throws(NeedletailError) -> Graph {
    var graph = model
    for stage in LayerFusion.QuantizedStage.allCases {
      graph = try step("quantized-\(stage)") { () throws(GraphError) in
        let fused = try LayerFusion.fuse(graph, quantized: stage, report: &report)
        return try GraphSimplifier.simplify(
          fused, limits: limits, keepsQuantized: stage == .movement, report: &report)
      }
    }
    return graph
  }

  /// A graph whose symbols have become numbers. What shapes decide is folded first: operators that waited for it
  /// read it.
  package func optimize(specialized graph: Graph) throws(NeedletailError) -> OptimizedGraph {
    var report = RewriteReport()
    let known = try step("fold-shapes") { () throws(GraphError) in
      try GraphSimplifier.simplify(graph, limits: limits, keepsQuantized: true, report: &report)
    }
    return try optimize(known)
  }

  /// The precision of every layer; FP32 where the optimisation is left out.
  private func assignPrecisions(_ graph: Graph) throws(NeedletailError) -> PrecisionAssignment {
    let wanted = optimizations.contains(.precisionCalibration) ? precision : .fp32
    do {
      let assignment = try PrecisionPolicy.assign(
        graph, wanted, rest: rest, table: calibration, excluded: excluded)
      trace?.write("precision-assignment", assignment.description)
      return assignment
    } catch { throw NeedletailError(.build, error.description) }
  }

  /// A graph of kernels with concrete shapes as steps.
  ///
  /// - Parameter joinsSums: what the device says about it.
  func lower(_ graph: Graph, joinsSums: Bool) throws(NeedletailError) -> Program {
    var options = LoweringOptions()
    options.worksInPlace = optimizations.contains(.dynamicTensorMemory)
    options.assignsLayouts = optimizations != .native
    options.aliasesConcatenations = optimizations.contains(.dynamicTensorMemory)
    options.joinsSums = joinsSums && optimizations.contains(.layerTensorFusion)
    do { return try GraphLowering.lower(graph, options: options) } catch {
      throw NeedletailError(.build, error.description)
    }
  }

  /// A graph of kernels with concrete shapes, ready to run on a device.
  package func compile(
    _ graph: Graph, for device: any Device, choosing source: any TacticSource
  ) throws(NeedletailError) -> CompiledProgram {
    let program = try lower(graph, joinsSums: device.joinsSums)
    trace?.write("lower", program.description)
    var tuned = try source.choose(for: program, on: device)
    tuned.moveSmallSegmentsToHost(minimumSegmentSize, on: device)
    trace?.write("kernel-auto-tuning", tuned.summary)
    var loading = LoadOptions()
    loading.plansMemory = optimizations.contains(.dynamicTensorMemory)
    loading.runsBranchesInParallel = optimizations.contains(.multiStreamExecution)
    loading.launchesTogether = optimizations != .native
    do {
      let executable = try device.load(program, tactics: tuned.tactics, options: loading)
      if !allowsFallback { try SegmentReport.refuseFallback(executable, program) }
      return CompiledProgram(tuned: tuned, executable: executable)
    } catch let error as DeviceError {
      throw NeedletailError(.device, error.description)
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.device, "\(error)")
    }
  }

  private func step<E: Error & CustomStringConvertible>(
    _ name: String, _ body: () throws(E) -> Graph
  ) throws(NeedletailError) -> Graph {
    do {
      let graph = try body()
      trace?.write(name, graph.description)
      return graph
    } catch { throw NeedletailError(.build, error.description) }
  }
}

/// A graph after all passes, with what they did.
package struct OptimizedGraph: Sendable {
  package var graph: Graph
  /// Before precisions were assigned.
  package var unassigned: Graph
  package var report: RewriteReport
  package var precision: PrecisionAssignment
}

/// A program with its tactics, loaded on a device.
package struct CompiledProgram: Sendable {
  package var tuned: TunedProgram
  package var executable: any Executable
}

extension TunedProgram {
  /// One line per step: the tactic and its time.
  package var summary: String {
    zip(program.steps, choices).map { step, choice in
      let kind = choice.isMeasured ? "measured" : "estimated"
      return "'\(step.name)' \(choice.tactic.name): \(choice.seconds * 1e6) us \(kind), "
        + "\(choice.measured) of \(choice.available) tactics timed"
    }.joined(separator: "\n") + "\n"
  }
}

/// Writes what each step made into a folder: `03-layer-tensor-fusion.txt`.
package final class StepTrace: Sendable {
  private let directory: String
  private let counter = Counter()

  package init(directory: String) throws(NeedletailError) {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch { throw NeedletailError(.build, "folder '\(directory)' cannot be made: \(error)") }
    self.directory = directory
  }

  /// A dump that cannot be written does not stop the build.
  func write(_ name: String, _ text: String) {
    let number = counter.next()
    let prefix = number < 10 ? "0\(number)" : "\(number)"
    let url = URL(fileURLWithPath: directory).appendingPathComponent("\(prefix)-\(name).txt")
    try? text.write(to: url, atomically: true, encoding: .utf8)
  }
}

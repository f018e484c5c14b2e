import DeviceInterface
import EngineFormat
import GraphModel
import KernelAutoTuning
import ProgramModel
import TensorModel

/// What of a network runs on the device's own kernels, and what does not: the segments between which tensors
/// go to and fro.
package struct SegmentReport: Sendable, Hashable, Encodable {
  /// Nodes that follow each other and run in one place.
  package struct Segment: Sendable, Hashable, Encodable {
    /// Whether the device has no kernels for it.
    package var isFallback: Bool
    /// Why, for a fallback.
    package var reason: String?
    /// The names of its layers.
    package var layers: [String]
    /// The model's operators that it computes.
    package var operators: Int
    /// Nil where nothing was timed.
    package var seconds: Double?
  }

  package var segments: [Segment]
  /// The share of a run's time that nodes of the host take, where there are any.
  private var measuredShare: Double?
  /// Operators that are planned only when the shapes of host nodes' results are known.
  package var decidedAtRun: Int

  package var operators: Int { segments.reduce(0) { $0 + $1.operators } }
  package var fallbacks: [Segment] { segments.filter(\.isFallback) }
  /// The share of operators that the device's kernels compute.
  package var convertedShare: Double {
    let outside = fallbacks.reduce(0) { $0 + $1.operators }
    return operators == 0 ? 1 : Double(operators - outside) / Double(operators)
  }
  /// The share of the time that fallbacks take; nil where not all was timed.
  package var fallbackTimeShare: Double? {
    let times = segments.compactMap(\.seconds)
    let total = times.reduce(0, +)
    guard times.count == segments.count, total > 0 else { return measuredShare }
    return measuredShare ?? fallbacks.reduce(0) { $0 + ($1.seconds ?? 0) } / total
  }

  package init(segments: [Segment]) {
    self.segments = segments
    decidedAtRun = 0
  }

  /// - Parameters:
  ///   - seconds: the time of each layer of the context's program, or nothing.
  ///   - host: what a run takes, and what of it the host's nodes do.
  package init(
    _ context: ExecutionContext, seconds: [Double] = [],
    host: (whole: Double, nodes: [String: Double])? = nil
  ) {
    segments = []
    measuredShare = host.flatMap { host in
      host.nodes.isEmpty || host.whole <= 0 ? nil : host.nodes.values.reduce(0, +) / host.whole
    }
    decidedAtRun = context.plan.remainder?.executor.graph.nodeCount ?? 0
    if let compiled = context.plan.program?.compiled {
      let hosts = Set(compiled.executable.hostSteps)
      for (index, step) in compiled.tuned.program.steps.enumerated() {
        add(
          step.name, operators: max(step.origins.count, 1), isFallback: hosts.contains(index),
          reason: "the device has no kernel for it, or its segment is too small",
          seconds: index < seconds.count ? seconds[index] : nil)
      }
    }
    for node in context.plan.hostNodes {
      add(
        node.name, operators: 1, isFallback: true,
        reason: node.reason, seconds: host?.nodes[node.name])
    }
  }

  private mutating func add(
    _ layer: String, operators: Int, isFallback: Bool, reason: String, seconds: Double?
  ) {
    if let last = segments.last, last.isFallback == isFallback,
      !isFallback || last.reason == reason
    {
      segments[segments.count - 1].layers.append(layer)
      segments[segments.count - 1].operators += operators
      segments[segments.count - 1].seconds = last.seconds.flatMap { known in
        seconds.map { known + $0 }
      }
      return
    }
    segments.append(
      Segment(
        isFallback: isFallback, reason: isFallback ? reason : nil, layers: [layer],
        operators: operators, seconds: seconds))
  }

  /// One line on the whole, and one for each fallback.
  package var lines: [String] {
    let percent = Double(Int(convertedShare * 1000)) / 10
    let kernels = segments.count - fallbacks.count
    var first =
      "segments: \(kernels) on the device's kernels, \(fallbacks.count) elsewhere; \(percent) % of "
      + "\(operators) operators converted"
    if let share = fallbackTimeShare, !fallbacks.isEmpty {
      first += ", \(Double(Int(share * 1000)) / 10) % of the time elsewhere"
    }
    if decidedAtRun > 0 { first += ", \(decidedAtRun) operators planned when they run" }
    return [first]
      + fallbacks.map { segment in
        let names = segment.layers.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        let more = segment.layers.count > 3 ? " and \(segment.layers.count - 3) more" : ""
        return "  not on the device's kernels: \(names)\(more): \(segment.reason ?? "")"
      }
  }
}

// MARK: - Options

extension SegmentReport {
  static func refusal(of node: String, _ reason: String) -> NeedletailError {
    NeedletailError(
      .build,
      "node '\(node)' does not run on the device's kernels: \(reason); allow fallback, or change the model"
    )
  }

  /// - Throws: `NeedletailError` that names the first step without a kernel.
  static func refuseFallback(
    _ executable: any Executable, _ program: Program
  ) throws(NeedletailError) {
    guard let index = executable.hostSteps.first, program.steps.indices.contains(index) else {
      return
    }
    let step = program.steps[index]
    throw refusal(of: step.name, "there is no kernel for \(step.problem.summary) of its types")
  }
}

extension TunedProgram {
  /// Gives the host the kernels between two of its steps, or beside one, where they compute fewer operators.
  mutating func moveSmallSegmentsToHost(_ minimum: Int, on device: any Device) {
    guard minimum > 1, let host = device.hostTactic, choices.contains(where: { $0.tactic == host })
    else { return }
    var start = 0
    while start < choices.count {
      guard choices[start].tactic != host else {
        start += 1
        continue
      }
      var end = start
      while end < choices.count, choices[end].tactic != host { end += 1 }
      let operators = program.steps[start..<end].reduce(0) { $0 + max($1.origins.count, 1) }
      if operators < minimum { for index in start..<end { choices[index].tactic = host } }
      start = end
    }
  }
}

// MARK: - Library

extension Engine {
  /// What the engine computes, in what precision, and what of it does not run on the device's kernels: some lines
  /// of text.
  ///
  /// - Parameter shapes: the extents of each input; those of fixed extents may be left out.
  public func summary(shapes: [String: [Int]] = [:]) throws(NeedletailError) -> String {
    func text(_ port: TensorDescription) -> String {
      let shape = port.shape.map { $0.isEmpty ? "scalar" : $0.joined(separator: "x") }
      return "\(port.name): \(port.dataType?.rawValue ?? "unknown") \(shape ?? "of unknown shape")"
    }
    var lines = ["\(name), signature \(signatureName), on \(deviceSummary)"]
    lines += inputs.map { "  input  \(text($0))" } + outputs.map { "  output \(text($0))" }
    let context = try makeContext(shapes: shapes)
    lines.append("precision: \(contents.metadata["precision"] ?? "fp32")")
    lines.append("layers: \(context.tuned?.tuned.program.steps.count ?? 0)")
    lines += SegmentReport(context).lines
    let others = signatures.keys.filter { $0 != signatureName }.sorted()
    if !others.isEmpty { lines.append("further signatures: \(others.joined(separator: ", "))") }
    return lines.joined(separator: "\n")
  }
}

import DeviceInterface
import EngineFormat
import GraphModel
import KernelAutoTuning
package import PrecisionCalibration
import ProgramModel
import TensorModel

/// Finds the fastest assignment of INT8 and floating point to layers whose cost stays within a bound.
///
/// Floating point is FP16 or BF16 where the device is faster in it and it alone keeps the bound, else FP32.
/// A layer stays there where the tuner measures it slower on integers, its conversions included. Of the others
/// as many are put back as the bound demands, those first whose error is largest for the time that they save.
package struct PrecisionSearch {
  /// What was found out about a layer.
  package struct Layer: Sendable {
    package var node: String
    package var precision: Precision
    /// Seconds on integers, with conversions, and in floating point.
    package var integerSeconds: Double
    package var floatSeconds: Double
    /// What the layer alone costs; nil where it was not measured.
    package var error: Double?
    package var reason: PrecisionAssignment.Reason
  }

  package private(set) var engine: Engine
  /// In the graph's order.
  package private(set) var layers: [Layer]
  /// On the data that the search looked at, and on data held out of everything.
  package private(set) var loss: Double
  package private(set) var heldOutLoss: Double?

  /// Samples that errors of single layers are measured on.
  private static let samplesForLayers = 8

  /// - Parameters:
  ///   - builder: with a calibration; its precision is not looked at.
  ///   - data: what the search measures on.
  ///   - heldOut: what must stay within the bound in the end.
  package init(
    _ model: Model, builder: Builder, bound: PrecisionBound, data: CalibrationData,
    heldOut: CalibrationData?, progress: (String, Double) -> Void = { _, _ in }
  ) throws(NeedletailError) {
    var builder = builder
    builder.precision = .int8
    builder.excluded = [:]
    var sensitivity = try LayerSensitivity(model, builder: builder)
    let measured = try PrecisionLoss(bound, sensitivity.reference, data, firstSample: 0)
    let floating = try Self.floating(model, builder, limit: bound.limit, measured)
    let rest = floating.precision
    builder.rest = rest
    sensitivity.rest = rest
    var layers = try Self.timed(model, builder, floating)
    if layers.contains(where: { $0.precision == .int8 }) {
      let errors = try sensitivity.errors(
        on: try data.prefix(Self.samplesForLayers).tensors(ofBatch: 0)
      ) { progress("measuring layers", $0) }
      for index in layers.indices { layers[index].error = errors[layers[index].node] }
    }
    let check = try heldOut.map { (heldOut) throws(NeedletailError) in
      try PrecisionLoss(
        bound, sensitivity.reference, heldOut, firstSample: data.sampleCount)
    }
    let candidates = Candidates(layers, sensitivity)
    let kept = try candidates.fewest(within: bound.limit, on: measured, check) {
      progress("searching", $0)
    }
    for name in candidates.order.prefix(kept) {
      guard let index = layers.firstIndex(where: { $0.node == name }) else { continue }
      layers[index].precision = rest
      layers[index].reason = .sensitive(layers[index].error ?? 0)
    }
    for layer in layers where layer.precision != .int8 {
      builder.excluded[layer.node] = layer.reason
    }
    engine = try builder.buildNow(model)
    self.layers = layers
    loss = try measured.loss(of: engine.executor)
    heldOutLoss = try check?.loss(of: engine.executor)
    if let heldOutLoss, !(heldOutLoss <= bound.limit) {
      throw NeedletailError(
        .build,
        "the \(bound.name) on held-out samples is \(heldOutLoss), above the bound of \(bound.limit), "
          + "whichever layers are in \(rest.rawValue); no engine is written")
    }
  }

  /// The network without integers.
  private struct Floating {
    var precision: Precision
    var engine: Engine
    var times: LayerTimes
  }

  /// The network all in floating point: in 16 bits where the device is faster in them and the bound is kept.
  private static func floating(
    _ model: Model, _ builder: Builder, limit: Double, _ measured: PrecisionLoss
  ) throws(NeedletailError) -> Floating {
    let device = try Devices.open(
      builder.device, threads: builder.threads, instructionSet: builder.instructionSet)
    func built(_ precision: Precision) throws(NeedletailError) -> Floating {
      var plain = builder
      plain.precision = precision
      if precision == .fp32 { plain.calibration = nil }
      plain.dumpDirectory = nil
      let engine = try plain.buildNow(model)
      return Floating(precision: precision, engine: engine, times: try LayerTimes(engine))
    }
    let types = device.sixteenBitTypes.compactMap(Precision.init(storage:))
    var best: Floating?
    if !device.isFasterInSixteenBits { best = try built(.fp32) }
    for precision in types {
      let half = try built(precision)
      if let best, half.times.total >= best.times.total { continue }
      if try measured.loss(of: half.engine.executor) <= limit { best = half }
    }
    if let best { return best }
    return try built(.fp32)
  }

  // MARK: Times

  /// Every layer that can be quantised with its times; those that gain nothing are in floating point.
  private static func timed(
    _ model: Model, _ builder: Builder, _ floating: Floating
  ) throws(NeedletailError) -> [Layer] {
    let rest = floating.precision
    let quantized = try builder.buildNow(model)
    let integerTimes = try LayerTimes(quantized)
    let entries = quantized.report?.precision.entries ?? []
    return entries.filter { $0.precision == .int8 }.map { entry in
      let seconds = integerTimes.secondsWithConversions(entry.node)
      let other = floating.times.seconds[entry.node] ?? 0
      let isSlower = seconds >= other && other > 0
      return Layer(
        node: entry.node, precision: isSlower ? rest : .int8, integerSeconds: seconds,
        floatSeconds: other, reason: isSlower ? .slower(seconds, than: other) : .requested)
    }
  }
}

/// The layers that gain by integers, and what the network costs with some of them put back.
private struct Candidates {
  /// Those first that are worth most to put back.
  let order: [String]
  /// Layers that are in floating point in any case.
  private let slower: [String]
  private let sensitivity: LayerSensitivity

  /// How often the search begins anew because held-out data costs more.
  private static let rounds = 4

  init(_ layers: [PrecisionSearch.Layer], _ sensitivity: LayerSensitivity) {
    func price(_ layer: PrecisionSearch.Layer) -> Double {
      let error = layer.error ?? 0
      return error * error / max(layer.floatSeconds - layer.integerSeconds, 1e-9)
    }
    order = layers.filter { $0.precision == .int8 }
      .sorted { (price($0), $1.node) > (price($1), $0.node) }.map(\.node)
    slower = layers.filter { $0.precision != .int8 }.map(\.node)
    self.sensitivity = sensitivity
  }

  /// The smallest count of layers to put back with which the loss is within a limit, also on held-out data.
  func fewest(
    within limit: Double, on data: PrecisionLoss, _ heldOut: PrecisionLoss?,
    progress: (Double) -> Void
  ) throws(NeedletailError) -> Int {
    var target = limit
    var count = 0
    for _ in 1...Self.rounds {
      count = try fewest(from: count, within: target, on: data, progress: progress)
      guard let heldOut, count < order.count else { return count }
      let found = try loss(count, on: heldOut)
      if found <= limit { return count }
      target *= 0.95 * limit / found
    }
    return order.count
  }

  /// By bisection.
  private func fewest(
    from first: Int, within target: Double, on data: PrecisionLoss, progress: (Double) -> Void
  ) throws(NeedletailError) -> Int {
    if try loss(first, on: data) <= target { return first }
    var (low, high) = (first, order.count)
    let span = Double(max(high - low, 1))
    while high - low > 1 {
      progress(1 - Double(high - low) / span)
      let middle = low + (high - low) / 2
      if try loss(middle, on: data) <= target { high = middle } else { low = middle }
    }
    return high
  }

  private func loss(_ count: Int, on data: PrecisionLoss) throws(NeedletailError) -> Double {
    try data.loss(of: try sensitivity.executor(excluding: slower + order.prefix(count)))
  }
}

/// The tuner's times of an engine's layers.
private struct LayerTimes {
  /// By the names of nodes.
  private(set) var seconds: [String: Double] = [:]
  private let graph: Graph

  init(_ engine: Engine) throws(NeedletailError) {
    graph = engine.contents.graph
    let plan = try engine.executor.plan(for: try graph.representativeTypes())
    guard let tuned = plan.program?.compiled.tuned else { return }
    for (step, choice) in zip(tuned.program.steps, tuned.choices) {
      seconds[step.name, default: 0] += choice.seconds
    }
  }

  var total: Double { seconds.values.reduce(0, +) }

  /// A layer's own time and that of conversions that only it reads or whose only source it is.
  func secondsWithConversions(_ name: String) -> Double {
    var sum = seconds[name] ?? 0
    guard let node = graph.liveNodes.first(where: { $0.node.name == name })?.node else {
      return sum
    }
    for (_, other) in graph.liveNodes where other.origins.isEmpty && other.name != name {
      let feeds = other.outputs.contains { node.inputs.contains($0) }
      let follows = other.inputs.contains { $0.map(node.outputs.contains) ?? false }
      guard feeds || follows else { continue }
      let readers = graph.liveNodes.count { $0.node.inputs.contains { $0 == other.outputs.first } }
      sum += (seconds[other.name] ?? 0) / Double(max(follows ? 1 : readers, 1))
    }
    return sum
  }
}

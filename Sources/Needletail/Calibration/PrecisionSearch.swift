import EngineFormat
import GraphModel
import KernelAutoTuning
package import PrecisionCalibration
import ProgramModel
import TensorModel

/// Finds the fastest assignment of INT8 and FP32 to layers whose cost stays within a bound.
///
/// A layer stays in FP32 where the tuner measures it slower on integers, its conversions included. Of the others
/// as many are put back as the bound demands, those first whose error is largest for the time that they save.
package struct PrecisionSearch {
  /// What was found out about a layer.
  package struct Layer: Sendable {
    package var node: String
    package var precision: Precision
    /// Seconds on integers, with conversions, and in FP32.
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
  /// How often the search begins anew because held-out data costs more.
  private static let rounds = 4

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
    let sensitivity = try LayerSensitivity(model, builder: builder)
    var layers = try Self.timed(model, builder)
    let faster = layers.filter { $0.precision == .int8 }.map(\.node)
    if !faster.isEmpty {
      let errors = try sensitivity.errors(
        on: try data.prefix(Self.samplesForLayers).tensors(ofBatch: 0)
      ) { progress("measuring layers", $0) }
      for index in layers.indices { layers[index].error = errors[layers[index].node] }
    }
    let order = Self.order(layers)
    let measured = try PrecisionLoss(bound, sensitivity.reference, data, firstSample: 0)
    let check = try heldOut.map { (heldOut) throws(NeedletailError) in
      try PrecisionLoss(
        bound, sensitivity.reference, heldOut, firstSample: data.sampleCount)
    }
    var target = bound.limit
    var kept = 0
    var loss = 0.0
    var heldOutLoss: Double?
    for round in 1...Self.rounds {
      (kept, loss) = try Self.fewest(layers, order, from: kept, sensitivity, measured, target) {
        progress("searching", $0)
      }
      guard let check else { break }
      let names = Self.excluded(layers, order.prefix(kept))
      let found = try check.loss(of: try sensitivity.executor(excluding: names))
      heldOutLoss = found
      if found <= bound.limit || kept == order.count { break }
      if round == Self.rounds {
        kept = order.count
        heldOutLoss = 0
      }
      target *= 0.95 * bound.limit / found
    }
    for name in order.prefix(kept) {
      guard let index = layers.firstIndex(where: { $0.node == name }) else { continue }
      layers[index].precision = .fp32
      layers[index].reason = .sensitive(layers[index].error ?? 0)
    }
    for layer in layers where layer.precision != .int8 {
      builder.excluded[layer.node] = layer.reason
    }
    engine = try builder.buildNow(model)
    self.layers = layers
    self.loss = loss
    self.heldOutLoss = heldOutLoss
  }

  private static func excluded(_ layers: [Layer], _ names: ArraySlice<String>) -> [String] {
    layers.filter { $0.precision != .int8 }.map(\.node) + names
  }

  /// The layers to put back, in turn.
  private static func order(_ layers: [Layer]) -> [String] {
    func price(_ layer: Layer) -> Double {
      let error = layer.error ?? 0
      return error * error / max(layer.floatSeconds - layer.integerSeconds, 1e-9)
    }
    return layers.filter { $0.precision == .int8 }
      .sorted { (price($0), $1.node) > (price($1), $0.node) }.map(\.node)
  }

  /// The smallest count of layers to put back with which the loss is within a target, by bisection.
  private static func fewest(
    _ layers: [Layer], _ order: [String], from first: Int, _ sensitivity: LayerSensitivity,
    _ measured: PrecisionLoss, _ target: Double, progress: (Double) -> Void
  ) throws(NeedletailError) -> (count: Int, loss: Double) {
    func loss(_ count: Int) throws(NeedletailError) -> Double {
      count == order.count && layers.allSatisfy({ order.contains($0.node) })
        ? 0
        : try measured.loss(
          of: try sensitivity.executor(excluding: excluded(layers, order.prefix(count))))
    }
    let least = try loss(first)
    if least <= target { return (first, least) }
    var low = first
    var high = order.count
    var best = 0.0
    let span = Double(max(high - low, 1))
    while high - low > 1 {
      progress(1 - Double(high - low) / span)
      let middle = low + (high - low) / 2
      let found = try loss(middle)
      if found <= target { (high, best) = (middle, found) } else { low = middle }
    }
    return (high, best)
  }

  // MARK: Times

  /// Every layer that can be quantised with its times; those that gain nothing are in FP32.
  private static func timed(
    _ model: Model, _ builder: Builder
  ) throws(NeedletailError) -> [Layer] {
    let quantized = try builder.buildNow(model)
    var exact = builder
    exact.precision = .fp32
    exact.dumpDirectory = nil
    let floating = try exact.buildNow(model)
    let integerTimes = try LayerTimes(quantized)
    let floatTimes = try LayerTimes(floating)
    let entries = quantized.report?.precision.entries ?? []
    return entries.filter { $0.precision == .int8 }.map { entry in
      let seconds = integerTimes.secondsWithConversions(entry.node)
      let other = floatTimes.seconds[entry.node] ?? 0
      let isSlower = seconds >= other && other > 0
      return Layer(
        node: entry.node, precision: isSlower ? .fp32 : .int8, integerSeconds: seconds,
        floatSeconds: other, reason: isSlower ? .slower(seconds, than: other) : .requested)
    }
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

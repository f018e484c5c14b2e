package import GraphModel
import KernelModel
import TensorModel

/// Which layers multiply 8-bit integers, and how the values that they read are stored.
package struct QuantizationAnalysis: Sendable {
  /// A contraction on integers.
  struct Layer: Sendable {
    var x: ValueID
    var weights: ValueID
    var grid: WeightGrid
  }

  /// By the place of the node among the graph's nodes.
  private(set) var layers: [NodeID: Layer] = [:]
  /// Why other contractions are not.
  private(set) var reasons: [NodeID: PrecisionAssignment.Reason] = [:]
  /// Of the values that are read as integers.
  private(set) var storage: [ValueID: QuantizedStorage] = [:]
  /// The values among them that are not in floating point at all.
  private(set) var stored: Set<ValueID> = []
  /// For each channel of a value its mean, by what calibration has seen.
  private(set) var means: [ValueID: [Double]] = [:]

  /// Sums of so many products of bytes do not leave 32 bits.
  static let largestDepth = Int(Int32.max) / (255 * 127)

  /// - Parameters:
  ///   - table: what calibration has seen of this very network.
  ///   - excluded: why contractions stay in floating point, by the names of their nodes.
  init(
    _ graph: Graph, _ table: CalibrationTable,
    excluded: [String: PrecisionAssignment.Reason] = [:]
  ) {
    for (id, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation, problem.isContraction,
        graph.types(of: node.inputs).first??.dataType == .float32
      else { continue }
      do { layers[id] = try Self.layer(graph, node, problem, table, excluded) } catch {
        reasons[id] = error.reason
      }
    }
    chooseStorage(graph, table)
  }

  private struct Refusal: Error {
    var reason: PrecisionAssignment.Reason
    init(_ reason: PrecisionAssignment.Reason) { self.reason = reason }
  }

  private static func layer(
    _ graph: Graph, _ node: Node, _ problem: KernelProblem, _ table: CalibrationTable,
    _ excluded: [String: PrecisionAssignment.Reason]
  ) throws(Refusal) -> Layer {
    if let reason = excluded[node.name] { throw Refusal(reason) }
    guard case .attention = problem else {
      guard let x = node.inputs[0], let weights = node.inputs[1], graph[x].constant == nil,
        let constant = graph[weights].constant, constant.dataType == .float32,
        let grid = WeightGrid(problem, constant),
        node.outputs.count == 1, graph[node.outputs[0]].type?.dataType == .float32
      else { throw Refusal(.weightsNotConstant) }
      guard grid.depth <= Self.largestDepth else { throw Refusal(.tooDeep(grid.depth)) }
      guard let entry = table.tensors[graph[x].name] else {
        throw Refusal(.notCalibrated(graph[x].name))
      }
      guard entry.observed.nonFinite == 0, entry.absoluteMaximum > 0 else {
        throw Refusal(.noRange(graph[x].name))
      }
      return Layer(x: x, weights: weights, grid: grid)
    }
    throw Refusal(.weightsNotConstant)
  }

  /// The axes of the channels that contractions sum over, by the names of what they read; negative axes count
  /// from the end.
  package static func channelAxes(_ graph: Graph) -> [String: Int] {
    var result: [String: Int] = [:]
    for (_, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation, let x = node.inputs.first ?? nil,
        node.inputs.count >= 2, let weights = node.inputs[1],
        let constant = graph[weights].constant, WeightGrid(problem, constant) != nil
      else { continue }
      if case .convolution = problem {
        result[graph[x].name] = 1
      } else if result[graph[x].name] == nil {
        result[graph[x].name] = -1
      }
    }
    return result
  }
}

// MARK: - Storage

extension QuantizationAnalysis {
  private mutating func chooseStorage(_ graph: Graph, _ table: CalibrationTable) {
    let readers = Readers(graph, layers)
    let outputs = Set(graph.outputs.map(\.value))
    let shared = SharedStorage(graph) { outputs.contains($0) || graph.inputs.contains($0) }
    var groups: [ValueID: [ValueID]] = [:]
    for index in graph.values.indices {
      let id = ValueID(index)
      groups[shared.representative(id), default: []].append(id)
    }
    let read = Set(layers.values.map(\.x))
    for x in read.sorted() {
      let members = groups[shared.representative(x)] ?? [x]
      guard storage[x] == nil else { continue }
      let choice = choose(graph, table, x, members, readers)
      for member in members { storage[member] = choice }
      let isStored = keepsIntegers(graph, members, readers, outputs)
      if isStored { stored.formUnion(members.filter { graph[$0].constant == nil }) }
    }
    storeAddends(graph, table, readers, outputs)
    for x in read {
      guard let entry = table.tensors[graph[x].name] else { continue }
      let channels = layers.values.first { $0.x == x }?.grid.channels ?? 1
      means[x] =
        entry.channels.flatMap { statistics in
          statistics.channels == channels ? (0..<channels).map(statistics.mean) : nil
        } ?? [Double](repeating: entry.mean, count: channels)
    }
  }

  /// What convolutions on integers compute only to be added to the results of others is rounded too.
  private mutating func storeAddends(
    _ graph: Graph, _ table: CalibrationTable, _ readers: Readers, _ outputs: Set<ValueID>
  ) {
    for (id, node) in graph.liveNodes where layers[id] != nil {
      let value = node.outputs[0]
      guard case .kernel(.convolution) = node.operation, storage[value] == nil,
        !outputs.contains(value), readers.others[value] ?? 0 > 0,
        readers.addends[value] == readers.others[value],
        let entry = table.tensors[graph[value].name], entry.observed.nonFinite == 0,
        entry.absoluteMaximum > 0
      else { continue }
      let range = QuantizationRange(low: entry.rangeLow, high: entry.rangeHigh)
      storage[value] = QuantizedStorage(
        zeroPoint: range.zeroPoint, scales: [Float(range.asymmetricScale)])
      stored.insert(value)
    }
  }

  /// Whether values are stored as integers alone. Rows of features, whose sums run on in floating point beside
  /// the products, stay as they are and get a second form.
  private func keepsIntegers(
    _ graph: Graph, _ members: [ValueID], _ readers: Readers, _ outputs: Set<ValueID>
  ) -> Bool {
    if members.contains(where: { outputs.contains($0) || graph.inputs.contains($0) }) {
      return false
    }
    guard members.allSatisfy({ graph[$0].constant != nil || readers.computed.contains($0) }) else {
      return false
    }
    return members.allSatisfy { member in
      let others = readers.others[member] ?? 0
      return others == 0 || readers.convolutions.contains(member)
        || members.count > 1
          && members.contains { readers.convolutions.contains($0) }
    }
  }

  private func choose(
    _ graph: Graph, _ table: CalibrationTable, _ x: ValueID, _ members: [ValueID],
    _ readers: Readers
  ) -> QuantizedStorage {
    var low = 0.0
    var high = 0.0
    for member in members {
      if let entry = table.tensors[graph[member].name] {
        low = min(low, entry.rangeLow)
        high = max(high, entry.rangeHigh)
      } else if let numbers = graph[member].constant?.numbers() {
        low = min(low, numbers.min() ?? 0)
        high = max(high, numbers.max() ?? 0)
      }
    }
    let range = QuantizationRange(low: low, high: high)
    let plain = QuantizedStorage(
      zeroPoint: range.zeroPoint, scales: [Float(range.asymmetricScale)])
    guard members.count == 1, let statistics = table.tensors[graph[x].name]?.channels,
      let rank = graph[x].type?.rank
    else { return plain }
    let layers = layers.values.filter { $0.x == x }
    let axis = statistics.axis < 0 ? rank + statistics.axis : statistics.axis
    guard axis < rank, layers.allSatisfy({ $0.grid.channels == statistics.channels }) else {
      return plain
    }
    let migration = ChannelMigration(
      graph, layers, statistics, range: range, plain: plain, axis: axis)
    return migration.storage
  }
}

/// Who reads each value.
private struct Readers {
  /// Values that convolutions on integers read.
  var convolutions: Set<ValueID> = []
  /// Values that are the only result of a kernel.
  var computed: Set<ValueID> = []
  /// How many readers want floating point, movements left out.
  var others: [ValueID: Int] = [:]
  /// How many of these are convolutions on integers that add it to their results.
  var addends: [ValueID: Int] = [:]

  init(_ graph: Graph, _ layers: [NodeID: QuantizationAnalysis.Layer]) {
    for (id, node) in graph.liveNodes {
      let layer = layers[id]
      if case .kernel = node.operation, node.outputs.count == 1 { computed.insert(node.outputs[0]) }
      if let layer, case .kernel(.convolution) = node.operation { convolutions.insert(layer.x) }
      let moved = Set(SharedStorage.linked(node))
      for (index, input) in node.inputs.enumerated() {
        guard let input, !(index == 0 && layer != nil), !moved.contains(input) else { continue }
        others[input, default: 0] += 1
        if layer != nil, case .kernel(.convolution) = node.operation, index >= 2 {
          addends[input, default: 0] += 1
        }
      }
    }
  }
}

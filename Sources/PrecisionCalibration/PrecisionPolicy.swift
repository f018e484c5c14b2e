package import GraphModel
import KernelModel
import TensorModel

/// The place where the precision of every layer is decided.
package enum PrecisionPolicy {
  /// - Parameters:
  ///   - rest: for INT8, what everything else is computed in: FP32, or FP16.
  ///   - table: what calibration has seen of the graph's tensors.
  ///   - excluded: why layers do not get the precision, by the names of nodes.
  ///   - isBody: whether the graph is a part of a network, whose inputs are not the network's.
  /// - Throws: `PrecisionError` for a precision that engines cannot be built for, or not without a table.
  package static func assign(
    _ graph: Graph, _ precision: Precision, rest: Precision = .fp32,
    table: CalibrationTable? = nil,
    excluded: [String: PrecisionAssignment.Reason] = [:], isBody: Bool = false
  ) throws(PrecisionError) -> PrecisionAssignment {
    guard precision.isImplemented else { throw .notImplemented(precision) }
    if precision == .int8 {
      guard let table else { throw .notCalibrated(precision) }
      return quantizing(
        graph, QuantizationAnalysis(graph, table, excluded: excluded), rest: rest,
        ranges: table.absoluteMaxima)
    }
    let ranges = table?.absoluteMaxima ?? [:]
    let analysis = storage(graph, precision, ranges, isBody: isBody)
    let entries = graph.liveNodes.enumerated().map { index, item in
      entry(graph, item.node, precision, analysis?.decisions[index])
    }
    return PrecisionAssignment(requested: precision, entries: entries, analysis: analysis)
  }

  private static func storage(
    _ graph: Graph, _ precision: Precision, _ ranges: [String: Double], isBody: Bool = false
  ) -> StorageAnalysis? {
    precision.storageType.flatMap(SixteenBits.init).map {
      StorageAnalysis(graph, $0, ranges: ranges, isBody: isBody)
    }
  }

  private static func quantizing(
    _ graph: Graph, _ analysis: QuantizationAnalysis, rest: Precision, ranges: [String: Double]
  ) -> PrecisionAssignment {
    let decisions = storage(graph, rest, ranges)?.decisions
    let entries = graph.liveNodes.enumerated().map { index, item in
      let (id, node) = item
      var result = entry(graph, node, rest, decisions?[index])
      guard [.fp32, .tf32, rest].contains(result.precision) else { return result }
      if analysis.layers[id] != nil {
        (result.precision, result.reason) = (.int8, .requested)
      } else if let reason = analysis.reasons[id] {
        result.reason = reason
      } else if result.reason == .requested {
        result.reason = .noProducts
      }
      return result
    }
    var storage: [String: QuantizedStorage] = [:]
    for value in analysis.stored { storage[graph[value].name] = analysis.storage[value] }
    return PrecisionAssignment(
      requested: .int8, rest: rest, ranges: ranges, entries: entries, quantization: analysis,
      storage: storage)
  }

  private static func entry(
    _ graph: Graph, _ node: Node, _ precision: Precision, _ decision: StorageAnalysis.Decision?
  ) -> PrecisionAssignment.Entry {
    let operation: String
    let result: (Precision?, PrecisionAssignment.Reason)
    switch node.operation {
    case .kernel(let problem):
      operation = problem.family
      result = decide(graph, node, problem, precision, decision)
    case .host(let record):
      operation = record.name
      result = (nil, .host)
    case .pending(let record):
      operation = record.name
      result = (nil, .unknown)
    case .control:
      operation = node.operation.summary
      result = (nil, .control)
    }
    return PrecisionAssignment.Entry(
      node: node.name, operation: operation, precision: result.0, reason: result.1)
  }

  private static func decide(
    _ graph: Graph, _ node: Node, _ problem: KernelProblem, _ precision: Precision,
    _ decision: StorageAnalysis.Decision?
  ) -> (Precision?, PrecisionAssignment.Reason) {
    if let decision {
      switch decision.treatment {
      case .sixteen, .integers: return (precision, decision.reason)
      case .single, .reduction: return (.fp32, decision.reason)
      case .inputs: return (.tf32, decision.reason)
      case .movement: return (nil, decision.reason)
      case .fixed: break
      }
    }
    switch problem {
    case .copy, .gather, .scatter, .sort: return (nil, .movement)
    default: break
    }
    let types = graph.types(of: node.inputs + node.outputs).compactMap { $0?.dataType }
    guard types.count > 0 else { return (nil, .unknown) }
    let floating = types.filter(\.isFloatingPoint)
    guard let type = floating.first(where: { $0 != .float32 }) ?? floating.first else {
      return (nil, .integers)
    }
    switch type {
    case .float32:
      let isReduced = precision == .tf32
      guard isReduced, !problem.isContraction else {
        return (isReduced ? .tf32 : .fp32, .requested)
      }
      return (.fp32, .noProducts)
    case .float16: return (.fp16, .typeOfModel)
    case .bfloat16: return (.bf16, .typeOfModel)
    case .float64: return (nil, .typeOfModel)
    default: return (.fp8, .typeOfModel)
    }
  }
}

package import GraphModel
import KernelModel
import TensorModel

/// The place where the precision of every layer is decided.
package enum PrecisionPolicy {
  /// - Parameters:
  ///   - table: what calibration has seen of the graph's tensors.
  ///   - excluded: why layers do not get the precision, by the names of nodes.
  /// - Throws: `PrecisionError` for a precision that engines cannot be built for, or not without a table.
  package static func assign(
    _ graph: Graph, _ precision: Precision, table: CalibrationTable? = nil,
    excluded: [String: PrecisionAssignment.Reason] = [:]
  ) throws(PrecisionError) -> PrecisionAssignment {
    guard precision.isImplemented else { throw .notImplemented(precision) }
    if precision == .int8 {
      guard let table else { throw .notCalibrated(precision) }
      return quantizing(graph, QuantizationAnalysis(graph, table, excluded: excluded))
    }
    let ranges = table?.absoluteMaxima ?? [:]
    let analysis = precision.storageType.flatMap(SixteenBits.init).map {
      StorageAnalysis(graph, $0, ranges: ranges)
    }
    let entries = graph.liveNodes.enumerated().map { index, item in
      entry(graph, item.node, precision, analysis?.decisions[index])
    }
    return PrecisionAssignment(requested: precision, entries: entries, analysis: analysis)
  }

  private static func quantizing(
    _ graph: Graph, _ analysis: QuantizationAnalysis
  ) -> PrecisionAssignment {
    let entries = graph.liveNodes.map { id, node in
      var result = entry(graph, node, .int8, nil)
      guard result.precision == .fp32 else { return result }
      if analysis.layers[id] != nil {
        (result.precision, result.reason) = (.int8, .requested)
      } else {
        result.reason = analysis.reasons[id] ?? .noProducts
      }
      return result
    }
    var storage: [String: QuantizedStorage] = [:]
    for value in analysis.stored { storage[graph[value].name] = analysis.storage[value] }
    return PrecisionAssignment(
      requested: .int8, entries: entries, quantization: analysis, storage: storage)
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
      case .sixteen: return (precision, decision.reason)
      case .single, .reduction: return (.fp32, decision.reason)
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

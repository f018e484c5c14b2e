import GraphModel
import KernelModel
import TensorModel

/// Computes once what is written twice, and keeps equal constants once.
struct CommonSubexpressions {
  static let constantName = "equal constants => constant"
  static let nodeName = "same problem on same operands => one node"

  private struct Key: Hashable {
    var problem: KernelProblem
    var inputs: [ValueID?]
  }

  private struct SymbolicKey: Hashable {
    var type: TensorType?
    var elements: [Dimension]
  }

  private var same: [ValueID: ValueID] = [:]

  static func merged(_ graph: Graph, report: inout RewriteReport) throws(GraphError) -> Graph {
    var pass = CommonSubexpressions()
    var result = graph
    pass.mergeConstants(graph, &report)
    pass.mergeSymbolic(graph)
    pass.mergeNodes(&result, &report)
    guard !pass.same.isEmpty else { return graph }
    result.outputs = graph.outputs.map { ($0.name, pass.representative($0.value)) }
    return try result.sorted().compacted()
  }

  private func representative(_ value: ValueID) -> ValueID { same[value] ?? value }

  private mutating func mergeConstants(_ graph: Graph, _ report: inout RewriteReport) {
    var buckets: [TensorSample: [ValueID]] = [:]
    for (index, value) in graph.values.enumerated() {
      guard let tensor = value.constant, let sample = TensorSample(tensor) else { continue }
      let id = ValueID(index)
      let others = buckets[sample] ?? []
      let equal = others.first { other in
        graph[other].constant?.hasSameBytes(as: tensor) ?? false
      }
      if let equal {
        same[id] = equal
        report.record(Self.constantName)
      } else {
        buckets[sample] = others + [id]
      }
    }
  }

  private mutating func mergeSymbolic(_ graph: Graph) {
    var known: [SymbolicKey: ValueID] = [:]
    for (index, value) in graph.values.enumerated() {
      guard let elements = value.symbolic, value.constant == nil else { continue }
      let key = SymbolicKey(type: value.type, elements: elements)
      if let other = known[key] {
        same[ValueID(index)] = other
      } else {
        known[key] = ValueID(index)
      }
    }
  }

  private mutating func mergeNodes(_ graph: inout Graph, _ report: inout RewriteReport) {
    var known: [Key: NodeID] = [:]
    for (id, var node) in graph.liveNodes {
      node.inputs = node.inputs.map { $0.map(representative) }
      graph[id] = node
      guard case .kernel(let problem) = node.operation else { continue }
      let key = Key(problem: problem, inputs: node.inputs)
      guard let other = known[key], let first = graph[other] else {
        known[key] = id
        continue
      }
      for (output, twin) in zip(node.outputs, first.outputs) { same[output] = twin }
      graph[other]?.origins = first.origins + node.origins.filter { !first.origins.contains($0) }
      graph[id] = nil
      report.record(Self.nodeName)
    }
  }
}

/// What tells most tensors apart without reading all of them.
private struct TensorSample: Hashable {
  private var type: TensorType
  private var bytes: [UInt8]

  private static let count = 64

  init?(_ tensor: Tensor) {
    guard tensor.dataType != .string else { return nil }
    type = tensor.type
    bytes = tensor.withUnsafeBytes { all in
      guard all.count > 4 * Self.count else { return Array(all) }
      let stride = all.count / Self.count
      return (0..<Self.count).map { all[$0 * stride + $0 % min(stride, 4)] }
        + all.suffix(Self.count)
    }
  }
}

extension Tensor {
  /// Whether two tensors of one type hold the same bytes.
  fileprivate func hasSameBytes(as other: Tensor) -> Bool {
    guard dataType == other.dataType, shape == other.shape else { return false }
    return withUnsafeBytes { a in
      other.withUnsafeBytes { b in
        guard a.baseAddress != b.baseAddress else { return true }
        let words = a.count / 8
        for index in 0..<words
        where a.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
          != b.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
        {
          return false
        }
        return ((words * 8)..<a.count).allSatisfy { a[$0] == b[$0] }
      }
    }
  }
}

import GraphModel
import KernelModel
import TensorModel

/// The first and the last sums of products of a network, where they are a small part of its work.
///
/// What is rounded in the first layer passes through all others, and what is rounded in the last one is added to the
/// result as it is, so both add as much to the error as layers with a hundred times their work.
struct NetworkEnds {
  /// Shares of the network's multiply-adds, by node.
  private(set) var shares: [NodeID: Double] = [:]

  /// A layer with more than this share of the work is as others are.
  private static let largestShare = 0.01

  init(_ graph: Graph) {
    let nodes = graph.liveNodes
    let work = nodes.map { Self.work($0.node, graph) }
    let total = work.reduce(0, +)
    guard total > 0 else { return }
    // Values with sums of products before them, and behind them.
    var before: Set<ValueID> = []
    var behind: Set<ValueID> = []
    var ends: Set<NodeID> = []
    for (id, node) in nodes {
      let isFirst = node.inputs.allSatisfy { $0.map { !before.contains($0) } ?? true }
      if isFirst { ends.insert(id) }
      if !isFirst || Self.isInner(node) { before.formUnion(node.outputs) }
    }
    for (id, node) in nodes.reversed() {
      let isLast = node.outputs.allSatisfy { !behind.contains($0) }
      if isLast { ends.insert(id) }
      if !isLast || Self.isInner(node) { behind.formUnion(node.inputs.compactMap { $0 }) }
    }
    for (index, (id, node)) in nodes.enumerated() {
      guard case .kernel(let problem) = node.operation, problem.isContraction, ends.contains(id),
        work[index] <= total * Self.largestShare
      else { continue }
      shares[id] = work[index] / total
    }
  }

  /// Whether other sums of products that a node is before, or behind, are no ends.
  private static func isInner(_ node: Node) -> Bool {
    switch node.operation {
    case .kernel(.recurrence), .pending, .control: true
    case .kernel(let problem): problem.isContraction
    case .host: false
    }
  }

  /// Multiply-adds where every symbol is one.
  private static func work(_ node: Node, _ graph: Graph) -> Double {
    guard case .kernel(let problem) = node.operation, let output = node.outputs.first else {
      return 0
    }
    func shape(_ value: ValueID?) -> [Int]? {
      guard let shape = value.flatMap({ graph[$0].type?.shape }) else { return nil }
      let ones = Dictionary(uniqueKeysWithValues: shape.symbols.map { ($0, 1) })
      let extents = shape.substituting(ones).dimensions.map { $0.constant ?? 0 }
      return extents.allSatisfy { $0 >= 0 } ? extents : nil
    }
    return problem.multiplyAdds(inputs: node.inputs.map(shape), output: shape(output) ?? [])
  }
}

import GraphModel
import KernelModel
import TensorModel

/// The sums of products next to a network's floating-point inputs and outputs, where they are a small part of its work.
///
/// Numbers that come from outside are rounded with all that they say, and no layer behind has averaged yet; what is
/// rounded in the last layer is added to the result as it is. Both add as much to the error as layers with many
/// times their work.
struct NetworkEnds {
  /// Shares of the network's multiply-adds, by node.
  private(set) var shares: [NodeID: Double] = [:]

  private static let largestShare = 0.01
  /// Layers with fewer than so many others between the inputs and them are near these.
  private static let reach = 2

  init(_ graph: Graph) {
    let nodes = graph.liveNodes
    let work = nodes.map { Self.work($0.node, graph) }
    let total = work.reduce(0, +)
    guard total > 0 else { return }
    let distances = Self.distances(graph)
    let last = Self.last(graph)
    for (index, (id, node)) in nodes.enumerated() {
      guard case .kernel(let problem) = node.operation, problem.isContraction else { continue }
      let share = work[index] / total
      guard distances[index] < Self.reach || last.contains(id), share <= Self.largestShare else {
        continue
      }
      shares[id] = share
    }
  }

  /// For each node, how many sums of products lie between the inputs and it, at most.
  private static func distances(_ graph: Graph) -> [Int] {
    var distances: [ValueID: Int] = [:]
    for input in graph.inputs where graph[input].type?.dataType.isFloatingPoint ?? false {
      distances[input] = 0
    }
    return graph.liveNodes.map { _, node in
      let known = node.inputs.compactMap { $0.flatMap { distances[$0] } }.max()
      let distance = known ?? reach
      // What comes of constants and indices alone is no input until it has been multiplied.
      if known != nil || isInner(node) {
        for output in node.outputs { distances[output] = distance + (isInner(node) ? 1 : 0) }
      }
      return distance
    }
  }

  /// The nodes with no sums of products behind them.
  private static func last(_ graph: Graph) -> Set<NodeID> {
    var result: Set<NodeID> = []
    var before: Set<ValueID> = []
    for (id, node) in graph.liveNodes.reversed() {
      let isLast = node.outputs.allSatisfy { !before.contains($0) }
      if isLast { result.insert(id) }
      if !isLast || isInner(node) { before.formUnion(node.inputs.compactMap { $0 }) }
    }
    return result
  }

  /// Whether a node counts between others and an end.
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

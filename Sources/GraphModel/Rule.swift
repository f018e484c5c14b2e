package import KernelModel

/// A rewrite, named as the equation that it applies, left to right.
package struct Rule: Sendable {
  package let name: String
  /// The change that the rule makes at a kernel node; nil where it does not apply.
  package let match: @Sendable (IndexedGraph, NodeID, Node, KernelProblem) -> GraphPatch?

  package init(
    _ name: String,
    _ match: @escaping @Sendable (IndexedGraph, NodeID, Node, KernelProblem) -> GraphPatch?
  ) {
    self.name = name
    self.match = match
  }
}

/// How often each rule was applied, in the order of the rules.
package struct RewriteReport: Sendable {
  package private(set) var counts: [(rule: String, count: Int)]

  package init(_ rules: [Rule] = []) { counts = rules.map { ($0.name, 0) } }

  package mutating func record(_ rule: String) {
    if let index = counts.firstIndex(where: { $0.rule == rule }) {
      counts[index].count += 1
    } else {
      counts.append((rule, 1))
    }
  }

  package mutating func merge(_ other: RewriteReport) {
    for (rule, count) in other.counts {
      if let index = counts.firstIndex(where: { $0.rule == rule }) {
        counts[index].count += count
      } else {
        counts.append((rule, count))
      }
    }
  }
}

/// Applies rules to a graph until none applies.
package enum Rewriter {
  /// - Parameter verifies: whether every application is checked, as debug builds and tests do.
  package static func rewrite(
    _ graph: Graph, with rules: [Rule], verifies: Bool = Rewriter.verifiesByDefault,
    report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var indexed = IndexedGraph(graph)
    var queue = graph.liveNodes.map(\.id)
    var isQueued = Set(queue)
    var applications = 0
    let limit = 1000 + 100 * queue.count
    var head = 0
    while head < queue.count {
      let id = queue[head]
      head += 1
      isQueued.remove(id)
      guard let (rule, patch) = firstMatch(indexed, id, rules) else { continue }
      let touched = indexed.apply(patch.positioned(after: indexed))
      report.record(rule.name)
      if verifies { try check(indexed, rule) }
      applications += 1
      guard applications <= limit else {
        throw GraphError("rule '\(rule.name)' does not come to an end")
      }
      for neighbour in touched
      where indexed[neighbour] != nil && isQueued.insert(neighbour).inserted {
        queue.append(neighbour)
      }
    }
    return try indexed.finish()
  }

  #if DEBUG
    package static let verifiesByDefault = true
  #else
    package static let verifiesByDefault = false
  #endif

  private static func firstMatch(
    _ graph: IndexedGraph, _ id: NodeID, _ rules: [Rule]
  ) -> (Rule, GraphPatch)? {
    guard let node = graph[id], case .kernel(let problem) = node.operation else { return nil }
    for rule in rules {
      if let patch = rule.match(graph, id, node, problem) { return (rule, patch) }
    }
    return nil
  }

  private static func check(_ graph: IndexedGraph, _ rule: Rule) throws(GraphError) {
    do { try graph.finish().verify() } catch {
      throw GraphError("rule '\(rule.name)' broke the graph: \(error.description)")
    }
  }
}

extension GraphPatch {
  /// Gives new nodes the place of the last node that they replace.
  fileprivate func positioned(after graph: IndexedGraph) -> GraphPatch {
    guard let last = removals.map({ graph[$0]?.position ?? $0.index }).max() else { return self }
    var patch = self
    patch.place(at: last)
    return patch
  }
}

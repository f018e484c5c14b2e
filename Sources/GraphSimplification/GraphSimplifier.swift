package import GraphModel
package import TensorModel

/// Removes what need not be computed: constants, repetitions, identities, dead code.
///
/// Nothing is fused; floating-point results change by no more than the association of constants
/// does.
package enum GraphSimplifier {
  /// Every rule, in the order in which they are tried.
  package static let rules: [Rule] =
    ExpressionRules.all + MovementRules.all + ReductionRules.all

  /// Rounds of folding, merging and rewriting; each finds only what the one before made possible.
  private static let maximumRounds = 8

  /// The simplified graph; bodies of control flow are simplified like any graph.
  ///
  /// - Parameter keepsQuantized: whether constants of 8 bits are left for contractions that read them as
  ///   multiples of a scale.
  package static func simplify(
    _ graph: Graph, limits: Limits, keepsQuantized: Bool = false,
    verifies: Bool = Rewriter.verifiesByDefault, report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    let folding = ConstantFolding(limits: limits, keepsQuantized: keepsQuantized)
    var result = try simplifyingBodies(graph, folding, verifies, &report)
    let before = result.nodeCount
    result = try result.sorted().compacted()
    for _ in result.nodeCount..<max(before, result.nodeCount) { report.record("unused => nothing") }
    for _ in 0..<maximumRounds {
      let applications = report.total
      result = try folding.folded(result, report: &report)
      result = try CommonSubexpressions.merged(result, report: &report)
      result = try Rewriter.rewrite(result, with: rules, verifies: verifies, report: &report)
      if report.total == applications { break }
    }
    return result
  }

  private static func simplifyingBodies(
    _ graph: Graph, _ folding: ConstantFolding, _ verifies: Bool, _ report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var result = graph
    for (id, node) in graph.liveNodes {
      guard case .control(var control) = node.operation else { continue }
      var bodies: [Graph] = []
      for body in control.bodies {
        bodies.append(
          try simplify(
            body, limits: folding.limits, keepsQuantized: folding.keepsQuantized,
            verifies: verifies, report: &report))
      }
      control.bodies = bodies
      result[id]?.operation = .control(control)
    }
    return result
  }
}

extension RewriteReport {
  fileprivate var total: Int { counts.reduce(0) { $0 + $1.count } }
}

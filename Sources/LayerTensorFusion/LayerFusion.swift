package import GraphModel
import KernelModel

/// Layer and tensor fusion: fewer, larger kernels that compute the same.
///
/// The graph is expected to be simplified: numbers stand in expressions, not in operands.
package enum LayerFusion {
  /// Rules that are tried together, until none applies. Patterns come first, while their operators
  /// are still apart; contractions take their epilogues before their weights are scaled and before
  /// they are joined with their neighbours.
  private static let stages: [[Rule]] = [
    NormalizationFusion.rules + AttentionFusion.rules,
    MovementFusion.rules + PaddingFusion.rules,
    EpilogueFusion.rules + PointwiseFusion.rules,
    WeightFolding.rules,
    HorizontalFusion.rules,
    [PointwiseFusion.duplicate] + PointwiseFusion.rules + ActivationFusion.rules,
  ]

  /// Every rule, in the order in which stages try them.
  package static let rules: [Rule] = {
    var names: Set<String> = []
    return stages.joined().filter { names.insert($0.name).inserted }
  }()

  /// The fused graph; bodies of control flow are fused like any graph.
  package static func fuse(
    _ graph: Graph, verifies: Bool = Rewriter.verifiesByDefault, report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var result = try fusingBodies(graph, verifies: verifies, report: &report)
    for rules in stages {
      result = try Rewriter.rewrite(
        result, with: rules, verifies: verifies, report: &report)
    }
    return result
  }

  private static func fusingBodies(
    _ graph: Graph, verifies: Bool, report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var result = graph
    for (id, node) in graph.liveNodes {
      guard case .control(var control) = node.operation else { continue }
      var bodies: [Graph] = []
      for body in control.bodies {
        bodies.append(try fuse(body, verifies: verifies, report: &report))
      }
      control.bodies = bodies
      result[id]?.operation = .control(control)
    }
    return result
  }
}

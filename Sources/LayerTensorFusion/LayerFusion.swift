package import GraphModel
import KernelModel

/// Layer and tensor fusion: fewer, larger kernels that compute the same.
///
/// The graph is expected to be simplified: numbers stand in expressions, not in operands.
package enum LayerFusion {
  /// Rules that are tried together, until none applies.
  private struct Stage {
    var rules: [Rule]
  }

  /// Patterns come first, while their operators are still apart; contractions take their epilogues before
  /// their weights are scaled and before they are joined with their neighbours.
  private static let stages: [Stage] = [
    Stage(rules: NormalizationFusion.rules + AttentionFusion.rules),
    Stage(rules: MovementFusion.rules + PaddingFusion.rules),
    Stage(rules: EpilogueFusion.rules + PointwiseFusion.rules),
    Stage(rules: WeightFolding.rules),
    Stage(rules: HorizontalFusion.rules),
    Stage(rules: [PointwiseFusion.duplicate] + PointwiseFusion.rules + ActivationFusion.rules),
  ]

  /// Every rule, in the order in which stages try them.
  package static let rules: [Rule] = {
    var names: Set<String> = []
    return stages.flatMap(\.rules).filter { names.insert($0.name).inserted }
  }()

  /// The fused graph; bodies of control flow are fused like any graph.
  package static func fuse(
    _ graph: Graph, verifies: Bool = Rewriter.verifiesByDefault, report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var result = try fusingBodies(graph, verifies: verifies, report: &report)
    for stage in stages {
      result = try Rewriter.rewrite(
        result, with: stage.rules, verifies: verifies, report: &report)
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

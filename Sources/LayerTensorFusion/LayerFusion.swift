package import GraphModel
import KernelModel
import TensorModel

/// Layer and tensor fusion: fewer, larger kernels that compute the same.
///
/// The graph is expected to be simplified: numbers stand in expressions, not in operands.
package enum LayerFusion {
  /// Rules that are tried together, until none applies. Patterns come first, while their operators
  /// are still apart; readers of integers take their scales before what writes them does;
  /// contractions take their epilogues before their weights are scaled and before
  /// they are joined with their neighbours.
  private static let stages: [[Rule]] = [
    NormalizationFusion.rules + AttentionFusion.rules,
    MovementFusion.rules + PaddingFusion.rules,
    QuantizationMovement.readers,
    EpilogueFusion.rules + PointwiseFusion.rules,
    WeightFolding.rules,
    HorizontalFusion.rules,
    [PointwiseFusion.duplicate] + PointwiseFusion.rules + ActivationFusion.rules,
  ]

  /// What happens to integers that stand for multiples of a scale, before anything else is fused.
  package enum QuantizedStage: CaseIterable, Sendable {
    /// Tensors stay integers on their way between kernels; constants are moved as integers.
    case movement
    /// Contractions read integers; their constants must be simplified.
    case contractions

    fileprivate var rules: [Rule] {
      switch self {
      case .movement: QuantizationMovement.rules
      case .contractions: QuantizationMovement.rules + QuantizationFusion.rules
      }
    }
  }

  /// Every rule, in the order in which stages try them.
  package static let rules: [Rule] = {
    var names: Set<String> = []
    let all = QuantizedStage.allCases.map(\.rules) + stages
    return all.joined().filter { names.insert($0.name).inserted }
  }()

  /// The fused graph; bodies of control flow are fused like any graph.
  package static func fuse(
    _ graph: Graph, verifies: Bool = Rewriter.verifiesByDefault, report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    try rewriting(graph, stages, verifies, &report)
  }

  /// The graph after one stage that concerns quantised numbers, bodies of control flow included.
  package static func fuse(
    _ graph: Graph, quantized stage: QuantizedStage, verifies: Bool = Rewriter.verifiesByDefault,
    report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    try rewriting(graph, [stage.rules], verifies, &report)
  }

  /// Whether a graph holds tensors of 8-bit integers.
  package static func isQuantized(_ graph: Graph) -> Bool {
    graph.values.contains { $0.type?.dataType.isByte ?? false }
      || graph.liveNodes.contains { _, node in
        guard case .control(let control) = node.operation else { return false }
        return control.bodies.contains(where: isQuantized)
      }
  }

  private static func rewriting(
    _ graph: Graph, _ stages: [[Rule]], _ verifies: Bool, _ report: inout RewriteReport
  ) throws(GraphError) -> Graph {
    var result = graph
    for (id, node) in graph.liveNodes {
      guard case .control(var control) = node.operation else { continue }
      var bodies: [Graph] = []
      for body in control.bodies {
        bodies.append(try rewriting(body, stages, verifies, &report))
      }
      control.bodies = bodies
      result[id]?.operation = .control(control)
    }
    for rules in stages {
      result = try Rewriter.rewrite(result, with: rules, verifies: verifies, report: &report)
    }
    return result
  }
}

import KernelModel

/// Every way to compute a step, family by family. A new tactic is its own file and a line in its
/// family's list; a new family is a line here.
package enum TacticCatalog {
  /// The tactics that can compute a step, in order of preference. The reference interpreter comes last,
  /// so that there is always one.
  package static func tactics(for request: TacticRequest) -> [any CPUTactic] {
    var result: [any CPUTactic] = []
    for family in families { result += family(request) }
    return result + [ReferenceTactic()]
  }

  private static let families: [@Sendable (TacticRequest) -> [any CPUTactic]] = [
    ContractionTactics.candidates,
    IntegerTactics.candidates,
    PairTactics.candidates,
    ElementwiseTactics.candidates,
  ]
}

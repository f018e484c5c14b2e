/// Convolutions and matrix products by what Hopper has for them: matrix instructions of four warps that read
/// shared memory, and an engine that fills it.
package enum HopperKernels {
  private static let most = 6

  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let problem = HopperContraction(request) else { return [] }
    var found: [(tactic: any CUDATactic, seconds: Double)] = []
    for tactic in PersistentTactic.candidates(problem, request) {
      found.append((tactic, tactic.estimate(request)))
    }
    for tactic in SplitTactic.candidates(problem, request) {
      found.append((tactic, tactic.estimate(request)))
    }
    found.sort { ($0.seconds, $0.tactic.name) < ($1.seconds, $1.tactic.name) }
    let limit = 2.5 * (found.first?.seconds ?? 0)
    return found.prefix(most).filter { $0.seconds <= limit }.map(\.tactic)
  }
}

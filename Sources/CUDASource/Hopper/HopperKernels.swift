/// Convolutions and matrix products by what Hopper has for them: matrix instructions of four warps that read
/// shared memory, and an engine that fills it.
package enum HopperKernels {
  private enum Kind: Hashable { case alternating, cooperative, split }

  /// Tactics of one step, and those of one kind among them.
  private static let most = 6
  private static let mostOfKind = 4

  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let problem = HopperContraction(request) else { return firstLayer(request) }
    let image = ImageTactic(request).map { [$0 as any CUDATactic] } ?? []
    return image + best(of: problem, request)
  }

  private static func firstLayer(_ request: CUDARequest) -> [any CUDATactic] {
    let image = ImageTactic(request).map { [$0 as any CUDATactic] } ?? []
    guard let problem = HopperContraction(firstLayer: request) else { return image }
    return image + best(of: problem, request)
  }

  private static func best(
    of problem: HopperContraction, _ request: CUDARequest
  ) -> [any CUDATactic] {
    var found: [(tactic: any CUDATactic, kind: Kind, seconds: Double)] = []
    for tactic in PersistentTactic.candidates(problem, request) {
      let kind: Kind = tactic.tile.alternates ? .alternating : .cooperative
      found.append((tactic, kind, tactic.estimate(request)))
    }
    for tactic in SplitTactic.candidates(problem, request) {
      found.append((tactic, .split, tactic.estimate(request)))
    }
    found.sort { ($0.seconds, $0.tactic.name) < ($1.seconds, $1.tactic.name) }
    let limit = 2.5 * (found.first?.seconds ?? 0)
    var counts: [Kind: Int] = [:]
    var chosen: [any CUDATactic] = []
    for (tactic, kind, seconds) in found where chosen.count < most && seconds <= limit {
      guard counts[kind, default: 0] < mostOfKind else { continue }
      counts[kind, default: 0] += 1
      chosen.append(tactic)
    }
    return chosen
  }
}

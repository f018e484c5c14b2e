/// Turns lifetimes into offsets in one arena: a pure function, the same on every machine.
package enum ArenaPlanner {
  /// How much work a plan may cost. Work is counted in steps of the search, never in time, so that
  /// the same lifetimes give the same layout everywhere.
  package struct Effort: Hashable, Sendable {
    /// Steps that the search may take where the greedy orders miss the lower bound: about 2 * 10^8
    /// a second.
    package var searchWork: Int
    /// An arena that is small enough: planning stops there.
    package var sufficientByteCount: Int

    package init(searchWork: Int, sufficientByteCount: Int = 0) {
      self.searchWork = searchWork
      self.sufficientByteCount = sufficientByteCount
    }

    /// The greedy orders only.
    package static let greedy = Effort(searchWork: 0)
    /// About a second of search.
    package static let standard = Effort(searchWork: 200_000_000)
    /// About a minute of search.
    package static let thorough = Effort(searchWork: 10_000_000_000)
  }

  /// A layout in which no two buffers overlap that are live at the same step.
  ///
  /// - Parameter conflicts: further pairs of positions in `lifetimes` that may not overlap either,
  ///   as when their steps run in parallel.
  package static func plan(
    _ lifetimes: [Lifetime], conflicts: [(Int, Int)] = [], effort: Effort = .standard
  ) throws(ArenaError) -> ArenaLayout {
    let (indices, sizes) = try PackingProblem.rounded(lifetimes)
    guard
      let problem = try PackingProblem(
        lifetimes: lifetimes, indices: indices, sizes: sizes, conflicts: conflicts)
    else {
      return sequentialLayout(
        lifetimes, indices: indices, sizes: sizes, disjoint: !conflicts.isEmpty)
    }
    let packed = pack(problem, effort: effort)
    var offsets = [Int](repeating: 0, count: lifetimes.count)
    for (position, index) in indices.enumerated() { offsets[index] = packed.offsets[position] }
    return ArenaLayout(
      offsets: offsets, byteCount: packed.byteCount, lowerBound: problem.lowerBound)
  }

  private static func pack(
    _ problem: PackingProblem, effort: Effort
  ) -> Packing {
    let greedy = GreedyPlacement(problem: problem)
    let sufficient = max(problem.lowerBound, effort.sufficientByteCount)
    var best = Packing(offsets: [], byteCount: .max)
    for order in GreedyPlacement.Order.allCases {
      for fit in GreedyPlacement.Fit.allCases {
        let offsets = greedy.offsets(order: order, fit: fit)
        let byteCount = greedy.byteCount(of: offsets)
        if byteCount < best.byteCount { best = Packing(offsets: offsets, byteCount: byteCount) }
        if best.byteCount <= sufficient { return best }
      }
    }
    return improve(best, of: problem, sufficient: sufficient, work: effort.searchWork)
  }
}

/// The offsets of a problem's buffers, and where the last one ends.
struct Packing {
  var offsets: [Int]
  var byteCount: Int
}

extension ArenaPlanner {
  /// Larger problems are left as they are: a search would take much memory.
  private static let maximumBufferCount = 1 << 12
  private static let maximumMembershipCount = 1 << 22

  /// Looks for a smaller packing: of a sufficient size with a third of the work, then of sizes
  /// between that and the best one known.
  static func improve(
    _ packing: Packing, of problem: PackingProblem, sufficient: Int, work: Int
  ) -> Packing {
    guard work > 0, problem.count <= maximumBufferCount,
      problem.cliques.values.count <= maximumMembershipCount
    else { return packing }
    var best = packing
    var (tooSmall, capacity) = (sufficient - 1, sufficient)
    var (workLeft, share) = (work, work / 3)
    while workLeft > 0, best.byteCount > sufficient {
      share = max(min(share, workLeft), 1)
      var shareLeft = share
      let found = search(problem, capacity: capacity, work: &shareLeft)
      workLeft -= max(share - shareLeft, 1)
      if let found { best = found } else { tooSmall = capacity }
      let interval = best.byteCount - tooSmall
      if interval <= best.byteCount >> 10 { break }
      capacity = tooSmall + interval / 2
      share = max(workLeft / 3, work / 30)
    }
    return best
  }

  /// A packing of at most `capacity` bytes, from many short searches with different strategies.
  ///
  /// Hard problems are hard for most strategies and easy for some: short runs find those, and every
  /// 2^k-th round of runs is 2^k times as long.
  private static func search(
    _ problem: PackingProblem, capacity: Int, work: inout Int
  ) -> Packing? {
    var search = ArenaSearch(problem: problem, capacity: capacity)
    let runWork = problem.cliques.values.count * 2000
    var run = 0
    while work > 0 {
      let round = run / StrategyPortfolio.roundLength + 1
      let limit = min(work, runWork * (round & -round))
      let before = search.work
      let outcome = search.run(StrategyPortfolio.strategy(run, problem), workLimit: limit)
      work -= max(search.work - before, 1)
      switch outcome {
      case .found: return Packing(offsets: search.offsets, byteCount: search.byteCount)
      case .impossible: return nil
      case .outOfWork: run += 1
      }
    }
    return nil
  }
}

/// The strategies of the runs of a search.
enum StrategyPortfolio {
  static let roundLength = 10
  private static let rules: [ArenaSearch.Strategy.CliqueRule] = [
    .fewestOptions, .fewestOptionsByFailures, .balanced, .tightest, .fewestOptions, .balanced,
    .fewestOptionsByFailures, .balanced,
  ]

  static func strategy(_ run: Int, _ problem: PackingProblem) -> ArenaSearch.Strategy {
    var random = SplitMix(seed: UInt64(run))
    let keys = (0..<problem.count).map { buffer -> Double in
      let steps = problem.steps[buffer]
      let duration = Double(steps.upperBound) - Double(steps.lowerBound)
      let size = Double(problem.sizes[buffer])
      let noise = run < roundLength ? 1 : 0.55 + 1.3 * random.nextUnit()
      switch run % 5 {
      case 0: return -duration * noise
      case 1: return -size * noise
      case 2: return -duration * size * noise
      case 3: return duration * noise
      default: return -Double(problem.cliquesOfBuffer[buffer].count) * noise
      }
    }
    let order = (0..<problem.count).sorted {
      (keys[$0], -problem.sizes[$0], $0) < (keys[$1], -problem.sizes[$1], $1)
    }
    var ranks = [Int32](repeating: 0, count: problem.count)
    for (rank, buffer) in order.enumerated() { ranks[buffer] = Int32(rank) }
    return ArenaSearch.Strategy(cliqueRule: rules[run % rules.count], ranks: ranks)
  }
}

/// A branch and bound that looks for a layout of at most `capacity` bytes.
///
/// Every buffer has a floor, the least offset that it can still have. In a canonical layout each
/// buffer lies at zero or on top of another one (Moffitt, "MiniMalloc", ASPLOS 2023). So a buffer
/// under which no other fits either lies at its floor, or at least as high as the lowest top that
/// an unplaced neighbour can have. The search branches on that, in the clique that has the fewest
/// ways to go on, weighted by how often the search has failed there. What falls apart into groups
/// without conflicts is solved group by group, and groups that have failed are remembered by their
/// hash.
struct ArenaSearch: ~Copyable {
  /// How a run chooses.
  struct Strategy {
    /// Which clique is continued.
    enum CliqueRule { case fewestOptions, fewestOptionsByFailures, balanced, tightest }

    var cliqueRule: CliqueRule
    /// The place of each buffer in the order in which they are tried.
    var ranks: [Int32]
  }

  enum Outcome { case found, impossible, outOfWork }

  /// Buffers that conflict with no unplaced buffer outside, as ranges of `lists`.
  private struct Group {
    var buffers: Range<Int>
    var cliques: Range<Int>
    /// The node whose placement made it; -1 for those of the start.
    var parent: Int
  }

  /// A buffer of a group placed at its floor, to be raised when that fails.
  private struct Node {
    var group: Group
    var hash: UInt64
    var buffer: Int32 = -1
    /// What to go back to when the placement fails, and when the node does.
    var stepsBeforePlacement = 0
    var stepsBeforeNode: Int
    var groupCount: Int
    var listCount: Int
  }

  /// What a buffer that could be placed next means for its cliques.
  private struct Candidate {
    var isReady = false
    var nextFloor = 0
  }

  private static let failedGroupCount = 1 << 16

  private(set) var state: ArenaSearchState
  private var strategy = Strategy(cliqueRule: .balanced, ranks: [])
  private var nodes: [Node] = []
  private var groups: [Group] = []
  private var lists: [Int32] = []
  /// Hashes of groups without a layout, each at the place that its low bits say.
  private var failedGroups = [UInt64](repeating: 0, count: failedGroupCount)
  private var candidates: [Candidate]
  private var isBufferSeen: [Bool]
  private var isCliqueSeen: [Bool]

  init(problem: PackingProblem, capacity: Int) {
    state = ArenaSearchState(problem: problem, capacity: capacity)
    candidates = [Candidate](repeating: Candidate(), count: problem.count)
    isBufferSeen = [Bool](repeating: false, count: problem.count)
    isCliqueSeen = [Bool](repeating: false, count: problem.cliques.count)
  }

  var work: Int { state.work }

  /// The offsets of the layout found.
  var offsets: [Int] { (0..<state.bufferCount).map { state.floors[$0] } }

  /// Where the last buffer of the layout found ends.
  var byteCount: Int {
    (0..<state.bufferCount).reduce(0) { max($0, state.floors[$1] + state.sizes[$1]) }
  }

  /// Searches from the start; what earlier runs learned about failures is kept.
  mutating func run(_ strategy: Strategy, workLimit: Int) -> Outcome {
    self.strategy = strategy
    state.workLimit = state.work + workLimit
    (nodes, groups, lists) = ([], [], [])
    state.undo(to: 0)
    for clique in 0..<state.cliqueCount {
      state.failures[clique] = 1 + (state.failures[clique] - 1) * 0.875
      state.markDirty(Int32(clique))
    }
    guard state.propagate() else { return .impossible }
    pushGroups(of: (0..<Int32(state.bufferCount)).map { $0 }, parent: -1)
    while !state.isOutOfWork {
      guard let group = groups.popLast() else { return .found }
      let hash = hash(of: group)
      var failedParent: Int?
      if failedGroups[Int(hash % UInt64(Self.failedGroupCount))] == hash {
        failedParent = group.parent
      } else {
        nodes.append(
          Node(
            group: group, hash: hash, stepsBeforeNode: state.stepCount, groupCount: groups.count,
            listCount: lists.count))
        if !advance() { failedParent = group.parent }
      }
      if let failedParent, !backtrack(to: failedParent) { return .impossible }
    }
    return .outOfWork
  }
}

// MARK: - The tree

extension ArenaSearch {
  /// Places a buffer of the last node's group. False where the group has no layout; the node is
  /// then gone.
  private mutating func advance() -> Bool {
    let node = nodes.count - 1
    while let buffer = chooseBuffer(of: nodes[node].group) {
      nodes[node].buffer = buffer
      nodes[node].stepsBeforePlacement = state.stepCount
      if state.place(buffer), state.propagate() {
        pushGroups(of: Array(lists[nodes[node].group.buffers]), parent: node)
        return true
      }
      state.undo(to: nodes[node].stepsBeforePlacement)
      if state.isOutOfWork { return true }
      guard state.raise(buffer), state.propagate() else { break }
    }
    let failed = nodes.removeLast()
    state.undo(to: failed.stepsBeforeNode)
    failedGroups[Int(failed.hash % UInt64(Self.failedGroupCount))] = failed.hash
    return false
  }

  /// Goes on after the placement of a node has failed. False where the whole problem has no layout.
  private mutating func backtrack(to parent: Int) -> Bool {
    var parent = parent
    while parent >= 0 {
      nodes.removeLast(nodes.count - parent - 1)
      let node = nodes[parent]
      groups.removeLast(groups.count - node.groupCount)
      lists.removeLast(lists.count - node.listCount)
      state.undo(to: node.stepsBeforePlacement)
      if state.raise(node.buffer), state.propagate() {
        if advance() { return true }
      } else {
        nodes.removeLast()
        state.undo(to: node.stepsBeforeNode)
        failedGroups[Int(node.hash % UInt64(Self.failedGroupCount))] = node.hash
      }
      parent = node.group.parent
    }
    return false
  }

  /// Divides the unplaced ones of the buffers into groups; the smallest is solved first.
  private mutating func pushGroups(of buffers: [Int32], parent: Int) {
    let first = groups.count
    for buffer in buffers where !state.isPlaced[Int(buffer)] && !isBufferSeen[Int(buffer)] {
      groups.append(group(around: buffer, parent: parent))
    }
    for group in groups[first...] {
      for buffer in lists[group.buffers] { isBufferSeen[Int(buffer)] = false }
      for clique in lists[group.cliques] { isCliqueSeen[Int(clique)] = false }
    }
    if groups.count - first > 1 {
      groups[first...].sort {
        ($0.buffers.count, $0.buffers.lowerBound) > ($1.buffers.count, $1.buffers.lowerBound)
      }
    }
  }

  private mutating func group(around buffer: Int32, parent: Int) -> Group {
    let start = lists.count
    var cliques: [Int32] = []
    isBufferSeen[Int(buffer)] = true
    lists.append(buffer)
    var next = start
    while next < lists.count {
      for clique in state.cliques(of: lists[next]) where !isCliqueSeen[Int(clique)] {
        isCliqueSeen[Int(clique)] = true
        cliques.append(clique)
        for neighbor in state.unplaced(in: clique) where !isBufferSeen[Int(neighbor)] {
          isBufferSeen[Int(neighbor)] = true
          lists.append(neighbor)
        }
      }
      next += 1
    }
    let end = lists.count
    lists.append(contentsOf: cliques)
    return Group(buffers: start..<end, cliques: end..<lists.count, parent: parent)
  }

  /// The hash of the buffers of a group and their floors, on which alone depends whether it has a
  /// layout.
  private func hash(of group: Group) -> UInt64 {
    var hash: UInt64 = 1
    for buffer in lists[group.buffers] {
      let key = SplitMix.mixed(UInt64(buffer) &+ 1)
      hash ^= SplitMix.mixed(key ^ UInt64(state.floors[Int(buffer)]))
    }
    return hash
  }
}

// MARK: - The choice

extension ArenaSearch {
  /// The buffer of a group to place next, one under which no other fits.
  private mutating func chooseBuffer(of group: Group) -> Int32? {
    for buffer in lists[group.buffers] {
      let next = state.lowestNeighborTop(of: buffer) ?? .max
      candidates[Int(buffer)] = Candidate(
        isReady: next > state.floors[Int(buffer)], nextFloor: next)
    }
    var bestClique: Int32 = -1
    var bestScore = Double.infinity
    for clique in lists[group.cliques] {
      if let score = score(of: clique), score < bestScore {
        (bestClique, bestScore) = (clique, score)
      }
    }
    guard bestClique >= 0 else { return nil }
    let floor = state.cliques[Int(bestClique)].floor
    var best: Int32?
    for buffer in state.unplaced(in: bestClique) where state.floors[Int(buffer)] == floor {
      guard let other = best else { best = buffer; continue }
      if strategy.ranks[Int(buffer)] < strategy.ranks[Int(other)] { best = buffer }
    }
    return best
  }

  /// How good it is to continue a clique, less is better; nil where another must come first.
  private func score(of index: Int32) -> Double? {
    let clique = state.cliques[Int(index)]
    var (options, nextFloor) = (0.0, Int.max)
    for buffer in state.unplaced(in: index) {
      let floor = state.floors[Int(buffer)]
      if floor == clique.floor {
        let candidate = candidates[Int(buffer)]
        if !candidate.isReady { return nil }
        options += 1
        nextFloor = min(nextFloor, candidate.nextFloor)
      } else {
        nextFloor = min(nextFloor, floor)
      }
    }
    if nextFloor != .max, nextFloor + clique.unplacedBytes <= state.capacity { options += 1 }
    let spare = state.capacity - clique.floor - clique.unplacedBytes
    let slack = Double(spare) / Double(state.capacity)
    let failures = state.failures[Int(index)]
    return switch strategy.cliqueRule {
    case .fewestOptions: options + slack
    case .fewestOptionsByFailures: options / failures
    case .balanced: (options + slack) * (options + slack) / failures
    case .tightest: options * (0.01 + slack)
    }
  }
}

/// A small generator of numbers that are the same everywhere (Steele, Lea, Flood, OOPSLA 2014).
struct SplitMix {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// A number in 0 ..< 1.
  mutating func nextUnit() -> Double { Double(next() >> 11) * 0x1p-53 }

  static func mixed(_ value: UInt64) -> UInt64 {
    var x = value
    x = (x ^ (x >> 30)) &* 0xbf58_476d_1ce4_e5b9
    x = (x ^ (x >> 27)) &* 0x94d0_49bb_1331_11eb
    return x ^ (x >> 31)
  }
}

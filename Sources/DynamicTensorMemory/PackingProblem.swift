/// Rows of integers, one after another.
struct Rows: Sendable {
  fileprivate(set) var values: [Int32] = []
  fileprivate(set) var starts: [Int] = [0]

  var count: Int { starts.count - 1 }

  subscript(row: Int) -> ArraySlice<Int32> { values[starts[row]..<starts[row + 1]] }

  mutating func append(_ row: some Sequence<Int32>) {
    values.append(contentsOf: row)
    starts.append(values.count)
  }

  /// For every column, the rows that hold it.
  func transposed(columnCount: Int) -> Rows {
    var counts = [Int](repeating: 0, count: columnCount + 1)
    for value in values { counts[Int(value) + 1] += 1 }
    for column in 0..<columnCount { counts[column + 1] += counts[column] }
    var result = Rows()
    result.starts = counts
    result.values = [Int32](repeating: 0, count: values.count)
    for row in 0..<count {
      for value in self[row] {
        result.values[counts[Int(value)]] = Int32(row)
        counts[Int(value)] += 1
      }
    }
    return result
  }
}

/// Buffers that must be laid out, without the empty ones, and which of them may not overlap.
///
/// The conflicts are kept as cliques: sets of buffers that are all live together. Each conflict is
/// inside at least one clique, so the buffers of a clique, sorted by offset, are all that a layout
/// has to respect.
struct PackingProblem: Sendable {
  /// The index of each buffer among the lifetimes given.
  var indices: [Int]
  /// Bytes of each buffer, rounded up to its alignment.
  var sizes: [Int]
  var alignments: [Int]
  /// When each buffer is live, in the caller's steps.
  var steps: [Range<Int>]
  /// The buffers of each clique.
  var cliques: Rows
  /// The cliques of each buffer.
  var cliquesOfBuffer: Rows
  /// The buffers that each buffer conflicts with.
  var neighbors: Rows
  /// The largest sum of the sizes of a clique.
  var lowerBound: Int

  var count: Int { sizes.count }

  /// Conflicts beyond this many are not written down; such a problem is laid out step by step.
  static let maximumConflictCount = 1 << 23
}

extension PackingProblem {
  /// Checks the lifetimes; the buffers that are not empty, and their sizes rounded up.
  static func rounded(_ lifetimes: [Lifetime]) throws(ArenaError) -> (
    indices: [Int], sizes: [Int]
  ) {
    var indices: [Int] = []
    var sizes: [Int] = []
    var total = 0
    for (index, lifetime) in lifetimes.enumerated() {
      let (id, alignment) = (lifetime.id, lifetime.alignment)
      guard lifetime.first < lifetime.end else {
        throw .emptyLifetime(id: id, first: lifetime.first, end: lifetime.end)
      }
      guard lifetime.byteCount >= 0 else {
        throw .negativeSize(id: id, byteCount: lifetime.byteCount)
      }
      guard alignment > 0, alignment & (alignment - 1) == 0 else {
        throw .invalidAlignment(id: id, alignment: alignment)
      }
      if lifetime.byteCount == 0 { continue }
      // A gap before a buffer is smaller than its alignment, so this total bounds every offset, and
      // sums of a few offsets do not overflow.
      let (padded, overflow) = lifetime.byteCount.addingReportingOverflow(alignment - 1)
      let size = padded & ~(alignment - 1)
      let (sum, sumOverflow) = total.addingReportingOverflow(size)
      let (bound, boundOverflow) = sum.addingReportingOverflow(alignment - 1)
      guard !overflow, !sumOverflow, !boundOverflow, bound <= Int.max / 4 else {
        throw .sizeOverflow(id: id)
      }
      total = bound
      indices.append(index)
      sizes.append(size)
    }
    return (indices, sizes)
  }

  /// The cliques of intervals that no other clique contains, in the order of time.
  private static func cliques(of steps: [Range<Int>]) -> (ranges: [Range<Int>], count: Int) {
    let starts = steps.indices.sorted { (steps[$0].lowerBound, $0) < (steps[$1].lowerBound, $1) }
    let ends = steps.indices.sorted { (steps[$0].upperBound, $0) < (steps[$1].upperBound, $1) }
    var firsts = [Int](repeating: 0, count: steps.count)
    var ranges = [Range<Int>](repeating: 0..<0, count: steps.count)
    var (next, clique, grew) = (0, 0, false)
    for buffer in ends {
      while next < starts.count, steps[starts[next]].lowerBound < steps[buffer].upperBound {
        firsts[starts[next]] = clique
        next += 1
        grew = true
      }
      if grew { clique += 1 }
      grew = false
      ranges[buffer] = firsts[buffer]..<clique
    }
    return (ranges, clique)
  }

  /// Nil where there are too many conflicts to write down.
  init?(
    lifetimes: [Lifetime], indices: [Int], sizes: [Int], conflicts: [(Int, Int)]
  ) throws(ArenaError) {
    let steps = indices.map { lifetimes[$0].first..<lifetimes[$0].end }
    let (ranges, cliqueCount) = Self.cliques(of: steps)
    guard sizes.count < Int(Int32.max), conflicts.count <= Self.maximumConflictCount,
      Self.conflictCount(of: ranges, cliqueCount: cliqueCount) <= Self.maximumConflictCount
    else { return nil }
    var cliquesOfBuffer = Rows()
    for range in ranges { cliquesOfBuffer.append(range.lazy.map { Int32($0) }) }
    var cliques = cliquesOfBuffer.transposed(columnCount: cliqueCount)
    var neighbors = Self.neighbors(of: ranges, cliques: cliques)

    let extra = try Self.checked(conflicts, lifetimeCount: lifetimes.count, indices: indices)
      .filter { !ranges[$0.0].overlaps(ranges[$0.1]) }
    if !extra.isEmpty {
      neighbors = Self.adding(extra, to: neighbors)
      for clique in Self.cliques(covering: extra, neighbors: neighbors, sizes: sizes) {
        cliques.append(clique)
      }
      cliquesOfBuffer = cliques.transposed(columnCount: sizes.count)
    }
    self.indices = indices
    self.sizes = sizes
    self.alignments = indices.map { lifetimes[$0].alignment }
    self.steps = steps
    self.cliques = cliques
    self.cliquesOfBuffer = cliquesOfBuffer
    self.neighbors = neighbors
    lowerBound = 0
    for clique in 0..<cliques.count {
      lowerBound = max(lowerBound, cliques[clique].reduce(0) { $0 + sizes[Int($1)] })
    }
  }
}

// MARK: - Conflicts

extension PackingProblem {
  private static func conflictCount(of ranges: [Range<Int>], cliqueCount: Int) -> Int {
    var changes = [(starts: Int, ends: Int)](repeating: (0, 0), count: cliqueCount + 1)
    for range in ranges {
      changes[range.lowerBound].starts += 1
      changes[range.upperBound].ends += 1
    }
    var (live, conflicts) = (0, 0)
    for (starts, ends) in changes {
      live -= ends
      conflicts += starts * live + starts * (starts - 1) / 2
      live += starts
    }
    return 2 * conflicts
  }

  private static func neighbors(of ranges: [Range<Int>], cliques: Rows) -> Rows {
    var neighbors = Rows()
    for (buffer, range) in ranges.enumerated() {
      var row: [Int32] = []
      for clique in range {
        for other in cliques[clique] where Int(other) != buffer {
          // Counted in the first clique that both are in.
          if clique == max(range.lowerBound, ranges[Int(other)].lowerBound) { row.append(other) }
        }
      }
      neighbors.append(row)
    }
    return neighbors
  }

  /// The conflicts as pairs of positions in `indices`, sorted, each once; those of empty buffers
  /// dropped.
  private static func checked(
    _ conflicts: [(Int, Int)], lifetimeCount: Int, indices: [Int]
  ) throws(ArenaError) -> [(Int, Int)] {
    var positions = [Int](repeating: -1, count: lifetimeCount)
    for (position, index) in indices.enumerated() { positions[index] = position }
    var pairs: [(Int, Int)] = []
    for (a, b) in conflicts {
      for index in [a, b] where !positions.indices.contains(index) {
        throw .unknownBuffer(index: index, count: lifetimeCount)
      }
      let (p, q) = (positions[a], positions[b])
      if p >= 0, q >= 0, p != q { pairs.append((min(p, q), max(p, q))) }
    }
    pairs.sort { $0 < $1 }
    var unique: [(Int, Int)] = []
    for pair in pairs {
      if let last = unique.last, last == pair { continue }
      unique.append(pair)
    }
    return unique
  }

  private static func adding(_ pairs: [(Int, Int)], to neighbors: Rows) -> Rows {
    var extra = [[Int32]](repeating: [], count: neighbors.count)
    for (a, b) in pairs {
      extra[a].append(Int32(b))
      extra[b].append(Int32(a))
    }
    var result = Rows()
    for row in 0..<neighbors.count { result.append(neighbors[row] + extra[row]) }
    return result
  }

  /// Cliques such that each pair is in one of them, grown with the largest common neighbours.
  private static func cliques(
    covering pairs: [(Int, Int)], neighbors: Rows, sizes: [Int]
  ) -> [[Int32]] {
    var covered: Set<SIMD2<Int32>> = []
    var cliques: [[Int32]] = []
    var sharedBy = [Int32](repeating: 0, count: sizes.count)
    let extraPairs = Set(pairs.map { SIMD2(Int32($0.0), Int32($0.1)) })
    for (a, b) in pairs where !covered.contains(SIMD2(Int32(a), Int32(b))) {
      var clique = [Int32(a), Int32(b)]
      for other in neighbors[a] { sharedBy[Int(other)] += 1 }
      for other in neighbors[b] { sharedBy[Int(other)] += 1 }
      let candidates = neighbors[b].filter { sharedBy[Int($0)] == 2 }
        .sorted { (-sizes[Int($0)], $0) < (-sizes[Int($1)], $1) }
      for candidate in candidates where sharedBy[Int(candidate)] == clique.count {
        for other in neighbors[Int(candidate)] { sharedBy[Int(other)] += 1 }
        clique.append(candidate)
      }
      for member in clique {
        for other in neighbors[Int(member)] { sharedBy[Int(other)] = 0 }
      }
      clique.sort()
      for (position, p) in clique.enumerated() {
        for q in clique[(position + 1)...] where extraPairs.contains(SIMD2(p, q)) {
          covered.insert(SIMD2(p, q))
        }
      }
      cliques.append(clique)
    }
    return cliques
  }
}

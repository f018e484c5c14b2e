extension ArenaPlanner {
  /// Gaps looked at before a buffer goes to the top: bounds the time for very many buffers.
  private static let maximumGapCount = 256

  /// The layout that an allocator would give step by step: for so many buffers that their conflicts
  /// cannot be written down. Where conflicts are not those of the steps alone, the buffers are laid
  /// side by side.
  static func sequentialLayout(
    _ lifetimes: [Lifetime], indices: [Int], sizes: [Int], disjoint: Bool
  ) -> ArenaLayout {
    let starts = indices.indices.sorted {
      (lifetimes[indices[$0]].first, -sizes[$0], $0)
        < (lifetimes[indices[$1]].first, -sizes[$1], $1)
    }
    let ends = indices.indices.sorted {
      (lifetimes[indices[$0]].end, $0) < (lifetimes[indices[$1]].end, $1)
    }
    var offsets = [Int](repeating: 0, count: lifetimes.count)
    var gaps: [Range<Int>] = []
    var (top, live, lowerBound, nextEnd) = (0, 0, 0, 0)
    for buffer in starts {
      let lifetime = lifetimes[indices[buffer]]
      while nextEnd < ends.count, lifetimes[indices[ends[nextEnd]]].end <= lifetime.first {
        let ended = ends[nextEnd]
        live -= sizes[ended]
        if !disjoint {
          let offset = offsets[indices[ended]]
          insert(offset..<offset + sizes[ended], into: &gaps)
        }
        nextEnd += 1
      }
      live += sizes[buffer]
      lowerBound = max(lowerBound, live)
      offsets[indices[buffer]] = take(
        sizes[buffer], alignment: lifetime.alignment, from: &gaps, top: &top)
    }
    return ArenaLayout(offsets: offsets, byteCount: top, lowerBound: lowerBound)
  }

  private static func take(
    _ size: Int, alignment: Int, from gaps: inout [Range<Int>], top: inout Int
  ) -> Int {
    for (index, gap) in gaps.enumerated() {
      let offset = gap.lowerBound.rounded(upTo: alignment)
      guard offset <= gap.upperBound, gap.upperBound - offset >= size else { continue }
      let rest = [gap.lowerBound..<offset, offset + size..<gap.upperBound].filter { !$0.isEmpty }
      gaps.replaceSubrange(index...index, with: rest)
      return offset
    }
    let offset = top.rounded(upTo: alignment)
    top = offset + size
    return offset
  }

  /// Adds a gap, joined with those it touches; forgets the smallest where there are too many.
  private static func insert(_ gap: Range<Int>, into gaps: inout [Range<Int>]) {
    var gap = gap
    let index = gaps.firstIndex { $0.upperBound >= gap.lowerBound } ?? gaps.count
    while index < gaps.count, gaps[index].lowerBound <= gap.upperBound {
      gap =
        min(gap.lowerBound, gaps[index].lowerBound)..<max(gap.upperBound, gaps[index].upperBound)
      gaps.remove(at: index)
    }
    gaps.insert(gap, at: index)
    if gaps.count > maximumGapCount,
      let smallest = gaps.indices.min(by: { gaps[$0].count < gaps[$1].count })
    {
      gaps.remove(at: smallest)
    }
  }
}

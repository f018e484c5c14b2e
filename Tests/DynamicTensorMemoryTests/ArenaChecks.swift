import DynamicTensorMemory
import Testing

/// Numbers that are the same in every run.
struct Random {
  private var state: UInt64

  init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  mutating func next(below bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % bound
  }

  mutating func lifetimes(
    count: Int, steps: Int, maximumSize: Int, mixesAlignments: Bool
  ) -> [Lifetime] {
    (0..<count).map { index in
      let first = next(below: steps)
      let length = next(below: 4) == 0 ? 1 + next(below: steps) : 1 + next(below: 4)
      return Lifetime(
        id: index, first: first, end: first + length,
        byteCount: next(below: 20) == 0 ? 0 : next(below: maximumSize),
        alignment: mixesAlignments ? 1 << next(below: 9) : 64)
    }
  }

  mutating func pairs(count: Int, below bound: Int) -> [(Int, Int)] {
    (0..<count).map { _ in (next(below: bound), next(below: bound)) }
  }
}

private func roundedSize(_ lifetime: Lifetime) -> Int {
  (lifetime.byteCount + lifetime.alignment - 1) / lifetime.alignment * lifetime.alignment
}

/// Whether two different buffers may not overlap.
private func conflict(
  _ a: Int, _ b: Int, _ lifetimes: [Lifetime], _ conflicts: [(Int, Int)]
) -> Bool {
  (lifetimes[a].first < lifetimes[b].end && lifetimes[b].first < lifetimes[a].end)
    || conflicts.contains { $0 == (a, b) || $0 == (b, a) }
}

/// Checks a layout against its definition.
func expectValid(
  _ layout: ArenaLayout, _ lifetimes: [Lifetime], _ conflicts: [(Int, Int)],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  var problems: [String] = []
  if layout.offsets.count != lifetimes.count { problems.append("offsets are missing") }
  let used = lifetimes.indices.filter { lifetimes[$0].byteCount > 0 }
  for (position, a) in used.enumerated() {
    let offset = layout.offsets[a]
    let end = offset + roundedSize(lifetimes[a])
    if offset < 0 || end > layout.byteCount { problems.append("\(a) lies outside") }
    if offset % lifetimes[a].alignment != 0 { problems.append("\(a) is not aligned") }
    for b in used[..<position]
    where offset < layout.offsets[b] + roundedSize(lifetimes[b]) && layout.offsets[b] < end
      && conflict(a, b, lifetimes, conflicts)
    {
      problems.append("\(b) and \(a) overlap")
    }
  }
  // The most bytes at one step are found where a buffer begins.
  var mostLive = 0
  if lifetimes.count < 1000 {
    for step in lifetimes.map(\.first) {
      let live = lifetimes.filter { $0.first <= step && step < $0.end }
      mostLive = max(mostLive, live.reduce(0) { $0 + roundedSize($1) })
    }
  }
  if layout.lowerBound < mostLive { problems.append("the lower bound is too low") }
  if layout.byteCount < layout.lowerBound { problems.append("smaller than the lower bound") }
  let sum = lifetimes.reduce(0) { $0 + roundedSize($1) + $1.alignment - 1 }
  if layout.byteCount > sum { problems.append("larger than all buffers together") }
  #expect(problems.isEmpty, sourceLocation: sourceLocation)
}

/// The size of the smallest arena: every order, each buffer on top of those before it.
func smallestArena(_ lifetimes: [Lifetime], _ conflicts: [(Int, Int)]) -> Int {
  let used = lifetimes.indices.filter { lifetimes[$0].byteCount > 0 }
  var smallest = Int.max
  func extend(_ placed: [(buffer: Int, end: Int)], _ size: Int) {
    if size >= smallest { return }
    if placed.count == used.count { smallest = size }
    for buffer in used where !placed.contains(where: { $0.buffer == buffer }) {
      let alignment = lifetimes[buffer].alignment
      let top =
        placed.filter { conflict($0.buffer, buffer, lifetimes, conflicts) }.map(\.end).max() ?? 0
      let end = (top + alignment - 1) / alignment * alignment + roundedSize(lifetimes[buffer])
      extend(placed + [(buffer, end)], max(size, end))
    }
  }
  extend([], 0)
  return smallest == .max ? 0 : smallest
}

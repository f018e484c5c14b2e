import DynamicTensorMemory
import Testing

@Suite struct ArenaPlannerTests {
  @Test func noBuffersNeedNoArena() throws {
    let layout = try ArenaPlanner.plan([])
    #expect(layout == ArenaLayout(offsets: [], byteCount: 0, lowerBound: 0))
  }

  @Test func emptyBuffersTakeNoPlace() throws {
    let layout = try ArenaPlanner.plan([
      Lifetime(id: 0, first: 0, end: 2, byteCount: 0),
      Lifetime(id: 1, first: 0, end: 2, byteCount: 1),
      Lifetime(id: 2, first: 1, end: 3, byteCount: 0),
    ])
    #expect(layout.byteCount == 64)
    #expect(layout.isOptimal)
  }

  @Test func lifetimesAreHalfOpen() throws {
    let layout = try ArenaPlanner.plan([
      Lifetime(id: 0, first: 0, end: 1, byteCount: 100),
      Lifetime(id: 1, first: 1, end: 2, byteCount: 100),
    ])
    #expect(layout.offsets == [0, 0])
    #expect(layout.byteCount == 128)
  }

  @Test(arguments: 0..<120)
  func randomLayoutsAreValid(seed: Int) throws {
    var random = Random(seed: seed)
    let count = [1, 2, 3, 5, 17, 61, 127][random.next(below: 7)]
    let lifetimes = random.lifetimes(
      count: count, steps: 1 + random.next(below: 2 * count), maximumSize: 5000,
      mixesAlignments: seed % 3 == 0)
    let conflicts = seed % 2 == 0 ? [] : random.pairs(count: count, below: count)
    let greedy = try ArenaPlanner.plan(lifetimes, conflicts: conflicts, effort: .greedy)
    let searched = try ArenaPlanner.plan(
      lifetimes, conflicts: conflicts, effort: .init(searchWork: 30_000))
    expectValid(greedy, lifetimes, conflicts)
    expectValid(searched, lifetimes, conflicts)
    #expect(searched.byteCount <= greedy.byteCount)
    #expect(searched.lowerBound == greedy.lowerBound)
    #expect(
      try ArenaPlanner.plan(lifetimes, conflicts: conflicts, effort: .init(searchWork: 30_000))
        == searched)
  }

  @Test(arguments: 0..<40)
  func smallProblemsAreSolvedExactly(seed: Int) throws {
    var random = Random(seed: seed)
    let count = 2 + random.next(below: 5)
    let lifetimes = random.lifetimes(
      count: count, steps: 6, maximumSize: 600, mixesAlignments: seed % 3 == 0)
    let conflicts = seed % 2 == 0 ? [] : random.pairs(count: 2, below: count)
    let layout = try ArenaPlanner.plan(
      lifetimes, conflicts: conflicts, effort: .init(searchWork: 10_000_000))
    expectValid(layout, lifetimes, conflicts)
    #expect(layout.byteCount == smallestArena(lifetimes, conflicts))
  }

  @Test func residualChainsReachTheLowerBound() throws {
    for (blocks, shrinks) in [(16, true), (50, false), (200, true)] {
      let lifetimes = residualChain(blocks: blocks, shrinks: shrinks)
      let layout = try ArenaPlanner.plan(lifetimes, effort: .greedy)
      expectValid(layout, lifetimes, [])
      #expect(layout.isOptimal)
    }
  }

  @Test func parallelBranchesDoNotShare() throws {
    // Two branches that may run at once, though their steps are numbered one after the other.
    let lifetimes = (0..<6).map {
      Lifetime(id: $0, first: $0, end: $0 + 2, byteCount: 64 * (1 + $0 % 3))
    }
    let conflicts = (0..<3).flatMap { a in (3..<6).map { (a, $0) } }
    let layout = try ArenaPlanner.plan(lifetimes, conflicts: conflicts)
    expectValid(layout, lifetimes, conflicts)
    #expect(layout.byteCount == 2 * 64 * 5)
    #expect(layout.isOptimal)
  }

  @Test func thousandsOfBuffersAtOnceAreStillPlanned() throws {
    var random = Random(seed: 1)
    let lifetimes = (0..<4000).map { index in
      let first = random.next(below: 300)
      return Lifetime(
        id: index, first: first, end: first + 100 + random.next(below: 300),
        byteCount: 1 + random.next(below: 1000))
    }
    let layout = try ArenaPlanner.plan(lifetimes)
    expectValid(layout, lifetimes, [])
  }
}

@Suite struct ArenaErrorTests {
  @Test(arguments: [(0, 0), (3, 2), (Int.max, Int.min)])
  func emptyLifetimes(first: Int, end: Int) {
    #expect(throws: ArenaError.emptyLifetime(id: 7, first: first, end: end)) {
      try ArenaPlanner.plan([Lifetime(id: 7, first: first, end: end, byteCount: 1)])
    }
  }

  @Test func negativeSizes() {
    #expect(throws: ArenaError.negativeSize(id: 7, byteCount: -1)) {
      try ArenaPlanner.plan([Lifetime(id: 7, first: 0, end: 1, byteCount: -1)])
    }
  }

  @Test(arguments: [0, -64, 3, 48, Int.min])
  func alignments(alignment: Int) {
    #expect(throws: ArenaError.invalidAlignment(id: 7, alignment: alignment)) {
      try ArenaPlanner.plan([
        Lifetime(id: 7, first: 0, end: 1, byteCount: 1, alignment: alignment)
      ])
    }
  }

  @Test func sizesThatOverflow() {
    let half = Int.max / 8
    for sizes in [[Int.max], [Int.max - 62], [half, half], [1, Int.max - 64]] {
      #expect(throws: ArenaError.sizeOverflow(id: sizes.count - 1)) {
        try ArenaPlanner.plan(
          sizes.enumerated().map {
            Lifetime(id: $0.offset, first: .min, end: .max, byteCount: $0.element)
          })
      }
    }
  }

  @Test func hugeSizesThatFit() throws {
    let lifetimes = [
      Lifetime(id: 0, first: .min, end: 0, byteCount: Int.max / 16),
      Lifetime(id: 1, first: -1, end: .max, byteCount: Int.max / 16),
    ]
    expectValid(try ArenaPlanner.plan(lifetimes), lifetimes, [])
  }

  @Test(arguments: [-1, 2])
  func unknownBuffers(index: Int) {
    #expect(throws: ArenaError.unknownBuffer(index: index, count: 2)) {
      try ArenaPlanner.plan(
        [
          Lifetime(id: 0, first: 0, end: 1, byteCount: 1),
          Lifetime(id: 1, first: 0, end: 1, byteCount: 1),
        ], conflicts: [(0, index)])
    }
  }
}

/// The activations of a network of residual blocks: each block's input lives until its sum.
private func residualChain(blocks: Int, shrinks: Bool) -> [Lifetime] {
  var lifetimes: [Lifetime] = []
  var size = 1 << 20
  for block in 0..<blocks {
    let step = 4 * block
    let inner = size / 4
    for (first, end, bytes) in [
      (step, step + 5, size), (step + 1, step + 3, inner), (step + 2, step + 4, inner),
      (step + 3, step + 5, size),
    ] {
      lifetimes.append(Lifetime(id: lifetimes.count, first: first, end: end, byteCount: bytes))
    }
    if shrinks, block % 5 == 4 { size = max(size / 2, 64) }
  }
  return lifetimes
}

/// The buffers that a search has placed, and what follows for the others.
///
/// Tables are raw memory: the search spends all its time here.
struct ArenaSearchState: ~Copyable {
  /// What is known of a clique's unplaced buffers.
  struct Clique {
    /// No unplaced buffer can lie lower.
    var floor: Int
    /// The bytes of the unplaced buffers.
    var unplacedBytes: Int
    /// The two lowest offsets at which an unplaced buffer can end, and whose the lowest is.
    var lowestTop: Int
    var secondTop: Int
    var lowestBuffer: Int32
    var unplacedCount: Int32

    /// The lowest offset at which an unplaced buffer other than the one given can end.
    func lowestTop(except buffer: Int32) -> Int {
      lowestBuffer == buffer ? secondTop : lowestTop
    }
  }

  /// A step that can be taken back.
  private enum Step {
    case floor(Int32, Int)
    case clique(Int32, Clique)
    case placement(Int32)
  }

  let bufferCount: Int
  let cliqueCount: Int
  let capacity: Int
  /// Visits of a buffer in a clique so far: the measure of work.
  private(set) var work = 0
  /// The work after which nothing is decided any more.
  var workLimit = 0

  let sizes: UnsafeMutablePointer<Int>
  let alignments: UnsafeMutablePointer<Int>
  /// No unplaced buffer can have a lower offset; the offset of a placed one.
  let floors: UnsafeMutablePointer<Int>
  let isPlaced: UnsafeMutablePointer<Bool>
  let cliques: UnsafeMutablePointer<Clique>
  /// How often the search has failed in each clique, decaying.
  let failures: UnsafeMutablePointer<Double>

  /// Where each buffer's memberships start, and the clique of each membership.
  let membershipStarts: UnsafeMutablePointer<Int32>
  let membershipCliques: UnsafeMutablePointer<Int32>
  /// Where each clique's members start, and the membership of each; the unplaced come first.
  private let memberStarts: UnsafeMutablePointer<Int32>
  private let members: UnsafeMutablePointer<Int32>
  private let memberBuffers: UnsafeMutablePointer<Int32>
  /// Where each membership stands among the members of its clique.
  private let positions: UnsafeMutablePointer<Int32>

  private var steps: [Step] = []
  private var dirty: [Int32] = []
  private let isDirty: UnsafeMutablePointer<Bool>

  init(problem: PackingProblem, capacity: Int) {
    let (buffers, cliqueRows) = (problem.cliquesOfBuffer, problem.cliques)
    bufferCount = problem.count
    cliqueCount = cliqueRows.count
    self.capacity = capacity
    sizes = .copy(problem.sizes)
    alignments = .copy(problem.alignments)
    floors = .copy([Int](repeating: 0, count: bufferCount))
    isPlaced = .copy([Bool](repeating: false, count: bufferCount))
    failures = .copy([Double](repeating: 1, count: cliqueCount))
    isDirty = .copy([Bool](repeating: false, count: cliqueCount))
    membershipStarts = .copy(buffers.starts.map { Int32($0) })
    membershipCliques = .copy(buffers.values)
    memberStarts = .copy(cliqueRows.starts.map { Int32($0) })
    memberBuffers = .copy(cliqueRows.values)
    members = .copy(cliqueRows.values)
    positions = .copy(cliqueRows.values)
    cliques = .copy(
      (0..<cliqueRows.count).map { clique in
        Clique(
          floor: 0, unplacedBytes: cliqueRows[clique].reduce(0) { $0 + problem.sizes[Int($1)] },
          lowestTop: 0, secondTop: 0, lowestBuffer: -1,
          unplacedCount: Int32(cliqueRows[clique].count))
      })
    linkMembers()
  }

  private func linkMembers() {
    var next = (0..<cliqueCount).map { memberStarts[$0] }
    for buffer in 0..<bufferCount {
      for membership in membershipStarts[buffer]..<membershipStarts[buffer + 1] {
        let clique = Int(membershipCliques[Int(membership)])
        let position = Int(next[clique])
        next[clique] += 1
        members[position] = membership
        memberBuffers[position] = Int32(buffer)
        positions[Int(membership)] = Int32(position)
      }
    }
  }

  deinit {
    sizes.deallocate()
    alignments.deallocate()
    floors.deallocate()
    isPlaced.deallocate()
    cliques.deallocate()
    failures.deallocate()
    isDirty.deallocate()
    membershipStarts.deallocate()
    membershipCliques.deallocate()
    memberStarts.deallocate()
    memberBuffers.deallocate()
    members.deallocate()
    positions.deallocate()
  }
}

extension UnsafeMutablePointer {
  fileprivate static func copy(_ values: [Pointee]) -> Self {
    let pointer = allocate(capacity: Swift.max(values.count, 1))
    pointer.initialize(from: values, count: values.count)
    return pointer
  }
}

// MARK: - Looking

extension ArenaSearchState {
  /// The cliques of a buffer.
  @inline(__always)
  func cliques(of buffer: Int32) -> UnsafeBufferPointer<Int32> {
    let start = Int(membershipStarts[Int(buffer)])
    let end = Int(membershipStarts[Int(buffer) + 1])
    return UnsafeBufferPointer(start: membershipCliques + start, count: end - start)
  }

  /// The unplaced buffers of a clique.
  @inline(__always)
  func unplaced(in clique: Int32) -> UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(
      start: memberBuffers + Int(memberStarts[Int(clique)]),
      count: Int(cliques[Int(clique)].unplacedCount))
  }

  @inline(__always)
  private func aligned(_ offset: Int, for buffer: Int32) -> Int {
    offset.rounded(upTo: alignments[Int(buffer)])
  }

  /// The lowest top of a neighbour that is not placed, where the buffer would lie if not at its
  /// floor; nil where it has no such neighbour.
  @inline(__always)
  mutating func lowestNeighborTop(of buffer: Int32) -> Int? {
    var lowest = Int.max
    let own = cliques(of: buffer)
    for clique in own { lowest = min(lowest, cliques[Int(clique)].lowestTop(except: buffer)) }
    work &+= own.count
    return lowest == .max ? nil : lowest
  }
}

// MARK: - Deciding

extension ArenaSearchState {
  var stepCount: Int { steps.count }

  /// Puts a buffer at its floor; its neighbours then lie above it. False where that cannot be.
  mutating func place(_ buffer: Int32) -> Bool {
    isPlaced[Int(buffer)] = true
    steps.append(.placement(buffer))
    let size = sizes[Int(buffer)]
    let top = floors[Int(buffer)] + size
    var isPossible = true
    for membership in membershipStarts[Int(buffer)]..<membershipStarts[Int(buffer) + 1] {
      let clique = Int(membershipCliques[Int(membership)])
      steps.append(.clique(Int32(clique), cliques[clique]))
      remove(membership, from: clique)
      cliques[clique].unplacedBytes -= size
      cliques[clique].floor = top
      if top + cliques[clique].unplacedBytes > capacity {
        failures[clique] += 1
        isPossible = false
      }
      markDirty(Int32(clique))
    }
    return isPossible
  }

  /// Puts a buffer's floor to the lowest top of a neighbour. False where that cannot be.
  mutating func raise(_ buffer: Int32) -> Bool {
    guard let top = lowestNeighborTop(of: buffer) else { return false }
    return setFloor(of: buffer, to: aligned(top, for: buffer))
  }

  /// Moves a membership behind the unplaced ones of its clique.
  private func remove(_ membership: Int32, from clique: Int) {
    cliques[clique].unplacedCount -= 1
    let last = Int(memberStarts[clique] + cliques[clique].unplacedCount)
    let position = Int(positions[Int(membership)])
    swap(&members[position], &members[last])
    swap(&memberBuffers[position], &memberBuffers[last])
    positions[Int(members[position])] = Int32(position)
    positions[Int(membership)] = Int32(last)
  }

  private mutating func setFloor(of buffer: Int32, to floor: Int) -> Bool {
    steps.append(.floor(buffer, floors[Int(buffer)]))
    floors[Int(buffer)] = floor
    for clique in cliques(of: buffer) { markDirty(clique) }
    return floor + sizes[Int(buffer)] <= capacity
  }

  mutating func undo(to stepCount: Int) {
    while steps.count > stepCount {
      switch steps.removeLast() {
      case .floor(let buffer, let floor): floors[Int(buffer)] = floor
      case .clique(let index, let clique): cliques[Int(index)] = clique
      case .placement(let buffer): isPlaced[Int(buffer)] = false
      }
    }
    for clique in dirty { isDirty[Int(clique)] = false }
    dirty.removeAll(keepingCapacity: true)
  }
}

// MARK: - Propagating

extension ArenaSearchState {
  mutating func markDirty(_ clique: Int32) {
    if isDirty[Int(clique)] { return }
    isDirty[Int(clique)] = true
    dirty.append(clique)
  }

  var isOutOfWork: Bool { work > workLimit }

  /// Raises floors until nothing more follows or the work is used up. False where no layout can be
  /// left.
  mutating func propagate() -> Bool {
    while !isOutOfWork, let clique = dirty.popLast() {
      isDirty[Int(clique)] = false
      if cliques[Int(clique)].unplacedCount == 0 { continue }
      guard update(clique) else {
        failures[Int(clique)] += 1
        return false
      }
    }
    return true
  }

  private mutating func update(_ index: Int32) -> Bool {
    let old = cliques[Int(index)]
    var new = old
    (new.lowestTop, new.secondTop, new.lowestBuffer) = (.max, .max, -1)
    var lowestFloor = Int.max
    let buffers = unplaced(in: index)
    work &+= 2 &* buffers.count
    for buffer in buffers {
      let floor = floors[Int(buffer)]
      lowestFloor = min(lowestFloor, floor)
      let top = floor &+ sizes[Int(buffer)]
      if top < new.lowestTop {
        new.secondTop = new.lowestTop
        new.lowestTop = top
        new.lowestBuffer = buffer
      } else if top < new.secondTop {
        new.secondTop = top
      }
    }
    new.floor = max(old.floor, lowestFloor)
    if new.floor + new.unplacedBytes > capacity { return false }
    if new.floor != old.floor || new.lowestTop != old.lowestTop || new.secondTop != old.secondTop
      || new.lowestBuffer != old.lowestBuffer
    {
      steps.append(.clique(index, old))
      cliques[Int(index)] = new
    }
    for buffer in buffers {
      let current = floors[Int(buffer)]
      var floor = max(current, new.floor)
      if floor + new.unplacedBytes > capacity {
        // Too high to be the lowest of the clique: another one lies below.
        let top = new.lowestTop(except: buffer)
        guard top != .max else { return false }
        floor = max(floor, top)
      }
      if floor > current, !setFloor(of: buffer, to: aligned(floor, for: buffer)) { return false }
    }
    return true
  }
}

import Synchronization

/// Where one worker is told what to do.
///
/// The state is one word, and only these steps change it:
///
/// - idle to asleep, by the worker;
/// - idle or asleep to assigned, by a caller, and from assigned back to idle, by the same caller;
/// - assigned to running to idle, by the worker;
/// - anything to stopped, at the pool's end.
///
/// Whoever takes it out of asleep wakes the worker exactly once.
struct ThreadPoolSlot {
  static let byteCount = ThreadPoolState.lineByteCount + ThreadPoolParking.byteCount

  static let idle = 0
  static let asleep = 1
  private static let stopped = 2
  private static let running = 3
  /// The bit that tells an assignment from the other states.
  private static let assignedBit = 1 << 48

  /// A region and a place in it, as one word.
  struct Assignment {
    let word: Int

    init(region: Int, participant: Int) {
      word = ThreadPoolSlot.assignedBit | region << 16 | participant
    }

    fileprivate init(word: Int) { self.word = word }

    var region: Int { (word & (ThreadPoolSlot.assignedBit - 1)) >> 16 }
    var participant: Int { word & 0xffff }
  }

  let base: UnsafeMutableRawPointer

  private var state: UnsafeMutablePointer<Atomic<Int>> {
    base.assumingMemoryBound(to: Atomic<Int>.self)
  }

  private var parking: ThreadPoolParking {
    ThreadPoolParking(base: base + ThreadPoolState.lineByteCount)
  }

  func initialize() {
    state.initialize(to: Atomic(Self.idle))
    parking.initialize()
  }

  func deinitialize() { parking.deinitialize() }

  // MARK: The callers' side

  func isIn(_ expected: Int) -> Bool { state.pointee.load(ordering: .relaxed) == expected }

  /// False where the worker is no longer in the state expected.
  func assign(region: Int, participant: Int, from expected: Int) -> Bool {
    let assignment = Assignment(region: region, participant: participant)
    let (exchanged, _) = state.pointee.compareExchange(
      expected: expected, desired: assignment.word, successOrdering: .releasing,
      failureOrdering: .relaxed)
    if exchanged, expected == Self.asleep { parking.wake() }
    return exchanged
  }

  /// Makes the worker idle again where it was sent into the region and has not begun.
  func revoke(region: Int) -> Bool {
    let word = state.pointee.load(ordering: .relaxed)
    guard word & Self.assignedBit != 0, Assignment(word: word).region == region else {
      return false
    }
    return state.pointee.compareExchange(
      expected: word, desired: Self.idle, ordering: .relaxed
    ).exchanged
  }

  func stop() {
    if state.pointee.exchange(Self.stopped, ordering: .acquiringAndReleasing) == Self.asleep {
      parking.wake()
    }
  }

  // MARK: The worker's side

  /// Waits for an assignment, awake at first, then asleep; nil when the pool ends.
  func awaitAssignment(spinNanoseconds: Int) -> Assignment? {
    while true {
      let deadline = monotonicNanoseconds() + spinNanoseconds
      repeat {
        let word = state.pointee.load(ordering: .relaxed)
        if word & Self.assignedBit != 0 { return Assignment(word: word) }
        if word == Self.stopped { return nil }
      } while monotonicNanoseconds() < deadline
      let (slept, _) = state.pointee.compareExchange(
        expected: Self.idle, desired: Self.asleep, ordering: .relaxed)
      if slept { parking.sleep() }
    }
  }

  /// False where the assignment has been revoked.
  func begin(_ assignment: Assignment) -> Bool {
    state.pointee.compareExchange(
      expected: assignment.word, desired: Self.running, successOrdering: .acquiring,
      failureOrdering: .relaxed
    ).exchanged
  }

  func becomeIdle() { state.pointee.store(Self.idle, ordering: .releasing) }
}

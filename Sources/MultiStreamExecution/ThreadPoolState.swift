import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the threads of a pool share: one block of memory, divided into lines that different threads
/// write, so that none slows another down.
///
/// `@unchecked Sendable`: the block is only reached through atomics and through `ThreadPoolRegion`,
/// whose plain fields are written by the caller that holds it, before the atomic that publishes
/// them.
struct ThreadPoolState: @unchecked Sendable {
  /// Two cache lines, because processors fetch them in pairs.
  static let lineByteCount = 128
  static let maximumThreadCount = 1024
  private static let maximumRegionCount = 64

  private let base: UnsafeMutableRawPointer
  private let slots: UnsafeMutableRawPointer
  private let regions: UnsafeMutableRawPointer
  private let regionByteCount: Int
  private let regionCount: Int
  private let key: pthread_key_t?
  let spinNanoseconds: Int

  init(threadCount: Int, spinMicroseconds: Int) {
    regionCount = min(max(threadCount / 2, 1), Self.maximumRegionCount)
    regionByteCount = ThreadPoolRegion.byteCount(participantCount: threadCount)
    let slotsByteCount = threadCount * ThreadPoolSlot.byteCount
    base = .allocate(
      byteCount: 2 * Self.lineByteCount + slotsByteCount + regionCount * regionByteCount,
      alignment: Self.lineByteCount)
    slots = base + 2 * Self.lineByteCount
    regions = slots + slotsByteCount
    key = insideTaskKey
    spinNanoseconds = min(max(spinMicroseconds, 0), 1_000_000) * 1000
    counts.initialize(to: Atomic(0))
    limit.initialize(to: Atomic(1))
    for worker in 0..<threadCount { slot(worker).initialize() }
    for index in 0..<regionCount { region(index).initialize() }
  }

  /// Frees the block; no thread may use it any more.
  func deallocate() {
    for index in 0..<regionCount { region(index).deinitialize() }
    for worker in 0..<slotCount { slot(worker).deinitialize() }
    base.deallocate()
  }

  private var slotCount: Int { (regions - slots) / ThreadPoolSlot.byteCount }

  func slot(_ worker: Int) -> ThreadPoolSlot {
    ThreadPoolSlot(base: slots + worker * ThreadPoolSlot.byteCount)
  }

  func region(_ index: Int) -> ThreadPoolRegion {
    ThreadPoolRegion(base: regions + index * regionByteCount, index: index)
  }
}

// MARK: - Nested calls

/// Marks the threads that are inside a task, of whichever pool.
private let insideTaskKey: pthread_key_t? = {
  var key = pthread_key_t()
  return pthread_key_create(&key, nil) == 0 ? key : nil
}()

extension ThreadPoolState {
  /// Whether the calling thread is running a task.
  var isInsideTask: Bool {
    get { key.map { pthread_getspecific($0) != nil } ?? false }
    nonmutating set {
      if let key { _ = pthread_setspecific(key, newValue ? base : nil) }
    }
  }
}

// MARK: - Sharing the workers

extension ThreadPoolState {
  private static let oneCaller = 1 << 32

  /// The callers, times 2^32, plus the workers lent to them.
  private var counts: UnsafeMutablePointer<Atomic<Int>> {
    base.assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// How many threads may run at once.
  private var limit: UnsafeMutablePointer<Atomic<Int>> {
    (base + Self.lineByteCount).assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// Lets callers use the workers.
  func start(threadCount: Int) { limit.pointee.store(threadCount, ordering: .releasing) }

  func addCaller() { counts.pointee.wrappingAdd(Self.oneCaller, ordering: .relaxed) }

  func removeCaller() { counts.pointee.wrappingSubtract(Self.oneCaller, ordering: .relaxed) }

  /// Takes workers from those that no caller has, at most a caller's fair share.
  func lend(atMost wanted: Int) -> Int {
    let threadCount = limit.pointee.load(ordering: .relaxed)
    var current = counts.pointee.load(ordering: .relaxed)
    while true {
      let (callers, lent) = (max(current >> 32, 1), current & (Self.oneCaller - 1))
      let share = (threadCount - 1) / callers
      let count = min(wanted, share, threadCount - callers - lent)
      if count <= 0 { return 0 }
      let (exchanged, original) = counts.pointee.weakCompareExchange(
        expected: current, desired: current + count, ordering: .relaxed)
      if exchanged { return count }
      current = original
    }
  }

  func takeBack(_ count: Int) {
    if count > 0 { counts.pointee.wrappingSubtract(count, ordering: .relaxed) }
  }

  /// Gives one lent worker back where more threads run than may; false where that is not so.
  func takeBackExcess() -> Bool {
    let threadCount = limit.pointee.load(ordering: .relaxed)
    var current = counts.pointee.load(ordering: .relaxed)
    while (current >> 32) + (current & (Self.oneCaller - 1)) > threadCount {
      if current & (Self.oneCaller - 1) == 0 { return false }
      let (exchanged, original) = counts.pointee.weakCompareExchange(
        expected: current, desired: current - 1, ordering: .relaxed)
      if exchanged { return true }
      current = original
    }
    return false
  }
}

// MARK: - Handing out regions

extension ThreadPoolState {
  /// A region that no other caller holds; nil where there is none.
  func takeRegion() -> ThreadPoolRegion? {
    for index in 0..<regionCount {
      let region = region(index)
      if region.take() { return region }
    }
    return nil
  }

  /// Sends up to `workerCount` idle workers into a region, those first that are awake.
  func assign(_ region: ThreadPoolRegion, workerCount: Int) -> Int {
    if workerCount == 0 { return 0 }
    let awake = assign(region, from: ThreadPoolSlot.idle, first: 1, count: workerCount)
    if awake == workerCount { return awake }
    return awake
      + assign(region, from: ThreadPoolSlot.asleep, first: awake + 1, count: workerCount - awake)
  }

  private func assign(
    _ region: ThreadPoolRegion, from state: Int, first: Int, count: Int
  ) -> Int {
    let end = limit.pointee.load(ordering: .relaxed)
    var assigned = 0
    for worker in 1..<end where slot(worker).isIn(state) {
      guard slot(worker).assign(region: region.index, participant: first + assigned, from: state)
      else { continue }
      assigned += 1
      if assigned == count { break }
    }
    return assigned
  }

  /// Calls back the workers that have not begun; how many they were.
  func revoke(_ region: ThreadPoolRegion, assigned: Int) -> Int {
    if region.finishedCount == assigned { return 0 }
    let end = limit.pointee.load(ordering: .relaxed)
    var revoked = 0
    for worker in 1..<end where slot(worker).revoke(region: region.index) { revoked += 1 }
    return revoked
  }

  /// What a worker does from its start to `stop`.
  func runWorker(_ worker: Int) {
    isInsideTask = true
    let slot = slot(worker)
    while let assignment = slot.awaitAssignment(spinNanoseconds: spinNanoseconds) {
      guard slot.begin(assignment) else { continue }
      let region = region(assignment.region)
      region.work(participant: assignment.participant, state: self)
      slot.becomeIdle()
      region.finishWorker()
    }
  }
}

import Synchronization

/// The tasks of one call, and how far they are.
///
/// Each participant has a range of the tasks of its own, takes chunks from its front, and when it
/// is empty takes chunks of the others'. Participant 0 is the caller; a range whose worker never
/// comes is done by the rest.
struct ThreadPoolRegion {
  /// Chunks into which a participant's own range is cut.
  private static let chunksPerParticipant = 8
  private static let parkingOffset = 3 * ThreadPoolState.lineByteCount
  private static let cursorsOffset = parkingOffset + ThreadPoolParking.byteCount

  /// What the tasks are; constant while workers may be in the region.
  private struct Work {
    let function: ThreadPool.Function
    let context: UnsafeRawPointer?
    let taskCount: Int
    let participantCount: Int
    let chunk: Int

    /// Where a participant's own range starts; for `participantCount`, where the last one ends.
    func start(_ participant: Int) -> Int {
      let (quotient, remainder) = taskCount.quotientAndRemainder(dividingBy: participantCount)
      return participant * quotient + min(participant, remainder)
    }
  }

  static func byteCount(participantCount: Int) -> Int {
    cursorsOffset + participantCount * ThreadPoolState.lineByteCount
  }

  let base: UnsafeMutableRawPointer
  let index: Int

  private func atomic(at offset: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    (base + offset).assumingMemoryBound(to: Atomic<Int>.self)
  }

  /// 1 while a caller holds the region.
  private var taken: UnsafeMutablePointer<Atomic<Int>> { atomic(at: 0) }

  private var work: UnsafeMutablePointer<Work> {
    (base + ThreadPoolState.lineByteCount).assumingMemoryBound(to: Work.self)
  }

  /// The workers that have left the region; less the number awaited while the caller sleeps.
  private var finished: UnsafeMutablePointer<Atomic<Int>> {
    atomic(at: 2 * ThreadPoolState.lineByteCount)
  }

  /// The workers among them that left for another caller's sake.
  private var departed: UnsafeMutablePointer<Atomic<Int>> {
    atomic(at: 2 * ThreadPoolState.lineByteCount + MemoryLayout<Atomic<Int>>.stride)
  }

  private var parking: ThreadPoolParking { ThreadPoolParking(base: base + Self.parkingOffset) }

  /// The next task of a participant's own range.
  private func cursor(_ participant: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    atomic(at: Self.cursorsOffset + participant * ThreadPoolState.lineByteCount)
  }

  func initialize() {
    taken.initialize(to: Atomic(0))
    finished.initialize(to: Atomic(0))
    departed.initialize(to: Atomic(0))
    parking.initialize()
  }

  func deinitialize() { parking.deinitialize() }
}

// MARK: - The caller's side

extension ThreadPoolRegion {
  func take() -> Bool {
    taken.pointee.load(ordering: .relaxed) == 0
      && taken.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
  }

  func release() { taken.pointee.store(0, ordering: .releasing) }

  func prepare(
    function: ThreadPool.Function, context: UnsafeRawPointer?, taskCount: Int,
    participantCount: Int
  ) {
    let own = (taskCount + participantCount - 1) / participantCount
    // Alone there is nobody to share chunks with.
    let chunk = participantCount == 1 ? taskCount : max(1, own / Self.chunksPerParticipant)
    let tasks = Work(
      function: function, context: context, taskCount: taskCount,
      participantCount: participantCount, chunk: chunk)
    work.initialize(to: tasks)
    for participant in 0..<participantCount {
      cursor(participant).initialize(to: Atomic(tasks.start(participant)))
    }
    finished.pointee.store(0, ordering: .relaxed)
    departed.pointee.store(0, ordering: .relaxed)
  }

  var finishedCount: Int { finished.pointee.load(ordering: .acquiring) }

  var departedCount: Int { departed.pointee.load(ordering: .relaxed) }

  /// Waits until as many workers have left the region.
  func await(workerCount: Int, spinNanoseconds: Int) {
    if finishedCount == workerCount { return }
    let deadline = monotonicNanoseconds() + spinNanoseconds
    repeat {
      if finishedCount == workerCount { return }
    } while monotonicNanoseconds() < deadline
    let left = finished.pointee.wrappingSubtract(workerCount, ordering: .acquiringAndReleasing)
    if left.newValue != 0 { parking.sleep() }
  }
}

// MARK: - Every participant's side

extension ThreadPoolRegion {
  /// Runs tasks until none is left, or until a worker is needed elsewhere.
  func work(participant: Int, state: ThreadPoolState) {
    let work = self.work.pointee
    var owner = participant
    repeat {
      let cursor = cursor(owner)
      let end = work.start(owner + 1)
      while cursor.pointee.load(ordering: .relaxed) < end {
        let first = cursor.pointee.wrappingAdd(work.chunk, ordering: .relaxed).oldValue
        if first >= end { break }
        work.function(work.context, participant, first, min(first + work.chunk, end))
        if participant != 0, state.takeBackExcess() {
          departed.pointee.wrappingAdd(1, ordering: .relaxed)
          return
        }
      }
      owner = owner + 1 == work.participantCount ? 0 : owner + 1
    } while owner != participant
  }

  /// The last thing that a worker does in a region.
  func finishWorker() {
    if finished.pointee.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == 0 {
      parking.wake()
    }
  }
}

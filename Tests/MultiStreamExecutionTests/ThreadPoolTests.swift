import Foundation
import MultiStreamExecution
import Synchronization
import Testing

/// How often each task ran, and what else is to be seen from inside tasks.
private final class Journal: Sendable {
  let counts: Counters
  let running = Atomic<Int>(0)
  let mostRunning = Atomic<Int>(0)

  init(taskCount: Int) { counts = Counters(count: taskCount) }

  func enter() {
    let now = running.wrappingAdd(1, ordering: .relaxed).newValue
    mostRunning.max(now, ordering: .relaxed)
  }

  func leave() { running.wrappingSubtract(1, ordering: .relaxed) }
}

/// Atomic counters in a row.
private final class Counters: @unchecked Sendable {
  let count: Int
  private let base: UnsafeMutablePointer<Atomic<Int>>

  init(count: Int) {
    self.count = count
    base = .allocate(capacity: max(count, 1))
    for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
  }

  deinit { base.deallocate() }

  func add(_ index: Int) { base[index].wrappingAdd(1, ordering: .relaxed) }

  var values: [Int] { (0..<count).map { base[$0].load(ordering: .relaxed) } }
}

/// Runs `body` on threads of its own and waits for them.
private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let done = DispatchSemaphore(value: 0)
  for index in 0..<count {
    Thread {
      body(index)
      done.signal()
    }.start()
  }
  for _ in 0..<count { done.wait() }
}

/// Work that the optimiser keeps, some nanoseconds for each round.
private func busy(_ rounds: Int) {
  let sink = Atomic<Int>(0)
  for _ in 0..<rounds { sink.wrappingAdd(1, ordering: .relaxed) }
}

private let countTasks: ThreadPool.Function = { context, _, first, end in
  guard let counters = context?.assumingMemoryBound(to: Counters.self).pointee else { return }
  for task in first..<end { counters.add(task) }
}

@Suite(.serialized) struct ThreadPoolTests {
  @Test(arguments: [-1, 0, 1, 2, 3, 4, 7])
  func eachTaskRunsOnce(threadCount: Int) {
    let pool = ThreadPool(threadCount: threadCount)
    #expect(pool.threadCount == max(threadCount, 1))
    for taskCount in [0, 1, 2, 3, 5, 7, 16, 17, 64, 97, 1009] {
      let counters = Counters(count: taskCount)
      withUnsafePointer(to: counters) { pointer in
        for _ in 0..<20 {
          pool.run(taskCount: taskCount, function: countTasks, context: pointer)
        }
      }
      #expect(counters.values.allSatisfy { $0 == 20 })
    }
    pool.run(taskCount: -1) { _, _ in Issue.record("there was no task") }
  }

  @Test func callersSeeWhatTasksWrote() {
    let pool = ThreadPool(threadCount: 3)
    var values = [Int](repeating: -1, count: 1000)
    for round in 0..<500 {
      values.withUnsafeMutableBufferPointer { buffer in
        let shared = SharedBuffer(base: buffer.baseAddress)
        pool.run(taskCount: buffer.count) { _, tasks in
          for task in tasks { shared.base?[task] = task &* round }
        }
      }
      #expect(values.indices.allSatisfy { values[$0] == $0 &* round })
    }
  }

  @Test func workerIndicesAreTheThreadsOfOneCall() {
    let pool = ThreadPool(threadCount: 4)
    for _ in 0..<500 {
      let inside = Counters(count: 4)
      let clashes = Atomic<Int>(0)
      let busyWorkers = Atomic<Int>(0)
      pool.run(taskCount: 40) { worker, _ in
        guard worker >= 0, worker < 4 else {
          clashes.wrappingAdd(1, ordering: .relaxed)
          return
        }
        inside.add(worker)
        let bit = 1 << worker
        if busyWorkers.bitwiseOr(bit, ordering: .relaxed).oldValue & bit != 0 {
          clashes.wrappingAdd(1, ordering: .relaxed)
        }
        busy(50)
        busyWorkers.bitwiseAnd(~bit, ordering: .relaxed)
      }
      #expect(clashes.load(ordering: .relaxed) == 0)
    }
  }

  @Test func severalThreadsTakePart() {
    let pool = ThreadPool(threadCount: 3)
    // Each task waits for the others, so this ends only if every thread gets one.
    let arrived = Atomic<Int>(0)
    pool.run(taskCount: 3) { _, tasks in
      for _ in tasks { arrived.wrappingAdd(1, ordering: .relaxed) }
      while arrived.load(ordering: .relaxed) < 3 { sched_yield() }
    }
    #expect(arrived.load(ordering: .relaxed) == 3)
  }

  @Test func unevenTasksAreStolen() {
    let pool = ThreadPool(threadCount: 2)
    // The first task ends only when all others are done: those of its own thread's range too.
    let done = Atomic<Int>(0)
    pool.run(taskCount: 64) { _, tasks in
      if tasks.contains(0) {
        done.wrappingAdd(tasks.count, ordering: .relaxed)
        while done.load(ordering: .relaxed) < 64 { sched_yield() }
      } else {
        done.wrappingAdd(tasks.count, ordering: .relaxed)
      }
    }
    #expect(done.load(ordering: .relaxed) == 64)
  }

  @Test func sleepingWorkersWakeAndSleepingCallersToo() {
    var options = ThreadPool.Options()
    options.spinMicroseconds = 0
    let pool = ThreadPool(threadCount: 3, options: options)
    for round in 0..<300 {
      let counters = Counters(count: 9)
      pool.run(taskCount: 9) { worker, tasks in
        for task in tasks { counters.add(task) }
        if worker != 0, round % 10 == 0 { usleep(300) }
      }
      #expect(counters.values.allSatisfy { $0 == 1 })
      if round % 50 == 0 { usleep(1000) }
    }
  }

  @Test func nestedCallsRunOnTheSameThread() {
    let pool = ThreadPool(threadCount: 3)
    let other = ThreadPool(threadCount: 2)
    for _ in 0..<200 {
      let counters = Counters(count: 12 * 10)
      let strangers = Atomic<Int>(0)
      pool.run(taskCount: 12) { _, tasks in
        for task in tasks {
          let inner = task % 2 == 0 ? pool : other
          inner.run(taskCount: 10) { worker, innerTasks in
            if worker != 0 || innerTasks.count != 10 {
              strangers.wrappingAdd(1, ordering: .relaxed)
            }
            for innerTask in innerTasks { counters.add(task * 10 + innerTask) }
          }
        }
      }
      #expect(strangers.load(ordering: .relaxed) == 0)
      #expect(counters.values.allSatisfy { $0 == 1 })
    }
  }

  @Test(arguments: [(2, 2), (2, 5), (4, 3), (5, 2), (1, 3)])
  func manyCallersAtOnce(threadCount: Int, callerCount: Int) {
    let pool = ThreadPool(threadCount: threadCount)
    let wrong = Atomic<Int>(0)
    onThreads(callerCount) { caller in
      for round in 0..<4000 {
        let taskCount = (round &* 31 &+ caller &* 17) % 23
        let counters = Counters(count: taskCount)
        withUnsafePointer(to: counters) { pointer in
          if caller % 2 == 0 {
            pool.run(taskCount: taskCount, function: countTasks, context: pointer)
          } else {
            let session = ThreadPool.Session(pool)
            session.run(taskCount: taskCount, function: countTasks, context: pointer)
            session.run(taskCount: taskCount, function: countTasks, context: pointer)
          }
        }
        let expected = caller % 2 == 0 ? 1 : 2
        if !counters.values.allSatisfy({ $0 == expected }) {
          wrong.wrappingAdd(1, ordering: .relaxed)
        }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test(arguments: [(2, 2), (4, 2), (5, 3), (4, 4)])
  func sessionsShareTheThreads(threadCount: Int, callerCount: Int) {
    let pool = ThreadPool(threadCount: threadCount)
    let journal = Journal(taskCount: 0)
    let ready = Atomic<Int>(0)
    onThreads(callerCount) { _ in
      let session = ThreadPool.Session(pool)
      ready.wrappingAdd(1, ordering: .relaxed)
      while ready.load(ordering: .relaxed) < callerCount { sched_yield() }
      for _ in 0..<300 {
        withUnsafePointer(to: journal) { pointer in
          session.run(
            taskCount: 50,
            function: { context, _, first, end in
              guard let journal = context?.assumingMemoryBound(to: Journal.self).pointee else {
                return
              }
              journal.enter()
              busy((end - first) * 20)
              journal.leave()
            }, context: pointer)
        }
      }
      // Sessions end together, so that no caller gets the threads of one that has finished.
      ready.wrappingAdd(1, ordering: .relaxed)
      while ready.load(ordering: .relaxed) < 2 * callerCount { sched_yield() }
    }
    #expect(journal.mostRunning.load(ordering: .relaxed) <= threadCount)
  }

  @Test func poolsComeAndGo() {
    for round in 0..<200 {
      var options = ThreadPool.Options()
      options.spinMicroseconds = round % 3 * 20
      options.pinsWorkers = round % 2 == 0
      let pool = ThreadPool(threadCount: 1 + round % 5, options: options)
      let counters = Counters(count: 10)
      if round % 4 != 0 {
        pool.run(taskCount: 10) { _, tasks in
          for task in tasks { counters.add(task) }
        }
        #expect(counters.values.allSatisfy { $0 == 1 })
      }
    }
  }

  @Test func processorsAreCounted() {
    let available = ThreadPool.availableProcessors
    #expect(available >= 1)
    #expect(available <= ProcessInfo.processInfo.processorCount)
  }
}

private struct SharedBuffer: @unchecked Sendable {
  let base: UnsafeMutablePointer<Int>?
}

/// Threads that run the tasks of one kernel side by side, for any number of callers.
///
/// A caller is one of the threads that run its tasks, so a pool owns one worker less than its
/// `threadCount`. Workers are dealt out among the callers of the moment: with two callers and four
/// threads each gets one worker; with as many callers as threads, each runs alone. When a further
/// caller arrives, workers go home after the chunk they are at until callers and workers together
/// are no more than `threadCount`. (Callers beyond `threadCount` are not turned away: each runs its
/// tasks on its own thread.) A caller takes the workers that are idle and does the rest itself, so
/// that callers never wait for one another.
///
/// Idle workers watch for work for a moment and then sleep.
package final class ThreadPool: Sendable {
  /// A part of the tasks of a call, `firstTask ..< endTask`.
  ///
  /// `worker` is below the pool's `threadCount`, differs between the threads of one call, and is 0
  /// on the caller's own.
  package typealias Function =
    @convention(c) (
      _ context: UnsafeRawPointer?, _ worker: Int, _ firstTask: Int, _ endTask: Int
    ) -> Void

  /// How the workers behave.
  package struct Options: Hashable, Sendable {
    /// How long an idle worker watches for work before it sleeps.
    package var spinMicroseconds = 40
    /// Whether each worker is bound to one of the processors that the process may use.
    package var pinsWorkers = false

    package init() {}
  }

  /// The most threads that a call can use, the caller's included.
  package let threadCount: Int
  let state: ThreadPoolState
  private let threads: [WorkerThread]

  /// Starts `threadCount - 1` workers, or as many as the system allows.
  package init(threadCount: Int, options: Options = Options()) {
    let wanted = min(max(threadCount, 1), ThreadPoolState.maximumThreadCount)
    let state = ThreadPoolState(threadCount: wanted, spinMicroseconds: options.spinMicroseconds)
    let processors = options.pinsWorkers ? Self.allowedProcessors() : []
    var threads: [WorkerThread] = []
    for worker in 1..<wanted {
      let processor = processors.isEmpty ? nil : processors[worker % processors.count]
      guard let thread = WorkerThread(state: state, worker: worker, processor: processor) else {
        break
      }
      threads.append(thread)
    }
    self.state = state
    self.threads = threads
    self.threadCount = threads.count + 1
    state.start(threadCount: threads.count + 1)
  }

  deinit {
    for worker in 1..<threadCount { state.slot(worker).stop() }
    for thread in threads { thread.join() }
    state.deallocate()
  }

  /// Runs the tasks `0 ..< taskCount` and returns when all are done.
  ///
  /// Each task runs once, on any thread and in any order; neighbouring ones share a call of
  /// `function`. While other callers have all the workers it runs every task on the calling thread,
  /// and so it does when called from inside a task of a call that is divided already. It allocates
  /// nothing and takes no lock while the workers are awake. Every task sees what the caller wrote
  /// before, and the caller sees afterwards what the tasks wrote.
  package func run(taskCount: Int, function: Function, context: UnsafeRawPointer?) {
    guard taskCount > 1, threadCount > 1, !state.isInsideTask else {
      if taskCount > 0 { function(context, 0, 0, taskCount) }
      return
    }
    Session(self).run(taskCount: taskCount, function: function, context: context)
  }

  /// As `run`, with a closure, for work that is not on a hot path.
  package func run(
    taskCount: Int, _ body: @Sendable (_ worker: Int, _ tasks: Range<Int>) -> Void
  ) {
    withoutActuallyEscaping(body) { body in
      withUnsafePointer(to: TaskBody(run: body)) { pointer in
        run(
          taskCount: taskCount,
          function: { context, worker, first, end in
            context?.assumingMemoryBound(to: TaskBody.self).pointee.run(worker, first..<end)
          }, context: UnsafeRawPointer(pointer))
      }
    }
  }

  private struct TaskBody {
    let run: @Sendable (Int, Range<Int>) -> Void
  }
}

extension ThreadPool {
  /// A caller that makes many calls in a row, such as one inference.
  ///
  /// While it lives it counts as one of the pool's threads, between its calls too, so that other
  /// callers leave it its share of the workers. One thread uses it at a time.
  package struct Session: ~Copyable {
    private let pool: ThreadPool
    private let isCounted: Bool

    package init(_ pool: ThreadPool) {
      self.pool = pool
      isCounted = !pool.state.isInsideTask
      if isCounted { pool.state.addCaller() }
    }

    deinit {
      if isCounted { pool.state.removeCaller() }
    }

    /// As `ThreadPool.run`.
    package borrowing func run(
      taskCount: Int, function: Function, context: UnsafeRawPointer?
    ) {
      let state = pool.state
      guard taskCount > 1, pool.threadCount > 1, taskCount < Int.max / 2, !state.isInsideTask,
        let region = state.takeRegion()
      else {
        if taskCount > 0 { function(context, 0, 0, taskCount) }
        return
      }
      state.isInsideTask = true
      let lent = state.lend(atMost: taskCount - 1)
      region.prepare(
        function: function, context: context, taskCount: taskCount, participantCount: lent + 1)
      let assigned = state.assign(region, workerCount: lent)
      region.work(participant: 0, state: state)
      let begun = assigned - state.revoke(region, assigned: assigned)
      region.await(workerCount: begun, spinNanoseconds: state.spinNanoseconds)
      state.takeBack(lent - region.departedCount)
      state.isInsideTask = false
      region.release()
    }
  }
}

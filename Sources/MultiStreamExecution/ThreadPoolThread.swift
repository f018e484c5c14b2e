#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A thread of the system that runs one worker of a pool.
///
/// `@unchecked Sendable`: the handle is only used to join, once, by the pool's owner.
struct WorkerThread: @unchecked Sendable {
  private let handle: pthread_t

  private struct Start {
    let state: ThreadPoolState
    let worker: Int
    let processor: Int?
  }

  /// Nil where the system has no more threads.
  init?(state: ThreadPoolState, worker: Int, processor: Int?) {
    let start = UnsafeMutablePointer<Start>.allocate(capacity: 1)
    start.initialize(to: Start(state: state, worker: worker, processor: processor))
    #if canImport(Darwin)
      var handle: pthread_t?
    #else
      var handle: pthread_t? = pthread_t()
    #endif
    let status = Self.withSignalsBlocked {
      #if canImport(Darwin)
        return pthread_create(&handle, nil, { Self.main($0) }, start)
      #else
        var created = pthread_t()
        let status = pthread_create(&created, nil, { Self.main($0) }, start)
        handle = created
        return status
      #endif
    }
    guard status == 0, let handle else {
      start.deallocate()
      return nil
    }
    self.handle = handle
  }

  func join() { pthread_join(handle, nil) }

  private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let pointer = argument?.assumingMemoryBound(to: Start.self) else { return nil }
    let start = pointer.move()
    pointer.deallocate()
    if let processor = start.processor { ThreadPool.bindCallingThread(to: processor) }
    start.state.runWorker(start.worker)
    return nil
  }

  /// A thread inherits the mask: the handlers of the process then run on threads of its own, except
  /// for faults of the thread itself and profilers.
  private static func withSignalsBlocked(_ body: () -> Int32) -> Int32 {
    var blocked = sigset_t()
    var previous = sigset_t()
    sigfillset(&blocked)
    for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGPROF] {
      sigdelset(&blocked, signal)
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    return body()
  }
}

/// A place where one thread sleeps until another wakes it; a wake that comes first is remembered.
struct ThreadPoolParking {
  private static let conditionOffset = 128
  private static let flagOffset = 256
  static let byteCount = 384

  let base: UnsafeMutableRawPointer

  private var mutex: UnsafeMutablePointer<pthread_mutex_t> {
    base.assumingMemoryBound(to: pthread_mutex_t.self)
  }

  private var condition: UnsafeMutablePointer<pthread_cond_t> {
    (base + Self.conditionOffset).assumingMemoryBound(to: pthread_cond_t.self)
  }

  private var isAwake: UnsafeMutablePointer<Bool> {
    (base + Self.flagOffset).assumingMemoryBound(to: Bool.self)
  }

  func initialize() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    isAwake.initialize(to: false)
  }

  func deinitialize() {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
  }

  func sleep() {
    pthread_mutex_lock(mutex)
    while !isAwake.pointee { pthread_cond_wait(condition, mutex) }
    isAwake.pointee = false
    pthread_mutex_unlock(mutex)
  }

  func wake() {
    pthread_mutex_lock(mutex)
    isAwake.pointee = true
    pthread_mutex_unlock(mutex)
    pthread_cond_signal(condition)
  }
}

func monotonicNanoseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int(time.tv_sec) &* 1_000_000_000 &+ Int(time.tv_nsec)
}

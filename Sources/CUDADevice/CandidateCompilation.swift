import CUDADriver
import CUDASource
import DeviceInterface
import Dispatch
import Foundation
import ProgramModel
import Synchronization

/// Compiles what candidates need, in their order, on all cores but one while they are measured.
///
/// What does not compile fails when it is used.
final class CandidateCompilation: Preparation {
  private let device: CUDA
  private let program: Program
  private let candidates: [(tactic: Tactic, step: Step)]
  private let counts = Mutex((started: 0, finished: 0))
  private let workers = DispatchGroup()

  init(_ candidates: [(tactic: Tactic, step: Step)], in program: Program, device: CUDA) {
    self.device = device
    self.program = program
    self.candidates = candidates
  }

  func start() {
    let cores = ProcessInfo.processInfo.activeProcessorCount
    for _ in 0..<min(max(cores - 1, 1), candidates.count) {
      DispatchQueue.global().async(group: workers) { self.work() }
    }
  }

  private func work() {
    while let index = next() {
      let (tactic, step) = candidates[index]
      if let plan = try? device.plan(tactic, step, program) {
        try? device.store.compile(plan.sources)
      }
      counts.withLock { $0.finished += 1 }
    }
  }

  private func next() -> Int? {
    counts.withLock { counts in
      guard counts.started < candidates.count else { return nil }
      counts.started += 1
      return counts.started - 1
    }
  }

  var share: Double { counts.withLock { Double($0.finished) / Double(candidates.count) } }

  func stop() {
    counts.withLock { $0.started = candidates.count }
    workers.wait()
  }
}

extension StepPlan {
  /// The kernels of the plan.
  var sources: Set<KernelSource> { Set((preparation + launches).map(\.source)) }
}

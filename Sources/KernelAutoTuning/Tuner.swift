package import DeviceInterface
import KernelModel
package import ProgramModel

/// How hard the tuner tries.
package struct TuningLevel: Sendable, Hashable {
  package let rawValue: Int

  /// - Parameter rawValue: 0 (the cost model alone) to 5.
  package init?(_ rawValue: Int) {
    guard (0...5).contains(rawValue) else { return nil }
    self.rawValue = rawValue
  }

  package static let costModel = TuningLevel(unchecked: 0)
  package static let standard = TuningLevel(unchecked: 3)
  private init(unchecked: Int) { rawValue = unchecked }

  /// How many tactics of a step are measured, the cost model's favourites first.
  var candidates: Int { [0, 2, 4, 8, 16, Int.max][rawValue] }
  /// How many runners-up are tried in the whole program, on devices that time whole runs themselves.
  var trials: Int { [0, 0, 0, 12, 32, Int.max][rawValue] }
  var budget: MeasurementBudget {
    let seconds = [0, 0.002, 0.005, 0.01, 0.03, 0.1][rawValue]
    return MeasurementBudget(seconds: seconds, minimumRuns: rawValue >= 4 ? 7 : 3)
  }
}

/// A program with the tactic chosen for each step.
package struct TunedProgram: Sendable {
  package var program: Program
  package var choices: [TacticChoice]

  package init(program: Program, choices: [TacticChoice]) {
    self.program = program
    self.choices = choices
  }

  package var tactics: [Tactic] { choices.map(\.tactic) }
}

/// Why a step has its tactic.
package struct TacticChoice: Sendable, Hashable, Codable {
  package var tactic: Tactic
  /// Seconds, measured where `isMeasured`, else the cost model's guess.
  package var seconds: Double
  package var isMeasured: Bool
  /// How many tactics could compute the step, and how many were measured.
  package var available: Int
  package var measured: Int

  package init(tactic: Tactic, seconds: Double, isMeasured: Bool, available: Int, measured: Int) {
    self.tactic = tactic
    self.seconds = seconds
    self.isMeasured = isMeasured
    self.available = available
    self.measured = measured
  }
}

/// How far tuning has come.
package struct TuningProgress: Sendable {
  package var finishedSteps: Int
  package var totalSteps: Int
  package var step: String
}

/// Chooses the fastest tactic for every step.
package struct Tuner: Sendable {
  package var level: TuningLevel
  /// Seconds after which steps are left to the cost model; nil for no bound.
  package var budgetSeconds: Double?
  /// Bytes that a tactic may use beside its operands; nil for no bound.
  package var workspaceBytes: Int?
  package var progress: (@Sendable (TuningProgress) -> Void)?

  package init(
    level: TuningLevel = .standard, budgetSeconds: Double? = nil, workspaceBytes: Int? = nil,
    progress: (@Sendable (TuningProgress) -> Void)? = nil
  ) {
    self.level = level
    self.budgetSeconds = budgetSeconds
    self.workspaceBytes = workspaceBytes
    self.progress = progress
  }

  /// A step as it is told from others, with the tactics that are worth a look.
  private struct Job {
    var step: Step
    var available: [Tactic]
    var ranked: [(tactic: Tactic, estimate: Double)]
    var times: [String: Double]
  }

  /// - Parameter cache: what is known; every measurement is added.
  package func tune(
    _ program: Program, on device: any Device, cache: inout TimingCache
  ) throws(DeviceError) -> TunedProgram {
    let clock = ContinuousClock()
    let start = clock.now
    let keys = program.steps.map { TimingCache.key(for: $0, in: program) }
    var jobs: [String: Job] = [:]
    for (step, key) in zip(program.steps, keys) where jobs[key] == nil {
      jobs[key] = try job(step, key: key, program, device, cache: cache)
    }
    let preparation = try prepare(jobs, keys, program, device)
    defer { preparation?.stop() }
    var known: [String: TacticChoice] = [:]
    for (index, key) in keys.enumerated() {
      let isLate = budgetSeconds.map { start.duration(to: clock.now) > .seconds($0) } ?? false
      if known[key] == nil, let job = jobs[key] {
        known[key] = try choose(job, key: key, program, device, measures: !isLate, cache: &cache)
      }
      progress?(
        TuningProgress(
          finishedSteps: index + 1, totalSteps: program.steps.count,
          step: program.steps[index].name + Self.note(preparation)))
    }
    let tuned = TunedProgram(program: program, choices: keys.compactMap { known[$0] })
    let isLate = budgetSeconds.map { start.duration(to: clock.now) > .seconds($0) } ?? false
    guard level.trials > 0, device.timesWholeRuns, !isLate else { return tuned }
    var finalists = Finalists(tuned, on: device, cache: cache)
    return try finalists.improved(trials: level.trials, cache: &cache) { index, count in
      progress?(
        TuningProgress(
          finishedSteps: program.steps.count, totalSteps: program.steps.count,
          step: "runner-up \(index + 1) of \(count) in the whole network"))
    }
  }

  private func job(
    _ step: Step, key: String, _ program: Program, _ device: any Device, cache: TimingCache
  ) throws(DeviceError) -> Job {
    var guesses = device.guesses(for: step, in: program)
    let tactics = try admitted(guesses.map(\.tactic), step, program, device)
    if tactics.count < guesses.count { guesses.removeAll { !tactics.contains($0.tactic) } }
    let times = cache.times(deviceClass: device.deviceClass, key: key)
      .filter { time in tactics.contains { $0.name == time.key } }
    return Job(
      step: step, available: tactics, ranked: ranking(guesses), times: times)
  }

  /// The kernels that stay within the workspace; where none does, the one that needs least.
  private func admitted(
    _ all: [Tactic], _ step: Step, _ program: Program, _ device: any Device
  ) throws(DeviceError) -> [Tactic] {
    let tactics = all.filter { $0 != device.lastResort }
    guard let workspaceBytes, tactics.count > 1 else { return all }
    var needs: [Int] = []
    for tactic in tactics {
      needs.append(try device.workspaceBytes(of: tactic, for: step, in: program))
    }
    let within = tactics.indices.filter { needs[$0] <= workspaceBytes }
    guard within.isEmpty else { return within.map { tactics[$0] } }
    return tactics.indices.min { needs[$0] < needs[$1] }.map { [tactics[$0]] } ?? tactics
  }

  /// The tactics of a step that are to be measured.
  private func unmeasured(_ job: Job) -> [Tactic] {
    guard job.ranked.count > 1 else { return [] }
    return job.ranked.prefix(level.candidates).map(\.tactic).filter { job.times[$0.name] == nil }
  }

  /// Lets the device make all candidates ready, beside the measurements.
  private func prepare(
    _ jobs: [String: Job], _ keys: [String], _ program: Program, _ device: any Device
  ) throws(DeviceError) -> (any Preparation)? {
    var candidates: [(tactic: Tactic, step: Step)] = []
    var seen: Set<String> = []
    for key in keys where seen.insert(key).inserted {
      guard let job = jobs[key] else { continue }
      candidates += unmeasured(job).map { ($0, job.step) }
    }
    return candidates.isEmpty ? nil : try device.prepare(candidates, in: program)
  }

  private static func note(_ preparation: (any Preparation)?) -> String {
    guard let share = preparation?.share, share < 1 else { return "" }
    return " (compiled \(Int(share * 100)) % of all candidates)"
  }

  private func choose(
    _ job: Job, key: String, _ program: Program, _ device: any Device, measures: Bool,
    cache: inout TimingCache
  ) throws(DeviceError) -> TacticChoice {
    var times = job.times
    var failure: DeviceError?
    for tactic in measures ? unmeasured(job) : [] {
      do throws(DeviceError) {
        let seconds = try device.measure(tactic, for: job.step, in: program, budget: level.budget)
        times[tactic.name] = seconds
        cache.record(
          deviceClass: device.deviceClass, key: key, tactic: tactic.name, seconds: seconds)
      } catch { failure = error }
    }
    // One candidate that cannot run is no reason to stop; all of them are.
    if let failure, times.isEmpty { throw failure }
    let fastest = times.min { ($0.value, $0.key) < ($1.value, $1.key) }
    return TacticChoice(
      tactic: fastest.map { Tactic($0.key) } ?? job.ranked[0].tactic,
      seconds: fastest?.value ?? job.ranked[0].estimate, isMeasured: fastest != nil,
      available: job.available.count, measured: times.count)
  }

  /// Tactics by the cost model's guess, without those that are hopeless.
  private func ranking(
    _ estimates: [(tactic: Tactic, seconds: Double)]
  ) -> [(tactic: Tactic, estimate: Double)] {
    let best = estimates.map(\.seconds).min() ?? 0
    return estimates.enumerated()
      .filter { level.rawValue == 5 || $0.element.1 <= best * Self.hopeless }
      .sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
      .map { ($0.element.0, $0.element.1) }
  }

  /// A tactic that the cost model thinks this many times slower than the best is not measured.
  private static let hopeless = 8.0
}

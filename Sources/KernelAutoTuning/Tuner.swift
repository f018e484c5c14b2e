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
  package var progress: (@Sendable (TuningProgress) -> Void)?

  package init(
    level: TuningLevel = .standard, budgetSeconds: Double? = nil,
    progress: (@Sendable (TuningProgress) -> Void)? = nil
  ) {
    self.level = level
    self.budgetSeconds = budgetSeconds
    self.progress = progress
  }

  /// - Parameter cache: what is known; every measurement is added.
  package func tune(
    _ program: Program, on device: any Device, cache: inout TimingCache
  ) throws(DeviceError) -> TunedProgram {
    let clock = ContinuousClock()
    let start = clock.now
    var known: [String: TacticChoice] = [:]
    var choices: [TacticChoice] = []
    for (index, step) in program.steps.enumerated() {
      let key = TimingCache.key(for: step, in: program)
      let isLate = budgetSeconds.map { start.duration(to: clock.now) > .seconds($0) } ?? false
      let choice =
        if let same = known[key] {
          same
        } else {
          try choose(step, key: key, program, device, measures: !isLate, cache: &cache)
        }
      known[key] = choice
      choices.append(choice)
      progress?(
        TuningProgress(
          finishedSteps: index + 1, totalSteps: program.steps.count, step: step.name))
    }
    return TunedProgram(program: program, choices: choices)
  }

  private func choose(
    _ step: Step, key: String, _ program: Program, _ device: any Device, measures: Bool,
    cache: inout TimingCache
  ) throws(DeviceError) -> TacticChoice {
    let tactics = device.tactics(for: step, in: program)
    let ranked = ranking(tactics, step, program, device)
    var times = cache.times(deviceClass: device.deviceClass, key: key)
      .filter { time in tactics.contains { $0.name == time.key } }
    if measures, ranked.count > 1 {
      for (tactic, _) in ranked.prefix(level.candidates) where times[tactic.name] == nil {
        let seconds = try device.measure(tactic, for: step, in: program, budget: level.budget)
        times[tactic.name] = seconds
        cache.record(
          deviceClass: device.deviceClass, key: key, tactic: tactic.name, seconds: seconds)
      }
    }
    let fastest = times.min { ($0.value, $0.key) < ($1.value, $1.key) }
    return TacticChoice(
      tactic: fastest.map { Tactic($0.key) } ?? ranked[0].tactic,
      seconds: fastest?.value ?? ranked[0].estimate, isMeasured: fastest != nil,
      available: tactics.count, measured: times.count)
  }

  /// Tactics by the cost model's guess, without those that are hopeless.
  private func ranking(
    _ tactics: [Tactic], _ step: Step, _ program: Program, _ device: any Device
  ) -> [(tactic: Tactic, estimate: Double)] {
    let estimates = tactics.map { ($0, device.estimate($0, for: step, in: program)) }
    let best = estimates.map(\.1).min() ?? 0
    return estimates.enumerated()
      .filter { level.rawValue == 5 || $0.element.1 <= best * Self.hopeless }
      .sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }
      .map { ($0.element.0, $0.element.1) }
  }

  /// A tactic that the cost model thinks this many times slower than the best is not measured.
  private static let hopeless = 8.0
}

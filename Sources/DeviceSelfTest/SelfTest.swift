import DeviceInterface
import KernelModel
import ProgramModel

/// Runs random cases of every kernel family with every tactic and compares with the reference interpreter.
package struct SelfTest: Sendable {
  /// A family of cases: the same seed gives the same case.
  package struct Family: Sendable {
    package var name: String
    package var make: @Sendable (_ maker: inout CaseMaker) throws -> StepCase

    package init(
      _ name: String, _ make: @escaping @Sendable (_ maker: inout CaseMaker) throws -> StepCase
    ) {
      self.name = name
      self.make = make
    }
  }

  /// What became of one case with one tactic.
  package struct Outcome: Sendable {
    package var family: String
    package var seed: Int
    package var tactic: String
    package var problem: String
    /// Nil where it passed.
    package var failure: String?
    /// Whether a library said, when it was asked, that it has no way to compute the case.
    package var isDeclined = false
  }

  /// Every family of cases.
  package static let families: [Family] =
    ContractionCases.families + IntegerContractionCases.families + DirectCases.families
    + MovementCases.families
    + ReductionCases.families + SequenceCases.families + HopperCases.families
    + ByteCases.families

  /// A case in memory, with the tactics that can compute it.
  private struct Trial {
    var family: String
    var seed: Int
    var placed: PlacedCase
    var tactics: [Tactic]
  }

  /// Cases that are made ready together.
  private static let batch = 48

  /// Runs `count` cases of each family with every tactic that the runner has for them.
  ///
  /// - Parameters:
  ///   - families: for each word the family of that name or, where there is none, those whose names contain it;
  ///     all families where there is no word.
  ///   - words: tactics whose names contain one of these; all where there is none.
  ///   - outcome: told about each case and tactic.
  ///   - progress: told the share that is done.
  package static func run(
    _ families: [String] = [], tactics words: [String] = [], first: Int, count: Int,
    on runner: any StepRunner,
    outcome: (Outcome) throws -> Void, progress: (Double) -> Void
  ) throws {
    let names = Set(Self.families.map(\.name))
    let chosen = Self.families.filter { family in
      families.isEmpty
        || families.contains { word in
          names.contains(word) ? family.name == word : family.name.contains(word)
        }
    }
    guard !chosen.isEmpty else {
      let all = Self.families.map(\.name).joined(separator: ", ")
      throw SelfTestError("no family of cases is named so; there are: \(all)")
    }
    let cases = chosen.flatMap { family in (first..<first + count).map { (family, $0) } }
    for start in stride(from: 0, to: cases.count, by: batch) {
      let part = cases[start..<min(start + batch, cases.count)]
      let trials = try part.map { family, seed in
        var maker = CaseMaker(seed: seed)
        let placed = try PlacedCase(try family.make(&maker))
        return Trial(
          family: family.name, seed: seed, placed: placed,
          tactics: runner.tactics(for: placed.step, in: placed.program).filter { tactic in
            words.isEmpty || words.contains { tactic.name.contains($0) }
          })
      }
      try runner.prepare(
        trials.flatMap { trial in trial.tactics.map { ($0, trial.placed.program) } })
      for trial in trials {
        for tactic in trial.tactics { try outcome(Self.run(trial, tactic, on: runner)) }
      }
      progress(Double(start + part.count) / Double(cases.count))
    }
  }

  private static func run(
    _ trial: Trial, _ tactic: Tactic, on runner: any StepRunner
  ) throws -> Outcome {
    var failure: String?
    var isDeclined = false
    do {
      failure = try trial.placed.check {
        try runner.run(tactic, trial.placed.program, memory: trial.placed.memory)
      }
    } catch let error as DeviceError {
      failure = error.description
      isDeclined = error.isDeclined
    }
    return Outcome(
      family: trial.family, seed: trial.seed, tactic: tactic.name,
      problem: "\(trial.placed.step.problem)", failure: isDeclined ? nil : failure,
      isDeclined: isDeclined)
  }
}

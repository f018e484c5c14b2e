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
    /// Nil where it passed.
    package var failure: String?
  }

  /// Every family of cases.
  package static let families: [Family] =
    ContractionCases.families + DirectCases.families + MovementCases.families
    + ReductionCases.families + SequenceCases.families

  /// Runs one case with every tactic that the runner has for it.
  package static func check(
    _ family: Family, seed: Int, on runner: any StepRunner
  ) throws -> [Outcome] {
    var maker = CaseMaker(seed: seed)
    let placed = try PlacedCase(try family.make(&maker))
    return try runner.tactics(for: placed.step, in: placed.program).map { tactic in
      var failure: String?
      do {
        failure = try placed.check {
          try runner.run(tactic, placed.program, memory: placed.memory)
        }
      } catch let error as DeviceError { failure = error.description }
      if let message = failure { failure = "\(message) (\(placed.step.problem))" }
      return Outcome(family: family.name, seed: seed, tactic: tactic.name, failure: failure)
    }
  }
}

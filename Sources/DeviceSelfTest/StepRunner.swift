package import DeviceInterface
package import ProgramModel
package import TensorModel

/// Something that can run one step on its own: a device, or a stand-in for one.
package protocol StepRunner: Sendable {
  /// The ways to compute a step, best guess first.
  func tactics(for step: Step, in program: Program) -> [Tactic]

  /// Makes tactics ready to run, all together.
  func prepare(_ cases: [(tactic: Tactic, program: Program)]) throws(DeviceError)

  /// Runs a program of one step.
  ///
  /// - Parameter memory: one place for each buffer of the program, constants included; activations are
  ///   read and written there.
  func run(
    _ tactic: Tactic, _ program: Program, memory: [TensorStorage]
  ) throws(DeviceError)
}

extension StepRunner {
  package func prepare(_ cases: [(tactic: Tactic, program: Program)]) throws(DeviceError) {}
}

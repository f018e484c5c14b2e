package import ProgramModel
package import TensorModel

/// One way to compute a step on a device, by a name that is stable over versions: engines and timing
/// caches store it.
package struct Tactic: Hashable, Sendable, Codable, Comparable {
  package let name: String
  package init(_ name: String) { self.name = name }
  package static func < (a: Tactic, b: Tactic) -> Bool { a.name < b.name }
}

/// Something that runs programs.
package protocol Device: Sendable {
  /// As the user names it: `cpu`, `cuda:0`.
  var name: String { get }
  /// What the device is, for tables.
  var summary: String { get }
  /// What timings and tactic choices are valid for: the same text on every machine of the same kind.
  var deviceClass: String { get }

  /// Whether contractions had better add whole tensors to their results, also where rows then lie apart.
  var joinsSums: Bool { get }

  /// The ways to compute a step, best guess first by order of preference; the first always works.
  func tactics(for step: Step, in program: Program) -> [Tactic]

  /// The cost model's guess, in seconds.
  func estimate(_ tactic: Tactic, for step: Step, in program: Program) -> Double

  /// Bytes that a tactic needs beside the step's operands while it runs.
  func workspaceBytes(
    of tactic: Tactic, for step: Step, in program: Program
  ) throws(DeviceError) -> Int

  /// The tactic with which a step runs on the host, where the host is not the device.
  var hostTactic: Tactic? { get }

  /// The ways to compute a step with the cost model's guesses, in seconds, in the order of `tactics`.
  func guesses(for step: Step, in program: Program) -> [(tactic: Tactic, seconds: Double)]

  /// Whether a tactic can compute a step.
  func supports(_ tactic: Tactic, for step: Step, in program: Program) -> Bool

  /// Whether FP16 is always faster than single precision.
  var isFasterInSixteenBits: Bool { get }

  /// The types of 16 bits that may be faster than single precision, the likeliest first.
  var sixteenBitTypes: [DataType] { get }

  /// Whether contexts give `deviceSeconds`.
  var timesWholeRuns: Bool { get }

  /// The tactic that is none of the device's kernels.
  var lastResort: Tactic? { get }

  /// Takes over what an engine's section for this device class has compiled.
  func adopt(code: [String: [UInt8]])

  /// Makes a program ready to run.
  ///
  /// - Parameter tactics: one for each step; one that is not known is replaced by the first.
  func load(_ program: Program, tactics: [Tactic], options: LoadOptions) throws(DeviceError)
    -> any Executable

  /// Begins to make tactics ready to be measured, in their order: compiles their kernels beside the caller, who may
  /// measure any of them meanwhile.
  ///
  /// - Returns: nil where there is nothing to make ready.
  func prepare(
    _ candidates: [(tactic: Tactic, step: Step)], in program: Program
  ) throws(DeviceError) -> (any Preparation)?

  /// The time of one step alone, in seconds: random operands, rotated buffers, the median of several runs.
  func measure(
    _ tactic: Tactic, for step: Step, in program: Program, budget: MeasurementBudget
  ) throws(DeviceError) -> Double
}

extension Device {
  package var joinsSums: Bool { false }
  package var hostTactic: Tactic? { nil }
  package var lastResort: Tactic? { hostTactic }
  package var isFasterInSixteenBits: Bool { false }
  package var sixteenBitTypes: [DataType] { [.float16] }
  package var timesWholeRuns: Bool { false }

  package func workspaceBytes(
    of tactic: Tactic, for step: Step, in program: Program
  ) throws(DeviceError) -> Int { 0 }

  package func guesses(
    for step: Step, in program: Program
  ) -> [(tactic: Tactic, seconds: Double)] {
    tactics(for: step, in: program).map { ($0, estimate($0, for: step, in: program)) }
  }

  package func supports(_ tactic: Tactic, for step: Step, in program: Program) -> Bool {
    tactics(for: step, in: program).contains(tactic)
  }

  package func adopt(code: [String: [UInt8]]) {}

  package func prepare(
    _ candidates: [(tactic: Tactic, step: Step)], in program: Program
  ) throws(DeviceError) -> (any Preparation)? { nil }
}

/// Work that goes on beside measurements.
package protocol Preparation: AnyObject, Sendable {
  /// How much is done, from 0 to 1.
  var share: Double { get }

  /// Begins nothing more, and returns when what has begun is done.
  func stop()
}

/// How a program is made ready.
package struct LoadOptions: Sendable, Hashable {
  /// One arena for all activations, planned by their lifetimes; otherwise a buffer of its own for each.
  package var plansMemory = true
  /// Independent steps run at the same time where that is faster.
  package var runsBranchesInParallel = true
  /// All kernels go to the device together; otherwise one after the other.
  package var launchesTogether = true
  package init() {}
}

package struct MeasurementBudget: Sendable, Hashable {
  package var seconds: Double
  package var minimumRuns: Int
  package init(seconds: Double = 0.02, minimumRuns: Int = 3) {
    self.seconds = seconds
    self.minimumRuns = minimumRuns
  }
}

/// A program on a device, shared by any number of contexts.
package protocol Executable: Sendable {
  /// Bytes of activations of one context.
  var arenaBytes: Int { get }
  /// The largest sum of activations that are alive at once.
  var arenaLowerBound: Int { get }
  /// Bytes of weights as the device keeps them.
  var weightBytes: Int { get }
  /// The tactic of each step that is really in use.
  var tactics: [Tactic] { get }
  /// Steps that the device has no kernel for, which the host computes with copies to and fro.
  var hostSteps: [Int] { get }
  /// The seconds that no kernel for a step stays under, by the device's measured limits: to move its operands
  /// through memory once, or to multiply and add. Nil where the device does not know its limits.
  func floorSeconds(ofStep index: Int) -> Double?
  /// What was compiled for the program, by a key of the device's own: kept in engines.
  var code: [String: [UInt8]] { get }
  func makeContext() throws(DeviceError) -> any ExecutableContext
}

extension Executable {
  package var hostSteps: [Int] { [] }
  package var code: [String: [UInt8]] { [:] }
  package func floorSeconds(ofStep index: Int) -> Double? { nil }
}

/// What one thread uses at a time to run a program.
package protocol ExecutableContext: AnyObject, Sendable {
  /// Runs the program once.
  ///
  /// - Parameters:
  ///   - inputs: for each input of the program the address of its elements, dense and row-major.
  ///   - outputs: for each output the place of its elements.
  func run(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError)

  /// Runs the program once and returns the seconds that each step took.
  func profile(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) throws(DeviceError) -> [Double]

  /// The seconds that the device itself takes for each of several runs on the tensors of the last one,
  /// without copies to and from the host; nil where the host is the device.
  func deviceSeconds(runs: Int) throws(DeviceError) -> [Double]?
}

extension ExecutableContext {
  package func deviceSeconds(runs: Int) throws(DeviceError) -> [Double]? { nil }
}

/// What can go wrong on a device: one line.
package struct DeviceError: Error, Sendable, CustomStringConvertible {
  package var description: String
  /// Whether a tactic turned out, when it was tried, to be none for its step.
  package var isDeclined: Bool

  package init(_ description: String, isDeclined: Bool = false) {
    self.description = description
    self.isDeclined = isDeclined
  }
}

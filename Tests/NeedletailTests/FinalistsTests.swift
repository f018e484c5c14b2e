import DeviceInterface
import KernelAutoTuning
import KernelModel
import Needletail
import ProgramModel
import Synchronization
import TensorModel
import Testing

/// Runners-up in the whole program.
@Suite struct FinalistsTests {
  @Test func runnersUpThatHelpTheWholeAreTaken() throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let context = try engine.makeContext(shapes: ["input": [1, 3, 32, 32]])
    let program = try #require(context.tuned?.tuned.program)
    let device = DeviceOfTwoTactics()
    let tuner = Tuner(level: try #require(TuningLevel(5)))
    var cache = TimingCache()
    let tuned = try tuner.tune(program, on: device, cache: &cache)
    for (step, choice) in zip(program.steps, tuned.choices) {
      #expect(choice.tactic.name == (step.problem.family == "convolution" ? "second" : "first"))
    }
    let loads = device.loads
    #expect(loads > 1)
    let again = try tuner.tune(program, on: device, cache: &cache)
    #expect(again.choices == tuned.choices)
    #expect(device.loads == loads)
  }

  @Test func lowLevelsRunNoWholeProgram() throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let context = try engine.makeContext(shapes: ["input": [1, 3, 32, 32]])
    let program = try #require(context.tuned?.tuned.program)
    let device = DeviceOfTwoTactics()
    var cache = TimingCache()
    let tuned = try Tuner(level: try #require(TuningLevel(2)))
      .tune(program, on: device, cache: &cache)
    #expect(tuned.tactics.allSatisfy { $0.name == "first" })
    #expect(device.loads == 0)
  }

  /// What is measured is made ready beside it, in the order of the measurements; at the end nothing goes on.
  @Test(arguments: [nil, 0.0])
  func candidatesAreMadeReadyInOrder(budgetSeconds: Double?) throws {
    let engine = try Fixtures.builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
    let context = try engine.makeContext(shapes: ["input": [1, 3, 32, 32]])
    let program = try #require(context.tuned?.tuned.program)
    let device = DeviceOfTwoTactics()
    let tuner = Tuner(level: try #require(TuningLevel(2)), budgetSeconds: budgetSeconds)
    var cache = TimingCache()
    _ = try tuner.tune(program, on: device, cache: &cache)
    let preparation = try #require(device.preparation)
    #expect(preparation.isStopped)
    let measured = device.measurements
    if budgetSeconds == nil {
      #expect(preparation.candidates == measured)
    } else {
      #expect(measured.isEmpty)
    }
    // A cache that knows everything leaves nothing to prepare.
    guard budgetSeconds == nil else { return }
    let other = DeviceOfTwoTactics()
    _ = try tuner.tune(program, on: other, cache: &cache)
    #expect(other.preparation == nil)
    #expect(other.measurements.isEmpty)
  }
}

/// By itself every step is faster with its first tactic; the whole is faster where convolutions have the second.
private final class DeviceOfTwoTactics: Device {
  let name = "test"
  let summary = "test"
  let deviceClass = "test"
  let timesWholeRuns = true
  private let count = Mutex(0)
  private let log = Mutex<[String]>([])
  private let prepared = Mutex<Prepared?>(nil)

  var loads: Int { count.withLock { $0 } }
  /// Steps and tactics, in order.
  var measurements: [String] { log.withLock { $0 } }
  var preparation: Prepared? { prepared.withLock { $0 } }

  func prepare(
    _ candidates: [(tactic: Tactic, step: Step)], in program: Program
  ) -> (any Preparation)? {
    let preparation = Prepared(candidates.map { "\($0.step.name) \($0.tactic.name)" })
    prepared.withLock { $0 = preparation }
    return preparation
  }

  func tactics(for step: Step, in program: Program) -> [Tactic] {
    [Tactic("first"), Tactic("second")]
  }

  func estimate(_ tactic: Tactic, for step: Step, in program: Program) -> Double { 1e-6 }

  func measure(
    _ tactic: Tactic, for step: Step, in program: Program, budget: MeasurementBudget
  ) -> Double {
    log.withLock { $0.append("\(step.name) \(tactic.name)") }
    return tactic.name == "first" ? 1e-6 : 1.03e-6
  }

  func load(
    _ program: Program, tactics: [Tactic], options: LoadOptions
  ) -> any Executable {
    count.withLock { $0 += 1 }
    let seconds = zip(program.steps, tactics).reduce(1e-4) { sum, item in
      let isConvolution = item.0.problem.family == "convolution"
      return item.1.name == "first" ? sum : sum + (isConvolution ? -1e-6 : 1e-6)
    }
    return Timed(seconds: seconds, tactics: tactics)
  }
}

private final class Prepared: Preparation {
  let candidates: [String]
  let share = 0.5
  private let stopped = Mutex(false)

  init(_ candidates: [String]) { self.candidates = candidates }

  var isStopped: Bool { stopped.withLock { $0 } }
  func stop() { stopped.withLock { $0 = true } }
}

private final class Timed: Executable, ExecutableContext {
  let arenaBytes = 0
  let arenaLowerBound = 0
  let weightBytes = 0
  let seconds: Double
  let tactics: [Tactic]

  init(seconds: Double, tactics: [Tactic]) {
    self.seconds = seconds
    self.tactics = tactics
  }

  func makeContext() -> any ExecutableContext { self }

  func run(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) {}

  func profile(
    inputs: UnsafeBufferPointer<UnsafeRawPointer>,
    outputs: UnsafeBufferPointer<UnsafeMutableRawPointer>
  ) -> [Double] { [] }

  func deviceSeconds(runs: Int) -> [Double]? { [Double](repeating: seconds, count: runs) }
}

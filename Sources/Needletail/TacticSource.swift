package import DeviceInterface
package import EngineFormat
package import KernelAutoTuning
package import ProgramModel
import Synchronization

/// Where the tactics of a program come from.
package protocol TacticSource: Sendable {
  func choose(for program: Program, on device: any Device) throws(NeedletailError) -> TunedProgram
}

/// The first tactic of every step: no cost model, no measurement.
package struct FirstTactics: TacticSource {
  package init() {}

  package func choose(for program: Program, on device: any Device) -> TunedProgram {
    TunedProgram(
      program: program,
      choices: program.steps.map { step in
        let tactics = device.tactics(for: step, in: program)
        return TacticChoice(
          tactic: tactics[0], seconds: device.estimate(tactics[0], for: step, in: program),
          isMeasured: false, available: tactics.count, measured: 0)
      })
  }
}

/// What an engine's section for the device says; the cost model where it says nothing.
package struct StoredTactics: TacticSource {
  private let section: DeviceSection?
  private let workspaceBytes: Int?

  /// - Parameter workspaceBytes: the bound that the engine was built with.
  package init(_ section: DeviceSection?, workspaceBytes: Int? = nil) {
    self.section = section
    self.workspaceBytes = workspaceBytes
  }

  package func choose(
    for program: Program, on device: any Device
  ) throws(NeedletailError) -> TunedProgram {
    var cache = TimingCache()
    var tuned: TunedProgram
    let tuner = Tuner(level: .costModel, workspaceBytes: workspaceBytes)
    do { tuned = try tuner.tune(program, on: device, cache: &cache) } catch {
      throw NeedletailError(.device, error.description)
    }
    guard let section else { return tuned }
    for (index, step) in program.steps.enumerated() {
      guard let stored = section.choices[TimingCache.key(for: step, in: program)],
        device.tactics(for: step, in: program).contains(stored.tactic)
      else { continue }
      tuned.choices[index] = stored
    }
    return tuned
  }
}

/// Measures, and keeps what it chose for the engine's section.
package final class MeasuringTactics: TacticSource {
  private let tuner: Tuner
  private let state: Mutex<State>

  private struct State {
    var cache: TimingCache
    var choices: [String: TacticChoice] = [:]
  }

  package init(_ tuner: Tuner, cache: TimingCache) {
    self.tuner = tuner
    state = Mutex(State(cache: cache))
  }

  package var cache: TimingCache { state.withLock { $0.cache } }
  package var choices: [String: TacticChoice] { state.withLock { $0.choices } }

  package func choose(
    for program: Program, on device: any Device
  ) throws(NeedletailError) -> TunedProgram {
    var cache = self.cache
    let tuned: TunedProgram
    do { tuned = try tuner.tune(program, on: device, cache: &cache) } catch {
      throw NeedletailError(.device, error.description)
    }
    let keys = program.steps.map { TimingCache.key(for: $0, in: program) }
    state.withLock { state in
      state.cache.merge(cache)
      for (key, choice) in zip(keys, tuned.choices) { state.choices[key] = choice }
    }
    return tuned
  }
}

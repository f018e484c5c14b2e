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
    var known: [String: TacticChoice] = [:]
    let keys = program.steps.map { TimingCache.key(for: $0, in: program) }
    for (step, key) in zip(program.steps, keys) where known[key] == nil {
      guard let stored = section?.choices[key],
        device.supports(stored.tactic, for: step, in: program)
      else { continue }
      known[key] = stored
    }
    // The cost model looks at all tactics of a step, which takes time: only where nothing is stored.
    var rest = program
    rest.steps = zip(program.steps, keys).filter { known[$0.1] == nil }.map(\.0)
    var cache = TimingCache()
    do {
      let tuner = Tuner(level: .costModel, workspaceBytes: workspaceBytes)
      let tuned = try tuner.tune(rest, on: device, cache: &cache)
      for (step, choice) in zip(rest.steps, tuned.choices) {
        known[TimingCache.key(for: step, in: program)] = choice
      }
    } catch { throw NeedletailError(.device, error.description) }
    return TunedProgram(program: program, choices: keys.compactMap { known[$0] })
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

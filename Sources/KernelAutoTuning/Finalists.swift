import DeviceInterface
import ProgramModel

/// Tries the runners-up of steps in the whole program, where neighbours, parallel branches and warm caches have
/// their say.
///
/// Whole runs are recorded in the timing cache too: a cache gives the same choices again without a run.
struct Finalists {
  private let tuned: TunedProgram
  private let device: any Device
  private let keys: [String]
  private let programKey: String
  private var times: [String: Double]
  private var measured: [String: Double] = [:]

  /// A runner-up is tried where it is at most so much slower by itself.
  private static let margin = 1.06
  /// What a whole run must gain, which is more than medians of equal programs differ by.
  private static let gain = 0.004
  private static let runs = 40

  init(_ tuned: TunedProgram, on device: any Device, cache: TimingCache) {
    self.tuned = tuned
    self.device = device
    keys = tuned.program.steps.map { TimingCache.key(for: $0, in: tuned.program) }
    programKey = "whole program \(Self.digest(keys))"
    times = cache.times(deviceClass: device.deviceClass, key: programKey)
  }

  /// The program with those runners-up that make it faster as a whole.
  mutating func improved(
    trials: Int, cache: inout TimingCache, progress: (Int, Int) -> Void
  ) throws(DeviceError) -> TunedProgram {
    let rivals = rivals(cache).prefix(trials)
    guard !rivals.isEmpty, var best = try seconds(tuned.tactics) else { return tuned }
    var result = tuned
    for (index, rival) in rivals.enumerated() {
      progress(index, rivals.count)
      var changed = result
      for step in keys.indices where keys[step] == rival.key {
        changed.choices[step].tactic = rival.tactic
        changed.choices[step].seconds = rival.seconds
      }
      // A program that cannot be loaded with it goes without.
      guard let time = try? seconds(changed.tactics), time < best * (1 - Self.gain) else {
        continue
      }
      (result, best) = (changed, time)
    }
    for (tactics, seconds) in measured {
      cache.record(
        deviceClass: device.deviceClass, key: programKey, tactic: tactics, seconds: seconds)
    }
    return result
  }

  private struct Rival {
    var key: String
    var tactic: Tactic
    var seconds: Double
    /// What the steps of the key take together.
    var weight: Double
  }

  /// The nearest rival of each choice, those of the longest steps first.
  private func rivals(_ cache: TimingCache) -> [Rival] {
    var rivals: [String: Rival] = [:]
    for (key, choice) in zip(keys, tuned.choices) where choice.isMeasured {
      rivals[key]?.weight += choice.seconds
      guard rivals[key] == nil else { continue }
      let others = cache.times(deviceClass: device.deviceClass, key: key)
        .filter { $0.key != choice.tactic.name }
      guard let next = others.min(by: { ($0.value, $0.key) < ($1.value, $1.key) }),
        next.value <= choice.seconds * Self.margin
      else { continue }
      rivals[key] = Rival(
        key: key, tactic: Tactic(next.key), seconds: next.value, weight: choice.seconds)
    }
    return rivals.values.sorted { ($1.weight, $0.key) < ($0.weight, $1.key) }
  }

  /// The median of whole runs; nil where the host has a part in them, or is the device.
  private mutating func seconds(_ tactics: [Tactic]) throws(DeviceError) -> Double? {
    let name = Self.digest(tactics.map(\.name))
    if let known = times[name] { return known }
    let executable = try device.load(tuned.program, tactics: tactics, options: LoadOptions())
    guard executable.hostSteps.isEmpty else { return nil }
    let context = try executable.makeContext()
    _ = try context.deviceSeconds(runs: 3)
    guard let runs = try context.deviceSeconds(runs: Self.runs), !runs.isEmpty else { return nil }
    let median = runs.sorted()[runs.count / 2]
    times[name] = median
    measured[name] = median
    return median
  }

  /// FNV-1a of the texts.
  private static func digest(_ texts: [String]) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for text in texts {
      for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
      hash = (hash ^ 0xFF) &* 0x0000_0100_0000_01B3
    }
    return String(hash, radix: 16)
  }
}

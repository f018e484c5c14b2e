package import ProgramModel

/// Which steps run side by side: waves, one after the other, of steps that do not depend on each other.
package struct StreamSchedule: Sendable, Hashable {
  /// Step indices; each step occurs once and after all that it depends on.
  package private(set) var waves: [[Int]]

  /// One step at a time, in the program's order.
  package init(sequential stepCount: Int) { waves = (0..<stepCount).map { [$0] } }

  /// Puts independent steps that are too small to fill the threads alone into one wave.
  ///
  /// - Parameters:
  ///   - costs: seconds of each step on one thread.
  ///   - threads: how many threads a wave can use.
  ///   - smallStep: a step of more seconds runs alone, since its own tasks keep all threads busy.
  package init(
    _ dependencies: Dependencies, costs: [Double], threads: Int, smallStep: Double = 100e-6
  ) {
    let count = dependencies.predecessors.count
    guard threads > 1 else {
      waves = (0..<count).map { [$0] }
      return
    }
    var successors: [[Int]] = Array(repeating: [], count: count)
    var waiting = dependencies.predecessors.map(\.count)
    for (step, before) in dependencies.predecessors.enumerated() {
      for other in before { successors[other].append(step) }
    }
    var ready = (0..<count).filter { waiting[$0] == 0 }
    var result: [[Int]] = []
    while let first = ready.first {
      var wave = [first]
      if costs[first] <= smallStep {
        wave += ready.dropFirst().filter { costs[$0] <= smallStep }.prefix(Self.maximumWidth - 1)
      }
      let chosen = Set(wave)
      ready.removeAll { chosen.contains($0) }
      for step in wave {
        for next in successors[step] {
          waiting[next] -= 1
          if waiting[next] == 0 { ready.append(next) }
        }
      }
      ready.sort()
      result.append(wave)
    }
    waves = result
  }

  /// Wider waves keep more activations alive at once than they gain.
  private static let maximumWidth = 8

  /// The wave of each step.
  package var waveOfStep: [Int] {
    var result = [Int](repeating: 0, count: waves.reduce(0) { $0 + $1.count })
    for (index, wave) in waves.enumerated() { for step in wave { result[step] = index } }
    return result
  }
}

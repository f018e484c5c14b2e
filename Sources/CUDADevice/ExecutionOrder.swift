import DynamicTensorMemory
import ProgramModel

/// Which steps a step has to wait for: those whose results it reads, and those whose memory it takes over.
struct ExecutionOrder: Sendable {
  /// For each step, without those that other predecessors wait for already.
  private(set) var predecessors: [[Int]]
  /// Every step after all of its predecessors.
  let sequence: [Int]

  init(
    _ program: Program, dependencies: Dependencies, waves: [Int], memory: MemoryPlan,
    workspaceBytes: [Int], isSequential: Bool
  ) {
    let count = program.steps.count
    sequence = (0..<count).sorted { (waves[$0], $0) < (waves[$1], $1) }
    if isSequential {
      predecessors = Array(repeating: [], count: count)
      for (before, after) in zip(sequence, sequence.dropFirst()) { predecessors[after] = [before] }
      return
    }
    predecessors = dependencies.predecessors
    let uses = program.steps.indices.map {
      Self.uses(program.steps[$0], $0, program, memory, workspaceBytes)
    }
    for (position, step) in sequence.enumerated() {
      for other in sequence[..<position]
      where !predecessors[step].contains(other) && uses[step].conflicts(with: uses[other]) {
        predecessors[step].append(other)
      }
    }
    removeImplied()
  }

  /// A part of the arena and who has it: a buffer, or the workspace of a step.
  private struct Place {
    var bytes: Range<Int>
    var owner: Int

    /// Steps that share a buffer are ordered by their dependencies; only memory that changes hands counts.
    func collides(with other: Place) -> Bool { owner != other.owner && bytes.overlaps(other.bytes) }
  }

  /// What a step reads and writes of the arena.
  private struct Uses {
    var reads: [Place] = []
    var writes: [Place] = []

    func conflicts(with other: Uses) -> Bool {
      Self.collide(writes, other.writes) || Self.collide(writes, other.reads)
        || Self.collide(reads, other.writes)
    }

    private static func collide(_ a: [Place], _ b: [Place]) -> Bool {
      a.contains { x in b.contains { x.collides(with: $0) } }
    }
  }

  private static func uses(
    _ step: Step, _ index: Int, _ program: Program, _ memory: MemoryPlan, _ workspaceBytes: [Int]
  ) -> Uses {
    func place(_ view: View) -> Place? {
      memory.bufferOffsets[view.buffer.index].map {
        Place(bytes: $0..<($0 + program[view.buffer].byteCount), owner: view.buffer.index)
      }
    }
    var uses = Uses()
    uses.reads = step.inputs.compactMap { $0.flatMap(place) }
    uses.writes = step.outputs.compactMap(place)
    if workspaceBytes[index] > 0 {
      let start = memory.workspaceOffsets[index]
      uses.writes.append(Place(bytes: start..<(start + workspaceBytes[index]), owner: -1 - index))
    }
    return uses
  }

  /// Removes predecessors that another predecessor comes after.
  private mutating func removeImplied() {
    let count = predecessors.count
    let words = (count + 63) / 64
    var ancestors = [[UInt64]](repeating: [UInt64](repeating: 0, count: words), count: count)
    for step in sequence {
      var implied = [UInt64](repeating: 0, count: words)
      for before in predecessors[step] {
        for word in 0..<words { implied[word] |= ancestors[before][word] }
      }
      predecessors[step] = predecessors[step].filter { implied[$0 / 64] >> ($0 % 64) & 1 == 0 }
        .sorted()
      for before in predecessors[step] { implied[before / 64] |= 1 << (before % 64) }
      ancestors[step] = implied
    }
  }
}

package import ProgramModel

/// Where each activation and each step's workspace lies in the arena.
package struct MemoryPlan: Sendable, Hashable {
  /// Bytes from the arena's start for each buffer of the program; nil for those outside the arena.
  package var bufferOffsets: [Int?]
  /// Bytes from the arena's start for each step's workspace.
  package var workspaceOffsets: [Int]
  package var arenaBytes: Int
  /// The largest sum of what is alive at once: no arena can be smaller.
  package var lowerBound: Int

  /// Plans an arena for a program.
  ///
  /// - Parameters:
  ///   - timeOfStep: when each step runs; steps of equal time run side by side.
  ///   - workspaceBytes: what each step needs while it runs.
  ///   - reuses: false gives every buffer a place of its own.
  ///   - alignment: of every place, in bytes; a power of two.
  package init(
    _ program: Program, timeOfStep: [Int], workspaceBytes: [Int], reuses: Bool = true,
    alignment: Int = 64
  ) throws(ArenaError) {
    var first = [Int](repeating: Int.max, count: program.buffers.count)
    var last = [Int](repeating: -1, count: program.buffers.count)
    for (index, step) in program.steps.enumerated() {
      for view in step.inputs.compactMap({ $0 }) + step.outputs {
        first[view.buffer.index] = min(first[view.buffer.index], timeOfStep[index])
        last[view.buffer.index] = max(last[view.buffer.index], timeOfStep[index])
      }
    }
    let end = (timeOfStep.max() ?? 0) + 1
    var lifetimes: [Lifetime] = []
    var owners: [(isWorkspace: Bool, index: Int)] = []
    for (index, buffer) in program.buffers.enumerated()
    where buffer.isActivation && last[index] >= 0 {
      lifetimes.append(
        Lifetime(
          id: lifetimes.count, first: reuses ? first[index] : 0,
          end: reuses ? last[index] + 1 : end,
          byteCount: buffer.byteCount, alignment: alignment))
      owners.append((false, index))
    }
    for (index, bytes) in workspaceBytes.enumerated() where bytes > 0 {
      let time = timeOfStep[index]
      lifetimes.append(
        Lifetime(
          id: lifetimes.count, first: reuses ? time : 0, end: reuses ? time + 1 : end,
          byteCount: bytes, alignment: alignment))
      owners.append((true, index))
    }
    let layout = try ArenaPlanner.plan(lifetimes)
    bufferOffsets = Array(repeating: nil, count: program.buffers.count)
    workspaceOffsets = Array(repeating: 0, count: program.steps.count)
    for (owner, offset) in zip(owners, layout.offsets) {
      if owner.isWorkspace {
        workspaceOffsets[owner.index] = offset
      } else {
        bufferOffsets[owner.index] = offset
      }
    }
    arenaBytes = layout.byteCount
    lowerBound = layout.lowerBound
  }
}

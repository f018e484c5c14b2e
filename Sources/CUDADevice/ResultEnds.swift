import CUDASource
import ProgramModel

/// At which end of a large result its writer stopped: that end is what the cache still holds when the next
/// step begins.
struct ResultEnds {
  private let program: Program
  private let cacheBytes: Int
  /// Buffers whose beginning was written last.
  private var backward: Set<BufferID> = []
  private var written: Set<BufferID> = []

  init(_ program: Program, cacheBytes: Int) {
    self.program = program
    self.cacheBytes = cacheBytes
  }

  /// Whether a step finds the end of its first input in the cache, and not all of it.
  func prefersBackward(_ step: Step) -> Bool {
    guard let input = step.inputs.first ?? nil, written.contains(input.buffer),
      program[input.buffer].byteCount > cacheBytes / 4
    else { return false }
    return !backward.contains(input.buffer)
  }

  /// Takes note of a step that has been planned.
  mutating func note(_ step: Step, _ plan: StepPlan?) {
    for output in step.outputs {
      written.insert(output.buffer)
      if plan?.isBackward ?? false {
        backward.insert(output.buffer)
      } else {
        backward.remove(output.buffer)
      }
    }
  }
}

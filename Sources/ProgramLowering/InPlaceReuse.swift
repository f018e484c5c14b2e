import KernelModel
import ProgramModel
import TensorModel

/// Lets a step write its result over an operand that nothing reads afterwards.
///
/// Legal for pointwise steps and for epilogue operands, because every kernel reads such an element before
/// it writes it, and only that element's thread does.
enum InPlaceReuse {
  static func apply(to program: inout Program) {
    var lastUse: [BufferID: Int] = [:]
    var firstWrite: [BufferID: Int] = [:]
    for (index, step) in program.steps.enumerated() {
      for view in step.inputs.compactMap({ $0 }) + step.outputs { lastUse[view.buffer] = index }
      for view in step.outputs where firstWrite[view.buffer] == nil {
        firstWrite[view.buffer] = index
      }
    }
    var replacement: [BufferID: BufferID] = [:]
    for index in program.steps.indices {
      program.steps[index].rename(replacement)
      let step = program.steps[index]
      guard step.outputs.count == 1 else { continue }
      let output = step.outputs[0]
      guard program[output.buffer].isActivation, firstWrite[output.buffer] == index else {
        continue
      }
      for candidate in candidates(step) {
        guard lastUse[candidate.buffer] == index, program[candidate.buffer].isActivation,
          candidate.buffer != output.buffer,
          program[candidate.buffer].byteCount == program[output.buffer].byteCount,
          fits(candidate, output), isOnlyReader(step, of: candidate)
        else { continue }
        replacement[output.buffer] = candidate.buffer
        lastUse[candidate.buffer] = lastUse[output.buffer]
        program.steps[index].rename([output.buffer: candidate.buffer])
        break
      }
    }
    for index in program.outputs.indices {
      if let kept = replacement[program.outputs[index].buffer] {
        program.outputs[index].buffer = kept
      }
    }
  }

  private static func candidates(_ step: Step) -> [View] {
    if case .pointwise = step.problem { return step.inputs.compactMap { $0 } }
    guard let own = step.problem.ownOperandCount, let epilogue = step.singleEpilogue else {
      return []
    }
    // Contractions add plain terms in registers; anything else they apply to what is stored already.
    let terms = plainTerms(epilogue)
    return step.inputs.indices.dropFirst(own)
      .filter { terms.contains($0 - own + 1) }.compactMap { step.inputs[$0] }
  }

  /// The operands of a sum, under a clamp at most; none where the epilogue is anything else.
  static func plainTerms(_ epilogue: ScalarExpression) -> Set<Int> {
    var sum = epilogue
    while case .binary(let function, let x, .constant) = sum,
      [.maximum, .minimum].contains(function)
    {
      sum = x
    }
    var found: Set<Int> = []
    var pending = [sum]
    while let term = pending.popLast() {
      switch term {
      case .binary(.add, let a, let b): pending += [a, b]
      case .operand(let index): found.insert(index)
      case .constant: break
      default: return []
      }
    }
    return found
  }

  private static func fits(_ a: View, _ b: View) -> Bool {
    a.offset == b.offset && a.shape == b.shape && a.hasSameStrides(as: b)
      && a.dataType.byteCount == b.dataType.byteCount
  }

  /// Whether every operand in that buffer is the very same view.
  private static func isOnlyReader(_ step: Step, of view: View) -> Bool {
    step.inputs.allSatisfy { $0 == nil || $0?.buffer != view.buffer || $0 == view }
      && !ownOperands(step).contains { $0.buffer == view.buffer }
  }

  private static func ownOperands(_ step: Step) -> [View] {
    guard let own = step.problem.ownOperandCount else { return [] }
    return step.inputs.prefix(own).compactMap { $0 }
  }
}

extension Step {
  fileprivate mutating func rename(_ replacement: [BufferID: BufferID]) {
    guard !replacement.isEmpty else { return }
    for index in inputs.indices {
      if let buffer = inputs[index]?.buffer, let kept = replacement[buffer] {
        inputs[index]?.buffer = kept
      }
    }
    for index in outputs.indices {
      if let kept = replacement[outputs[index].buffer] { outputs[index].buffer = kept }
    }
  }
}

extension Program {
  /// The program with buffers numbered anew, without those that no step names.
  func withoutUnusedBuffers() -> Program {
    var result = self
    result.buffers = []
    var map: [BufferID: BufferID] = [:]
    func translate(_ view: View) -> View {
      var copy = view
      if let known = map[view.buffer] {
        copy.buffer = known
      } else {
        result.buffers.append(self[view.buffer])
        copy.buffer = BufferID(result.buffers.count - 1)
        map[view.buffer] = copy.buffer
      }
      return copy
    }
    result.inputs = inputs.map(translate)
    result.steps = steps.map { step in
      var copy = step
      copy.inputs = step.inputs.map { $0.map(translate) }
      copy.outputs = step.outputs.map(translate)
      return copy
    }
    result.outputs = outputs.map(translate)
    return result
  }
}

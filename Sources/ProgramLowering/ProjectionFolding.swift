import KernelModel
package import ProgramModel
import TensorModel

/// The sum of two pointwise convolutions is one convolution of both inputs side by side: the projection beside a
/// residual block becomes part of the convolution that its result is added to, and its result is never
/// stored.
package enum ProjectionFolding {
  package static func apply(to program: inout Program) {
    var index = 0
    while index < program.steps.count {
      if let match = match(program, index) {
        fold(match, &program)
      } else {
        index += 1
      }
    }
  }

  /// A pointwise convolution whose epilogue adds the result of another one.
  private struct Match {
    var sum: Int
    var projection: Int
    /// The input of the sum that the projection writes.
    var position: Int
    /// What the projection adds to its products, in single precision.
    var terms: [ScalarExpression]
    var weights: Tensor
  }

  private static func match(_ program: Program, _ index: Int) -> Match? {
    let step = program.steps[index]
    guard let x = pointwiseInput(program, step), let epilogue = step.singleEpilogue,
      let first = program.constant(step.inputs[1])
    else { return nil }
    for term in InPlaceReuse.plainTerms(epilogue).sorted() where term > 0 {
      let position = term + 1
      guard let view = step.inputs[position], isUsedOnce(step.inputs, view.buffer),
        let projection = onlyWriter(program, of: view, readBy: index),
        let y = pointwiseInput(program, program.steps[projection]), y.buffer != x.buffer,
        y.dataType == x.dataType, y.shape[2...] == x.shape[2...], y.shape[0] == x.shape[0],
        program.steps[projection].arithmetic == step.arithmetic,
        let added = program.steps[projection].singleEpilogue, let terms = sumTerms(added),
        let second = program.constant(program.steps[projection].inputs[1]),
        let weights = joined(first, second)
      else { continue }
      return Match(
        sum: index, projection: projection, position: position, terms: terms, weights: weights)
    }
    return nil
  }

  private static func isUsedOnce(_ inputs: [View?], _ buffer: BufferID) -> Bool {
    inputs.count(where: { $0?.buffer == buffer }) == 1
  }

  /// The input of a convolution of single pixels, where all of its buffer can be a part of a wider one.
  private static func pointwiseInput(_ program: Program, _ step: Step) -> View? {
    guard case .convolution(let problem) = step.problem, problem.groups == 1,
      !problem.isTransposed, problem.strides.allSatisfy({ $0 == 1 }),
      (problem.padsBefore + problem.padsAfter).allSatisfy({ $0 == 0 }),
      let x = step.inputs[0], let weights = step.inputs[1], x.dataType.isFloatingPoint,
      program[x.buffer].isActivation, weights.shape[2...].allSatisfy({ $0 == 1 }),
      weights.isRowMajor, weights.offset == 0, program.constant(weights)?.shape == weights.shape,
      x.isWhole(program[x.buffer]), x.order == LayoutAssignment.channelsLast(rank: x.rank)
    else { return nil }
    // Whatever reads or writes it must not mind that pixels lie farther apart.
    let takesStrides = program.steps.allSatisfy { step in
      (step.inputs.compactMap { $0 } + step.outputs).allSatisfy { $0.buffer != x.buffer || $0 == x }
        && (!step.names(x.buffer) || step.problem.isSpatial)
    }
    return takesStrides ? x : nil
  }

  /// The step that alone writes a view that nothing but one step reads.
  private static func onlyWriter(_ program: Program, of view: View, readBy reader: Int) -> Int? {
    let users = program.steps.indices.filter { program.steps[$0].names(view.buffer) }
    guard program[view.buffer].isActivation, users.count == 2, users[1] == reader,
      program.steps[users[0]].outputs == [view]
    else { return nil }
    return users[0]
  }

  /// The terms of an epilogue beside the products, where it is nothing but their sum.
  private static func sumTerms(_ epilogue: ScalarExpression) -> [ScalarExpression]? {
    var terms: [ScalarExpression] = []
    var products = 0
    var pending = [epilogue]
    while let term = pending.popLast() {
      switch term {
      case .binary(.add, let a, let b): pending += [a, b]
      case .operand(0): products += 1
      case .operand, .constant: terms.append(term)
      default: return nil
      }
    }
    return products == 1 ? terms : nil
  }

  /// Filters whose second half reads the second input.
  private static func joined(_ a: Tensor, _ b: Tensor) -> Tensor? {
    guard a.dataType == b.dataType, a.shape[0] == b.shape[0], a.shape[0] > 0 else { return nil }
    var shape = a.shape
    shape[1] += b.shape[1]
    guard var result = try? Tensor(uninitialized: a.dataType, shape: shape) else { return nil }
    let filters = shape[0]
    result.withUnsafeMutableBytes { target in
      var place = 0
      for filter in 0..<filters {
        for part in [a, b] {
          let length = part.byteCount / filters
          part.withUnsafeBytes { source in
            UnsafeMutableRawBufferPointer(rebasing: target[place..<place + length]).copyMemory(
              from: UnsafeRawBufferPointer(
                rebasing: source[filter * length..<(filter + 1) * length]))
          }
          place += length
        }
      }
    }
    return result
  }

  private static func fold(_ match: Match, _ program: inout Program) {
    let projection = program.steps[match.projection]
    var step = program.steps[match.sum]
    guard let x = step.inputs[0], let y = projection.inputs[0], let epilogue = step.singleEpilogue
    else { return }
    let wide = widened(x, y, &program)
    step = program.steps[match.sum]
    let constant = program.addBuffer(
      .constant(match.weights), byteCount: match.weights.byteCount)
    step.inputs[0] = wide
    step.inputs[1] = View(
      dense: constant, dataType: match.weights.dataType, shape: match.weights.shape,
      order: Array(match.weights.shape.indices))
    // The projection's own operands follow; the first takes the place of its result.
    var operands = projection.inputs.dropFirst(2)
    step.inputs[match.position] = operands.popFirst() ?? nil
    var places = [match.position - 1]
    for operand in operands {
      step.inputs.append(operand)
      places.append(step.inputs.count - 2)
    }
    let terms = match.terms.map { term -> ScalarExpression in
      if case .operand(let number) = term { return .operand(places[number - 1]) }
      return term
    }
    let added = terms.dropFirst().reduce(terms.first ?? .constant(0, .float32)) { $0 + $1 }
    if projection.inputs.count == 2 {
      step.inputs.remove(at: match.position)
    }
    let joined = epilogue.rewritten { part in
      guard case .operand(let number) = part, number >= match.position - 1 else { return part }
      if number == match.position - 1 { return added }
      return projection.inputs.count == 2 ? .operand(number - 1) : part
    }
    // No operand is absent, or there had been no match.
    step.problem.epilogue = joined.stored(
      step.epilogueTypes ?? [], result: step.outputs[0].dataType)
    step.origins += projection.origins.filter { !step.origins.contains($0) }
    program.steps[match.sum] = step
    program.steps.remove(at: match.projection)
  }

  /// Makes two tensors parts of one with all their channels; returns that.
  private static func widened(_ x: View, _ y: View, _ program: inout Program) -> View {
    var shape = x.shape
    shape[1] += y.shape[1]
    let bytes = program[x.buffer].byteCount + program[y.buffer].byteCount
    let buffer = program.addBuffer(.activation, byteCount: bytes)
    let whole = View(
      dense: buffer, dataType: x.dataType, shape: shape,
      order: LayoutAssignment.channelsLast(rank: x.rank))
    var start = 0
    for part in [x, y] {
      var starts = [Int](repeating: 0, count: x.rank)
      starts[1] = start
      start += part.shape[1]
      let place = whole.sliced(
        starts: starts, sizes: part.shape, steps: starts.map { _ in 1 })
      for index in program.steps.indices { program.steps[index].replace(part, with: place) }
    }
    return whole
  }
}

extension View {
  /// Whether the view is all of a buffer.
  fileprivate func isWhole(_ buffer: Buffer) -> Bool {
    offset == 0 && elementCount * dataType.byteCount == buffer.byteCount
      && self == View(dense: self.buffer, dataType: dataType, shape: shape, order: order)
  }
}

extension Step {
  fileprivate func names(_ buffer: BufferID) -> Bool {
    inputs.contains { $0?.buffer == buffer } || outputs.contains { $0.buffer == buffer }
  }

  fileprivate mutating func replace(_ view: View, with other: View) {
    for index in inputs.indices where inputs[index] == view { inputs[index] = other }
    for index in outputs.indices where outputs[index] == view { outputs[index] = other }
  }
}

extension KernelProblem {
  /// Whether kernels take channels that lie side by side, whatever the distance of pixels.
  fileprivate var isSpatial: Bool {
    switch self {
    case .convolution, .window, .pointwise: true
    default: false
    }
  }
}

import GraphModel
import KernelModel
import ProgramModel
import TensorModel

/// A value that its producer writes into a part of a concatenation.
struct ConcatenationPart {
  var whole: ValueID
  var axis: Int
  var start: Int
}

extension GraphLowering {
  /// Handles a move that needs no kernel; false where a step is needed.
  mutating func lowerMove(_ copy: Copy, _ node: Node) throws(LoweringError) -> Bool {
    if case .concatenate(let axis) = copy {
      try lowerConcatenation(axis, node)
      return true
    }
    guard let input = node.inputs[0], parts[node.outputs[0]] == nil else { return false }
    let source = try view(input)
    let output = node.outputs[0]
    let type = try Self.concrete(indexed[output].type, node.name)
    switch copy {
    case .transpose(let permutation): views[output] = source.transposed(permutation)
    case .expand: views[output] = source.expanded(to: type.shape)
    case .reshape:
      let moved = source.reshaped(type.shape)
      views[output] = moved ?? relayoutRowMajor(source, node).reshaped(type.shape)
    case .slice(let starts, let sizes, let steps):
      guard let first = Shape(starts).constants, let counts = Shape(sizes).constants,
        steps.allSatisfy({ $0 > 0 })
      else { return false }
      views[output] = source.sliced(starts: first, sizes: counts, steps: steps)
    case .pad, .tile, .concatenate: return false
    }
    return views[output] != nil
  }

  /// Copies those parts that were not written in place.
  private mutating func lowerConcatenation(_ axis: Int, _ node: Node) throws(LoweringError) {
    let whole = try place(node.outputs[0])
    var start = 0
    for case let input? in node.inputs {
      let source = try view(input)
      var starts = [Int](repeating: 0, count: whole.rank)
      starts[axis] = start
      let target = whole.sliced(
        starts: starts, sizes: source.shape, steps: [Int](repeating: 1, count: whole.rank))
      start += source.shape[axis]
      if source.isSamePlace(as: target) || source.elementCount == 0 { continue }
      program.steps.append(
        Step(
          name: "\(node.name):part", problem: .copy(.reshape(Shape(source.shape))),
          inputs: [source],
          outputs: [target], origins: node.origins))
    }
  }

  /// Finds values that can be written straight into the concatenation that reads them, the last
  /// concatenation first, so that parts of parts fall into place.
  mutating func findParts() {
    for (_, node) in indexed.graph.liveNodes.reversed() {
      guard case .kernel(.copy(.concatenate(let axis))) = node.operation else { continue }
      let whole = node.outputs[0]
      guard let rank = indexed.type(whole)?.rank else { continue }
      let order = layouts.order(whole, rank: rank)
      var start = 0
      for case let input? in node.inputs {
        guard let extent = indexed.type(input)?.shape[axis].constant else { break }
        if canWriteInPlace(input, rank: rank, order: order) {
          parts[input] = ConcatenationPart(whole: whole, axis: axis, start: start)
        }
        start += extent
      }
    }
  }

  private func canWriteInPlace(_ value: ValueID, rank: Int, order: [Int]) -> Bool {
    guard parts[value] == nil, !indexed.isOutput(value), indexed.constant(value) == nil,
      let (_, producer) = indexed.producer(of: value),
      case .kernel(let problem) = producer.operation, layouts.order(value, rank: rank) == order
    else { return false }
    switch problem {
    case .pointwise, .convolution, .matmul, .window, .normalization, .attention, .resample,
      .reduction,
      .copy(.concatenate), .copy(.pad), .copy(.tile):
      return true
    case .copy, .recurrence, .gather, .scatter, .sort, .scan: return false
    }
  }
}

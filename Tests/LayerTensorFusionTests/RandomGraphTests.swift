import GraphModel
import KernelModel
import TensorModel
import Testing

/// Graphs that nobody thought of: whatever the passes do to them, their outputs stay.
@Suite struct RandomGraphTests {
  @Test(arguments: 0..<60) func outputsStay(seed: Int) throws {
    var generator = GraphGenerator(seed: UInt64(seed))
    let draft = try generator.draft(nodes: 14)
    _ = try draft.fused(tolerance: 2e-4)
  }
}

/// Makes graphs of small tensors from a seed.
struct GraphGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

  private mutating func next(_ bound: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 33) % UInt64(bound))
  }

  private mutating func choice<T>(_ items: [T]) -> T { items[next(items.count)] }

  mutating func draft(nodes: Int) throws -> GraphDraft {
    var draft = GraphDraft()
    var values = [draft.input([2, 4, 3, 6]), draft.input([4, 6]), draft.input([1, 4, 5, 5])]
    for _ in 0..<nodes {
      // Recent values are likelier, so that chains grow.
      let x = values[max(values.count - 1 - next(5), 0)]
      if let y = try node(&draft, x, values) { values.append(y) }
    }
    let unread = values.filter { value in
      !draft.graph.liveNodes.contains { $0.node.inputs.contains(value) }
    }
    for value in unread { draft.output(value) }
    draft.output(choice(values.dropFirst(3).isEmpty ? values : Array(values.dropFirst(3))))
    return draft
  }

  private mutating func node(_ draft: inout GraphDraft, _ x: ValueID, _ values: [ValueID]) throws
    -> ValueID?
  {
    guard let shape = draft.graph[x].type?.shape.constants else { return nil }
    switch next(16) {
    case 0, 1: return try draft.pointwise(unary(), x)
    case 2: return try binaryWithConstant(&draft, x, shape)
    case 3, 4:
      guard let y = partner(draft, shape, values) else { return nil }
      return try draft.pointwise(
        choice([.x0 + .x1, .x0 * .x1, .x0 - .x1, .maximum(.x1, .x0)]), x, y)
    case 5:
      var permutation = Array(shape.indices)
      for index in permutation.indices { permutation.swapAt(index, next(permutation.count)) }
      return try draft.transpose(x, permutation)
    case 6: return try reshape(&draft, x, shape)
    case 7:
      let axis = next(shape.count)
      return try draft.add(
        .reduction(
          Reduction(
            choice([.sum, .mean, .maximum]), axes: [axis],
            keepsDimensions: shape.count == 1 || next(2) == 0)), [x])
    case 8:
      guard shape.count >= 2 else { return nil }
      return try draft.matmul(x, try draft.weights([shape[shape.count - 1], choice([2, 6])]))
    case 9:
      guard shape.count == 4, shape[2] >= 1, shape[3] >= 1 else { return nil }
      let size = choice([1, 1, 3])
      return try draft.convolution(
        x, try draft.weights([choice([2, 4]), shape[1], size, size]), pads: size / 2)
    case 10: return try slice(&draft, x, shape)
    case 11: return try draft.softmax(x, axis: next(shape.count))
    case 12: return try pad(&draft, x, shape)
    case 13: return try pool(&draft, x, shape)
    case 14: return try layerNormalization(&draft, x, shape)
    default:
      let twin = values.filter { draft.graph[$0].type?.shape == Shape(shape) }
      return try draft.add(.copy(.concatenate(axis: next(shape.count))), [x, choice(twin)])
    }
  }

  private mutating func pad(_ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]) throws
    -> ValueID
  {
    var amounts: [[Dimension]] = []
    for _ in 0..<2 { amounts.append(shape.indices.map { $0 < 2 ? 0 : Dimension(next(2)) }) }
    return try draft.add(
      .copy(.pad(.constant(choice([0, 0, 1])), before: amounts[0], after: amounts[1])),
      [x])
  }

  private mutating func pool(_ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]) throws
    -> ValueID?
  {
    guard shape.count == 4, shape[2] > 1, shape[3] > 1 else { return nil }
    let pads: [Dimension] = [Dimension(next(2)), 0]
    return try draft.add(
      .window(
        Window(
          choice([.maximum, .average(countsPadding: true), .average(countsPadding: false)]),
          kernel: [2, 2], strides: [1, 2], dilations: [1, 1], padsBefore: pads, padsAfter: pads)),
      [x])
  }

  private mutating func layerNormalization(
    _ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]
  ) throws -> ValueID {
    let axis = next(4) == 0 ? next(shape.count) : shape.count - 1
    let mean = try draft.reduce(.mean, x, [axis])
    let centred = try draft.pointwise(.x0 - .x1, x, mean)
    let variance = try draft.reduce(.mean, try draft.pointwise(.x0 * .x0, centred), [axis])
    let root = try draft.pointwise(.unary(.squareRoot, .x0 + .float(0.1)), variance)
    return try draft.pointwise(.x0 / .x1, choice([centred, centred, x]), root)
  }

  private mutating func unary() -> ScalarExpression {
    choice([
      .relu, .unary(.hyperbolicTangent, .x0), .unary(.sigmoid, .x0), .x0 * .float(0.5),
      .x0 + .float(1), -.x0, .x0 * .unary(.sigmoid, .x0), .minimum(.x0, .float(6)),
      .unary(.absolute, .x0), .cast(.cast(.x0, .float64), .float32),
    ])
  }

  private mutating func binaryWithConstant(
    _ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]
  ) throws -> ValueID {
    var constant = [Int](repeating: 1, count: shape.count)
    let axis = next(shape.count)
    constant[axis] = shape[axis]
    let trimmed = next(2) == 0 ? constant : Array(constant[axis...])
    return try draft.pointwise(
      choice([.x0 * .x1, .x0 + .x1, .x1 - .x0, .x0 / .x1]), x, try draft.weights(trimmed))
  }

  /// Another value that broadcasts to a shape.
  private mutating func partner(_ draft: GraphDraft, _ shape: [Int], _ values: [ValueID])
    -> ValueID?
  {
    let fitting = values.filter { value in
      guard let other = draft.graph[value].type?.shape else { return false }
      return ShapeMath.broadcast(other, Shape(shape)) == Shape(shape)
    }
    return fitting.isEmpty ? nil : choice(fitting)
  }

  private mutating func reshape(_ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]) throws
    -> ValueID
  {
    var target = shape
    let index = next(shape.count)
    switch next(3) {
    case 0 where shape.count > 1 && index + 1 < shape.count:
      target[index] *= target[index + 1]
      target.remove(at: index + 1)
    case 1 where shape[index] % 2 == 0:
      target[index] /= 2
      target.insert(2, at: index)
    default: target.insert(1, at: index)
    }
    return try draft.reshape(x, Shape(target))
  }

  private mutating func slice(_ draft: inout GraphDraft, _ x: ValueID, _ shape: [Int]) throws
    -> ValueID
  {
    let axis = next(shape.count)
    var starts = [Int](repeating: 0, count: shape.count)
    var sizes = shape
    if shape[axis] > 1 {
      starts[axis] = next(2)
      sizes[axis] = shape[axis] - 1
    }
    return try draft.add(
      .copy(
        .slice(
          starts: starts.map { Dimension($0) }, sizes: sizes.map { Dimension($0) },
          steps: shape.map { _ in 1 })), [x])
  }
}

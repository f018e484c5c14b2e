import GraphModel
import KernelModel
import TensorModel

/// Padding that a kernel can do itself.
enum PaddingFusion {
  static let rules: [Rule] = [convolution, averagePooling, maximumPooling]

  static let convolution = Rule("pad + convolution => convolution") { graph, id, node, problem in
    guard case .convolution(var convolution) = problem, !convolution.isTransposed,
      let pad = Padding(graph, node.inputs[0]), pad.value == Double(convolution.padValue)
    else { return nil }
    convolution.padsBefore = pad.added(to: convolution.padsBefore, pad.before)
    convolution.padsAfter = pad.added(to: convolution.padsAfter, pad.after)
    return patch(graph, id, node, pad, .convolution(convolution))
  }

  static let averagePooling = Rule("pad + average pooling => average pooling") {
    graph, id, node, problem in
    guard case .window(var window) = problem, case .average(let countsPadding) = window.function,
      !window.roundsUp, let pad = Padding(graph, node.inputs[0]), pad.value == 0,
      countsPadding || (window.padsBefore + window.padsAfter).allSatisfy({ $0 == 0 })
    else { return nil }
    window.function = .average(countsPadding: true)
    window.padsBefore = pad.added(to: window.padsBefore, pad.before)
    window.padsAfter = pad.added(to: window.padsAfter, pad.after)
    return patch(graph, id, node, pad, .window(window))
  }

  static let maximumPooling = Rule("pad with lowest + maximum pooling => maximum pooling") {
    graph, id, node, problem in
    guard case .window(var window) = problem, window.function == .maximum, !window.roundsUp,
      window.indices == .none, let pad = Padding(graph, node.inputs[0]),
      pad.value <= -Double(Float.greatestFiniteMagnitude), pad.isSmaller(than: window)
    else { return nil }
    window.padsBefore = pad.added(to: window.padsBefore, pad.before)
    window.padsAfter = pad.added(to: window.padsAfter, pad.after)
    return patch(graph, id, node, pad, .window(window))
  }

  private static func patch(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ pad: Padding, _ problem: KernelProblem
  ) -> GraphPatch? {
    var inputs = node.inputs
    inputs[0] = pad.x
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
    let origins = graph.origins(of: [pad.node, id])
    guard
      patch.replace(
        node.outputs[0], with: problem, inputs, name: node.name, origins: origins, in: graph)
    else { return nil }
    return patch
  }
}

/// A constant padding of spatial axes.
private struct Padding {
  var node: NodeID
  var x: ValueID
  var value: Double
  var before: [Int]
  var after: [Int]

  init?(_ graph: IndexedGraph, _ value: ValueID?) {
    guard let (id, node, problem) = graph.kernel(writing: value),
      case .copy(.pad(.constant(let number), let before, let after)) = problem,
      let x = node.inputs[0], before.count > 2
    else { return nil }
    let all = (before + after).map(\.constant)
    guard all.allSatisfy({ $0.map { (0...Int(Int32.max)).contains($0) } ?? false }),
      (before[..<2] + after[..<2]).allSatisfy({ $0 == 0 })
    else { return nil }
    self.node = id
    self.x = x
    self.value = number
    self.before = before.dropFirst(2).compactMap(\.constant)
    self.after = after.dropFirst(2).compactMap(\.constant)
  }

  func added(to pads: [Dimension], _ more: [Int]) -> [Dimension] {
    guard pads.count == more.count else { return pads }
    return zip(pads, more).map { $0 + Dimension($1) }
  }

  /// Whether every window keeps an element inside.
  func isSmaller(than window: Window) -> Bool {
    zip(window.kernel, zip(before, after)).allSatisfy { $0 > $1.0 && $0 > $1.1 }
      && (window.padsBefore + window.padsAfter).allSatisfy { $0 == 0 }
      && window.dilations.allSatisfy { $0 == 1 }
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Values that movement connects, which are stored alike so that it moves bytes.
struct SharedStorage {
  private var parents: [ValueID: ValueID] = [:]

  /// - Parameter isKept: whether a value stays in floating point whatever it is connected to.
  init(_ graph: Graph, isKept: (ValueID) -> Bool) {
    for (_, node) in graph.liveNodes {
      let linked = Self.linked(node).filter { graph[$0].type?.dataType == .float32 && !isKept($0) }
      guard let first = linked.first, linked.contains(node.outputs[0]) else { continue }
      for value in linked.dropFirst() { join(first, value) }
    }
  }

  /// The operands of a movement and its result.
  static func linked(_ node: Node) -> [ValueID] {
    guard case .kernel(let problem) = node.operation, movesIntegers(problem),
      let output = node.outputs.first
    else { return [] }
    let moved: [ValueID?] =
      switch problem {
      case .copy(.concatenate): node.inputs
      default: Array(node.inputs.prefix(1))
      }
    return moved.compactMap { $0 } + [output]
  }

  /// Whether a problem computes on integers what it computes on the numbers they stand for.
  static func movesIntegers(_ problem: KernelProblem) -> Bool {
    switch problem {
    case .copy(.pad(.constant(let value), _, _)): value == 0
    case .copy, .gather: true
    case .window(let window):
      window.function == .maximum && window.indices == .none && window.epilogue == .operand(0)
    default: false
    }
  }

  private func root(_ value: ValueID) -> ValueID {
    var value = value
    while let parent = parents[value] { value = parent }
    return value
  }

  private mutating func join(_ a: ValueID, _ b: ValueID) {
    let (a, b) = (root(a), root(b))
    if a != b { parents[max(a, b)] = min(a, b) }
  }

  /// One value that stands for all that are stored alike.
  func representative(_ value: ValueID) -> ValueID { root(value) }
}

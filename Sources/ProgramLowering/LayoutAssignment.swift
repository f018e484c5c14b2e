import GraphModel
import KernelModel
import ProgramModel
import TensorModel

/// The order in which each value's axes lie in memory, outermost first.
///
/// Images are channels-last around convolutions, windows and resampling; pointwise kernels follow their
/// operands; a value that is only transposed afterwards is stored so that the transpose is free.
struct LayoutAssignment {
  private(set) var orders: [ValueID: [Int]] = [:]

  /// Every value in row-major order.
  init() {}

  init(_ graph: IndexedGraph, types: (ValueID) -> TensorType?) {
    for (_, node) in graph.graph.liveNodes {
      guard case .kernel(let problem) = node.operation else { continue }
      for output in node.outputs {
        guard let rank = types(output)?.rank else { continue }
        let order = chosenOrder(problem, node, output, rank: rank, graph)
        if order != Array(0..<rank) { orders[output] = order }
      }
    }
  }

  func order(_ value: ValueID, rank: Int) -> [Int] { orders[value] ?? Array(0..<rank) }

  static func channelsLast(rank: Int) -> [Int] {
    rank < 3 ? Array(0..<rank) : [0] + Array(2..<rank) + [1]
  }

  private func chosenOrder(
    _ problem: KernelProblem, _ node: Node, _ output: ValueID, rank: Int, _ graph: IndexedGraph
  ) -> [Int] {
    switch problem {
    case .convolution, .window, .resample: return Self.channelsLast(rank: rank)
    case .normalization(let p):
      if case .localResponse = p.kind { return Self.channelsLast(rank: rank) }
      return inherited(node.inputs.prefix(1), rank: rank, graph) ?? Array(0..<rank)
    case .matmul:
      return orderForTranspose(output, rank: rank, graph) ?? orderOfRows(node, rank: rank, graph)
        ?? Array(0..<rank)
    case .attention:
      return orderForTranspose(output, rank: rank, graph) ?? Array(0..<rank)
    case .pointwise:
      return inherited(node.inputs[...], rank: rank, graph) ?? orderForTranspose(
        output, rank: rank, graph)
        ?? Array(0..<rank)
    case .copy(.concatenate), .copy(.pad), .copy(.tile):
      return inherited(node.inputs[...], rank: rank, graph) ?? Array(0..<rank)
    case .copy(.transpose(let permutation)):
      guard let input = node.inputs[0] else { return Array(0..<rank) }
      let source = order(input, rank: rank)
      return source.compactMap { permutation.firstIndex(of: $0) }
    case .copy(.slice), .copy(.expand):
      guard let input = node.inputs[0], graph.type(input)?.rank == rank else {
        return Array(0..<rank)
      }
      return order(input, rank: rank)
    case .copy(.reshape):
      return reshapedOrder(node.inputs[0], output, graph) ?? Array(0..<rank)
    case .reduction, .recurrence, .gather, .scatter, .sort, .scan:
      return Array(0..<rank)
    }
  }

  /// The order that a reshaped value has where its elements need not move.
  private func reshapedOrder(
    _ input: ValueID?, _ output: ValueID, _ graph: IndexedGraph
  ) -> [Int]? {
    guard let input, let order = orders[input], let source = graph.type(input)?.shape.constants,
      let target = graph.type(output)?.shape.constants
    else { return nil }
    let view = View(dense: BufferID(0), dataType: .uint8, shape: source, order: order)
    return view.reshaped(target)?.order
  }

  /// Where all rows meet one constant matrix, the order of the rows, so that they stay one axis.
  private func orderOfRows(_ node: Node, rank: Int, _ graph: IndexedGraph) -> [Int]? {
    guard let rows = node.inputs[0], let matrix = node.inputs[1], graph.constant(matrix) != nil,
      graph.type(matrix)?.rank == 2, graph.type(rows)?.rank == rank, let order = orders[rows],
      order.last == rank - 1
    else { return nil }
    return order
  }

  /// The order of the first operand of the output's rank that has one of its own.
  private func inherited(
    _ inputs: ArraySlice<ValueID?>, rank: Int, _ graph: IndexedGraph
  ) -> [Int]? {
    for case let input? in inputs
    where graph.type(input)?.rank == rank && graph.constant(input) == nil {
      if let order = orders[input] { return order }
    }
    return nil
  }

  /// Where the only reader transposes, the order that makes the transposed value row-major, provided that
  /// the last axis stays innermost.
  private func orderForTranspose(_ value: ValueID, rank: Int, _ graph: IndexedGraph) -> [Int]? {
    guard let (_, consumer) = graph.soleConsumer(of: value),
      case .kernel(.copy(.transpose(let permutation))) = consumer.operation,
      permutation.last == rank - 1
    else { return nil }
    return permutation
  }
}

import GraphModel
import KernelModel
import TensorModel

/// How the readers of a value want it.
struct StorageDemand: Sendable {
  /// Readers that take nothing but 16 bits: factors of products.
  var needsSixteen = 0
  /// Readers that take either, and better 16 bits.
  var takesSixteen = 0
  /// Readers that convert as they read and gain nothing by either.
  var takesEither = 0
  /// Readers that take either, and better single precision.
  var takesSingle = 0
  /// Readers that take nothing but single precision: outputs of the graph, the host.
  var needsSingle = 0

  var wantsSixteen: Bool { needsSixteen + takesSixteen > 0 }
  var wantsSingle: Bool { needsSingle + takesSingle > 0 }
  /// Whether every reader takes nothing but 16 bits.
  var isSixteenOnly: Bool { needsSixteen > 0 && takesSixteen + takesEither == 0 && !wantsSingle }

  mutating func add(_ other: StorageDemand) {
    needsSixteen += other.needsSixteen
    takesSixteen += other.takesSixteen
    takesEither += other.takesEither
    takesSingle += other.takesSingle
    needsSingle += other.needsSingle
  }

  static let sixteen = StorageDemand(needsSixteen: 1)
  static let preferablySixteen = StorageDemand(takesSixteen: 1)
  static let either = StorageDemand(takesEither: 1)
  static let preferablySingle = StorageDemand(takesSingle: 1)
  static let single = StorageDemand(needsSingle: 1)

  /// The demand for every value of a graph, readers first.
  static func demands(_ graph: Graph, _ analysis: StorageAnalysis) -> [ValueID: StorageDemand] {
    var demands: [ValueID: StorageDemand] = [:]
    for (_, value) in graph.outputs { demands[value, default: StorageDemand()].add(.single) }
    for ((_, node), decision) in zip(graph.liveNodes, analysis.decisions).reversed() {
      var passed = StorageDemand()
      for output in node.outputs { passed.add(demands[output] ?? StorageDemand()) }
      for (index, input) in node.inputs.enumerated() {
        guard let input else { continue }
        let demand = demand(node, decision.treatment, index, passed)
        demands[input, default: StorageDemand()].add(demand)
      }
    }
    return demands
  }

  private static func demand(
    _ node: Node, _ treatment: StorageAnalysis.Treatment, _ index: Int, _ passed: StorageDemand
  ) -> StorageDemand {
    guard case .kernel(let problem) = node.operation else { return .single }
    switch treatment {
    case .fixed: return .single
    case .movement: return passed
    case .integers: return problem.convertsOperand(index) ? .either : .single
    case .reduction: return index == 0 ? .either : .preferablySixteen
    case .inputs: return problem.needsEqualOperand(index) ? .single : .preferablySixteen
    case .single: return problem.convertsOperand(index) ? .preferablySingle : .single
    case .sixteen:
      return problem.needsEqualOperand(index) ? .sixteen : .preferablySixteen
    }
  }
}

extension KernelProblem {
  /// Whether an expression reads the operand, and so can cast it.
  func convertsOperand(_ index: Int) -> Bool {
    switch self {
    case .pointwise: true
    case .reduction: true
    default: ownOperandCount.map { index >= $0 } ?? false
    }
  }

  /// Whether the operand must have the type of the other factors of a product.
  func needsEqualOperand(_ index: Int) -> Bool {
    switch self {
    case .convolution, .matmul: index < 2
    case .attention: index < 3
    default: false
    }
  }
}

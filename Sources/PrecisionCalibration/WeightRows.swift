import GraphModel
package import KernelModel
import TensorModel

/// The rows of a contraction's weights: the elements that are summed, each times an input, for one result.
///
/// Row `(o, r)` of a phase begins at `o * outerStride + r * rowStride` and has for each `d` in `0 ..< depth` and each
/// tap of the phase the element at `d * depthStride + tap` from there.
package struct WeightRows: Sendable, Hashable {
  private(set) var outer = 1
  private(set) var outerStride = 0
  private(set) var rows: Int
  private(set) var rowStride: Int
  private(set) var depth: Int
  private(set) var depthStride: Int
  /// The offsets of taps that share results. Results of a transposed convolution with strides are of several phases,
  /// each of which meets taps of its own.
  private(set) var phases = [[0]]

  /// - Parameters:
  ///   - operand: which factor of the problem the weights are.
  ///   - shape: that of the weights.
  /// - Returns: Nil for an operand that is no factor of a convolution or matrix product, or does not fit it.
  package init?(_ problem: KernelProblem, operand: Int, shape: [Int]) {
    switch problem {
    case .convolution(let convolution):
      guard operand == 1 else { return nil }
      self.init(convolution, shape)
    case .matmul(let product):
      guard operand < 2, shape.count >= 2 else { return nil }
      self.init(shape, isSummedLast: operand == 0 ? !product.transposesA : product.transposesB)
    default: return nil
    }
  }

  private init(_ shape: [Int], isSummedLast: Bool) {
    let (first, last) = (shape[shape.count - 2], shape[shape.count - 1])
    (rows, rowStride) = isSummedLast ? (first, last) : (last, 1)
    (depth, depthStride) = isSummedLast ? (last, 1) : (first, last)
    (outer, outerStride) = (shape.dropLast(2).reduce(1, *), first * last)
  }

  private init?(_ convolution: Convolution, _ shape: [Int]) {
    guard shape.count > 2, convolution.groups > 0, shape[0] % convolution.groups == 0 else {
      return nil
    }
    let taps = shape.dropFirst(2).reduce(1, *)
    (rows, rowStride) = (shape[0], shape[1] * taps)
    (depth, depthStride) = (shape[1] * taps, 1)
    guard convolution.isTransposed else { return }
    let inputs = shape[0] / convolution.groups
    (outer, outerStride) = (convolution.groups, inputs * shape[1] * taps)
    (rows, rowStride) = (shape[1], taps)
    (depth, depthStride) = (inputs, shape[1] * taps)
    guard let phases = Self.phases(convolution, Array(shape.dropFirst(2))) else { return nil }
    self.phases = phases
  }

  /// The taps of a transposed convolution by the residue of where they write.
  private static func phases(_ convolution: Convolution, _ kernel: [Int]) -> [[Int]]? {
    let (strides, dilations) = (convolution.strides, convolution.dilations)
    guard strides.count == kernel.count, dilations.count == kernel.count,
      strides.allSatisfy({ $0 > 0 })
    else { return nil }
    var residues: [[Int]] = [[]]
    for (axis, extent) in kernel.enumerated() {
      var own: [Int] = []
      for tap in 0..<extent {
        let (place, overflow) = tap.multipliedReportingOverflow(by: dilations[axis])
        guard !overflow else { return nil }
        own.append(place % strides[axis])
      }
      residues = residues.flatMap { earlier in own.map { earlier + [$0] } }
    }
    var numbers: [[Int]: Int] = [:]
    var phases: [[Int]] = []
    for (tap, residue) in residues.enumerated() {
      if let number = numbers[residue] {
        phases[number].append(tap)
      } else {
        numbers[residue] = phases.count
        phases.append([tap])
      }
    }
    return phases
  }

  /// The constants of a graph that are factors of some of its nodes, with their rows: those of the first node that
  /// reads a constant, where several do.
  ///
  /// - Parameter nodes: the nodes whose factors count.
  static func ofFactors(_ graph: Graph, of nodes: some Sequence<Node>) -> [ValueID: WeightRows] {
    var result: [ValueID: WeightRows] = [:]
    for node in nodes {
      guard case .kernel(let problem) = node.operation else { continue }
      for (operand, input) in node.inputs.prefix(2).enumerated() {
        guard let input, result[input] == nil, let constant = graph[input].constant,
          constant.dataType == .float32
        else { continue }
        result[input] = WeightRows(problem, operand: operand, shape: constant.shape)
      }
    }
    return result
  }
}

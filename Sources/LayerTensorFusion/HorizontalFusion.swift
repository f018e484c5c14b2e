import GraphModel
import KernelModel
import TensorModel

/// Contractions that read the same tensor become one with all their outputs, followed by slices.
enum HorizontalFusion {
  static let rules: [Rule] = [convolutions, matmuls]

  static let convolutions = Rule("convolutions of one tensor => convolution + slices") {
    graph, id, node, problem in
    guard case .convolution(let convolution) = problem, convolution.groups == 1,
      !convolution.isTransposed
    else { return nil }
    return match(graph, id, node, problem)
  }

  static let matmuls = Rule("matmuls of one tensor => matmul + slices") {
    graph, id, node, problem in
    guard case .matmul = problem else { return nil }
    return match(graph, id, node, problem)
  }

  /// Wider contractions use the machine well on their own.
  private static let maximumChannels = 8192

  private static func match(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem
  ) -> GraphPatch? {
    guard let x = node.inputs[0], let first = Branch(graph, id, node, problem) else { return nil }
    var branches: [Branch] = []
    var seen: Set<NodeID> = []
    for reader in graph.consumers(of: x).sorted() where seen.insert(reader).inserted {
      guard let other = graph[reader], case .kernel(let problem) = other.operation,
        other.inputs[0] == x, let branch = Branch(graph, reader, other, problem),
        branch.fits(first)
      else { continue }
      branches.append(branch)
    }
    guard branches.count > 1, branches[0].id == id,
      branches.reduce(0, { $0 + $1.axis.count }) <= maximumChannels
    else { return nil }
    return patch(graph, x, branches)
  }

  private static func patch(_ graph: IndexedGraph, _ x: ValueID, _ branches: [Branch])
    -> GraphPatch?
  {
    let ids = branches.map(\.id)
    let main = branches[0]
    var patch = GraphPatch(graph, removing: ids)
    guard let weights = joined(branches.map(\.weights), along: main.weightAxis) else { return nil }
    var inputs: [ValueID?] = [x, patch.addConstant(name: "\(main.node.name).weights", weights)]
    var result = ScalarExpression.operand(0)
    if branches.contains(where: { $0.bias != nil }) {
      guard let bias = vector(branches, { $0.bias ?? ChannelVector(0) }) else { return nil }
      inputs.append(patch.addConstant(name: "\(main.node.name).bias", bias))
      result = .operand(0) + .operand(1)
    }
    var replacements = [result]
    for index in main.vectors.indices {
      guard let operand = vector(branches, { $0.vectors[index] }) else { return nil }
      inputs.append(patch.addConstant(name: "\(main.node.name).operand", operand))
      replacements.append(.operand(inputs.count - 2))
    }
    var problem = main.problem
    problem.epilogue = main.template.substituting(replacements)
    let origins = graph.origins(of: ids)
    guard
      let output = patch.kernel(
        problem, inputs, name: main.node.name, origins: origins, in: graph)?.first
    else { return nil }
    var start = 0
    for branch in branches {
      guard slice(graph, output, branch, from: start, &patch) else { return nil }
      start += branch.axis.count
    }
    return patch
  }

  private static func slice(
    _ graph: IndexedGraph, _ value: ValueID, _ branch: Branch, from start: Int,
    _ patch: inout GraphPatch
  ) -> Bool {
    let output = branch.node.outputs[0]
    guard let shape = graph.type(output)?.shape else { return false }
    var starts = [Dimension](repeating: 0, count: shape.rank)
    starts[branch.axis.axis] = Dimension(start)
    let steps = [Int](repeating: 1, count: shape.rank)
    return patch.replace(
      output, with: .copy(.slice(starts: starts, sizes: shape.dimensions, steps: steps)), [value],
      name: branch.node.name, origins: branch.node.origins, in: graph)
  }

  /// The vectors of all branches behind each other.
  private static func vector(_ branches: [Branch], _ part: (Branch) -> ChannelVector) -> Tensor? {
    var numbers: [Double] = []
    for branch in branches {
      let vector = part(branch)
      numbers += (0..<branch.axis.count).map { vector[$0] }
    }
    let axis = ChannelAxis(
      axis: branches[0].axis.axis, rank: branches[0].axis.rank, count: numbers.count)
    return axis.tensor(ChannelVector(numbers))
  }

  private static func joined(_ tensors: [Tensor], along axis: Int) -> Tensor? {
    var shape = tensors[0].shape
    shape[axis] = tensors.reduce(0) { $0 + $1.shape[axis] }
    guard var result = try? Tensor(uninitialized: .float32, shape: shape) else { return nil }
    let rows = shape[..<axis].reduce(1, *)
    result.withUnsafeMutableBytes { target in
      guard let base = target.baseAddress, rows > 0 else { return }
      let width = target.count / rows
      var start = 0
      for tensor in tensors {
        let length = tensor.byteCount / rows
        tensor.withUnsafeBytes { source in
          guard let origin = source.baseAddress else { return }
          for row in 0..<rows {
            (base + row * width + start).copyMemory(
              from: origin + row * length, byteCount: length)
          }
        }
        start += length
      }
    }
    return result
  }
}

/// A contraction with constant weights, its epilogue in the form `template(result + bias,
/// vectors)`.
private struct Branch {
  let id: NodeID
  let node: Node
  let problem: KernelProblem
  let weights: Tensor
  /// The axis of the weights that counts outputs.
  let weightAxis: Int
  let axis: ChannelAxis
  private(set) var template: ScalarExpression
  private(set) var bias: ChannelVector?
  /// Operand `k + 1` of the template.
  private(set) var vectors: [ChannelVector] = []

  init?(_ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem) {
    guard let weights = graph.constant(node.inputs.count > 1 ? node.inputs[1] : nil),
      weights.dataType == .float32, node.outputs.count == 1,
      let output = graph.type(node.outputs[0]), output.dataType == .float32,
      let axis = WeightFolding.outputChannels(problem, weights, output),
      let epilogue = ValueExpression(epilogueOf: problem, inputs: node.inputs)?.compacted()
    else { return nil }
    switch problem {
    case .convolution: weightAxis = 0
    case .matmul(let product):
      guard weights.shape.count == 2 else { return nil }
      weightAxis = product.transposesB ? 0 : 1
    default: return nil
    }
    self.id = id
    self.node = node
    self.problem = problem
    self.weights = weights
    self.axis = axis
    template = epilogue.expression
    guard readEpilogue(graph, epilogue) else { return nil }
  }

  private mutating func readEpilogue(_ graph: IndexedGraph, _ epilogue: ValueExpression) -> Bool {
    var constants: [ChannelVector] = []
    for operand in epilogue.operands {
      guard let vector = axis.vector(graph.constant(operand)) else { return false }
      constants.append(vector)
    }
    var order = Array(constants.indices)
    let sums = constants.indices.flatMap { index -> [(Int, ScalarExpression)] in
      let operand = ScalarExpression.operand(index + 1)
      return [(index, .operand(0) + operand), (index, operand + .operand(0))]
    }
    for (index, sum) in sums {
      let rest = template.replacing(sum, with: .constant(0, .float32))
      guard rest != template, !rest.uses(operand: 0), !rest.uses(operand: index + 1) else {
        continue
      }
      bias = constants[index]
      template = template.replacing(sum, with: .operand(0))
      order.remove(at: index)
      break
    }
    var replacements: [ScalarExpression] = (0...constants.count).map { .operand($0) }
    for (index, old) in order.enumerated() { replacements[old + 1] = .operand(index + 1) }
    template = template.substituting(replacements)
    vectors = order.map { constants[$0] }
    return true
  }

  /// Whether the two differ in their weights and vectors only.
  func fits(_ other: Branch) -> Bool {
    var a = problem
    var b = other.problem
    a.epilogue = .operand(0)
    b.epilogue = .operand(0)
    var shape = weights.shape
    var otherShape = other.weights.shape
    guard a == b, shape.count == otherShape.count, axis.rank == other.axis.rank else {
      return false
    }
    shape[weightAxis] = 0
    otherShape[weightAxis] = 0
    return shape == otherShape && template == other.template && vectors.count == other.vectors.count
  }
}

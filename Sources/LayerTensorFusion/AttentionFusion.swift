import GraphModel
import KernelModel
import TensorModel

/// Attention that exporters write out as two matrix products around a softmax.
enum AttentionFusion {
  static let rules: [Rule] = [attention]

  static let attention = Rule("softmax(scale * q * k^T + mask) * v => attention") {
    graph, id, node, problem in
    guard case .matmul(let product) = problem, !product.transposesA, node.inputs.count >= 2,
      let probabilities = node.inputs[0], graph.isReadOnly(probabilities, by: id),
      let (softmax, source, inner) = graph.kernel(writing: probabilities),
      case .normalization(let normalization) = inner, normalization.epilogue == .operand(0),
      case .softmax(let axis) = normalization.kind, let scores = source.inputs[0],
      let type = graph.type(scores), type.rank == 3 || type.rank == 4, axis == type.rank - 1,
      let found = ScoresMatch(graph, scores)
    else { return nil }
    return found.patch(product, softmax: softmax, id, node)
  }
}

/// The parts of `scale * q * k^T + mask`.
private struct ScoresMatch {
  let graph: IndexedGraph
  let type: TensorType
  /// The scores as `[B, H, S, T]`, or with B and H as one axis.
  var shape: Shape
  var product: NodeID
  var query: ValueID
  var key: ValueID
  /// Whether `key` is stored `[..., D, T]`.
  var keyIsTransposed: Bool
  var scale: Double
  var masks: [Term]

  /// Below this, what is added leaves nothing of a score.
  private static let exclusion = -1e30

  init?(_ graph: IndexedGraph, _ scores: ValueID) {
    guard let type = graph.type(scores),
      type.dataType == .float32 || type.dataType == .float64
    else { return nil }
    var term = Term(scores)
    var scale = 1.0
    var masks: [Term] = []
    var shape = type.shape
    var current = type.shape
    for _ in 0..<16 {
      term = graph.resolved(term)
      if let value = term.value {
        if let (source, next) = Self.beforeReshape(graph, value, current) {
          if next.rank == 4 {
            // A mask belongs to one of the two forms.
            guard masks.isEmpty || shape == next else { return nil }
            shape = next
          }
          current = next
          term = Term(source)
          continue
        }
        guard let (id, node, problem) = graph.kernel(writing: value),
          case .matmul(let product) = problem, !product.transposesA,
          product.epilogue == .operand(0), node.inputs.count == 2,
          let query = node.inputs[0], let key = node.inputs[1],
          graph.type(value)?.shape == current
        else { return nil }
        self.graph = graph
        self.type = type
        self.shape = shape
        self.product = id
        self.query = query
        self.key = key
        keyIsTransposed = !product.transposesB
        self.scale = scale
        self.masks = masks
        return
      }
      guard let step = Self.step(graph, term) else { return nil }
      if let factor = step.factor { scale *= factor }
      if let mask = step.mask {
        // A mask under a factor would have to be multiplied, too.
        guard scale == 1, current == shape else { return nil }
        masks.append(mask)
      }
      term = step.inner
    }
    return nil
  }

  /// The value before a reshape that only takes batch and heads apart or together.
  private static func beforeReshape(_ graph: IndexedGraph, _ value: ValueID, _ shape: Shape)
    -> (ValueID, Shape)?
  {
    guard graph.type(value)?.shape == shape, let x = MovementFusion.reshape(graph, value),
      let before = graph.type(x)?.shape, before.rank == 3 || before.rank == 4,
      before.dimensions.suffix(2) == shape.dimensions.suffix(2)
    else { return nil }
    return (x, before)
  }

  private struct Step {
    var inner: Term
    var factor: Double?
    var mask: Term?
  }

  /// One layer of arithmetic around the scores.
  private static func step(_ graph: IndexedGraph, _ term: Term) -> Step? {
    switch term.expression {
    case .binary(.multiply, let a, let b):
      if let factor = graph.number(term.with(b)) {
        return Step(inner: term.with(a), factor: factor)
      }
      if let factor = graph.number(term.with(a)) {
        return Step(inner: term.with(b), factor: factor)
      }
      return nil
    case .binary(.divide, let a, let b):
      guard let divisor = graph.number(term.with(b)), divisor != 0 else { return nil }
      return Step(inner: term.with(a), factor: 1 / divisor)
    case .binary(.add, let a, let b):
      if isScores(graph, term.with(a)) { return Step(inner: term.with(a), mask: term.with(b)) }
      if isScores(graph, term.with(b)) { return Step(inner: term.with(b), mask: term.with(a)) }
      return nil
    case .select(let condition, let a, let b):
      let zero = ScalarExpression.constant(0, .float32)
      if let fill = graph.number(term.with(b)), fill <= exclusion {
        return Step(
          inner: term.with(a), mask: term.with(.select(condition, zero, .constant(fill, .float32))))
      }
      if let fill = graph.number(term.with(a)), fill <= exclusion {
        return Step(
          inner: term.with(b), mask: term.with(.select(condition, .constant(fill, .float32), zero)))
      }
      return nil
    default: return nil
    }
  }

  /// Whether a matrix product is found by following scales and masks.
  private static func isScores(_ graph: IndexedGraph, _ term: Term, depth: Int = 8) -> Bool {
    let term = graph.resolved(term)
    if let value = term.value {
      guard let (_, _, problem) = graph.kernel(writing: value) else { return false }
      if problem.family == "matmul" { return true }
      guard depth > 0, let x = MovementFusion.reshape(graph, value) else { return false }
      return isScores(graph, Term(x), depth: depth - 1)
    }
    guard depth > 0, let step = step(graph, term) else { return false }
    return isScores(graph, step.inner, depth: depth - 1)
  }
}

// MARK: - The patch

extension ScoresMatch {
  func patch(_ product: MatrixProduct, softmax: NodeID, _ id: NodeID, _ node: Node)
    -> GraphPatch?
  {
    guard let value = node.inputs[1], let output = graph.type(node.outputs[0]),
      type.dataType == .float32 || masks.isEmpty
    else { return nil }
    var found = self
    found.absorbFactors()
    let extra = node.inputs.dropFirst(2)
    let kept = [found.query, found.key, value] + found.masks.flatMap(\.usedOperands) + extra
    let removed = graph.obsolete(without: [id], keeping: kept)
    // The scores must have no other reader.
    guard removed.contains(self.product), removed.contains(softmax) else { return nil }
    var patch = GraphPatch(graph, removing: removed)
    let origins = graph.origins(of: graph.region(from: id, to: kept))
    let batch: [Dimension] = shape.rank == 4 ? Array(shape.dimensions.prefix(2)) : [1, shape[0]]
    let writer = OperandWriter(graph: graph, name: node.name, origins: origins, batch: batch)
    guard
      let q = writer.matrices(found.query, transposed: false, &patch),
      let k = writer.matrices(found.key, transposed: found.keyIsTransposed, &patch),
      let v = writer.matrices(value, transposed: product.transposesB, &patch),
      hasEqualBatches(q, k, v, patch)
    else { return nil }
    var mask: ValueID?
    if !found.masks.isEmpty {
      guard let written = writer.mask(found.masks, scores: shape, &patch) else { return nil }
      mask = written
    }
    var inputs: [ValueID?] = [q, k, v]
    if mask != nil || !extra.isEmpty { inputs.append(mask) }
    let problem = KernelProblem.attention(
      Attention(scale: found.scale, epilogue: product.epilogue))
    guard
      let result = patch.kernel(
        problem, inputs + extra, name: node.name, origins: origins, in: graph)?.first,
      let final = writer.reshaped(result, to: output.shape, &patch),
      patch.type(final, in: graph) == output
    else { return nil }
    patch.replace(node.outputs[0], with: final)
    return patch
  }

  /// Takes factors on the query and the key into the scale, where only the product reads them.
  private mutating func absorbFactors() {
    for path in [\ScoresMatch.query, \ScoresMatch.key] {
      let value = self[keyPath: path]
      guard graph.isReadOnly(value, by: product),
        let (_, source, _) = graph.kernel(writing: value),
        let (inner, factor) = factor(source, value)
      else { continue }
      self[keyPath: path] = inner
      scale *= factor
    }
  }

  private func factor(_ node: Node, _ value: ValueID) -> (ValueID, Double)? {
    guard case .kernel(.pointwise(let pointwise)) = node.operation else { return nil }
    let term = Term(pointwise.expression, node.inputs)
    let found: (ValueID, Double)
    switch term.expression {
    case .binary(.multiply, let a, let b):
      if let inner = term.with(a).value, let factor = graph.number(term.with(b)) {
        found = (inner, factor)
      } else if let inner = term.with(b).value, let factor = graph.number(term.with(a)) {
        found = (inner, factor)
      } else {
        return nil
      }
    case .binary(.divide, let a, let b):
      guard let inner = term.with(a).value, let divisor = graph.number(term.with(b)), divisor != 0
      else { return nil }
      found = (inner, 1 / divisor)
    default: return nil
    }
    guard graph.type(found.0) == graph.type(value) else { return nil }
    return found
  }

  private func hasEqualBatches(_ q: ValueID, _ k: ValueID, _ v: ValueID, _ patch: GraphPatch)
    -> Bool
  {
    guard let q = patch.type(q, in: graph)?.shape, let k = patch.type(k, in: graph)?.shape,
      let v = patch.type(v, in: graph)?.shape
    else { return false }
    return q[0] == k[0] && q[1] == k[1] && k[0] == v[0] && k[1] == v[1] && k[2] == v[2]
      && q[3] == k[3]
  }
}

/// Writes the reshapes and transposes that bring operands into attention's form.
private struct OperandWriter {
  let graph: IndexedGraph
  let name: String
  let origins: [String]
  /// The extents of batch and heads.
  let batch: [Dimension]

  func reshaped(_ value: ValueID, to shape: Shape, _ patch: inout GraphPatch) -> ValueID? {
    guard let type = patch.type(value, in: graph) else { return nil }
    if type.shape == shape { return value }
    return patch.kernel(
      .copy(.reshape(shape)), [value], name: name, origins: origins, in: graph)?.first
  }

  /// A value as `[B, H, rows, columns]`.
  func matrices(_ value: ValueID, transposed: Bool, _ patch: inout GraphPatch) -> ValueID? {
    guard let rank = graph.type(value)?.rank, rank == 3 || rank == 4 else { return nil }
    var result = value
    if transposed {
      var permutation = Array(0..<rank)
      permutation.swapAt(rank - 1, rank - 2)
      var source = value
      if let (_, node, problem) = graph.kernel(writing: value),
        case .copy(.transpose(let before)) = problem, let x = node.inputs[0]
      {
        permutation = permutation.map { before[$0] }
        source = x
      }
      if permutation == Array(0..<rank) {
        result = source
      } else {
        guard
          let swapped = patch.kernel(
            .copy(.transpose(permutation)), [source], name: name, origins: origins, in: graph)?
            .first
        else { return nil }
        result = swapped
      }
    }
    guard rank == 3, let shape = patch.type(result, in: graph)?.shape else { return result }
    guard batch[0] * batch[1] == shape[0] else { return nil }
    return reshaped(result, to: Shape(batch + shape.dimensions.suffix(2)), &patch)
  }

  /// The sum of all masks, in a shape that broadcasts to four axes of scores.
  func mask(_ masks: [Term], scores: Shape, _ patch: inout GraphPatch) -> ValueID? {
    var sum: ValueID?
    for term in masks {
      guard let value = written(term, scores: scores, &patch) else { return nil }
      guard let other = sum else {
        sum = value
        continue
      }
      let problem = KernelProblem.pointwise(Pointwise(.operand(0) + .operand(1)))
      sum = patch.kernel(problem, [other, value], name: name, origins: origins, in: graph)?.first
      guard sum != nil else { return nil }
    }
    guard let result = sum, let type = patch.type(result, in: graph),
      type.dataType == .float32, ShapeMath.broadcast(type.shape, scores) == scores
    else { return nil }
    guard scores.rank == 3, type.rank == 3 else { return result }
    return reshaped(result, to: Shape([1] + type.shape.dimensions), &patch)
  }

  private func written(_ term: Term, scores: Shape, _ patch: inout GraphPatch) -> ValueID? {
    if let value = term.value { return value }
    let used = term.expression.operands
    guard !term.expression.usesIndex, let inputs = present(term.operands, used) else { return nil }
    var replacements: [ScalarExpression] = (0..<term.operands.count).map { .operand($0) }
    for (index, old) in used.enumerated() { replacements[old] = .operand(index) }
    let problem = KernelProblem.pointwise(Pointwise(term.expression.substituting(replacements)))
    return patch.kernel(problem, inputs, name: name, origins: origins, in: graph)?.first
  }

  private func present(_ operands: [ValueID?], _ used: [Int]) -> [ValueID]? {
    var result: [ValueID] = []
    for index in used {
      guard operands.indices.contains(index), let value = operands[index] else { return nil }
      result.append(value)
    }
    return result
  }
}

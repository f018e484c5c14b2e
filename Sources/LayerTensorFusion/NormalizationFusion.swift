import GraphModel
import KernelModel
import TensorModel

/// Normalisations that exporters write out in primitive operators.
enum NormalizationFusion {
  static let rules: [Rule] = [
    layer, rootMeanSquare, scale, bias, softmax, logSoftmax, logarithmOfSoftmax,
  ]

  /// What a pattern found: a problem on `x`, and where its operands come from.
  fileprivate struct Match {
    var kind: Normalization.Kind
    var x: ValueID
    var scale: ValueID?
    var bias: ValueID?
  }

  static let layer = Rule("(x - mean(x)) / sqrt(variance(x) + e) => layer normalisation") {
    graph, id, node, problem in
    guard let root = root(node, problem), let match = affine(graph, root, wantsMean: true) else {
      return nil
    }
    return patch(graph, id, node, match)
  }

  static let rootMeanSquare = Rule("x / sqrt(mean(x * x) + e) => root mean square normalisation") {
    graph, id, node, problem in
    guard let root = root(node, problem), let match = affine(graph, root, wantsMean: false) else {
      return nil
    }
    return patch(graph, id, node, match)
  }

  private static func root(_ node: Node, _ problem: KernelProblem) -> Term? {
    guard case .pointwise(let pointwise) = problem, node.outputs.count == 1,
      !pointwise.expression.usesIndex
    else { return nil }
    return Term(pointwise.expression, node.inputs)
  }

  private static func patch(_ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ match: Match)
    -> GraphPatch?
  {
    var inputs: [ValueID?] = [match.x, match.scale, match.bias]
    while inputs.count > 1, inputs[inputs.count - 1] == nil { inputs.removeLast() }
    let region = graph.region(from: id, to: inputs)
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
    guard
      patch.replace(
        node.outputs[0], with: .normalization(Normalization(match.kind)), inputs,
        name: node.name, origins: graph.origins(of: region), in: graph)
    else { return nil }
    return patch
  }
}

// MARK: - Layer and root mean square

extension NormalizationFusion {
  /// The standardised term, with a bias added or TensorFlow's `x * r + (bias - mean * r)`.
  private static func affine(_ graph: IndexedGraph, _ root: Term, wantsMean: Bool) -> Match? {
    if let match = standardised(graph, root, wantsMean: wantsMean) { return match }
    guard case .binary(.add, let a, let b) = root.expression else { return nil }
    for (main, other) in [(root.with(a), root.with(b)), (root.with(b), root.with(a))] {
      if wantsMean, let match = distributed(graph, main, other) { return match }
      if let bias = other.value, var match = standardised(graph, main, wantsMean: wantsMean),
        wantsMean
      {
        match.bias = bias
        return match
      }
    }
    return nil
  }

  /// `d * rsqrt(mean(d * d) + epsilon) * scale`, with `d` the centred x or x itself.
  private static func standardised(_ graph: IndexedGraph, _ root: Term, wantsMean: Bool) -> Match? {
    for throughNodes in [false, true] {
      var product = Product(graph, throughNodes: throughNodes)
      product.multiply(root)
      guard let (deviation, rest) = product.takingDeviation(), rest.denominators.isEmpty,
        let index = rest.numerators.firstIndex(where: { graph.isSame($0, deviation.base) })
      else { continue }
      var factors = rest.numerators
      factors.remove(at: index)
      guard factors.count <= 1 else { continue }
      let scale = factors.first?.value
      guard factors.isEmpty || scale != nil else { continue }
      if var match = match(graph, deviation, wantsMean: wantsMean) {
        match.scale = scale
        return match
      }
    }
    return nil
  }

  private static func match(_ graph: IndexedGraph, _ deviation: Deviation, wantsMean: Bool)
    -> Match?
  {
    let x: ValueID
    if wantsMean {
      guard let centred = centred(graph, deviation) else { return nil }
      x = centred
    } else {
      guard centred(graph, deviation) == nil, let base = deviation.base.value else { return nil }
      x = base
    }
    guard let axis = trailing(deviation.axes, of: graph.type(x)) else { return nil }
    return Match(
      kind: wantsMean
        ? .layer(axis: axis, epsilon: deviation.epsilon)
        : .rootMeanSquare(axis: axis, epsilon: deviation.epsilon), x: x)
  }

  /// The x of a base `x - mean(x)`.
  private static func centred(_ graph: IndexedGraph, _ deviation: Deviation) -> ValueID? {
    guard let (x, mean) = graph.binary(deviation.base, .subtract), let mean = graph.mean(mean),
      mean.axes == deviation.axes, graph.isSame(x, mean.argument)
    else { return nil }
    return mean.argument.value
  }

  /// `x * (rsqrt(v) * scale) + (bias - mean(x) * (rsqrt(v) * scale))`.
  private static func distributed(_ graph: IndexedGraph, _ main: Term, _ other: Term) -> Match? {
    guard let (bias, shift) = graph.binary(other, .subtract), let bias = bias.value else {
      return nil
    }
    var product = Product(graph, throughNodes: true)
    product.multiply(main)
    var shifted = Product(graph, throughNodes: true)
    shifted.multiply(shift)
    guard let (deviation, rest) = product.takingDeviation(), rest.denominators.isEmpty,
      let (second, others) = shifted.takingDeviation(), others.denominators.isEmpty,
      graph.isSame(deviation.base, second.base), deviation.epsilon == second.epsilon,
      let x = centred(graph, deviation), let axis = trailing(deviation.axes, of: graph.type(x)),
      let main = rest.numerators.firstIndex(where: { graph.isSame($0, Term(x)) }),
      let mean = others.numerators.firstIndex(where: { factor in
        guard let mean = graph.mean(factor) else { return false }
        return mean.input == x && mean.axes == deviation.axes
          && graph.isSame(mean.argument, Term(x))
      })
    else { return nil }
    var scales = rest.numerators
    scales.remove(at: main)
    var shiftScales = others.numerators
    shiftScales.remove(at: mean)
    guard scales.count == shiftScales.count, scales.count <= 1,
      zip(scales, shiftScales).allSatisfy({ graph.isSame($0, $1) }),
      scales.allSatisfy({ $0.value != nil })
    else { return nil }
    return Match(
      kind: .layer(axis: axis, epsilon: deviation.epsilon), x: x, scale: scales.first?.value,
      bias: bias)
  }

  private static func trailing(_ axes: [Int], of type: TensorType?) -> Int? {
    guard let type, let first = axes.first, axes == Array(first..<type.rank) else { return nil }
    return first
  }
}

/// The root mean square of a base: `sqrt(mean(base * base) + epsilon)`.
private struct Deviation {
  var base: Term
  var axes: [Int]
  var epsilon: Double
}

/// Factors of a product and of what divides it.
private struct Product {
  var numerators: [Term] = []
  var denominators: [Term] = []
  let graph: IndexedGraph
  let throughNodes: Bool
  private var steps = 0

  init(_ graph: IndexedGraph, throughNodes: Bool) {
    self.graph = graph
    self.throughNodes = throughNodes
  }

  mutating func multiply(_ term: Term, inverted: Bool = false) {
    let seen = throughNodes ? graph.resolved(term) : term
    steps += 1
    switch seen.expression {
    case .binary(.multiply, let a, let b) where steps < 16:
      multiply(seen.with(a), inverted: inverted)
      multiply(seen.with(b), inverted: inverted)
    case .binary(.divide, let a, let b) where steps < 16:
      multiply(seen.with(a), inverted: inverted)
      multiply(seen.with(b), inverted: !inverted)
    case .unary(.reciprocal, let a) where steps < 16:
      multiply(seen.with(a), inverted: !inverted)
    default:
      if !inverted, graph.number(term) == 1 { return }
      if inverted { denominators.append(term) } else { numerators.append(term) }
    }
  }

  /// The deviation that the product is divided by, and the other factors.
  func takingDeviation() -> (Deviation, Product)? {
    for (index, factor) in denominators.enumerated() {
      guard let square = root(factor), let found = deviation(square) else { continue }
      var rest = self
      rest.denominators.remove(at: index)
      return (found, rest)
    }
    for (index, factor) in numerators.enumerated() {
      guard let square = inverseRoot(factor), let found = deviation(square) else { continue }
      var rest = self
      rest.numerators.remove(at: index)
      return (found, rest)
    }
    return nil
  }

  private func root(_ term: Term) -> Term? {
    if let a = graph.unary(term, .squareRoot) { return a }
    guard let (a, exponent) = graph.binary(term, .power), graph.number(exponent) == 0.5 else {
      return nil
    }
    return a
  }

  private func inverseRoot(_ term: Term) -> Term? {
    if let a = graph.unary(term, .reciprocalSquareRoot) { return a }
    if let a = graph.unary(term, .reciprocal) { return root(a) }
    if let (a, b) = graph.binary(term, .divide), graph.number(a) == 1 { return root(b) }
    guard let (a, exponent) = graph.binary(term, .power), graph.number(exponent) == -0.5 else {
      return nil
    }
    return a
  }

  private func deviation(_ square: Term) -> Deviation? {
    guard let (variance, epsilon) = graph.withNumber(square, .add), epsilon >= 0,
      let mean = graph.mean(variance), let base = graph.squared(mean.argument)
    else { return nil }
    return Deviation(base: base, axes: mean.axes, epsilon: epsilon)
  }
}

// MARK: - Scale and bias

extension NormalizationFusion {
  static let scale = Rule("normalisation * scale => normalisation with scale") {
    graph, id, node, problem in
    absorbing(graph, id, node, problem, .multiply) { normalization, inputs, operand in
      guard inputs.count < 2 || inputs[1] == nil, inputs.count < 3 || inputs[2] == nil else {
        return nil
      }
      switch normalization.kind {
      case .layer, .rootMeanSquare: return [inputs[0], operand]
      default: return nil
      }
    }
  }

  static let bias = Rule("normalisation + bias => normalisation with bias") {
    graph, id, node, problem in
    absorbing(graph, id, node, problem, .add) { normalization, inputs, operand in
      guard case .layer = normalization.kind, inputs.count < 3 || inputs[2] == nil else {
        return nil
      }
      return [inputs[0], inputs.count > 1 ? inputs[1] : nil, operand]
    }
  }

  /// A normalisation and the product or sum that alone reads it; `operands` gives its new inputs.
  private static func absorbing(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem,
    _ function: BinaryFunction,
    operands: (Normalization, [ValueID?], ValueID) -> [ValueID?]?
  ) -> GraphPatch? {
    guard case .pointwise(let pointwise) = problem,
      case .binary(function, .operand(let a), .operand(let b)) = pointwise.expression, a != b
    else { return nil }
    for (first, second) in [(a, b), (b, a)] {
      guard let result = node.inputs[first], let operand = node.inputs[second],
        graph.isReadOnly(result, by: id), result != operand,
        let (main, source, inner) = graph.kernel(writing: result),
        case .normalization(let normalization) = inner, normalization.epilogue == .operand(0),
        source.inputs.count <= 3, isVector(graph, operand, normalization, of: result),
        let inputs = operands(normalization, source.inputs, operand)
      else { continue }
      var patch = GraphPatch(graph, removing: [main, id])
      if patch.replace(
        node.outputs[0], with: inner, inputs, name: node.name,
        origins: graph.origins(of: [main, id]), in: graph)
      {
        return patch
      }
    }
    return nil
  }

  /// Whether the operand extends over normalised axes only, as a learned scale does.
  private static func isVector(
    _ graph: IndexedGraph, _ operand: ValueID, _ normalization: Normalization, of x: ValueID
  ) -> Bool {
    let axis: Int
    switch normalization.kind {
    case .layer(let first, _), .rootMeanSquare(let first, _): axis = first
    default: return false
    }
    guard let shape = graph.type(operand)?.shape, let rank = graph.type(x)?.rank,
      shape.rank <= rank
    else { return false }
    let shift = rank - shape.rank
    return (0..<shape.rank).allSatisfy { shape[$0] == 1 || $0 + shift >= axis }
  }
}

// MARK: - Softmax

extension NormalizationFusion {
  static let softmax = Rule("exp(x - max(x)) / sum(exp(x - max(x))) => softmax") {
    graph, id, node, problem in
    guard let root = root(node, problem) else { return nil }
    var parts: (Term, Term)?
    if case .binary(.divide, let a, let b) = root.expression {
      parts = (root.with(a), root.with(b))
    } else if case .binary(.multiply, let a, let b) = root.expression {
      if let sum = graph.unary(root.with(b), .reciprocal) {
        parts = (root.with(a), sum)
      } else if let sum = graph.unary(root.with(a), .reciprocal) {
        parts = (root.with(b), sum)
      }
    }
    guard let (numerator, denominator) = parts,
      let exponent = graph.unary(numerator, .exponential),
      let (x, axis) = summedExponential(graph, denominator, of: exponent)
    else { return nil }
    return patch(graph, id, node, Match(kind: .softmax(axis: axis), x: x))
  }

  static let logSoftmax = Rule("x - max(x) - log(sum(exp(x - max(x)))) => log softmax") {
    graph, id, node, problem in
    guard let root = root(node, problem),
      case .binary(.subtract, let a, let b) = root.expression,
      let sum = graph.unary(root.with(b), .logarithm),
      let (x, axis) = summedExponential(graph, sum, of: root.with(a))
    else { return nil }
    return patch(graph, id, node, Match(kind: .logSoftmax(axis: axis), x: x))
  }

  static let logarithmOfSoftmax = Rule("log(softmax(x)) => log softmax") {
    graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem,
      case .unary(.logarithm, .operand(let index)) = pointwise.expression,
      let value = node.inputs[index], graph.isReadOnly(value, by: id),
      let (_, source, inner) = graph.kernel(writing: value),
      case .normalization(let normalization) = inner, normalization.epilogue == .operand(0),
      case .softmax(let axis) = normalization.kind, let x = source.inputs[0]
    else { return nil }
    return patch(graph, id, node, Match(kind: .logSoftmax(axis: axis), x: x))
  }

  /// The x and the axis of `sum(exp(exponent))`, with the exponent `x - max(x)` or x itself.
  private static func summedExponential(
    _ graph: IndexedGraph, _ sum: Term, of exponent: Term
  ) -> (x: ValueID, axis: Int)? {
    guard let sum = graph.reduced(sum), sum.function == .sum, sum.axes.count == 1,
      let inner = graph.unary(sum.argument, .exponential), graph.isSame(inner, exponent)
    else { return nil }
    let x: ValueID?
    if let (value, largest) = graph.binary(exponent, .subtract),
      let maximum = graph.reduced(largest), maximum.function == .maximum,
      maximum.axes == sum.axes, graph.isSame(maximum.argument, value)
    {
      x = maximum.argument.value
    } else {
      x = exponent.value
    }
    guard let x else { return nil }
    return (x, sum.axes[0])
  }
}

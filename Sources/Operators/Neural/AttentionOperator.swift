import GraphModel
import KernelModel
import TensorModel

/// Attention of many heads, with a cache of earlier keys and values. Source: ONNX `Attention`.
struct AttentionOperator: Operator {
  static let spellings = [Spelling.onnx("Attention", 23...99)]

  private enum ScoresOutput: Int {
    case products, capped, masked, probabilities
  }

  private let queryHeads: Int?
  private let keyHeads: Int?
  private let scale: Double?
  private let softCap: Double
  private let isCausal: Bool
  private let scoresOutput: ScoresOutput
  private let window: AttentionMask.Window

  init(_ attributes: AttributeReader) throws(OperatorError) {
    queryHeads = try attributes.int("q_num_heads")
    keyHeads = try attributes.int("kv_num_heads")
    scale = try attributes.float("scale")
    softCap = try attributes.float("softcap", default: 0)
    isCausal = try attributes.bool("is_causal", default: false)
    let mode = try attributes.int("qk_matmul_output_mode", default: 0)
    guard let scoresOutput = ScoresOutput(rawValue: mode) else {
      throw OperatorError("attribute 'qk_matmul_output_mode' is \(mode), expected 0 to 3")
    }
    self.scoresOutput = scoresOutput
    window = AttentionMask.Window(
      left: try attributes.int("left_window_size", default: -1),
      right: try attributes.int("right_window_size", default: -1))
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let query = try expansion.input(0)
    var q = try split(&expansion, query, heads: queryHeads)
    var k = try split(&expansion, try expansion.input(1), heads: keyHeads)
    var v = try split(&expansion, try expansion.input(2), heads: keyHeads)
    let newKeys = k.shape[2]
    var earlier: Dimension?
    if let pastKey = expansion.optionalInput(4), let pastValue = expansion.optionalInput(5) {
      guard pastKey.rank == 4, pastValue.rank == 4 else {
        throw OperatorError("the cache has shapes \(pastKey.shape) and \(pastValue.shape)")
      }
      earlier = pastKey.shape[2]
      k = try expansion.concatenate([pastKey, k], axis: 2)
      v = try expansion.concatenate([pastValue, v], axis: 2)
    }
    expansion.set(1, k)
    expansion.set(2, v)
    let lengths = expansion.optionalInput(6)
    // The kernel knows two kinds of causality; everything else is a mask.
    let alignsEnds = earlier != nil && newKeys == q.shape[2]
    let kernelIsCausal = isCausal && lengths == nil && (earlier == nil || alignsEnds)
    var mask = AttentionMask(
      operand: expansion.optionalInput(3), queries: q.shape[2], keys: k.shape[2], type: q.dataType)
    try mask.fillKeys(&expansion)
    var wholeMask = mask
    try mask.restrict(
      &expansion, isCausal: isCausal && !kernelIsCausal, window: window, earlier: earlier ?? 0,
      lengths: lengths)
    let factor = try self.factor(&expansion, &q)
    let problem = Attention(
      scale: factor, isCausal: kernelIsCausal, alignsEnds: alignsEnds, softCap: softCap)
    let y = try expansion.emit(.attention(problem), [q, k, v, mask.operand])
    expansion.set(0, query.rank == 4 ? y : try joined(&expansion, y))
    if expansion.wants(3) {
      try wholeMask.restrict(
        &expansion, isCausal: isCausal, window: window, earlier: earlier ?? 0, lengths: lengths)
      let scores = try self.scores(&expansion, q, k, wholeMask, factor)
      expansion.set(3, scores)
    }
  }

  /// What the scores are multiplied by; where the size of a head is not known yet, the query is multiplied
  /// instead.
  private func factor(
    _ expansion: inout Expansion, _ q: inout Operand
  ) throws(OperatorError) -> Double {
    if let scale { return scale }
    if let size = q.shape[3].constant {
      guard size > 0 else { throw OperatorError("the size of a head is \(size)") }
      return 1 / Double(size).squareRoot()
    }
    let size = try expansion.cast(
      expansion.symbolic([q.shape[3]], TensorType(.int64, [Int]())), to: q.dataType)
    q = try expansion.pointwise(
      .operand(0) * .unary(.reciprocalSquareRoot, .operand(1)), [q, size])
    return 1
  }

  /// `[B, S, heads * D]` as `[B, heads, S, D]`.
  private func split(
    _ expansion: inout Expansion, _ x: Operand, heads: Int?
  ) throws(OperatorError) -> Operand {
    if x.rank == 4 { return x }
    guard x.rank == 3, let heads, heads > 0 else {
      throw OperatorError(
        "an input has shape \(x.shape), expected four axes, or three and the number of heads")
    }
    let size = x.shape[2].floorDivided(by: Dimension(heads))
    let split = try expansion.reshape(
      x, [x.shape[0], x.shape[1], Dimension(heads), size])
    return try expansion.transpose(split, [0, 2, 1, 3])
  }

  private func joined(_ expansion: inout Expansion, _ y: Operand) throws(OperatorError) -> Operand {
    let moved = try expansion.transpose(y, [0, 2, 1, 3])
    return try expansion.reshape(
      moved, [y.shape[0], y.shape[2], y.shape[1] * y.shape[3]])
  }

  /// The matrix of queries by keys at the stage that the model asks for.
  private func scores(
    _ expansion: inout Expansion, _ q: Operand, _ k: Operand, _ mask: AttentionMask,
    _ factor: Double
  ) throws(OperatorError) -> Operand {
    let type = q.dataType
    var epilogue = ScalarExpression.operand(0) * .constant(factor, type)
    if softCap > 0, scoresOutput != .products {
      let cap = ScalarExpression.constant(softCap, type)
      epilogue = cap * .unary(.hyperbolicTangent, epilogue / cap)
    }
    let product = MatrixProduct(transposesB: true, epilogue: epilogue)
    let keys = try expansion.repeatedHeads(k, count: q.shape[1])
    let scores = try expansion.emit(.matmul(product), [q, keys])
    guard scoresOutput == .masked || scoresOutput == .probabilities else { return scores }
    let masked = try mask.applied(&expansion, to: scores)
    guard scoresOutput == .probabilities else { return masked }
    let weights = try expansion.emit(
      .normalization(Normalization(.softmax(axis: 3))), [masked])
    guard mask.operand != nil else { return weights }
    // A query that sees no key has no weights.
    let best = try expansion.reduce(.maximum, masked, axes: [3], keepsDimensions: true)
    return try expansion.pointwise(
      .select(
        .unary(.isNegativeInfinite, .operand(1)), .constant(0, type), .operand(0)),
      [weights, best])
  }
}

/// Which keys a query sees: an operand that broadcasts to `[B, H, S, T]`, `bool` or added to the scores.
struct AttentionMask {
  /// How far from its own place a query sees; negative for no bound.
  struct Window {
    var left: Int
    var right: Int
    var isBounded: Bool { left >= 0 || right >= 0 }
  }

  private(set) var operand: Operand?
  let queries: Dimension
  let keys: Dimension
  let type: DataType

  init(operand: Operand?, queries: Dimension, keys: Dimension, type: DataType) {
    self.operand = operand
    self.queries = queries
    self.keys = keys
    self.type = type
  }

  /// A mask that is shorter than the keys excludes the others.
  mutating func fillKeys(_ expansion: inout Expansion) throws(OperatorError) {
    guard let mask = operand, let length = mask.shape.dimensions.last, length != keys,
      length.constant != 1 || keys.constant != nil
    else { return }
    let zeros = [Dimension](repeating: 0, count: mask.rank)
    var after = zeros
    after[mask.rank - 1] = keys - length
    let value = mask.dataType == .bool ? 0 : -Double.infinity
    operand = try expansion.emit(
      .copy(.pad(.constant(value), before: zeros, after: after)), [mask])
  }

  /// Excludes keys by their place.
  ///
  /// - Parameters:
  ///   - earlier: how many keys come before the first query.
  ///   - lengths: `[B]`, how many keys count; then the last of them belongs to the last query.
  mutating func restrict(
    _ expansion: inout Expansion, isCausal: Bool, window: Window, earlier: Dimension,
    lengths: Operand?
  ) throws(OperatorError) {
    guard isCausal || window.isBounded || lengths != nil else { return }
    let rank = lengths == nil ? 2 : 4
    let key = ScalarExpression.index(axis: rank - 1)
    var inputs: [Operand] = []
    let offset: ScalarExpression
    var conditions: [ScalarExpression] = []
    if let lengths {
      let counts = try expansion.cast(
        try expansion.reshape(lengths, [lengths.shape.elementCount, 1, 1, 1]), to: .int64)
      inputs.append(counts)
      inputs.append(expansion.symbolic([queries], TensorType(.int64, [Int]())))
      offset = .operand(0) - .operand(1)
      conditions.append(.binary(.less, key, .operand(0)))
    } else {
      inputs.append(expansion.symbolic([earlier], TensorType(.int64, [Int]())))
      offset = .operand(0)
    }
    let place = ScalarExpression.index(axis: rank - 2) + offset
    func bound(_ distance: Int) -> ScalarExpression { .constant(Double(distance), .int64) }
    if isCausal { conditions.append(.binary(.lessOrEqual, key, place)) }
    if window.left >= 0 {
      conditions.append(.binary(.lessOrEqual, place - key, bound(window.left)))
    }
    if window.right >= 0 {
      conditions.append(.binary(.lessOrEqual, key - place, bound(window.right)))
    }
    let allowed = conditions.dropFirst().reduce(conditions[0]) { .binary(.logicalAnd, $0, $1) }
    let shape: Shape =
      lengths == nil ? [queries, keys] : [inputs[0].shape[0], 1, queries, keys]
    let seen = try expansion.emit(.pointwise(Pointwise(allowed, shape: shape)), inputs)
    guard let mask = operand else {
      operand = seen
      return
    }
    operand = try expansion.pointwise(
      mask.dataType == .bool
        ? .binary(.logicalAnd, .operand(0), .operand(1))
        : .select(.operand(1), .operand(0), .constant(-.infinity, mask.dataType)), [mask, seen])
  }

  /// The scores with the excluded keys at minus infinity.
  func applied(_ expansion: inout Expansion, to scores: Operand) throws(OperatorError) -> Operand {
    guard let mask = operand else { return scores }
    guard mask.dataType == .bool else {
      return try expansion.pointwise(.operand(0) + .operand(1), [scores, mask])
    }
    return try expansion.pointwise(
      .select(.operand(1), .operand(0), .constant(-.infinity, type)), [scores, mask])
  }
}

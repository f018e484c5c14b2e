import GraphModel
import KernelModel
import ReferenceInterpreter
import TensorModel

/// Attention whose memory is a matrix that is updated from step to step. Source: ONNX `LinearAttention`.
struct LinearAttentionOperator: Operator {
  static let spellings = [Spelling.onnx("LinearAttention")]

  private let queryHeads: Int
  private let keyHeads: Int
  private let scale: Double
  /// Whether the memory fades, and whether only what it does not know yet is written.
  private let fades: Bool
  private let corrects: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    queryHeads = try attributes.requiredInt("q_num_heads")
    keyHeads = try attributes.requiredInt("kv_num_heads")
    scale = try attributes.float("scale", default: 0)
    (fades, corrects) = try attributes.choice(
      "update_rule", default: "gated_delta",
      [
        "linear": (false, false), "gated": (true, false), "delta": (false, true),
        "gated_delta": (true, true),
      ])
    guard queryHeads > 0, keyHeads > 0, queryHeads % keyHeads == 0 else {
      throw OperatorError("\(queryHeads) query heads for \(keyHeads) key heads")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let query = try expansion.input(0), value = try expansion.input(2)
    var sequences: [Operand] = [
      try split(&expansion, query, heads: queryHeads),
      try split(&expansion, try expansion.input(1), heads: keyHeads),
      try split(&expansion, value, heads: keyHeads),
    ]
    guard let keySize = sequences[1].shape[3].constant, keySize > 0 else {
      throw OperatorError("the size of a head is \(sequences[1].shape[3]), expected a constant")
    }
    if fades {
      sequences.append(try split(&expansion, try expansion.input(4), heads: keyHeads))
    }
    if corrects {
      let strength = try expansion.input(5)
      let isShared = strength.rank == 3 && strength.shape[2].constant == 1
      sequences.append(try split(&expansion, strength, heads: isShared ? 1 : keyHeads))
    }
    let shape: Shape = [
      query.shape[0], Dimension(keyHeads), sequences[1].shape[3], sequences[2].shape[3],
    ]
    let past = expansion.optionalInput(3)
    let state =
      try past.map { (past) throws(OperatorError) in
        try expansion.cast(past, to: .float32)
      } ?? expansion.emit(.pointwise(Pointwise(.constant(0, .float32), shape: shape)), [])
    let body = try LinearAttentionStep(
      fades: fades, corrects: corrects, keyHeads: keyHeads,
      factor: scale == 0 ? 1 / Double(keySize).squareRoot() : scale
    ).body(name: expansion.node.name, state: state.type, sequences: sequences.map(\.type))
    let reads: Shape = [
      query.shape[0], query.shape[1], Dimension(queryHeads), sequences[2].shape[3],
    ]
    expansion.emitControl(
      .scan(
        body: body,
        .init(
          states: 1, inputAxes: sequences.map { _ in 2 },
          inputReversed: sequences.map { _ in false }, outputAxes: [1], outputReversed: [false])),
      ([state] + sequences).map { .some($0.value) },
      outputs: [state.type, TensorType(.float32, reads)])
    // The node may have no second output that would hold it.
    expansion.setUntyped(0, ValueID(expansion.graph.values.count - 2))
    let last = expansion.results[0]
    expansion.setUntyped(0, ValueID(expansion.graph.values.count - 1))
    guard let last, let read = expansion.results[0] else {
      throw OperatorError("the results have no types")
    }
    let y = try expansion.reshape(read, [reads[0], reads[1], reads[2] * reads[3]])
    expansion.set(0, try expansion.cast(y, to: query.dataType))
    expansion.set(1, try expansion.cast(last, to: past?.dataType ?? query.dataType))
  }

  /// `[B, T, heads * D]` as `[B, heads, T, D]` in `float32`.
  private func split(
    _ expansion: inout Expansion, _ x: Operand, heads: Int
  ) throws(OperatorError) -> Operand {
    guard x.rank == 3 else {
      throw OperatorError("an input has shape \(x.shape), expected three axes")
    }
    let size = x.shape[2].floorDivided(by: Dimension(heads))
    let split = try expansion.reshape(x, [x.shape[0], x.shape[1], Dimension(heads), size])
    return try expansion.cast(try expansion.transpose(split, [0, 2, 1, 3]), to: .float32)
  }
}

/// What happens to the memory `[B, H, D, V]` in one step, and what is read from it then.
private struct LinearAttentionStep {
  let fades: Bool
  let corrects: Bool
  let keyHeads: Int
  let factor: Double

  /// A graph of the memory and one element of each sequence `[B, H, T, D]`.
  func body(
    name: String, state: TensorType, sequences: [TensorType]
  ) throws(OperatorError) -> Graph {
    var graph = Graph(name: "step")
    var inputs: [ValueID?] = [graph.addInput(name: "memory", type: state)]
    for type in sequences {
      var dimensions = type.shape.dimensions
      dimensions.remove(at: 2)
      inputs.append(
        graph.addInput(name: "element", type: TensorType(type.dataType, Shape(dimensions))))
    }
    let record = OperatorRecord(domain: "", name: "step", version: 1, attributes: [:])
    let node = Node(
      name: "\(name)/step", operation: .pending(record), inputs: inputs, outputs: [], origins: [])
    var expansion = Expansion(
      graph: graph, node: node, record: record, evaluate: Interpreter.evaluate)
    let (memory, read) = try emit(&expansion)
    graph = expansion.finish().graph
    graph.outputs = [("memory", memory.value), ("read", read.value)]
    return graph
  }

  private func emit(
    _ expansion: inout Expansion
  ) throws(OperatorError) -> (memory: Operand, read: Operand) {
    var memory = try expansion.input(0)
    let query = try expansion.input(1), key = try expansion.input(2)
    var value = try expansion.unsqueeze(try expansion.input(3), axes: [2])
    let column = try expansion.unsqueeze(key, axes: [3])
    if fades {
      let decay = try expansion.unsqueeze(try expansion.input(4), axes: [3])
      memory = try expansion.pointwise(
        .operand(0) * .unary(.exponential, .operand(1)), [memory, decay])
    }
    if corrects {
      let known = try expansion.matmul(try expansion.unsqueeze(key, axes: [2]), memory)
      let strength = try expansion.unsqueeze(
        try expansion.input(fades ? 5 : 4), axes: [3])
      value = try expansion.pointwise(
        .operand(2) * (.operand(0) - .operand(1)), [value, known, strength])
    }
    memory = try expansion.pointwise(
      .operand(0) + .operand(1) * .operand(2), [memory, column, value])
    let heads = query.shape[1], size = query.shape[2]
    let grouped = try expansion.reshape(
      query,
      [
        query.shape[0], Dimension(keyHeads), heads.floorDivided(by: Dimension(keyHeads)), size,
      ])
    let product = MatrixProduct(epilogue: .operand(0) * .float(factor))
    let read = try expansion.emit(.matmul(product), [grouped, memory])
    return (memory, try expansion.reshape(read, [query.shape[0], heads, memory.shape[3]]))
  }
}

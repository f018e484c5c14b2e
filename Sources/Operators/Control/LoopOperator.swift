import GraphModel
import KernelModel
import TensorModel

/// A body that runs a number of times, or while a condition holds. Source: ONNX `Loop`.
struct LoopOperator: Operator {
  static let spellings = [Spelling.onnx("Loop")]

  private let body: Graph

  /// Loops of no more runs are written out, where all of it is no more nodes than this.
  private static let unrolledRuns = 16
  private static let unrolledNodes = 128

  init(_ attributes: AttributeReader) throws(OperatorError) {
    body = try attributes.graph("body")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let bodies = try BodyExpansion(expansion)
    let carriedCount = expansion.inputCount - 2
    guard carriedCount >= 0 else {
      throw OperatorError(
        "found \(expansion.inputCount) inputs, expected a trip count, a condition and carried values"
      )
    }
    var initial: [Operand] = []
    for index in 0..<carriedCount { initial.append(try expansion.input(index + 2)) }
    let carrying = try bodies.carrying(
      body,
      before: [
        Value(name: "iteration", type: TensorType(.int64, [Int]())),
        // The body runs only where it is true.
        Value(name: "condition", constant: Tensor(scalar: true)),
      ],
      initial: initial.map { expansion.graph[$0.value] }, after: [], firstOutput: 1)
    let repetition = try Repetition(expansion, carrying.body)
    if try unroll(&expansion, repetition, initial, bodies) { return }
    var outputs: [TensorType?] = []
    for (index, type) in carrying.types.enumerated() {
      outputs.append(bodies.outside(type, "carried\(index)"))
    }
    for (index, output) in carrying.body.outputs.dropFirst(1 + carriedCount).enumerated() {
      let element = bodies.outside(carrying.body[output.value].type, "scanned\(index)")
      let count = repetition.count ?? bodies.symbol("runs")
      outputs.append(
        element.map { TensorType($0.dataType, Shape([count] + $0.shape.dimensions)) })
    }
    guard outputs.count >= expansion.outputCount else {
      throw OperatorError(
        "the body gives \(outputs.count) values, the node has \(expansion.outputCount) outputs")
    }
    expansion.emitControl(
      .loop(body: carrying.body, carried: carriedCount),
      [expansion.optionalInput(0)?.value, expansion.optionalInput(1)?.value]
        + initial.map { .some($0.value) } + bodies.inputs, outputs: outputs)
    for index in carrying.invariant { expansion.set(index, initial[index]) }
  }

  /// How often the body runs, where that is known.
  private struct Repetition {
    /// Nil where data decide.
    var count: Dimension?

    init(_ expansion: Expansion, _ body: Graph) throws(OperatorError) {
      let trips = expansion.optionalInput(0)
      let condition = expansion.optionalInput(1)
      if let trips, !trips.dataType.isInteger {
        throw OperatorError("the trip count is \(trips.dataType), expected int64")
      }
      if let condition, condition.dataType != .bool {
        throw OperatorError("the condition is \(condition.dataType), expected bool")
      }
      let first = condition.map { expansion.integers($0)?.first } ?? 1
      if first == 0 {
        count = 0
        return
      }
      guard first != nil, Self.goesOn(body), let trips,
        let number = expansion.dimensions(trips)?.first
      else { return }
      count = .larger(0, number)
    }

    /// Whether the body's condition is always true.
    private static func goesOn(_ body: Graph) -> Bool {
      let next = body.outputs[0].value
      if next == body.inputs[1] { return true }
      return body[next].constant?.integers().map { !$0.contains(0) } ?? false
    }
  }

  /// Writes a short loop out as one run after the other.
  private func unroll(
    _ expansion: inout Expansion, _ repetition: Repetition, _ initial: [Operand],
    _ bodies: BodyExpansion
  ) throws(OperatorError) -> Bool {
    let scannedCount = body.outputs.count - 1 - initial.count
    guard let runs = repetition.count?.constant, runs <= Self.unrolledRuns,
      runs > 0 || scannedCount == 0, body.height(atMost: 0) == 0,
      runs * body.nodeCount <= Self.unrolledNodes
    else { return false }
    var carried = initial.map { Optional($0.value) }
    var scanned = [[ValueID]](repeating: [], count: scannedCount)
    let condition = expansion.constant(Tensor(scalar: true))
    for run in 0..<runs {
      let iteration = expansion.constant(Tensor(scalar: Int64(run)))
      let outputs = expansion.inline(
        body, inputs: [iteration.value, condition.value] + carried + bodies.allInputs)
      carried = outputs[1..<(1 + initial.count)].map { $0 }
      for index in 0..<scannedCount { scanned[index].append(outputs[1 + initial.count + index]) }
    }
    for case (let index, let id?) in carried.enumerated() { expansion.setUntyped(index, id) }
    for (index, values) in scanned.enumerated() {
      let stacked = expansion.inline(Self.stacking(values.count), inputs: values.map { $0 })
      expansion.setUntyped(initial.count + index, stacked[0])
    }
    return true
  }

  /// A graph that stacks its inputs along a new first axis.
  private static func stacking(_ count: Int) -> Graph {
    var graph = Graph(name: "stack")
    let axes = graph.addConstant(name: "axes", Tensor([Int64(0)]))
    var rows: [ValueID?] = []
    for index in 0..<count {
      let input = graph.addInput(name: "run\(index)", type: nil)
      let row = graph.addValue(Value(name: "row\(index)"))
      graph.addNode(
        Node(
          name: "row\(index)",
          operation: .pending(
            OperatorRecord(domain: "onnx", name: "Unsqueeze", version: 13, attributes: [:])),
          inputs: [input, axes], outputs: [row], origins: []))
      rows.append(row)
    }
    let result = graph.addValue(Value(name: "stacked"))
    graph.addNode(
      Node(
        name: "stack",
        operation: .pending(
          OperatorRecord(
            domain: "onnx", name: "Concat", version: 13, attributes: ["axis": .int(0)])),
        inputs: rows, outputs: [result], origins: []))
    graph.outputs = [("stacked", result)]
    return graph
  }
}

import GraphModel
import KernelModel
import TensorModel

/// A body that runs for each element of sequences and hands states on. Source: ONNX `Scan`.
struct ScanOperator: Operator {
  static let spellings = [Spelling.onnx("Scan")]

  private let body: Graph
  private let sequenceCount: Int
  private let inputAxes: [Int]?
  private let inputReversed: [Bool]
  private let outputAxes: [Int]?
  private let outputReversed: [Bool]?
  /// Version 8 has sequence lengths as the first input, and a batch axis before all others.
  private let isBatched: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    body = try attributes.graph("body")
    sequenceCount = try attributes.requiredInt("num_scan_inputs")
    guard sequenceCount > 0, sequenceCount <= body.inputs.count else {
      throw OperatorError("\(sequenceCount) sequences for a body of \(body.inputs.count) inputs")
    }
    isBatched = attributes.version < 9
    inputAxes = try attributes.ints("scan_input_axes")
    let directions = try attributes.ints(isBatched ? "directions" : "scan_input_directions")
    inputReversed =
      directions?.map { $0 != 0 } ?? Array(repeating: false, count: sequenceCount)
    outputAxes = try attributes.ints("scan_output_axes")
    outputReversed = try attributes.ints("scan_output_directions")?.map { $0 != 0 }
    guard inputReversed.count == sequenceCount,
      (inputAxes?.count ?? sequenceCount) == sequenceCount
    else {
      throw OperatorError("\(sequenceCount) sequences with other counts of axes or directions")
    }
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var operands: [Operand] = []
    if isBatched, expansion.optionalInput(0) != nil {
      throw OperatorError("sequence lengths are not supported, remove them or use opset 9")
    }
    for index in (isBatched ? 1 : 0)..<max(expansion.inputCount, isBatched ? 1 : 0) {
      operands.append(try expansion.input(index))
    }
    let stateCount = operands.count - sequenceCount
    guard stateCount >= 0 else {
      throw OperatorError("found \(operands.count) inputs, expected \(sequenceCount) sequences")
    }
    if isBatched { operands = try withoutBatch(&expansion, operands) }
    try emitScan(
      &expansion, states: Array(operands[..<stateCount]),
      sequences: Array(operands[stateCount...]))
  }

  private func emitScan(
    _ expansion: inout Expansion, states: [Operand], sequences: [Operand]
  ) throws(OperatorError) {
    var axes: [Int] = []
    var elements: [Value] = []
    for (index, sequence) in sequences.enumerated() {
      let axis = try expansion.axis(inputAxes?[index] ?? 0, rank: sequence.rank)
      var dimensions = sequence.shape.dimensions
      dimensions.remove(at: axis)
      axes.append(axis)
      elements.append(
        Value(name: "element", type: TensorType(sequence.dataType, Shape(dimensions))))
    }
    let extents = zip(sequences, axes).map { $0.shape[$1] }
    let count = extents.first { $0.constant != nil } ?? extents[0]
    for extent in extents where extent.constant != nil && extent != count {
      throw OperatorError("the sequences have \(extent) and \(count) elements")
    }
    let bodies = try BodyExpansion(expansion)
    let carrying = try bodies.carrying(
      body, before: [], initial: states.map { expansion.graph[$0.value] }, after: elements,
      firstOutput: 0)
    let scannedCount = carrying.body.outputs.count - states.count
    guard (outputAxes?.count ?? scannedCount) == scannedCount,
      (outputReversed?.count ?? scannedCount) == scannedCount,
      expansion.outputCount <= carrying.body.outputs.count
    else {
      throw OperatorError(
        "the body gives \(carrying.body.outputs.count) values, which is not what the node expects")
    }
    var types = carrying.types.enumerated().map { bodies.outside($1, "state\($0)") }
    var resolvedAxes: [Int] = []
    for (index, output) in carrying.body.outputs.dropFirst(states.count).enumerated() {
      let element = bodies.outside(carrying.body[output.value].type, "scanned\(index)")
      let axis = outputAxes?[index] ?? 0
      guard let element else {
        guard axis >= 0 else {
          throw OperatorError("output axis \(axis) of a result whose rank is not known")
        }
        resolvedAxes.append(axis)
        types.append(nil)
        continue
      }
      let resolved = try expansion.axis(axis, rank: element.rank + 1)
      var dimensions = element.shape.dimensions
      dimensions.insert(count, at: resolved)
      resolvedAxes.append(resolved)
      types.append(TensorType(element.dataType, Shape(dimensions)))
    }
    expansion.emitControl(
      .scan(
        body: carrying.body,
        .init(
          states: states.count, inputAxes: axes, inputReversed: inputReversed,
          outputAxes: resolvedAxes,
          outputReversed: outputReversed ?? Array(repeating: false, count: scannedCount))),
      (states + sequences).map { .some($0.value) } + bodies.inputs, outputs: types)
    for index in carrying.invariant { expansion.set(index, states[index]) }
    if isBatched { try addBatch(&expansion) }
  }

  /// Version 8: every operand without its first axis, which must have extent 1.
  private func withoutBatch(
    _ expansion: inout Expansion, _ operands: [Operand]
  ) throws(OperatorError) -> [Operand] {
    var result: [Operand] = []
    for operand in operands {
      guard operand.rank > 0, operand.shape[0].constant == 1 else {
        throw OperatorError(
          "an input has shape \(operand.shape); opset 8 is supported for a batch of 1 only, use 9")
      }
      result.append(
        try expansion.reshape(operand, Shape(Array(operand.shape.dimensions.dropFirst()))))
    }
    return result
  }

  private func addBatch(_ expansion: inout Expansion) throws(OperatorError) {
    for (index, result) in expansion.results.enumerated() {
      guard let result else {
        throw OperatorError("the rank of output \(index) is not known, use opset 9")
      }
      expansion.set(index, try expansion.unsqueeze(result, axes: [0]))
    }
  }
}

import GraphModel
import KernelModel
import ReferenceInterpreter
import TensorModel

/// Branches and loops, run as they are defined.
extension GraphInterpreter {
  private func runBody(
    _ body: Graph, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor] {
    let outputs: [Tensor?]
    do {
      outputs = try Self.run(
        body, inputs, symbols: symbols, depth: depth + 1, observer: observer)
    } catch {
      throw OperatorError("in its body, \(error)")
    }
    var result: [Tensor] = []
    for (output, tensor) in zip(body.outputs, outputs) {
      guard let tensor else {
        throw OperatorError("output '\(output.name)' of its body is never computed")
      }
      result.append(tensor)
    }
    return result
  }

  func branch(
    _ then: Graph, _ otherwise: Graph, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    let isTrue = try Self.condition(inputs.first ?? nil)
    return try runBody(isTrue ? then : otherwise, Array(inputs.dropFirst()))
  }

  func loop(
    _ body: Graph, carried: Int, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    guard inputs.count >= 2 + carried, body.outputs.count > carried else {
      throw OperatorError("its body does not carry \(carried) values")
    }
    let trips = try inputs[0].map { (tensor) throws(OperatorError) in
      try Self.integer(tensor, "trip count")
    }
    var goesOn = try inputs[1].map { (tensor) throws(OperatorError) in
      try Self.condition(tensor)
    }
    var states = Array(inputs[2..<(2 + carried)])
    let captures = inputs[(2 + carried)...]
    var scanned = [[Tensor]](repeating: [], count: body.outputs.count - 1 - carried)
    var iteration: Int64 = 0
    while iteration < trips ?? .max, goesOn ?? true {
      let own: [Tensor?] = [Tensor(scalar: iteration), Tensor(scalar: true)]
      let results = try runBody(body, own + states + captures)
      goesOn = try Self.condition(results[0])
      states = results[1..<(1 + carried)].map { $0 }
      for index in scanned.indices { scanned[index].append(results[1 + carried + index]) }
      iteration += 1
    }
    let stacked = try stack(
      scanned, body: body, firstOutput: 1 + carried, axes: scanned.map { _ in 0 })
    return states + stacked
  }

  func scan(
    _ body: Graph, _ scanning: Control.Scanning, _ inputs: [Tensor?]
  ) throws(OperatorError) -> [Tensor?] {
    let sequenceCount = scanning.inputAxes.count
    guard inputs.count >= scanning.states + sequenceCount,
      body.outputs.count >= scanning.states, sequenceCount > 0,
      scanning.inputReversed.count == sequenceCount
    else { throw OperatorError("its body does not fit its inputs") }
    var states = Array(inputs[..<scanning.states])
    var sequences: [Tensor] = []
    for input in inputs[scanning.states..<(scanning.states + sequenceCount)] {
      guard let input else { throw OperatorError("a sequence is missing") }
      sequences.append(input)
    }
    let captures = inputs[(scanning.states + sequenceCount)...]
    let axes = scanning.inputAxes
    for (sequence, axis) in zip(sequences, axes)
    where !sequence.shape.indices.contains(axis)
      || sequence.shape[axis] != sequences[0].shape[axes[0]]
    {
      throw OperatorError("its sequences differ in length")
    }
    let scannedCount = body.outputs.count - scanning.states
    guard scanning.outputAxes.count == scannedCount,
      scanning.outputReversed.count == scannedCount
    else { throw OperatorError("its body does not fit its outputs") }
    let count = sequences[0].shape[axes[0]]
    var scanned = [[Tensor]](repeating: [], count: scannedCount)
    for step in 0..<count {
      var elements: [Tensor?] = []
      for (index, sequence) in sequences.enumerated() {
        let position = scanning.inputReversed[index] ? count - 1 - step : step
        elements.append(try Self.element(sequence, axis: axes[index], position))
      }
      let results = try runBody(body, states + elements + captures)
      states = results[..<scanning.states].map { $0 }
      for index in scanned.indices { scanned[index].append(results[scanning.states + index]) }
    }
    for index in scanned.indices where scanning.outputReversed[index] {
      scanned[index].reverse()
    }
    let stacked = try stack(
      scanned, body: body, firstOutput: scanning.states, axes: scanning.outputAxes)
    return states + stacked
  }

  // MARK: Pieces

  private static func condition(_ tensor: Tensor?) throws(OperatorError) -> Bool {
    guard let tensor, tensor.dataType == .bool, let values = tensor.integers(), values.count == 1
    else { throw OperatorError("its condition is not one bool") }
    return values[0] != 0
  }

  private static func integer(_ tensor: Tensor, _ name: String) throws(OperatorError) -> Int64 {
    guard let values = tensor.integers(), values.count == 1 else {
      throw OperatorError("its \(name) is not one integer")
    }
    return values[0]
  }

  private static func copy(_ copy: Copy, _ inputs: [Tensor]) throws(OperatorError) -> Tensor {
    do { return try Interpreter.evaluate(.copy(copy), inputs)[0] } catch {
      throw OperatorError(error.description)
    }
  }

  /// One element of a sequence, without the sequence's axis.
  private static func element(
    _ sequence: Tensor, axis: Int, _ position: Int
  ) throws(OperatorError) -> Tensor {
    var starts = sequence.shape.map { _ in Dimension(0) }
    var sizes = sequence.shape.map { Dimension($0) }
    starts[axis] = Dimension(position)
    sizes[axis] = 1
    let slice = try copy(
      .slice(starts: starts, sizes: sizes, steps: sequence.shape.map { _ in 1 }), [sequence])
    sizes.remove(at: axis)
    return try copy(.reshape(Shape(sizes)), [slice])
  }

  /// Each list of elements as one tensor with a new axis.
  private func stack(
    _ lists: [[Tensor]], body: Graph, firstOutput: Int, axes: [Int]
  ) throws(OperatorError) -> [Tensor] {
    var result: [Tensor] = []
    for (index, elements) in lists.enumerated() {
      if elements.isEmpty {
        let type = body[body.outputs[firstOutput + index].value].type?.substituting(symbols)
        result.append(try Self.emptyStack(type, axis: axes[index]))
        continue
      }
      let shape = elements[0].shape
      guard (0...shape.count).contains(axes[index]),
        elements.allSatisfy({ $0.shape == shape })
      else { throw OperatorError("its results differ in shape from run to run") }
      var extended = shape.map { Dimension($0) }
      extended.insert(1, at: axes[index])
      var rows: [Tensor] = []
      for element in elements {
        rows.append(try Self.copy(.reshape(Shape(extended)), [element]))
      }
      result.append(try Self.copy(.concatenate(axis: axes[index]), rows))
    }
    return result
  }

  /// What no runs give: extents that only a run could tell are zero.
  private static func emptyStack(
    _ type: TensorType?, axis: Int
  ) throws(OperatorError) -> Tensor {
    guard let type, (0...type.rank).contains(axis) else {
      throw OperatorError("it never runs, and the type of its result is not known")
    }
    var shape = type.shape.dimensions.map { $0.constant ?? 0 }
    shape.insert(0, at: axis)
    do { return try Tensor(zeros: type.dataType, shape: shape) } catch {
      throw OperatorError(error.description)
    }
  }
}

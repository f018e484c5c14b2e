import GraphModel
import KernelModel
import ReferenceInterpreter
import TensorModel

/// ONNX's Loop: inputs trip count?, condition?, carried values, captured values.
struct LoopExecution {
  let name: String
  let body: GraphExecutor
  let carried: Int

  func run(_ inputs: [Tensor?]) throws(NeedletailError) -> [Tensor] {
    guard inputs.count >= 2 + carried else {
      throw NeedletailError(
        .device, "node '\(name)': expected \(2 + carried) inputs, found \(inputs.count)")
    }
    let trips = inputs[0]?.integers()?.first ?? Int64.max
    var condition = (inputs[1]?.integers()?.first ?? 1) != 0
    var state = try tensors(inputs[2..<(2 + carried)])
    let captured = try tensors(inputs[(2 + carried)...])
    let scannedCount = body.graph.outputs.count - 1 - carried
    var scanned: [[Tensor]] = Array(repeating: [], count: max(scannedCount, 0))
    var iteration: Int64 = 0
    while iteration < trips, condition {
      let results = try body.run(
        [Tensor(scalar: iteration), Tensor(scalar: condition)] + state + captured)
      guard results.count == body.graph.outputs.count, let next = results[0].integers()?.first
      else {
        throw NeedletailError(.device, "node '\(name)': the body gave no condition")
      }
      condition = next != 0
      state = Array(results[1..<(1 + carried)])
      for index in scanned.indices { scanned[index].append(results[1 + carried + index]) }
      iteration += 1
    }
    var outputs = state
    for (index, slices) in scanned.enumerated() {
      outputs.append(
        try stack(slices, axis: 0, emptyLike: body.graph.outputs[1 + carried + index].value))
    }
    return outputs
  }

  private func stack(_ slices: [Tensor], axis: Int, emptyLike value: ValueID)
    throws(NeedletailError) -> Tensor
  {
    guard slices.isEmpty else { return try TensorStack.stack(slices, axis: axis, name: name) }
    let type = body.graph[value].type
    let shape = [0] + (type?.shape.dimensions.map { $0.constant ?? 0 } ?? [])
    do { return try Tensor(zeros: type?.dataType ?? .float32, shape: shape) } catch {
      throw NeedletailError(.device, error.description)
    }
  }

  private func tensors(_ inputs: ArraySlice<Tensor?>) throws(NeedletailError) -> [Tensor] {
    var result: [Tensor] = []
    for input in inputs {
      guard let input else { throw NeedletailError(.device, "node '\(name)': an input is missing") }
      result.append(input)
    }
    return result
  }
}

/// ONNX's Scan: inputs states, sequences, captured values.
struct ScanExecution {
  let name: String
  let body: GraphExecutor
  let scanning: Control.Scanning

  func run(_ inputs: [Tensor?]) throws(NeedletailError) -> [Tensor] {
    let sequenceCount = scanning.inputAxes.count
    guard inputs.count >= scanning.states + sequenceCount else {
      throw NeedletailError(.device, "node '\(name)': too few inputs")
    }
    var present: [Tensor] = []
    for input in inputs {
      guard let input else { throw NeedletailError(.device, "node '\(name)': an input is missing") }
      present.append(input)
    }
    var state = Array(present[..<scanning.states])
    let sequences = Array(present[scanning.states..<(scanning.states + sequenceCount)])
    let captured = Array(present[(scanning.states + sequenceCount)...])
    let length = sequences.indices.map { sequences[$0].shape[scanning.inputAxes[$0]] }.min() ?? 0
    var collected: [[Tensor]] = Array(repeating: [], count: scanning.outputAxes.count)
    for position in 0..<length {
      var elements: [Tensor] = []
      for (index, sequence) in sequences.enumerated() {
        let place = scanning.inputReversed[index] ? length - 1 - position : position
        elements.append(
          try TensorStack.element(sequence, axis: scanning.inputAxes[index], at: place, name: name))
      }
      let results = try body.run(state + elements + captured)
      state = Array(results[..<scanning.states])
      for index in collected.indices { collected[index].append(results[scanning.states + index]) }
    }
    var outputs = state
    for (index, slices) in collected.enumerated() {
      let ordered = scanning.outputReversed[index] ? slices.reversed() : slices
      outputs.append(try TensorStack.stack(ordered, axis: scanning.outputAxes[index], name: name))
    }
    return outputs
  }
}

/// Stacks and takes apart tensors along a new axis.
enum TensorStack {
  static func stack(_ slices: [Tensor], axis: Int, name: String) throws(NeedletailError) -> Tensor {
    guard let first = slices.first else {
      throw NeedletailError(.device, "node '\(name)': nothing to stack")
    }
    let place = axis < 0 ? axis + first.shape.count + 1 : axis
    guard (0...first.shape.count).contains(place) else {
      throw NeedletailError(.device, "node '\(name)': axis \(axis) is out of range")
    }
    var shape = first.shape
    shape.insert(1, at: place)
    do {
      var parts: [Tensor] = []
      for slice in slices {
        guard slice.shape == first.shape else {
          throw NeedletailError(
            .device, "node '\(name)': iterations gave shapes \(first.shape) and \(slice.shape)")
        }
        parts.append(try slice.reshaped(shape))
      }
      return try Interpreter.evaluate(.copy(.concatenate(axis: place)), parts)[0]
    } catch let error as NeedletailError { throw error } catch {
      throw NeedletailError(.device, "node '\(name)': \(error)")
    }
  }

  static func element(
    _ tensor: Tensor, axis: Int, at index: Int, name: String
  ) throws(NeedletailError) -> Tensor {
    let place = axis < 0 ? axis + tensor.shape.count : axis
    guard tensor.shape.indices.contains(place) else {
      throw NeedletailError(.device, "node '\(name)': axis \(axis) is out of range")
    }
    var starts = [Dimension](repeating: 0, count: tensor.shape.count)
    var sizes = tensor.shape.map { Dimension($0) }
    starts[place] = Dimension(index)
    sizes[place] = 1
    var shape = tensor.shape
    shape.remove(at: place)
    do {
      let slice = Copy.slice(starts: starts, sizes: sizes, steps: tensor.shape.map { _ in 1 })
      return try Interpreter.evaluate(.copy(slice), [tensor])[0].reshaped(shape)
    } catch { throw NeedletailError(.device, "node '\(name)': \(error)") }
  }
}

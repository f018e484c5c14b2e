import CPUKernelInterface

/// `RecurrenceParameters`. Operands: x, the projected inputs.
let projectionKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  RecurrentLayer(
    parameters.assumingMemoryBound(to: RecurrenceParameters.self), operands, scratch
  )
  .project(firstTask, endTask)
}

/// `RecurrenceParameters`. Operands: x, the projected inputs, y, the last h, the last c or another in its place, then
/// as the parameters say.
let recurrenceKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  RecurrentLayer(
    parameters.assumingMemoryBound(to: RecurrenceParameters.self), operands, scratch
  )
  .run(firstTask, endTask)
}

private struct RecurrentLayer {
  private typealias Floats = UnsafeMutablePointer<Float>

  private let problem: RecurrenceParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer
  private let columns: Int
  private let pointers: UnsafeMutablePointer<UnsafePointer<Float>>

  init(
    _ parameters: UnsafePointer<RecurrenceParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
    columns = problem.columns
    pointers = (scratch + problem.pointerOffset).assumingMemoryBound(
      to: UnsafePointer<Float>.self)
  }

  private func floats(_ operand: Int) -> Floats {
    operands[operand].assumingMemoryBound(to: Float.self)
  }

  // MARK: - Products

  /// `target[row] = rows[row] * weights + bias` for those columns; rows are in `pointers`.
  private func multiply(
    _ rows: Int, inner: Int, _ weights: UnsafePointer<Float>, bias: UnsafePointer<Float>,
    _ target: Floats, from first: Int = 0, to end: Int
  ) {
    let width = problem.tile.columns
    var column = first / width * width
    while column < end {
      var row = 0
      while row < rows {
        let count = min(problem.tile.rows, rows - row)
        var arguments = ContractionTileArguments(
          pointers: UnsafePointer(pointers + row), taps: 1, firstElement: 0, elements: inner,
          weights: weights + column * inner, weightsRowStride: width,
          output: target + row * columns + column, outputStride: columns, rows: count)
        arguments.bias = bias + column
        problem.tile.function(&arguments)
        row += count
      }
      column += width
    }
  }

  func project(_ firstTask: Int, _ endTask: Int) {
    let total = problem.steps * problem.batch
    let blocks = problem.projectionTasks / problem.directions
    for task in firstTask..<endTask {
      let direction = task / blocks
      let first = task % blocks * problem.rowsPerTask
      let rows = min(problem.rowsPerTask, total - first)
      for row in 0..<rows {
        pointers[row] = UnsafePointer(floats(0) + (first + row) * problem.inputSize)
      }
      multiply(
        rows, inner: problem.inputSize,
        problem.inputWeights + direction * columns * problem.inputSize,
        bias: problem.inputBias + direction * columns,
        floats(1) + (direction * total + first) * columns, to: columns)
    }
  }

  // MARK: - Sequences

  func run(_ firstTask: Int, _ endTask: Int) {
    let blocks = problem.sequenceTasks / problem.directions
    for task in firstTask..<endTask {
      let first = task % blocks * problem.sequencesPerTask
      run(
        direction: task / blocks, first: first,
        count: min(problem.sequencesPerTask, problem.batch - first))
    }
  }

  /// Sequences side by side; more than one only where all have the same length.
  private func run(direction: Int, first: Int, count: Int) {
    let size = problem.size, stride = problem.stateStride
    let hidden = (scratch + problem.stateOffset).assumingMemoryBound(to: Float.self)
    let cell = hidden + count * stride
    let other = cell + count * stride
    let work = other + count * stride
    for row in 0..<count {
      let start = (direction * problem.batch + first + row) * size
      load(problem.initialHidden, start, hidden + row * stride)
      load(problem.initialCell, start, cell + row * stride)
    }
    let length = length(first)
    let isReverse = direction == 1 || problem.isReverse
    for step in 0..<length {
      let time = isReverse ? length - 1 - step : step
      let start = ((direction * problem.steps + time) * problem.batch + first) * columns
      advance(
        direction, floats(1) + start, hidden, cell, other, work, count)
      for row in 0..<count {
        let target =
          ((time * problem.directions + direction) * problem.batch + first + row) * size
        (floats(2) + target).update(from: hidden + row * stride, count: size)
      }
    }
    for time in length..<max(problem.steps, length) {
      let target = ((time * problem.directions + direction) * problem.batch + first) * size
      (floats(2) + target).update(repeating: 0, count: count * size)
    }
    for row in 0..<count {
      let start = (direction * problem.batch + first + row) * size
      (floats(3) + start).update(from: hidden + row * stride, count: size)
      if problem.hasCellOutput {
        (floats(4) + start).update(from: cell + row * stride, count: size)
      }
    }
  }

  private func load(_ operand: Int, _ start: Int, _ state: Floats) {
    if operand < 0 {
      state.update(repeating: 0, count: problem.size)
    } else {
      state.update(from: floats(operand) + start, count: problem.size)
    }
  }

  private func length(_ sequence: Int) -> Int {
    if problem.lengths < 0 { return problem.steps }
    let length = operands[problem.lengths].assumingMemoryBound(to: Int32.self)[sequence]
    return min(max(Int(length), 0), problem.steps)
  }

  private func advance(
    _ direction: Int, _ inputs: Floats, _ hidden: Floats, _ cell: Floats, _ other: Floats,
    _ work: Floats, _ count: Int
  ) {
    let gates = (scratch + problem.gateOffset).assumingMemoryBound(to: Float.self)
    let stride = problem.stateStride
    for row in 0..<count { pointers[row] = UnsafePointer(hidden + row * stride) }
    let weights = problem.recurrentWeights + direction * columns * problem.size
    let bias = problem.recurrentBias + direction * columns
    // A reset that comes first needs the candidate's product later.
    let resetsFirst = problem.cell == .gru && !problem.resetsAfterLinear
    multiply(
      count, inner: problem.size, weights, bias: bias, gates,
      to: resetsFirst ? 2 * problem.size : columns)
    for row in 0..<count {
      let sums = gates + row * columns, x = inputs + row * columns
      let h = hidden + row * stride
      switch problem.cell {
      case .rnn:
        add(x, sums, problem.size)
        apply(direction, 0, sums, problem.size, h)
      case .gru:
        add(x, sums, 2 * problem.size)
        apply(direction, 0, sums, 2 * problem.size, sums)
        if !resetsFirst { finishReset(direction, sums, x, h, work) }
      case .lstm: finishMemory(direction, sums, x, h, cell + row * stride, work)
      }
    }
    if resetsFirst {
      finishCandidate(direction, gates, inputs, weights, bias, hidden, other, work, count)
    }
  }

  // MARK: - Cells

  private func add(_ x: Floats, _ sums: Floats, _ count: Int) {
    for index in 0..<count { sums[index] += x[index] }
  }

  /// `target = function(source)`.
  private func apply(
    _ direction: Int, _ index: Int, _ source: Floats, _ count: Int, _ target: Floats
  ) {
    let machine = VectorMachine(
      problem.functions[direction * 3 + index], scratch: scratch + problem.programOffset)
    machine.operands[0] = BlockOperand(
      UnsafeMutableRawPointer(source), rowStride: 0, columnStride: 1)
    machine.run(
      BlockOperand(UnsafeMutableRawPointer(target), rowStride: count, columnStride: 1), rows: 1,
      columns: count)
  }

  /// GRU: `z` and `r` are known, and the candidate's product.
  private func finishReset(
    _ direction: Int, _ sums: Floats, _ x: Floats, _ h: Floats, _ work: Floats
  ) {
    let size = problem.size
    let reset = sums + size, candidate = sums + 2 * size, input = x + 2 * size
    for index in 0..<size { work[index] = reset[index] * candidate[index] + input[index] }
    apply(direction, 1, work, size, work)
    blend(sums, work, h)
  }

  /// GRU: the candidate's product is of the state that is reset.
  private func finishCandidate(
    _ direction: Int, _ gates: Floats, _ inputs: Floats, _ weights: UnsafePointer<Float>,
    _ bias: UnsafePointer<Float>, _ hidden: Floats, _ other: Floats, _ work: Floats, _ count: Int
  ) {
    let size = problem.size, stride = problem.stateStride
    for row in 0..<count {
      let reset = gates + row * columns + size
      let h = hidden + row * stride, target = other + row * stride
      for index in 0..<size { target[index] = reset[index] * h[index] }
      pointers[row] = UnsafePointer(target)
      // The update gate is overwritten where it shares a panel with the candidate.
      (work + row * stride).update(from: gates + row * columns, count: size)
    }
    multiply(count, inner: size, weights, bias: bias, gates, from: 2 * size, to: columns)
    for row in 0..<count {
      let candidate = gates + row * columns + 2 * size
      add(inputs + row * columns + 2 * size, candidate, size)
      apply(direction, 1, candidate, size, candidate)
      blend(work + row * stride, candidate, hidden + row * stride)
    }
  }

  /// `h = (1 - z) * candidate + z * h`.
  private func blend(_ update: Floats, _ candidate: Floats, _ h: Floats) {
    for index in 0..<problem.size {
      h[index] = (1 - update[index]) * candidate[index] + update[index] * h[index]
    }
  }

  /// LSTM, gates in the order i, o, f, c.
  private func finishMemory(
    _ direction: Int, _ sums: Floats, _ x: Floats, _ h: Floats, _ c: Floats, _ work: Floats
  ) {
    let size = problem.size
    let input = sums, output = sums + size, forget = sums + 2 * size, candidate = sums + 3 * size
    add(x, sums, 4 * size)
    let peepholes = problem.peepholes.map { $0 + direction * 3 * size }
    if let peepholes {
      for index in 0..<size {
        input[index] += peepholes[index] * c[index]
        forget[index] += peepholes[2 * size + index] * c[index]
      }
      apply(direction, 0, input, size, input)
      apply(direction, 0, forget, size, forget)
    } else {
      apply(direction, 0, input, 3 * size, input)
    }
    if problem.couplesInputAndForget {
      for index in 0..<size { forget[index] = 1 - input[index] }
    }
    apply(direction, 1, candidate, size, candidate)
    for index in 0..<size {
      c[index] = forget[index] * c[index] + input[index] * candidate[index]
    }
    if let peepholes {
      for index in 0..<size { output[index] += peepholes[size + index] * c[index] }
      apply(direction, 0, output, size, output)
    }
    apply(direction, 2, c, size, work)
    for index in 0..<size { h[index] = output[index] * work[index] }
  }
}

import CPUKernelInterface

/// `RowParameters`.
let rowKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  RowFunctions(parameters.assumingMemoryBound(to: RowParameters.self), operands, scratch)
    .run(firstTask, endTask)
}

private struct RowFunctions {
  private typealias Row = UnsafePointer<Float>
  private typealias Result = UnsafeMutablePointer<Float>

  private let problem: RowParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer
  private let scale: UnsafePointer<Float>?
  private let bias: UnsafePointer<Float>?

  init(
    _ parameters: UnsafePointer<RowParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
    func vector(_ operand: Int) -> UnsafePointer<Float>? {
      operand < 0 ? nil : UnsafePointer(operands[operand].assumingMemoryBound(to: Float.self))
    }
    scale = vector(problem.scale)
    bias = vector(problem.bias)
  }

  func run(_ firstTask: Int, _ endTask: Int) {
    let loop = problem.loop
    let count = loop.columns
    let epilogue = EpilogueMachine(
      problem.epilogue, loop, firstLoopOperand: 2, operands, scratch: scratch)
    let results = (scratch + problem.resultOffset).assumingMemoryBound(to: Float.self)
    let inputs = scratch + problem.inputOffset
    let isDirect = epilogue == nil && loop.columnStrides[0] == 1
    let size = problem.format.size
    let isPacked = size != 4 || loop.columnStrides[1] != 1
    var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
    while units.advance() {
      for row in 0..<units.rows {
        let place = operands[1] + (units.offsets[1] + row * loop.rowStrides[1]) * size
        var x = Row(place.assumingMemoryBound(to: Float.self))
        if isPacked {
          ElementPacking.pack(
            BlockOperand(place, rowStride: 0, columnStride: loop.columnStrides[1]),
            problem.format, rows: 1, columns: count, into: inputs)
          x = Row(inputs.assumingMemoryBound(to: Float.self))
        }
        let start = units.offsets[0] + row * loop.rowStrides[0]
        let output = operands[0].assumingMemoryBound(to: Float.self) + start
        compute(x, isDirect ? output : results, count)
        if isDirect { continue }
        if let epilogue {
          epilogue.finish(
            UnsafeMutableRawPointer(results), resultStride: count, offsets: units.offsets, row: row,
            rows: 1, column: 0, columns: count)
        } else {
          ElementPacking.unpack(
            UnsafeMutableRawPointer(results), .float32, rows: 1, columns: count,
            to: BlockOperand(
              UnsafeMutableRawPointer(output), rowStride: 0, columnStride: loop.columnStrides[0]))
        }
      }
    }
  }

  private func compute(_ x: Row, _ y: Result, _ count: Int) {
    switch problem.function {
    case .softmax: softmax(x, y, count)
    case .logSoftmax: logSoftmax(x, y, count)
    case .standardize: standardize(x, y, count)
    case .rootMeanSquare: rootMeanSquare(x, y, count)
    case .localResponse: localResponse(x, y, count)
    }
  }

  // MARK: - Softmax

  private func largest(_ x: Row, _ count: Int) -> Float {
    VectorLoop.fold(LargestFold.self, x, count, initial: -.infinity, filler: -.infinity)
      .reduced { $0 > $1 ? $0 : $1 }
  }

  private func softmax(_ x: Row, _ y: Result, _ count: Int) {
    let shift = FloatVector(largest(x, count))
    var sums = FloatVector(0)
    var index = 0
    while index + vectorWidth <= count {
      let value = VectorFunction.weight(FloatVector.load(x + index) - shift)
      value.store(y + index)
      sums += value
      index += vectorWidth
    }
    if index < count {
      let rest = count - index
      let value = VectorFunction.weight(
        FloatVector.loadPartial(x + index, rest, filler: -.infinity) - shift)
      value.storePartial(y + index, rest)
      // Where the row is all minus infinity, what is beyond it is not a number either.
      sums += value
    }
    let factor = FloatVector(1 / sums.horizontalSum)
    VectorLoop.map(Row(y), y, count) { $0 * factor }
  }

  private func logSoftmax(_ x: Row, _ y: Result, _ count: Int) {
    let top = largest(x, count)
    let shift = FloatVector(top)
    let sum = VectorLoop.fold(
      ExponentialFold.self, x, count, initial: 0, filler: -.infinity, parameter: shift
    )
    .horizontalSum
    let total = VectorFunction.logarithm(FloatVector(sum))
    VectorLoop.map(x, y, count) { ($0 - shift) - total }
  }

  // MARK: - Standardisation

  private func standardize(_ x: Row, _ y: Result, _ count: Int) {
    let sum = VectorLoop.fold(SumFold.self, x, count, initial: 0, filler: 0)
    let mean = sum.horizontalSum / Float(count)
    let squares = VectorLoop.fold(
      SquaredDistanceFold.self, x, count, initial: 0, filler: mean, parameter: FloatVector(mean))
    store(x, y, count, mean: mean, meanSquare: squares.horizontalSum / Float(count))
  }

  private func rootMeanSquare(_ x: Row, _ y: Result, _ count: Int) {
    let squares = VectorLoop.fold(SquaredDistanceFold.self, x, count, initial: 0, filler: 0)
    store(x, y, count, mean: 0, meanSquare: squares.horizontalSum / Float(count))
  }

  /// Stores the distances from the mean, made of mean square 1, times scale plus bias.
  private func store(_ x: Row, _ y: Result, _ count: Int, mean: Float, meanSquare: Float) {
    let middle = FloatVector(mean)
    let factor = FloatVector(1 / (meanSquare + problem.epsilon).squareRoot())
    var index = 0
    while index + vectorWidth <= count {
      var value = (FloatVector.load(x + index) - middle) * factor
      if let scale { value *= .load(scale + index) }
      if let bias { value += .load(bias + index) }
      value.store(y + index)
      index += vectorWidth
    }
    let rest = count - index
    if rest == 0 { return }
    var value = (FloatVector.loadPartial(x + index, rest) - middle) * factor
    if let scale { value *= .loadPartial(scale + index, rest) }
    if let bias { value += .loadPartial(bias + index, rest) }
    value.storePartial(y + index, rest)
  }

  // MARK: - Local response

  private func localResponse(_ x: Row, _ y: Result, _ count: Int) {
    // Squares with zeros on both sides, behind the rows of x and of results.
    let padded =
      (scratch + problem.resultOffset).assumingMemoryBound(to: Float.self)
      + count.roundedUp(to: 16)
    for index in 0..<problem.before { padded[index] = 0 }
    for index in 0..<problem.after + vectorWidth { padded[problem.before + count + index] = 0 }
    VectorLoop.map(x, padded + problem.before, count) { $0 * $0 }
    let size = problem.before + problem.after + 1
    let factor = FloatVector(problem.alpha / Float(size))
    let offset = FloatVector(problem.offset)
    let exponent = FloatVector(-problem.beta)
    var index = 0
    while index < count {
      var sum = FloatVector(0)
      let first = index - problem.before
      if first >= 0, index + vectorWidth + problem.after <= count {
        // Squares just stored would be waited for.
        for tap in 0..<size {
          let value = FloatVector.load(x + first + tap)
          sum = value.multiplyAdd(value, sum)
        }
      } else {
        for tap in 0..<size { sum += .load(padded + index + tap) }
      }
      let base = sum.multiplyAdd(factor, offset)
      let power = VectorFunction.exponential(VectorFunction.logarithm(base) * exponent)
      let rest = count - index
      if rest >= vectorWidth {
        (FloatVector.load(x + index) * power).store(y + index)
      } else {
        (FloatVector.loadPartial(x + index, rest) * power).storePartial(y + index, rest)
      }
      index += vectorWidth
    }
  }
}

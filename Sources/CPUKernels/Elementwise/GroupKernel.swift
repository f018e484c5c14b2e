import CPUKernelInterface

/// `GroupParameters`.
let groupKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  GroupStandardizer(
    parameters.assumingMemoryBound(to: GroupParameters.self), operands, scratch
  )
  .run(firstTask, endTask)
}

private struct GroupStandardizer {
  private let problem: GroupParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer
  private let epilogue: EpilogueMachine?
  /// Of each channel of a unit: the mean, the factor and the bias.
  private let means: UnsafeMutablePointer<Float>
  private let factors: UnsafeMutablePointer<Float>
  private let biases: UnsafeMutablePointer<Float>
  private let results: UnsafeMutablePointer<Float>
  /// Elements between rows of x, or of what is widened of it.
  private let rowStride: Int

  init(
    _ parameters: UnsafePointer<GroupParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
    let loop = problem.loop
    epilogue = EpilogueMachine(
      problem.epilogue, loop, firstLoopOperand: 2, operands, scratch: scratch)
    rowStride = problem.format.size == 4 ? loop.rowStrides[1] : loop.columnChunk
    let channels = (problem.isChannelsLast ? loop.columnChunk : loop.rowChunk).roundedUp(to: 16)
    means = (scratch + problem.statisticsOffset).assumingMemoryBound(to: Float.self)
    factors = means + channels
    biases = factors + channels
    results = (scratch + problem.resultOffset).assumingMemoryBound(to: Float.self)
  }

  func run(_ firstTask: Int, _ endTask: Int) {
    var units = LoopUnits(problem.loop, firstTask, endTask, scratch: scratch)
    while units.advance() {
      let x = input(units)
      if problem.isChannelsLast {
        measureColumns(x, units.rows, units.columns)
        prepare(firstChannel: units.column, channels: units.columns)
      } else {
        measureRows(x, units.rows, units.columns)
        prepare(firstChannel: units.row, channels: units.rows)
      }
      for row in 0..<units.rows { finish(row, x + row * rowStride, units) }
    }
  }

  /// The elements of a unit, where they lie or widened.
  private func input(_ units: LoopUnits) -> UnsafePointer<Float> {
    let loop = problem.loop
    let size = problem.format.size
    let source = operands[1] + units.offsets[1] * size
    if size == 4 { return UnsafePointer(source.assumingMemoryBound(to: Float.self)) }
    let target = (scratch + problem.inputOffset).assumingMemoryBound(to: Float.self)
    for row in 0..<units.rows {
      NumberConversion.widen(
        source + row * loop.rowStrides[1] * size, problem.format, target + row * rowStride,
        units.columns)
    }
    return UnsafePointer(target)
  }

  private func finish(_ row: Int, _ x: UnsafePointer<Float>, _ units: LoopUnits) {
    let loop = problem.loop
    let output =
      operands[0].assumingMemoryBound(to: Float.self) + units.offsets[0] + row * loop.rowStrides[0]
    let target = epilogue == nil ? output : results
    if problem.isChannelsLast {
      var index = 0
      while index + vectorWidth <= units.columns {
        (FloatVector.load(x + index) - .load(means + index))
          .multiplyAdd(.load(factors + index), .load(biases + index)).store(target + index)
        index += vectorWidth
      }
      while index < units.columns {
        target[index] = (x[index] - means[index]) * factors[index] + biases[index]
        index += 1
      }
    } else {
      let mean = FloatVector(means[row]), factor = FloatVector(factors[row])
      let bias = FloatVector(biases[row])
      VectorLoop.map(x, target, units.columns) { ($0 - mean).multiplyAdd(factor, bias) }
    }
    epilogue?.finish(
      UnsafeMutableRawPointer(results), resultStride: units.columns, offsets: units.offsets,
      row: row, rows: 1, column: 0, columns: units.columns)
  }

  /// Turns the channels' variances, which are where the factors will be, into what a result needs.
  private func prepare(firstChannel: Int, channels: Int) {
    for channel in 0..<channels {
      var factor = 1 / (factors[channel] + problem.epsilon).squareRoot()
      if problem.scale >= 0 {
        factor *= number(problem.scale, problem.scaleFormat, firstChannel + channel)
      }
      factors[channel] = factor
      biases[channel] =
        problem.bias < 0 ? 0 : number(problem.bias, problem.biasFormat, firstChannel + channel)
    }
  }

  private func number(_ operand: Int, _ format: ElementFormat, _ index: Int) -> Float {
    var number: Float = 0
    NumberConversion.widen(operands[operand] + index * format.size, format, &number, 1)
    return number
  }

  // MARK: - Statistics

  /// Replaces each channel's number by the mean of its group's.
  private func average(_ values: UnsafeMutablePointer<Float>, channels: Int, positions: Int) {
    let size = problem.channelsPerGroup
    var first = 0
    while first < channels {
      var sum: Float = 0
      for channel in first..<first + size { sum += values[channel] }
      sum /= Float(size) * Float(positions)
      for channel in first..<first + size { values[channel] = sum }
      first += size
    }
  }

  private func measureColumns(_ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int) {
    sumColumns(SumFold.self, x, rows, columns, means)
    average(means, channels: columns, positions: rows)
    sumColumns(SquaredDistanceFold.self, x, rows, columns, factors)
    average(factors, channels: columns, positions: rows)
  }

  /// Combines rows; the parameters of the rule are the channels' means.
  private func sumColumns<Rule: VectorFold>(
    _ rule: Rule.Type, _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int,
    _ sums: UnsafeMutablePointer<Float>
  ) {
    let stride = rowStride
    let width = vectorWidth
    var column = 0
    while column + 4 * width <= columns {
      let mean = means + column, sum = sums + column
      let (a0, b0, c0, d0) = (
        FloatVector.load(mean), FloatVector.load(mean + width), FloatVector.load(mean + 2 * width),
        FloatVector.load(mean + 3 * width)
      )
      var totals = (FloatVector(0), FloatVector(0), FloatVector(0), FloatVector(0))
      var row = 0
      // Sums of some rows each, as rounding errors grow with the count of terms.
      while row < rows {
        let end = min(row + 64, rows)
        var a = FloatVector(0), b = a, c = a, d = a
        while row < end {
          let line = x + row * stride + column
          a = Rule.combine(a, .load(line), a0)
          b = Rule.combine(b, .load(line + width), b0)
          c = Rule.combine(c, .load(line + 2 * width), c0)
          d = Rule.combine(d, .load(line + 3 * width), d0)
          row += 1
        }
        totals = (totals.0 + a, totals.1 + b, totals.2 + c, totals.3 + d)
      }
      totals.0.store(sum)
      totals.1.store(sum + width)
      totals.2.store(sum + 2 * width)
      totals.3.store(sum + 3 * width)
      column += 4 * width
    }
    while column < columns {
      let count = min(width, columns - column)
      sumVector(rule, x + column, rows, count, means + column, sums + column)
      column += count
    }
  }

  /// Combines rows of one vector of columns, or of a part of one.
  private func sumVector<Rule: VectorFold>(
    _ rule: Rule.Type, _ x: UnsafePointer<Float>, _ rows: Int, _ count: Int,
    _ means: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>
  ) {
    let stride = rowStride
    if count == vectorWidth {
      let mean = FloatVector.load(means)
      var total = FloatVector(0)
      var row = 0
      while row < rows {
        let end = min(row + 64, rows)
        var sum = FloatVector(0)
        while row < end {
          sum = Rule.combine(sum, .load(x + row * stride), mean)
          row += 1
        }
        total += sum
      }
      total.store(sums)
      return
    }
    let mean = FloatVector.loadPartial(means, count)
    var total = FloatVector(0)
    for row in 0..<rows {
      total = Rule.combine(total, .loadPartial(x + row * stride, count), mean)
    }
    total.storePartial(sums, count)
  }

  private func measureRows(_ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int) {
    let stride = rowStride
    for row in 0..<rows {
      means[row] =
        VectorLoop.fold(SumFold.self, x + row * stride, columns, initial: 0, filler: 0)
        .horizontalSum
    }
    average(means, channels: rows, positions: columns)
    for row in 0..<rows {
      factors[row] =
        VectorLoop.fold(
          SquaredDistanceFold.self, x + row * stride, columns, initial: 0, filler: means[row],
          parameter: FloatVector(means[row])
        )
        .horizontalSum
    }
    average(factors, channels: rows, positions: columns)
  }
}

import CPUKernelInterface

/// `ReductionParameters`.
let reductionKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: ReductionParameters.self)
  switch problem.pointee.function {
  case .sum: Reducer<SumCombination>(problem, operands, scratch).run(firstTask, endTask)
  case .product: Reducer<ProductCombination>(problem, operands, scratch).run(firstTask, endTask)
  case .minimum: Reducer<MinimumCombination>(problem, operands, scratch).run(firstTask, endTask)
  case .maximum: Reducer<MaximumCombination>(problem, operands, scratch).run(firstTask, endTask)
  }
}

private protocol Combination: VectorFold {
  static var neutral: Float { get }
  static func combine(_ a: FloatVector, _ b: FloatVector) -> FloatVector
  static func combine(_ a: Float, _ b: Float) -> Float
}

extension Combination {
  @inline(__always)
  static func combine(
    _ sum: FloatVector, _ x: FloatVector, _ parameter: FloatVector
  ) -> FloatVector { combine(sum, x) }
  @inline(__always)
  static func join(_ a: FloatVector, _ b: FloatVector) -> FloatVector { combine(a, b) }
}

private enum SumCombination: Combination {
  @inline(__always) static var neutral: Float { 0 }
  @inline(__always) static func combine(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a + b }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { a + b }
}

private enum ProductCombination: Combination {
  @inline(__always) static var neutral: Float { 1 }
  @inline(__always) static func combine(_ a: FloatVector, _ b: FloatVector) -> FloatVector { a * b }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { a * b }
}

private enum MinimumCombination: Combination {
  @inline(__always) static var neutral: Float { .infinity }
  @inline(__always) static func combine(_ a: FloatVector, _ b: FloatVector) -> FloatVector {
    a.minimum(b)
  }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { minimum(a, b) }
}

private enum MaximumCombination: Combination {
  @inline(__always) static var neutral: Float { -.infinity }
  @inline(__always) static func combine(_ a: FloatVector, _ b: FloatVector) -> FloatVector {
    a.maximum(b)
  }
  @inline(__always) static func combine(_ a: Float, _ b: Float) -> Float { maximum(a, b) }
}

/// Where elements of x are while they are reduced: in x itself, or prepared in a block.
private struct Reducer<Rule: Combination> {
  private let problem: ReductionParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer
  private let prologue: VectorMachine?
  private let block: UnsafeMutablePointer<Float>
  private let results: UnsafeMutablePointer<Float>

  @inline(__always)
  init(
    _ parameters: UnsafePointer<ReductionParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
    let offset = problem.prologueOffset
    prologue = problem.prologue.map { VectorMachine($0, scratch: scratch + offset) }
    block = (scratch + problem.blockOffset).assumingMemoryBound(to: Float.self)
    results = (scratch + problem.resultOffset).assumingMemoryBound(to: Float.self)
  }

  @inline(__always)
  func run(_ firstTask: Int, _ endTask: Int) {
    let loop = problem.loop
    let epilogue = EpilogueMachine(
      problem.epilogue, loop, firstLoopOperand: 2, operands, scratch: scratch)
    var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
    let size = prologue.map { $0.program.operandFormats[0].byteCount } ?? 4
    while units.advance() {
      for row in 0..<units.rows {
        let offset = units.offsets[1] + row * loop.rowStrides[1]
        let x = operands[1] + offset * size
        let target = results + row * units.columns
        if problem.isAcross {
          reduceAcross(x, size, units.columns, target)
        } else {
          for column in 0..<units.columns {
            target[column] = reduceAlong(x + column * loop.columnStrides[1] * size, size)
          }
        }
      }
      if let epilogue {
        epilogue.finish(
          UnsafeMutableRawPointer(results), resultStride: units.columns, offsets: units.offsets,
          row: 0, rows: units.rows, column: 0, columns: units.columns)
      } else {
        ElementPacking.unpack(
          UnsafeMutableRawPointer(results), .float32, rows: units.rows, columns: units.columns,
          to: BlockOperand(
            operands[0] + units.offsets[0] * 4, rowStride: loop.rowStrides[0],
            columnStride: loop.columnStrides[0]))
      }
    }
  }

  /// Calls `body` with the offset of every combination of reduced coordinates but the last axis's.
  @inline(__always)
  private func forEachReduced(_ body: (_ offset: Int) -> Void) {
    for index in 0..<problem.reducedCount {
      var rest = index
      var offset = 0
      var axis = problem.reducedRank - 1
      while axis >= 0 {
        let extent = problem.reducedExtents[axis]
        let quotient = rest / extent
        offset += (rest - quotient * extent) * problem.reducedStrides[axis]
        rest = quotient
        axis -= 1
      }
      body(offset)
    }
  }

  // MARK: - Whole vectors

  @inline(__always)
  private func reduceAcross(
    _ x: UnsafeMutableRawPointer, _ size: Int, _ columns: Int, _ target: UnsafeMutablePointer<Float>
  ) {
    for column in 0..<columns { target[column] = Rule.neutral }
    forEachReduced { offset in
      let start = x + offset * size
      guard let prologue else {
        combineRows(
          start.assumingMemoryBound(to: Float.self), problem.innerStride, problem.innerExtent,
          columns, target)
        return
      }
      let step = max(VectorProgram.blockLength / columns, 1)
      var row = 0
      while row < problem.innerExtent {
        let rows = min(step, problem.innerExtent - row)
        prologue.operands[0] = BlockOperand(
          start + row * problem.innerStride * size, rowStride: problem.innerStride,
          columnStride: problem.loop.columnStrides[1])
        prologue.run(
          BlockOperand(UnsafeMutableRawPointer(block), rowStride: columns, columnStride: 1),
          rows: rows, columns: columns)
        combineRows(block, columns, rows, columns, target)
        row += rows
      }
    }
  }

  /// Combines rows of vectors into the target.
  @inline(__always)
  private func combineRows(
    _ source: UnsafePointer<Float>, _ stride: Int, _ rows: Int, _ columns: Int,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let width = vectorWidth
    var column = 0
    while column + 4 * width <= columns {
      var a = FloatVector(Rule.neutral), b = a, c = a, d = a
      var line = source + column
      for _ in 0..<rows {
        a = Rule.combine(a, .load(line))
        b = Rule.combine(b, .load(line + width))
        c = Rule.combine(c, .load(line + 2 * width))
        d = Rule.combine(d, .load(line + 3 * width))
        line += stride
      }
      let place = target + column
      Rule.combine(.load(place), a).store(place)
      Rule.combine(.load(place + width), b).store(place + width)
      Rule.combine(.load(place + 2 * width), c).store(place + 2 * width)
      Rule.combine(.load(place + 3 * width), d).store(place + 3 * width)
      column += 4 * width
    }
    while column + width <= columns {
      var a = FloatVector(Rule.neutral)
      var line = source + column
      for _ in 0..<rows {
        a = Rule.combine(a, .load(line))
        line += stride
      }
      Rule.combine(.load(target + column), a).store(target + column)
      column += width
    }
    while column < columns {
      var a = Rule.neutral
      for row in 0..<rows { a = Rule.combine(a, source[row * stride + column]) }
      target[column] = Rule.combine(target[column], a)
      column += 1
    }
  }

  // MARK: - Neighbours

  @inline(__always)
  private func reduceAlong(_ x: UnsafeMutableRawPointer, _ size: Int) -> Float {
    var result = Rule.neutral
    forEachReduced { offset in
      let start = x + offset * size
      guard let prologue else {
        let run = start.assumingMemoryBound(to: Float.self)
        result = Rule.combine(result, combineRun(run, problem.innerExtent))
        return
      }
      var position = 0
      while position < problem.innerExtent {
        let count = min(VectorProgram.blockLength, problem.innerExtent - position)
        prologue.operands[0] = BlockOperand(
          start + position * problem.innerStride * size, rowStride: 0,
          columnStride: problem.innerStride)
        prologue.run(
          BlockOperand(UnsafeMutableRawPointer(block), rowStride: count, columnStride: 1), rows: 1,
          columns: count)
        result = Rule.combine(result, combineRun(block, count))
        position += count
      }
    }
    return result
  }

  @inline(__always)
  private func combineRun(_ source: UnsafePointer<Float>, _ count: Int) -> Float {
    if count < vectorWidth {
      var result = Rule.neutral
      for index in 0..<count { result = Rule.combine(result, source[index]) }
      return result
    }
    let sums = VectorLoop.fold(
      Rule.self, source, count, initial: Rule.neutral, filler: Rule.neutral)
    return sums.reduced { Rule.combine($0, $1) }
  }
}

/// `ExtremumParameters`.
let extremumKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: ExtremumParameters.self).pointee
  let loop = problem.loop
  var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
  let x = operands[1].assumingMemoryBound(to: Float.self)
  let target = operands[0].assumingMemoryBound(to: Int64.self)
  while units.advance() {
    for row in 0..<units.rows {
      for column in 0..<units.columns {
        let source =
          x + units.offsets[1] + row * loop.rowStrides[1] + column * loop.columnStrides[1]
        target[units.offsets[0] + row * loop.rowStrides[0] + column * loop.columnStrides[0]] =
          Int64(extremumOfRun(problem, source) ?? extremum(problem, source))
      }
    }
  }
}

/// The index of the extremum of neighbours; nil where they are not, or one is not a number.
private func extremumOfRun(
  _ problem: ExtremumParameters, _ source: UnsafePointer<Float>
) -> Int? {
  guard problem.stride == 1, problem.extent >= vectorWidth else { return nil }
  let vector =
    problem.seeksMaximum
    ? VectorLoop.fold(
      MaximumCombination.self, source, problem.extent, initial: -.infinity, filler: -.infinity)
    : VectorLoop.fold(
      MinimumCombination.self, source, problem.extent, initial: .infinity, filler: .infinity)
  let best = vector.reduced {
    problem.seeksMaximum ? maximum($0, $1) : minimum($0, $1)
  }
  if best != best { return nil }
  if problem.takesLast {
    var index = problem.extent - 1
    while source[index] != best { index -= 1 }
    return index
  }
  var index = 0
  while source[index] != best { index += 1 }
  return index
}

/// The index of the extremum; NaN is more extreme than any number.
private func extremum(_ problem: ExtremumParameters, _ source: UnsafePointer<Float>) -> Int {
  var best = source[0]
  var index = 0
  for position in 1..<max(problem.extent, 1) {
    let value = source[position * problem.stride]
    let wins: Bool
    if value != value {
      wins = problem.takesLast || best == best
    } else if best != best {
      wins = false
    } else if value == best {
      wins = problem.takesLast
    } else {
      wins = problem.seeksMaximum ? value > best : value < best
    }
    if wins {
      best = value
      index = position
    }
  }
  return index
}

import CPUKernelInterface

/// `ResamplingParameters`.
let resamplingKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: ResamplingParameters.self)
  switch problem.pointee.format {
  case .float16: Resampler<HalfNumbers>(problem, operands, scratch).run(firstTask, endTask)
  case .bfloat16: Resampler<BrainNumbers>(problem, operands, scratch).run(firstTask, endTask)
  default: Resampler<SingleNumbers>(problem, operands, scratch).run(firstTask, endTask)
  }
}

private struct Resampler<Numbers: NumberStorage> {
  private let problem: ResamplingParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer

  init(
    _ parameters: UnsafePointer<ResamplingParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
  }

  func run(_ firstTask: Int, _ endTask: Int) {
    let loop = problem.loop
    let epilogue = EpilogueMachine(
      problem.epilogue, loop, firstLoopOperand: 2, operands, scratch: scratch)
    let results = scratch + problem.resultOffset
    let x = UnsafePointer(operands[1].assumingMemoryBound(to: Numbers.Element.self))
    let width = problem.axes[2]
    var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
    while units.advance() {
      let depth = Taps(problem.axes[0], units.coordinate(1))
      let height = Taps(problem.axes[1], units.coordinate(2))
      let source = x + units.coordinate(0) * loop.outerStrides[loop.outerRank] + units.column
      var target = operands[0].assumingMemoryBound(to: Float.self) + units.offsets[0]
      var stride = loop.rowStrides[0]
      if epilogue != nil {
        target = results.assumingMemoryBound(to: Float.self)
        stride = units.columns
      }
      for row in 0..<units.rows {
        let taps = Taps(width, units.row + row)
        if problem.isCopy {
          let offset = depth.offsets[0] + height.offsets[0] + taps.offsets[0]
          UnsafeMutableRawPointer(target + row * stride).copyMemory(
            from: source + offset, byteCount: units.columns * 4)
        } else {
          combine(source, depth, height, taps, units.columns, target + row * stride)
        }
      }
      epilogue?.finish(
        results, resultStride: units.columns, offsets: units.offsets, row: 0, rows: units.rows,
        column: 0, columns: units.columns)
    }
  }

  /// The taps of one position of an axis.
  private struct Taps {
    var count: Int
    var offsets: UnsafePointer<Int>
    var weights: UnsafePointer<Float>

    init(_ axis: ResamplingAxis, _ position: Int) {
      count = axis.taps
      offsets = axis.offsets + position * axis.taps
      weights = axis.weights + position * axis.taps
    }
  }

  private func combine(
    _ source: UnsafePointer<Numbers.Element>, _ depth: Taps, _ height: Taps, _ width: Taps,
    _ columns: Int,
    _ target: UnsafeMutablePointer<Float>
  ) {
    let lanes = vectorWidth
    var column = 0
    while column + 2 * lanes <= columns {
      var a = FloatVector(0), b = a
      forEachTap(source + column, depth, height, width) { tap, weight in
        a = Numbers.load(tap).multiplyAdd(FloatVector(weight), a)
        b = Numbers.load(tap + lanes).multiplyAdd(FloatVector(weight), b)
      }
      a.store(target + column)
      b.store(target + column + lanes)
      column += 2 * lanes
    }
    while column + lanes <= columns {
      var a = FloatVector(0)
      forEachTap(source + column, depth, height, width) { tap, weight in
        a = Numbers.load(tap).multiplyAdd(FloatVector(weight), a)
      }
      a.store(target + column)
      column += lanes
    }
    while column < columns {
      var a: Float = 0
      forEachTap(source + column, depth, height, width) { tap, weight in
        a += Numbers.loadOne(tap) * weight
      }
      target[column] = a
      column += 1
    }
  }

  @inline(__always)
  private func forEachTap(
    _ source: UnsafePointer<Numbers.Element>, _ depth: Taps, _ height: Taps, _ width: Taps,
    _ body: (UnsafePointer<Numbers.Element>, Float) -> Void
  ) {
    for plane in 0..<depth.count {
      for line in 0..<height.count {
        let start = source + depth.offsets[plane] + height.offsets[line]
        let weight = depth.weights[plane] * height.weights[line]
        for index in 0..<width.count {
          body(start + width.offsets[index], weight * width.weights[index])
        }
      }
    }
  }
}

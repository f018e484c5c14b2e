import CPUKernelInterface

/// `PoolingParameters`.
let poolingKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: PoolingParameters.self)
  switch (problem.pointee.format, problem.pointee.isMaximum) {
  case (.uint8, true):
    Pooler<LargestTap, UnsignedTaps>(problem, operands, scratch).run(firstTask, endTask)
  case (.uint8, false):
    Pooler<SumOfTaps, UnsignedTaps>(problem, operands, scratch).run(firstTask, endTask)
  case (.int8, true):
    Pooler<LargestTap, SignedTaps>(problem, operands, scratch).run(firstTask, endTask)
  case (.int8, false):
    Pooler<SumOfTaps, SignedTaps>(problem, operands, scratch).run(firstTask, endTask)
  case (.float16, _): pool(HalfNumbers.self, problem, operands, firstTask, endTask, scratch)
  case (.bfloat16, _): pool(BrainNumbers.self, problem, operands, firstTask, endTask, scratch)
  default: pool(SingleNumbers.self, problem, operands, firstTask, endTask, scratch)
  }
}

private func pool<Numbers: NumberStorage>(
  _ numbers: Numbers.Type, _ problem: UnsafePointer<PoolingParameters>,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int,
  _ scratch: UnsafeMutableRawPointer
) {
  if problem.pointee.isMaximum {
    Pooler<LargestTap, RealTaps<Numbers>>(problem, operands, scratch).run(firstTask, endTask)
  } else {
    Pooler<SumOfTaps, RealTaps<Numbers>>(problem, operands, scratch).run(firstTask, endTask)
  }
}

/// Elements of x as real numbers.
private protocol TapSource {
  associatedtype Element: BitwiseCopyable
  static func load(_ p: UnsafePointer<Element>) -> FloatVector
  static func loadOne(_ p: UnsafePointer<Element>) -> Float
  /// The sum of `count` taps by their number.
  static func mean(_ sum: FloatVector, _ count: FloatVector) -> FloatVector
  static func mean(_ sum: Float, _ count: Float) -> Float
}

private enum RealTaps<Numbers: NumberStorage>: TapSource {
  @inline(__always) static func load(_ p: UnsafePointer<Numbers.Element>) -> FloatVector {
    Numbers.load(p)
  }
  @inline(__always) static func loadOne(_ p: UnsafePointer<Numbers.Element>) -> Float {
    Numbers.loadOne(p)
  }
  @inline(__always)
  static func mean(_ sum: FloatVector, _ count: FloatVector) -> FloatVector {
    sum * (FloatVector(1) / count)
  }
  @inline(__always) static func mean(_ sum: Float, _ count: Float) -> Float { sum * (1 / count) }
}

/// Sums of whole numbers, whose quotients are cut off: a reciprocal would fall short of whole ones.
private protocol WholeTaps: TapSource {}

extension WholeTaps {
  @inline(__always)
  static func mean(_ sum: FloatVector, _ count: FloatVector) -> FloatVector { sum / count }
  @inline(__always) static func mean(_ sum: Float, _ count: Float) -> Float { sum / count }
}

private enum UnsignedTaps: WholeTaps {
  @inline(__always) static func load(_ p: UnsafePointer<UInt8>) -> FloatVector {
    IntegerLanes.real(IntegerLanes.loadUnsigned(p))
  }
  @inline(__always) static func loadOne(_ p: UnsafePointer<UInt8>) -> Float { Float(p[0]) }
}

private enum SignedTaps: WholeTaps {
  @inline(__always) static func load(_ p: UnsafePointer<UInt8>) -> FloatVector {
    IntegerLanes.real(IntegerLanes.loadSigned(p))
  }
  @inline(__always) static func loadOne(_ p: UnsafePointer<UInt8>) -> Float {
    Float(Int8(bitPattern: p[0]))
  }
}

private protocol TapCombination {
  static var isMean: Bool { get }
  static var initial: Float { get }
  static func combine(_ a: FloatVector, _ x: FloatVector) -> FloatVector
  static func combine(_ a: Float, _ x: Float) -> Float
}

private enum LargestTap: TapCombination {
  @inline(__always) static var isMean: Bool { false }
  @inline(__always) static var initial: Float { -.infinity }
  @inline(__always) static func combine(_ a: FloatVector, _ x: FloatVector) -> FloatVector {
    a.maximum(x)
  }
  @inline(__always) static func combine(_ a: Float, _ x: Float) -> Float { maximum(a, x) }
}

private enum SumOfTaps: TapCombination {
  @inline(__always) static var isMean: Bool { true }
  @inline(__always) static var initial: Float { 0 }
  @inline(__always) static func combine(_ a: FloatVector, _ x: FloatVector) -> FloatVector { a + x }
  @inline(__always) static func combine(_ a: Float, _ x: Float) -> Float { a + x }
}

/// The elements of one axis that a window meets: `count` from `offset` on.
private struct TapRange {
  var offset: Int
  var step: Int
  var count: Int
  /// Taps inside x and its pads.
  var paddedCount: Int

  @inline(__always)
  init(_ axis: PoolingAxis, window: Int) {
    let start = window * axis.stride - axis.padBefore
    let first = start < 0 ? (-start + axis.dilation - 1) / axis.dilation : 0
    let inside = axis.inputExtent - start
    let end = inside > 0 ? min((inside + axis.dilation - 1) / axis.dilation, axis.kernel) : 0
    count = max(end - first, 0)
    offset = (start + first * axis.dilation) * axis.inputStride
    step = axis.dilation * axis.inputStride
    let reach = max(axis.inputExtent + axis.padAfter - start, 0)
    paddedCount = min((reach + axis.dilation - 1) / axis.dilation, axis.kernel)
  }
}

private struct Pooler<Rule: TapCombination, Source: TapSource> {
  private let problem: PoolingParameters
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  private let scratch: UnsafeMutableRawPointer

  @inline(__always)
  init(
    _ parameters: UnsafePointer<PoolingParameters>,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ scratch: UnsafeMutableRawPointer
  ) {
    problem = parameters.pointee
    self.operands = operands
    self.scratch = scratch
  }

  @inline(__always)
  func run(_ firstTask: Int, _ endTask: Int) {
    let loop = problem.loop
    let epilogue = EpilogueMachine(
      problem.epilogue, loop, firstLoopOperand: 2, operands, scratch: scratch)
    let results = scratch + problem.resultOffset
    let x = UnsafePointer(operands[1].assumingMemoryBound(to: Source.Element.self))
    var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
    while units.advance() {
      let source = x + units.coordinate(0) * problem.batchStride + units.column
      let depth = TapRange(problem.axes[0], window: units.coordinate(1))
      let height = TapRange(problem.axes[1], window: units.coordinate(2))
      var target = operands[0].assumingMemoryBound(to: Float.self) + units.offsets[0]
      var stride = loop.rowStrides[0]
      if epilogue != nil {
        target = results.assumingMemoryBound(to: Float.self)
        stride = units.columns
      }
      for row in 0..<units.rows {
        let width = TapRange(problem.axes[2], window: units.row + row)
        pool(source, depth, height, width, units.columns, target + row * stride)
      }
      epilogue?.finish(
        results, resultStride: units.columns, offsets: units.offsets, row: 0, rows: units.rows,
        column: 0, columns: units.columns)
    }
  }

  @inline(__always)
  private func pool(
    _ source: UnsafePointer<Source.Element>, _ depth: TapRange, _ height: TapRange,
    _ width: TapRange,
    _ columns: Int, _ target: UnsafeMutablePointer<Float>
  ) {
    let start = source + depth.offset + height.offset + width.offset
    var taps: Float = 1
    if !problem.isMaximum {
      taps =
        problem.countsPadding
        ? Float(depth.paddedCount * height.paddedCount * width.paddedCount)
        : Float(depth.count * height.count * width.count)
    }
    let count = FloatVector(taps)
    let lanes = vectorWidth
    var column = 0
    while column + 4 * lanes <= columns {
      var a = FloatVector(Rule.initial), b = a, c = a, d = a
      forEachTap(start + column, depth, height, width) { tap in
        a = Rule.combine(a, Source.load(tap))
        b = Rule.combine(b, Source.load(tap + lanes))
        c = Rule.combine(c, Source.load(tap + 2 * lanes))
        d = Rule.combine(d, Source.load(tap + 3 * lanes))
      }
      result(a, count).store(target + column)
      result(b, count).store(target + column + lanes)
      result(c, count).store(target + column + 2 * lanes)
      result(d, count).store(target + column + 3 * lanes)
      column += 4 * lanes
    }
    while column + lanes <= columns {
      var a = FloatVector(Rule.initial)
      forEachTap(start + column, depth, height, width) { tap in
        a = Rule.combine(a, Source.load(tap))
      }
      result(a, count).store(target + column)
      column += lanes
    }
    while column < columns {
      var a = Rule.initial
      forEachTap(start + column, depth, height, width) { tap in
        a = Rule.combine(a, Source.loadOne(tap))
      }
      target[column] = Rule.isMean ? Source.mean(a, taps) : a
      column += 1
    }
  }

  @inline(__always)
  private func result(_ value: FloatVector, _ count: FloatVector) -> FloatVector {
    Rule.isMean ? Source.mean(value, count) : value
  }

  @inline(__always)
  private func forEachTap(
    _ start: UnsafePointer<Source.Element>, _ depth: TapRange, _ height: TapRange,
    _ width: TapRange,
    _ body: (UnsafePointer<Source.Element>) -> Void
  ) {
    var plane = start
    for _ in 0..<depth.count {
      var line = plane
      for _ in 0..<height.count {
        var tap = line
        for _ in 0..<width.count {
          body(tap)
          tap += width.step
        }
        line += height.step
      }
      plane += depth.step
    }
  }
}

import CPUKernelInterface

/// `PoolingParameters` for the maximum of 8-bit integers, without an epilogue.
let bytePoolingKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: PoolingParameters.self)
  if problem.pointee.isSigned {
    BytePooler<Int8>(problem, operands, scratch).run(firstTask, endTask)
  } else {
    BytePooler<UInt8>(problem, operands, scratch).run(firstTask, endTask)
  }
}

private struct BytePooler<Element: FixedWidthInteger & SIMDScalar> {
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
    let x = operands[1].assumingMemoryBound(to: Element.self)
    var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
    while units.advance() {
      let source = x + units.coordinate(0) * problem.batchStride + units.column
      let depth = TapRange(problem.axes[0], window: units.coordinate(1))
      let height = TapRange(problem.axes[1], window: units.coordinate(2))
      let target = operands[0].assumingMemoryBound(to: Element.self) + units.offsets[0]
      for row in 0..<units.rows {
        let width = TapRange(problem.axes[2], window: units.row + row)
        pool(source, depth, height, width, units.columns, target + row * loop.rowStrides[0])
      }
    }
  }

  @inline(__always)
  private func pool(
    _ source: UnsafePointer<Element>, _ depth: TapRange, _ height: TapRange, _ width: TapRange,
    _ columns: Int, _ target: UnsafeMutablePointer<Element>
  ) {
    let start = source + depth.offset + height.offset + width.offset
    var column = 0
    column = pool(SIMD64<Element>.self, start, depth, height, width, column, columns, target)
    column = pool(SIMD16<Element>.self, start, depth, height, width, column, columns, target)
    while column < columns {
      var largest = Element.min
      forEachTap(start + column, depth, height, width) { tap in largest = max(largest, tap[0]) }
      target[column] = largest
      column += 1
    }
  }

  /// Whole vectors of columns; the first column that is left.
  @inline(__always)
  private func pool<Vector: SIMD>(
    _ type: Vector.Type, _ start: UnsafePointer<Element>, _ depth: TapRange, _ height: TapRange,
    _ width: TapRange, _ first: Int, _ columns: Int, _ target: UnsafeMutablePointer<Element>
  ) -> Int where Vector.Scalar == Element {
    var column = first
    while column + Vector.scalarCount <= columns {
      var largest = Vector(repeating: .min)
      forEachTap(start + column, depth, height, width) { tap in
        let next = UnsafeRawPointer(tap).loadUnaligned(as: Vector.self)
        largest.replace(with: next, where: next .> largest)
      }
      UnsafeMutableRawPointer(target + column).storeBytes(of: largest, as: Vector.self)
      column += Vector.scalarCount
    }
    return column
  }

  @inline(__always)
  private func forEachTap(
    _ start: UnsafePointer<Element>, _ depth: TapRange, _ height: TapRange, _ width: TapRange,
    _ body: (UnsafePointer<Element>) -> Void
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

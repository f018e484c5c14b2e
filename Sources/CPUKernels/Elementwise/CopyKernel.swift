import CPUKernelInterface

/// `CopyParameters`.
let copyKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: CopyParameters.self).pointee
  for index in 0..<problem.boxCount {
    let box = problem.boxes[index]
    let first = max(firstTask - box.firstTask, 0)
    let end = min(endTask - box.firstTask, box.loop.taskCount)
    if first >= end { continue }
    let source = operands[box.source] + box.sourceOffset
    let target = operands[0] + box.targetOffset
    switch problem.elementBytes {
    case 1: copy(UInt8.self, box.loop, source, target, first, end, scratch)
    case 2: copy(UInt16.self, box.loop, source, target, first, end, scratch)
    case 4: copy(UInt32.self, box.loop, source, target, first, end, scratch)
    case 8: copy(UInt64.self, box.loop, source, target, first, end, scratch)
    default: copy(WideElement.self, box.loop, source, target, first, end, scratch)
    }
  }
}

/// Sixteen bytes, aligned to eight.
private struct WideElement: BitwiseCopyable {
  var low: UInt64
  var high: UInt64
}

@inline(__always)
private func copy<Element: BitwiseCopyable>(
  _ type: Element.Type, _ loop: ElementwiseLoop, _ source: UnsafeMutableRawPointer,
  _ target: UnsafeMutableRawPointer, _ first: Int, _ end: Int, _ scratch: UnsafeMutableRawPointer
) {
  let mover = BlockMover<Element>(
    sourceRow: loop.rowStrides[1], sourceColumn: loop.columnStrides[1],
    targetRow: loop.rowStrides[0], targetColumn: loop.columnStrides[0])
  var units = LoopUnits(loop, first, end, scratch: scratch)
  while units.advance() {
    mover.move(
      source.assumingMemoryBound(to: Element.self) + units.offsets[1],
      target.assumingMemoryBound(to: Element.self) + units.offsets[0], units.rows, units.columns)
  }
}

/// Copies rows and columns between any strides.
private struct BlockMover<Element: BitwiseCopyable> {
  var sourceRow: Int
  var sourceColumn: Int
  var targetRow: Int
  var targetColumn: Int

  @inline(__always)
  func move(
    _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>, _ rows: Int,
    _ columns: Int
  ) {
    if targetColumn == 1, sourceColumn == 1 {
      moveRuns(source, target, rows, columns)
    } else if targetColumn == 1, sourceColumn == 0 {
      for row in 0..<rows {
        let value = source[row * sourceRow]
        let line = target + row * targetRow
        for column in 0..<columns { line[column] = value }
      }
    } else if targetColumn == 1, sourceRow == 1 {
      transpose(source, target, rows, columns)
    } else {
      for row in 0..<rows {
        let from = source + row * sourceRow
        let to = target + row * targetRow
        for column in 0..<columns { to[column * targetColumn] = from[column * sourceColumn] }
      }
    }
  }

  @inline(__always)
  private func moveRuns(
    _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>, _ rows: Int,
    _ columns: Int
  ) {
    let size = MemoryLayout<Element>.stride
    if rows == 1 || columns * size >= 64 {
      for row in 0..<rows {
        UnsafeMutableRawPointer(target + row * targetRow).copyMemory(
          from: source + row * sourceRow, byteCount: columns * size)
      }
      return
    }
    for row in 0..<rows {
      let from = source + row * sourceRow
      let to = target + row * targetRow
      for column in 0..<columns { to[column] = from[column] }
    }
  }

  /// Rows are neighbours in the source, columns in the target.
  @inline(__always)
  private func transpose(
    _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>, _ rows: Int,
    _ columns: Int
  ) {
    if columns == 3 {
      let second = source + sourceColumn, third = second + sourceColumn
      for row in 0..<rows {
        let line = target + row * targetRow
        let (a, b, c) = (source[row], second[row], third[row])
        line[0] = a
        line[1] = b
        line[2] = c
      }
      return
    }
    var row = 0
    if TransposeTile.moves(MemoryLayout<Element>.size) {
      while row + TransposeTile.rows <= rows {
        var column = 0
        while column + TransposeTile.columns <= columns {
          TransposeTile.move(
            source + column * sourceColumn + row, sourceColumn,
            target + row * targetRow + column, targetRow, size: MemoryLayout<Element>.size)
          column += TransposeTile.columns
        }
        moveScalars(source, target, row..<row + TransposeTile.rows, column..<columns)
        row += TransposeTile.rows
      }
    }
    moveScalars(source, target, row..<rows, 0..<columns)
  }

  @inline(__always)
  private func moveScalars(
    _ source: UnsafePointer<Element>, _ target: UnsafeMutablePointer<Element>, _ rows: Range<Int>,
    _ columns: Range<Int>
  ) {
    for row in rows {
      let line = target + row * targetRow
      for column in columns { line[column] = source[column * sourceColumn + row] }
    }
  }
}

/// A square of elements of 16 or 32 bits that is transposed in registers.
enum TransposeTile {
  static var rows: Int { 4 }
  static var columns: Int { 4 }

  /// Whether there is a square of elements of so many bytes.
  @inline(__always)
  static func moves(_ size: Int) -> Bool { size == 2 || size == 4 }

  /// `target[r * targetStride + c] = source[c * sourceStride + r]`.
  @inline(__always)
  static func move(
    _ source: UnsafeRawPointer, _ sourceStride: Int, _ target: UnsafeMutableRawPointer,
    _ targetStride: Int, size: Int = 4
  ) {
    if size == 2 {
      move(UInt16.self, source, sourceStride * 2, target, targetStride * 2)
    } else {
      move(UInt32.self, source, sourceStride * 4, target, targetStride * 4)
    }
  }

  /// Strides in bytes.
  @inline(__always)
  private static func move<Element: SIMDScalar & BitwiseCopyable>(
    _ type: Element.Type, _ source: UnsafeRawPointer, _ from: Int,
    _ target: UnsafeMutableRawPointer, _ to: Int
  ) {
    typealias Line = SIMD4<Element>
    let a = source.loadUnaligned(as: Line.self)
    let b = (source + from).loadUnaligned(as: Line.self)
    let c = (source + 2 * from).loadUnaligned(as: Line.self)
    let d = (source + 3 * from).loadUnaligned(as: Line.self)
    let all = SIMD16(
      lowHalf: SIMD8(lowHalf: a, highHalf: b), highHalf: SIMD8(lowHalf: c, highHalf: d))
    let even = all.evenHalf, odd = all.oddHalf
    target.storeBytes(of: even.evenHalf, as: Line.self)
    (target + to).storeBytes(of: odd.evenHalf, as: Line.self)
    (target + 2 * to).storeBytes(of: even.oddHalf, as: Line.self)
    (target + 3 * to).storeBytes(of: odd.oddHalf, as: Line.self)
  }
}

/// `GatherParameters`.
let gatherKernel: KernelFunction = { parameters, operands, firstTask, endTask, _ in
  let problem = parameters.assumingMemoryBound(to: GatherParameters.self).pointee
  let end = min(endTask * problem.slicesPerTask, problem.outer * problem.indexCount)
  let bytes = problem.sliceBytes
  for slice in firstTask * problem.slicesPerTask..<max(end, firstTask * problem.slicesPerTask) {
    let outer = slice / problem.indexCount
    let position = slice - outer * problem.indexCount
    var index =
      problem.indexBytes == 8
      ? operands[2].assumingMemoryBound(to: Int.self)[position]
      : Int(operands[2].assumingMemoryBound(to: Int32.self)[position])
    if index < 0 { index &+= problem.extent }
    index = min(max(index, 0), problem.extent - 1)
    (operands[0] + slice * bytes).copyMemory(
      from: operands[1] + (outer * problem.extent + index) * bytes, byteCount: bytes)
  }
}

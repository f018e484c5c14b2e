import CPUKernelInterface

/// The units of work of a loop, one after the other, with the offset of each operand's first element.
struct LoopUnits {
  private let loop: ElementwiseLoop
  private let rowBlocks: Int
  private let columnBlocks: Int
  private var next: Int
  private let end: Int
  /// Of each operand, in elements.
  let offsets: UnsafeMutablePointer<Int>

  // The current unit.
  private(set) var outer = 0
  private(set) var row = 0
  private(set) var rows = 0
  private(set) var column = 0
  private(set) var columns = 0

  init(
    _ loop: ElementwiseLoop, _ firstTask: Int, _ endTask: Int, scratch: UnsafeMutableRawPointer
  ) {
    self.loop = loop
    rowBlocks = loop.rowBlocks
    columnBlocks = loop.columnBlocks
    next = firstTask * loop.unitsPerTask
    end = min(endTask * loop.unitsPerTask, loop.outerCount * rowBlocks * columnBlocks)
    offsets = scratch.assumingMemoryBound(to: Int.self)
  }

  /// Goes to the next unit; false where there is none.
  mutating func advance() -> Bool {
    if next >= end { return false }
    let blocks = rowBlocks * columnBlocks
    outer = next / blocks
    let block = next - outer * blocks
    let rowBlock = block / columnBlocks
    row = rowBlock * loop.rowChunk
    column = (block - rowBlock * columnBlocks) * loop.columnChunk
    rows = min(loop.rowChunk, loop.rows - row)
    columns = min(loop.columnChunk, loop.columns - column)
    next += 1
    for operand in 0..<loop.operandCount {
      offsets[operand] =
        row * loop.rowStrides[operand] + column * loop.columnStrides[operand]
    }
    var rest = outer
    var axis = loop.outerRank - 1
    while axis >= 0 {
      let quotient = rest / loop.outerExtents[axis]
      let coordinate = rest - quotient * loop.outerExtents[axis]
      rest = quotient
      for operand in 0..<loop.operandCount {
        offsets[operand] += coordinate * loop.outerStrides[operand * loop.outerRank + axis]
      }
      axis -= 1
    }
    return true
  }

  /// The coordinate of the current unit along an outer axis.
  func coordinate(_ axis: Int) -> Int {
    var rest = outer
    var last = loop.outerRank - 1
    while last > axis {
      rest /= loop.outerExtents[last]
      last -= 1
    }
    return rest % loop.outerExtents[axis]
  }
}

/// An epilogue ready to run.
struct EpilogueMachine {
  private let machine: VectorMachine
  private let epilogue: ElementwiseEpilogue
  private let loop: ElementwiseLoop
  private let operands: UnsafePointer<UnsafeMutableRawPointer>
  /// Loop operands before those of the epilogue.
  private let firstLoopOperand: Int

  /// Nil where there is no epilogue.
  init?(
    _ epilogue: ElementwiseEpilogue, _ loop: ElementwiseLoop, firstLoopOperand: Int,
    _ operands: UnsafePointer<UnsafeMutableRawPointer>, scratch: UnsafeMutableRawPointer
  ) {
    guard let program = epilogue.program else { return nil }
    machine = VectorMachine(program, scratch: scratch + epilogue.scratchOffset)
    self.epilogue = epilogue
    self.loop = loop
    self.operands = operands
    self.firstLoopOperand = firstLoopOperand
  }

  /// Stores what the epilogue makes of a block of results.
  ///
  /// - Parameters:
  ///   - offsets: of the loop's operands, at the first element of the block.
  ///   - row, column: where the block begins, from those offsets.
  func finish(
    _ results: UnsafeMutableRawPointer, resultStride: Int, offsets: UnsafeMutablePointer<Int>,
    row: Int, rows: Int, column: Int, columns: Int
  ) {
    machine.operands[0] = BlockOperand(results, rowStride: resultStride, columnStride: 1)
    for index in 1..<max(machine.program.operandCount, 1) {
      let place = firstLoopOperand + index - 1
      let size = machine.program.operandFormats[index].byteCount
      machine.operands[index] = block(
        operands[epilogue.firstOperand + index - 1], place, offsets, row, column, size)
    }
    let size = machine.program.resultFormat.byteCount
    machine.run(block(operands[0], 0, offsets, row, column, size), rows: rows, columns: columns)
  }

  private func block(
    _ base: UnsafeMutableRawPointer, _ operand: Int, _ offsets: UnsafeMutablePointer<Int>,
    _ row: Int, _ column: Int, _ size: Int
  ) -> BlockOperand {
    let rowStride = loop.rowStrides[operand], columnStride = loop.columnStrides[operand]
    let offset = offsets[operand] + row * rowStride + column * columnStride
    return BlockOperand(base + offset * size, rowStride: rowStride, columnStride: columnStride)
  }
}

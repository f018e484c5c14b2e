import CPUKernelInterface

/// Runs a vector program over rows and columns of elements.
///
/// Operands are read from where they lie where they can be, else packed into registers; an operand may lie in
/// the very place of the target.
struct VectorMachine {
  let program: VectorProgram
  /// What the program reads; to be set before a run.
  let operands: UnsafeMutablePointer<BlockOperand>
  /// For each operand the lanes of its register that hold what all rows share.
  private let shared: UnsafeMutablePointer<Int>
  let slots: UnsafeMutablePointer<UnsafeMutableRawPointer>
  private let registers: UnsafeMutableRawPointer

  init(_ program: UnsafePointer<VectorProgram>, scratch: UnsafeMutableRawPointer) {
    self.program = program.pointee
    let count = self.program.operandCount
    operands = scratch.assumingMemoryBound(to: BlockOperand.self)
    let states = scratch + count * MemoryLayout<BlockOperand>.stride
    shared = states.assumingMemoryBound(to: Int.self)
    slots = (states + count * 8).assumingMemoryBound(to: UnsafeMutableRawPointer.self)
    registers = scratch + self.program.tableBytes
    for index in 0..<self.program.registerCount {
      slots[index] = registers + index * self.program.registerBytes
    }
  }

  private var result: Int { program.registerCount - 1 }

  @inline(__always)
  private func register(_ index: Int) -> UnsafeMutableRawPointer {
    registers + index * program.registerBytes
  }

  /// Computes the target's elements.
  func run(_ target: BlockOperand, rows: Int, columns: Int) {
    var rows = rows
    var columns = columns
    for index in 0..<program.operandCount { shared[index] = 0 }
    if rows > 1, formsOneRow(target, columns) {
      columns *= rows
      rows = 1
    }
    let length = VectorProgram.blockLength
    if rows == 1 || columns * 2 > length {
      for row in 0..<rows {
        var column = 0
        while column < columns {
          let count = min(length, columns - column)
          runBlock(
            target, row: row, rows: 1, column: column, columns: count,
            isWhole: count == columns)
          column += count
        }
      }
    } else if columns > 0 {
      let step = length / columns
      var row = 0
      while row < rows {
        runBlock(
          target, row: row, rows: min(step, rows - row), column: 0, columns: columns,
          isWhole: true)
        row += step
      }
    }
  }

  private func formsOneRow(_ target: BlockOperand, _ columns: Int) -> Bool {
    if target.rowStride != columns * target.columnStride { return false }
    for index in 0..<program.operandCount
    where operands[index].rowStride != columns * operands[index].columnStride {
      return false
    }
    return true
  }

  @inline(__always)
  private func isDirect(
    _ operand: BlockOperand, _ format: ElementFormat, _ rows: Int, _ columns: Int
  ) -> Bool {
    format.isLane && operand.columnStride == 1 && (rows == 1 || operand.rowStride == columns)
  }

  /// Whether an operand's lanes are the result's.
  @inline(__always)
  private var isConversion: Bool {
    program.instructionCount == 1 && program.instructions[0].operation == .copy
  }

  private func runBlock(
    _ target: BlockOperand, row: Int, rows: Int, column: Int, columns: Int, isWhole: Bool
  ) {
    let count = rows * columns
    var packsAll = true
    for index in 0..<program.operandCount {
      let operand = operands[index]
      let format = program.operandFormats[index]
      let place = operand.moved(row: row, column: column, size: format.byteCount)
      if isDirect(operand, format, rows, columns) {
        slots[index] = place.address
        packsAll = false
        continue
      }
      slots[index] = register(index)
      if operand.rowStride == 0, shared[index] >= count { continue }
      ElementPacking.pack(place, format, rows: rows, columns: columns, into: slots[index])
      let isShared = operand.rowStride == 0 && (isWhole || operand.columnStride == 0)
      shared[index] = isShared ? count : 0
    }
    let place = target.moved(row: row, column: column, size: program.resultFormat.byteCount)
    if isDirect(target, program.resultFormat, rows, columns) {
      slots[result] = place.address
      runDirect(place.address, count)
    } else {
      slots[result] = register(result)
      if isConversion {
        let lanes = slots[Int(program.instructions[0].a)]
        ElementPacking.unpack(
          lanes, program.resultFormat, rows: rows, columns: columns, to: place)
        return
      }
      if packsAll {
        execute(count.roundedUp(to: vectorWidth))
      } else {
        runDirect(nil, count)
      }
      ElementPacking.unpack(
        register(result), program.resultFormat, rows: rows, columns: columns, to: place)
    }
  }

  /// Runs whole vectors where operands lie, and what is left in registers.
  ///
  /// - Parameter target: where the result is stored, unless that is its register.
  private func runDirect(_ target: UnsafeMutableRawPointer?, _ count: Int) {
    let whole = count & ~(vectorWidth - 1)
    if whole > 0 { execute(whole) }
    let rest = count - whole
    if rest == 0 { return }
    for index in 0..<program.operandCount {
      let size = program.operandFormats[index].lane == .int64 ? 8 : 4
      let source = slots[index] + whole * size
      if slots[index] == register(index) {
        slots[index] = source
      } else {
        slots[index] = register(index)
        slots[index].copyMemory(from: source, byteCount: rest * size)
      }
    }
    let size = program.resultFormat.lane == .int64 ? 8 : 4
    if let target {
      slots[result] = register(result)
      execute(vectorWidth)
      (target + whole * size).copyMemory(from: slots[result], byteCount: rest * size)
    } else {
      slots[result] = register(result) + whole * size
      execute(vectorWidth)
    }
  }
}

extension BlockOperand {
  @inline(__always)
  func moved(row: Int, column: Int, size: Int) -> BlockOperand {
    BlockOperand(
      address + (row * rowStride + column * columnStride) * size, rowStride: rowStride,
      columnStride: columnStride)
  }
}

/// How a kernel walks over its output: outer axes, then blocks of rows and columns.
///
/// Operand 0 is the output; what the others are, the kernel says. Strides are in elements.
package struct ElementwiseLoop: BitwiseCopyable, @unchecked Sendable {
  package var operandCount: Int
  package var outerRank: Int
  package var outerExtents: UnsafePointer<Int>
  /// `[operand][outer axis]`.
  package var outerStrides: UnsafePointer<Int>
  package var outerCount: Int
  package var rows: Int
  package var columns: Int
  /// `[operand]`.
  package var rowStrides: UnsafePointer<Int>
  package var columnStrides: UnsafePointer<Int>
  /// The extents of a unit of work.
  package var rowChunk: Int
  package var columnChunk: Int
  package var unitsPerTask: Int

  package init(
    operandCount: Int, outerRank: Int, outerExtents: UnsafePointer<Int>,
    outerStrides: UnsafePointer<Int>, outerCount: Int, rows: Int, columns: Int,
    rowStrides: UnsafePointer<Int>, columnStrides: UnsafePointer<Int>, rowChunk: Int,
    columnChunk: Int, unitsPerTask: Int
  ) {
    self.operandCount = operandCount
    self.outerRank = outerRank
    self.outerExtents = outerExtents
    self.outerStrides = outerStrides
    self.outerCount = outerCount
    self.rows = rows
    self.columns = columns
    self.rowStrides = rowStrides
    self.columnStrides = columnStrides
    self.rowChunk = rowChunk
    self.columnChunk = columnChunk
    self.unitsPerTask = unitsPerTask
  }

  package var rowBlocks: Int { (rows + rowChunk - 1) / rowChunk }
  package var columnBlocks: Int { (columns + columnChunk - 1) / columnChunk }
  package var unitCount: Int { outerCount * rowBlocks * columnBlocks }
  package var taskCount: Int { (unitCount + unitsPerTask - 1) / unitsPerTask }
  /// Bytes for the operands' offsets.
  package var scratchBytes: Int { (operandCount * 8 + 63) & ~63 }
}

/// What a kernel applies to its results before it stores them.
///
/// Operand 0 of the program is the result; the others follow the output among the loop's operands.
package struct ElementwiseEpilogue: BitwiseCopyable, @unchecked Sendable {
  /// Nil: results are stored as they are.
  package var program: UnsafePointer<VectorProgram>?
  /// Where the epilogue's operands begin in the kernel's list.
  package var firstOperand: Int
  /// Where the program's scratch begins in the kernel's.
  package var scratchOffset: Int

  package init(program: UnsafePointer<VectorProgram>?, firstOperand: Int, scratchOffset: Int) {
    self.program = program
    self.firstOperand = firstOperand
    self.scratchOffset = scratchOffset
  }
}

/// `output = program(operands)`. Operands: the output, then those of the program, as in the loop.
package struct PointwiseParameters: BitwiseCopyable, @unchecked Sendable {
  package var loop: ElementwiseLoop
  package var program: UnsafePointer<VectorProgram>

  package init(loop: ElementwiseLoop, program: UnsafePointer<VectorProgram>) {
    self.loop = loop
    self.program = program
  }
}

/// A pointwise program for blocks of a contraction's output: the context of a `KernelEpilogue`.
///
/// Operand 0 of the program is the block itself; rows of the output are counted over its batch and pixel
/// axes.
package struct BlockEpilogueParameters: BitwiseCopyable, @unchecked Sendable {
  package var program: UnsafePointer<VectorProgram>
  /// For each operand but the first, its place in the list of the kernel that calls.
  package var operands: UnsafePointer<Int>
  /// The axes of rows, outermost first, merged as far as all operands allow.
  package var rank: Int
  package var extents: UnsafePointer<Int>
  /// `[operand - 1][axis]`.
  package var rowStrides: UnsafePointer<Int>
  /// `[operand - 1]`.
  package var columnStrides: UnsafePointer<Int>

  package init(
    program: UnsafePointer<VectorProgram>, operands: UnsafePointer<Int>, rank: Int,
    extents: UnsafePointer<Int>, rowStrides: UnsafePointer<Int>,
    columnStrides: UnsafePointer<Int>
  ) {
    self.program = program
    self.operands = operands
    self.rank = rank
    self.extents = extents
    self.rowStrides = rowStrides
    self.columnStrides = columnStrides
  }
}

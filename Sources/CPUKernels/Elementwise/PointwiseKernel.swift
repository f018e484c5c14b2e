import CPUKernelInterface

/// `PointwiseParameters`.
let pointwiseKernel: KernelFunction = { parameters, operands, firstTask, endTask, scratch in
  let problem = parameters.assumingMemoryBound(to: PointwiseParameters.self)
  runPointwise(problem, operands, firstTask, endTask, scratch)
}

private func runPointwise(
  _ parameters: UnsafePointer<PointwiseParameters>,
  _ operands: UnsafePointer<UnsafeMutableRawPointer>, _ firstTask: Int, _ endTask: Int,
  _ scratch: UnsafeMutableRawPointer
) {
  let loop = parameters.pointee.loop
  let machine = VectorMachine(parameters.pointee.program, scratch: scratch + loop.scratchBytes)
  let program = machine.program
  var units = LoopUnits(loop, firstTask, endTask, scratch: scratch)
  while units.advance() {
    for index in 0..<program.operandCount {
      let size = program.operandFormats[index].byteCount
      machine.operands[index] = BlockOperand(
        operands[index + 1] + units.offsets[index + 1] * size,
        rowStride: loop.rowStrides[index + 1], columnStride: loop.columnStrides[index + 1])
    }
    let target = BlockOperand(
      operands[0] + units.offsets[0] * program.resultFormat.byteCount,
      rowStride: loop.rowStrides[0], columnStride: loop.columnStrides[0])
    machine.run(target, rows: units.rows, columns: units.columns)
  }
}

/// `BlockEpilogueParameters`.
let blockEpilogue: KernelEpilogue = {
  context, operands, results, resultStride, output, outputStride, rows, columns, firstRow,
  firstColumn, scratch in
  runBlockEpilogue(
    context.assumingMemoryBound(to: BlockEpilogueParameters.self).pointee, operands,
    BlockOperand(results, rowStride: resultStride, columnStride: 1),
    BlockOperand(output, rowStride: outputStride, columnStride: 1), rows, columns, firstRow,
    firstColumn, scratch)
}

private func runBlockEpilogue(
  _ parameters: BlockEpilogueParameters, _ operands: UnsafePointer<UnsafeMutableRawPointer>,
  _ source: BlockOperand, _ block: BlockOperand, _ rows: Int, _ columns: Int, _ firstRow: Int,
  _ firstColumn: Int, _ scratch: UnsafeMutableRawPointer
) {
  let machine = VectorMachine(parameters.program, scratch: scratch)
  let program = machine.program
  let rank = parameters.rank
  // Rows of the innermost axis lie at one distance.
  let inner = rank == 0 ? 1 : parameters.extents[rank - 1]
  var done = 0
  while done < rows {
    let row = firstRow + done
    let count = min(rows - done, inner - row % inner)
    let target = block.moved(row: done, column: 0, size: program.resultFormat.byteCount)
    machine.operands[0] = source.moved(row: done, column: 0, size: 4)
    for index in 1..<max(program.operandCount, 1) {
      let strides = parameters.rowStrides + (index - 1) * rank
      var offset = firstColumn * parameters.columnStrides[index - 1]
      var rest = row
      var axis = rank - 1
      while axis >= 0 {
        let extent = parameters.extents[axis]
        offset += rest % extent * strides[axis]
        rest /= extent
        axis -= 1
      }
      let base = operands[parameters.operands[index - 1]]
      machine.operands[index] = BlockOperand(
        base + offset * program.operandFormats[index].byteCount,
        rowStride: rank == 0 ? 0 : strides[rank - 1],
        columnStride: parameters.columnStrides[index - 1])
    }
    machine.run(target, rows: count, columns: columns)
    done += count
  }
}

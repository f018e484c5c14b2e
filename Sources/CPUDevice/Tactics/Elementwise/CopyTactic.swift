import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Movement of elements of any fixed size, as boxes between strides.
struct CopyTactic: CPUTactic {
  private let pieces: [CopyPiece]
  private let elementBytes: Int
  private let filler: [UInt8]

  var name: String { pieces.count == 1 ? "copy" : "copy of boxes" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .copy(let problem) = step.problem, let output = step.outputs.first,
      [1, 2, 4, 8, 16].contains(output.dataType.byteCount),
      let found = CopyPiece.pieces(problem, step.inputs, output)
    else { return nil }
    elementBytes = output.dataType.byteCount
    pieces = found.filter { $0.target.elementCount > 0 }
    var filler: [UInt8] = []
    if case .pad(.constant(let value), _, _) = problem, pieces.contains(where: \.isFill) {
      guard let bytes = CopyPiece.bytes(of: value, output.dataType) else { return nil }
      filler = bytes
    }
    self.filler = filler
  }

  private func shape(_ piece: CopyPiece) -> LoopShape {
    let axes = AxisSet(
      extents: piece.target.shape, strides: [piece.target.strides, piece.source.strides])
    guard axes.rank > 0 else { return LoopShape(axes, columns: nil, rows: nil) }
    let columns = axes.rank - 1
    if axes.strides[1][columns].magnitude > 1, let across = axes.contiguousAxis(1) {
      var shape = LoopShape(axes, columns: columns, rows: across)
      shape.chunk(rows: max(64, 4096 / max(shape.columns, 1)), columns: 64)
      return shape
    }
    var shape = LoopShape(axes, columns: columns, rows: columns > 0 ? columns - 1 : nil)
    shape.chunk(elements: max(16384 / elementBytes, 1))
    return shape
  }

  private func seconds(_ piece: CopyPiece) -> Double {
    let axes = AxisSet(
      extents: piece.target.shape, strides: [piece.target.strides, piece.source.strides])
    let isRun = (axes.strides[1].last ?? 1).magnitude <= 1
    return Double(piece.target.elementCount)
      * max(2 * Double(elementBytes) / ElementwiseCost.bytesPerSecond, isRun ? 0 : 0.5e-9)
  }

  func estimate(_ request: TacticRequest) -> Double {
    pieces.reduce(ElementwiseCost.startup) { $0 + seconds($1) }
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    if pieces.isEmpty { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    var operands: [KernelPhase.Operand] =
      [.output(0)] + request.step.inputs.indices.map { .input($0) }
    if !filler.isEmpty {
      guard let storage = TensorStorage(byteCount: 16) else { throw CPUTacticError("no memory") }
      storage.base.copyMemory(from: filler, byteCount: filler.count)
      operands.append(.constant(storage, byteOffset: 0))
    }
    var boxes: [CopyBox] = []
    var taskCount = 0
    var scratchBytes = 0
    let total = estimate(request)
    for piece in pieces {
      // A step has as many tasks as its whole work is worth, however it is cut into boxes.
      let share = total > 2 * Double(pieces.count) * 10e-6 ? seconds(piece) : 0
      let loop = shape(piece).loop(in: arena, seconds: share, threads: request.threads)
      boxes.append(
        CopyBox(
          loop: loop, source: piece.isFill ? operands.count - 1 : piece.input + 1,
          sourceOffset: piece.sourceOffset * elementBytes,
          targetOffset: (piece.target.offset - request.step.outputs[0].offset) * elementBytes,
          firstTask: taskCount))
      taskCount += loop.taskCount
      scratchBytes = max(scratchBytes, loop.scratchBytes)
    }
    if request.threads == 1 || total < 20e-6 { mergeTasks(&boxes, &taskCount) }
    let parameters = CopyParameters(
      boxes: arena.store(boxes), boxCount: boxes.count, elementBytes: elementBytes)
    let phase = KernelPhase(
      function: request.kernels.elementwise.copy,
      parameters: ParameterBlock(parameters, retaining: [arena]), operands: operands,
      taskCount: taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: scratchBytes)
  }

  /// Makes all boxes one task, which runs them one after the other.
  private func mergeTasks(_ boxes: inout [CopyBox], _ taskCount: inout Int) {
    for index in boxes.indices {
      boxes[index].loop.unitsPerTask = max(boxes[index].loop.unitCount, 1)
      boxes[index].firstTask = 0
    }
    taskCount = 1
  }
}

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Pointwise steps as vector programs.
struct PointwiseTactic: CPUTactic {
  private let program: CompiledExpression
  private let shape: LoopShape

  var name: String { "vector program" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .pointwise(let problem) = step.problem, let output = step.outputs.first else {
      return nil
    }
    var types: [DataType] = []
    for view in step.inputs {
      guard let view else { return nil }
      types.append(view.dataType)
    }
    guard let program = CompiledExpression(problem.expression, types: types),
      program.resultFormat == ElementFormat(output.dataType)
    else { return nil }
    var strides = [output.strides]
    for source in program.sources {
      switch source {
      case .operand(let k):
        guard let view = step.inputs[k] else { return nil }
        strides.append(view.expanded(to: output.shape).strides)
      case .coordinate(let axis):
        strides.append(output.shape.indices.map { $0 == axis ? 1 : 0 })
      }
    }
    self.program = program
    shape = Self.shape(AxisSet(extents: output.shape, strides: strides))
  }

  private static func shape(_ axes: AxisSet) -> LoopShape {
    guard axes.rank > 0 else { return LoopShape(axes, columns: nil, rows: nil) }
    let columns = axes.rank - 1
    // An operand whose neighbours lie along another axis is read in squares.
    let across = axes.strides.dropFirst().indices.lazy.compactMap { operand -> Int? in
      if axes.strides[operand][columns].magnitude <= 1 { return nil }
      return axes.contiguousAxis(operand)
    }
    .first
    if let across {
      var shape = LoopShape(axes, columns: columns, rows: across)
      shape.chunk(rows: 64, columns: 32)
      return shape
    }
    var shape = LoopShape(axes, columns: columns, rows: columns > 0 ? columns - 1 : nil)
    shape.chunk(elements: 4096)
    return shape
  }

  private func seconds(_ request: TacticRequest) -> Double {
    max(
      ElementwiseCost.traffic(request.step),
      Double(shape.elementCount)
        * program.secondsPerElement(vectorWidth: request.kernels.vectorWidth))
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    if shape.elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    let loop = shape.loop(in: arena, seconds: seconds(request), threads: request.threads)
    let parameters = PointwiseParameters(loop: loop, program: arena.store(program))
    var operands: [KernelPhase.Operand] = [.output(0)]
    for source in program.sources {
      switch source {
      case .operand(let k): operands.append(.input(k))
      case .coordinate(let axis):
        operands.append(
          .constant(try Self.coordinates(request.step.outputs[0].shape[axis]), byteOffset: 0))
      }
    }
    let phase = KernelPhase(
      function: request.kernels.elementwise.pointwise,
      parameters: ParameterBlock(parameters, retaining: [arena]), operands: operands,
      taskCount: loop.taskCount)
    return PreparedKernel(
      phases: [phase], scratchBytes: loop.scratchBytes + program.scratchBytes)
  }

  private static func coordinates(_ extent: Int) throws(CPUTacticError) -> TensorStorage {
    guard let storage = TensorStorage(byteCount: extent * 8) else {
      throw CPUTacticError("no memory for \(extent) coordinates")
    }
    let numbers = storage.base.assumingMemoryBound(to: Int64.self)
    for index in 0..<extent { numbers[index] = Int64(index) }
    return storage
  }
}

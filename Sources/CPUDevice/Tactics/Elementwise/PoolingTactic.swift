import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Pooling over up to three spatial axes of float numbers or bytes; channels lie side by side.
struct PoolingTactic: CPUTactic {
  private let problem: Window
  private let axes: [PoolingAxis]
  private let epilogue: EpiloguePlan

  var name: String { "pooling" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .window(let problem) = step.problem, let x = step.inputs[0],
      let output = step.outputs.first, step.outputs.count == 1,
      x.dataType.isRealStorage || x.dataType.isByte, x.rank >= 3, x.rank <= 5,
      x.isContiguous(along: 1), output.isContiguous(along: 1),
      let before = Shape(problem.padsBefore).constants,
      let after = Shape(problem.padsAfter).constants,
      let epilogue = EpiloguePlan(
        step, valueType: x.dataType.isByte ? .float32 : x.dataType,
        transform: x.dataType.isByte ? .cast(.operand(0), x.dataType) : .operand(0))
    else { return nil }
    switch problem.function {
    case .maximum, .average: break
    case .norm: return nil
    }
    var axes = [PoolingAxis](repeating: PoolingAxis(), count: 5 - x.rank)
    for index in 0..<(x.rank - 2) {
      var axis = PoolingAxis()
      axis.outputExtent = output.shape[index + 2]
      axis.inputExtent = x.shape[index + 2]
      axis.inputStride = x.strides[index + 2]
      axis.kernel = problem.kernel[index]
      axis.stride = problem.strides[index]
      axis.dilation = problem.dilations[index]
      axis.padBefore = before[index]
      axis.padAfter = after[index]
      // Far from where positions could leave `Int`.
      let numbers = [axis.kernel, axis.stride, axis.dilation, axis.padBefore, axis.padAfter]
      guard numbers.allSatisfy({ $0.magnitude < 1 << 28 }) else { return nil }
      axes.append(axis)
    }
    self.problem = problem
    self.axes = axes
    self.epilogue = epilogue
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let elements = Double(request.step.outputs[0].elementCount)
    let width = request.kernels.vectorWidth
    let taps = Double(problem.kernel.reduce(1, *))
    return max(
      ElementwiseCost.traffic(request.step), elements * taps * 0.6e-9 / Double(width))
      + epilogue.seconds(Int(elements), vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    guard let x = step.inputs[0] else { throw CPUTacticError("no input") }
    if step.outputs[0].elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    var shape = LoopShape(channelsLast: [step.outputs[0], x] + epilogue.views)
    shape.chunk(elements: 8192)
    let loop = shape.loop(in: arena, seconds: seconds(request), threads: request.threads)
    var layout = ScratchLayout()
    _ = layout.reserve(loop.scratchBytes)
    let resultOffset = layout.reserve((shape.rowChunk * shape.columnChunk + 16) * 4)
    let parameters = PoolingParameters(
      loop: loop, axes: [axes[0], axes[1], axes[2]], batchStride: x.strides[0],
      format: ElementFormat(x.dataType) ?? .float32, isMaximum: problem.function == .maximum,
      countsPadding: problem.function == .average(countsPadding: true), resultOffset: resultOffset,
      epilogue: epilogue.parameters(in: arena, firstOperand: 2, layout: &layout))
    let phase = KernelPhase(
      function: request.kernels.elementwise.pooling,
      parameters: ParameterBlock(parameters, retaining: [arena]),
      operands: [.output(0), .input(0)] + epilogue.operands, taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: layout.byteCount)
  }
}

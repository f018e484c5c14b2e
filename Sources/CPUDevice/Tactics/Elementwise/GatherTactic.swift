import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Gathers of whole slices from row-major data.
struct GatherTactic: CPUTactic {
  private let outer: Int
  private let extent: Int
  private let sliceBytes: Int
  private let indices: View

  var name: String { "slices" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .gather(.slices(let axis)) = step.problem, let data = step.inputs[0],
      let indices = step.inputs[1], let output = step.outputs.first, data.isRowMajor,
      indices.isRowMajor, output.isRowMajor, data.dataType.byteCount > 0, data.elementCount > 0,
      indices.dataType == .int32 || indices.dataType == .int64
    else { return nil }
    outer = data.shape[..<axis].reduce(1, *)
    extent = data.shape[axis]
    sliceBytes = data.shape[(axis + 1)...].reduce(data.dataType.byteCount, *)
    self.indices = indices
  }

  private var seconds: Double {
    let slices = Double(outer * indices.elementCount)
    return slices * (5e-9 + 2 * Double(sliceBytes) / ElementwiseCost.bytesPerSecond)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let slices = outer * indices.elementCount
    if slices == 0 { return PreparedKernel(phases: []) }
    let tasks = TaskSplit.count(seconds: seconds, threads: request.threads, limit: slices)
    let parameters = GatherParameters(
      outer: outer, extent: extent, sliceBytes: sliceBytes, indexCount: indices.elementCount,
      indexBytes: indices.dataType.byteCount, slicesPerTask: (slices + tasks - 1) / tasks)
    let phase = KernelPhase(
      function: request.kernels.elementwise.gather, parameters: ParameterBlock(parameters),
      operands: [.output(0), .input(0), .input(1)], taskCount: parameters.taskCount)
    return PreparedKernel(phases: [phase])
  }
}

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Resampling over up to three spatial axes of float numbers whose channels lie side by side.
struct ResamplingTactic: CPUTactic {
  /// Of three spatial axes.
  private let axes: [ResamplingTaps?]
  private let epilogue: EpiloguePlan

  var name: String { "resampling" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .resample(let problem) = step.problem, let x = step.inputs[0],
      let output = step.outputs.first, x.dataType.isRealStorage, x.rank >= 3, x.rank <= 5,
      x.elementCount > 0, x.isContiguous(along: 1), output.isContiguous(along: 1),
      let epilogue = EpiloguePlan(step, valueType: x.dataType)
    else { return nil }
    var axes = [ResamplingTaps?](repeating: nil, count: 5 - x.rank)
    for axis in 0..<x.rank {
      guard
        let taps = ResamplingTaps(
          problem, axis: axis, rank: x.rank, extent: x.shape[axis], count: output.shape[axis])
      else { return nil }
      if axis >= 2 {
        axes.append(taps)
      } else if !taps.isIdentity(extent: x.shape[axis]) {
        return nil
      }
    }
    self.axes = axes
    self.epilogue = epilogue
  }

  private var tapCounts: [Int] {
    axes.map { axis in axis?.taps.map(\.count).max() ?? 1 }
  }

  private var isCopy: Bool {
    axes.allSatisfy { axis in
      axis?.taps.allSatisfy { $0.count == 1 && $0[0].weight == 1 } ?? true
    }
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let elements = Double(request.step.outputs[0].elementCount)
    let width = request.kernels.vectorWidth
    let taps = Double(tapCounts.reduce(1, *))
    return max(ElementwiseCost.traffic(request.step), elements * taps * 0.8e-9 / Double(width))
      + epilogue.seconds(Int(elements), vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  /// An axis in memory: rows of as many taps, those that are missing with weight 0.
  private func table(_ axis: Int, _ x: View, _ arena: ParameterArena) -> ResamplingAxis {
    guard let taps = axes[axis]?.taps else {
      return ResamplingAxis(taps: 1, offsets: arena.store([0]), weights: arena.store([1]))
    }
    let width = tapCounts[axis]
    let stride = x.strides[axis + x.rank - 3]
    var offsets: [Int] = []
    var weights: [Float] = []
    for row in taps {
      for tap in 0..<width {
        let known = tap < row.count ? row[tap] : row.first
        offsets.append((known?.index ?? 0) * stride)
        weights.append(tap < row.count ? Float(row[tap].weight) : 0)
      }
    }
    return ResamplingAxis(
      taps: width, offsets: arena.store(offsets), weights: arena.store(weights))
  }

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
    var parameters = ResamplingParameters(
      loop: loop, axes: [table(0, x, arena), table(1, x, arena), table(2, x, arena)],
      isCopy: isCopy && x.dataType == .float32,
      resultOffset: layout.reserve((shape.rowChunk * shape.columnChunk + 16) * 4),
      epilogue: epilogue.parameters(in: arena, firstOperand: 2, layout: &layout))
    parameters.format = ElementFormat(real: x.dataType)
    let phase = KernelPhase(
      function: request.kernels.elementwise.resampling,
      parameters: ParameterBlock(parameters, retaining: [arena]),
      operands: [.output(0), .input(0)] + epilogue.operands, taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: layout.byteCount)
  }
}

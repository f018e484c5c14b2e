import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Group normalisation where channels or positions lie side by side.
struct GroupTactic: CPUTactic {
  private let epsilon: Double
  private let epilogue: EpiloguePlan
  private let channels: Int
  private let groups: Int
  private let positions: AxisSet
  private let isChannelsLast: Bool

  var name: String { isChannelsLast ? "groups, channels last" : "groups, channels first" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .normalization(let problem) = step.problem,
      case .group(let symbolic, let epsilon) = problem.kind, let groups = symbolic.constant,
      let x = step.inputs[0], let output = step.outputs.first, x.dataType.isRealStorage,
      x.rank >= 2, groups > 0, let epilogue = EpiloguePlan(step, valueType: x.dataType)
    else { return nil }
    for index in 1...2 where index < step.inputs.count {
      guard let view = step.inputs[index] else { continue }
      guard view.dataType.isRealStorage, view.isContiguous(along: 0) else { return nil }
    }
    channels = x.shape[1]
    guard channels % groups == 0, channels > 0 else { return nil }
    self.groups = groups
    self.epsilon = epsilon
    self.epilogue = epilogue
    let views = [output, x] + epilogue.views
    positions = AxisSet(
      extents: Array(x.shape.dropFirst(2)), strides: views.map { Array($0.strides.dropFirst(2)) })
    guard positions.rank <= 1 else { return nil }
    let both = [output, x]
    isChannelsLast = both.allSatisfy { $0.isContiguous(along: 1) }
    if !isChannelsLast {
      guard positions.rank == 0 || both.indices.allSatisfy({ positions.strides[$0][0] == 1 }) else {
        return nil
      }
    }
  }

  private func shape(_ step: Step, vectorWidth: Int, threads: Int) -> LoopShape {
    let views = [step.outputs[0], step.inputs[0]].compactMap { $0 } + epilogue.views
    let position = positions.strides.map { $0.first ?? 0 }
    let channel = views.map { $0.strides[1] }
    let count = positions.elementCount
    let strides = views.indices.map { operand in
      isChannelsLast
        ? [views[operand].strides[0], position[operand], channel[operand]]
        : [views[operand].strides[0], channel[operand], position[operand]]
    }
    var shape = LoopShape(
      AxisSet(extents: [1], strides: strides.map { _ in [0] }), columns: nil, rows: nil)
    shape.outerExtents = [views[0].shape[0]]
    shape.outerStrides = strides.map { [$0[0]] }
    shape.rowStrides = strides.map { $0[1] }
    shape.columnStrides = strides.map { $0[2] }
    let size = channels / groups
    if isChannelsLast {
      shape.rows = count
      shape.columns = channels
      shape.rowChunk = max(count, 1)
      // Whole groups: some cache lines of channels, unless threads would be idle.
      let units = max(views[0].shape[0] * groups / max(threads, 1), 1)
      let narrow = max((vectorWidth + size - 1) / size, 1)
      let wanted = max(min((64 + size - 1) / size, units), narrow)
      shape.columnChunk = min(wanted, groups) * size
      // The kernel reads the vectors themselves.
      for operand in 0..<2 { shape.columnStrides[operand] = 1 }
    } else {
      shape.rows = channels
      shape.columns = count
      shape.rowChunk = size
      shape.columnChunk = max(count, 1)
      for operand in 0..<2 { shape.columnStrides[operand] = 1 }
    }
    return shape
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let elements = Double(request.step.outputs[0].elementCount)
    let width = request.kernels.vectorWidth
    return max(
      1.5 * ElementwiseCost.traffic(request.step), elements * 4e-9 / Double(width))
      + epilogue.seconds(Int(elements), vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    if step.outputs[0].elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    let shape = shape(
      step, vectorWidth: request.kernels.vectorWidth, threads: request.threads)
    let loop = shape.loop(in: arena, seconds: seconds(request), threads: request.threads)
    var operands: [KernelPhase.Operand] = [.output(0), .input(0)] + epilogue.operands
    func place(_ index: Int) -> Int {
      guard index < step.inputs.count, step.inputs[index] != nil else { return -1 }
      operands.append(.input(index))
      return operands.count - 1
    }
    let scale = place(1), bias = place(2)
    var layout = ScratchLayout()
    _ = layout.reserve(loop.scratchBytes)
    let unitChannels = isChannelsLast ? shape.columnChunk : shape.rowChunk
    let statisticsOffset = layout.reserve(3 * ((unitChannels + 15) & ~15) * 4)
    let resultOffset = layout.reserve((shape.columnChunk + 16) * 4)
    var parameters = GroupParameters(
      loop: loop, isChannelsLast: isChannelsLast, channelsPerGroup: channels / groups,
      epsilon: Float(epsilon), scale: scale, bias: bias, statisticsOffset: statisticsOffset,
      resultOffset: resultOffset,
      epilogue: epilogue.parameters(in: arena, firstOperand: 2, layout: &layout))
    func format(_ index: Int) -> ElementFormat {
      let view = index < step.inputs.count ? step.inputs[index] : nil
      return ElementFormat(real: view?.dataType ?? .float32)
    }
    parameters.format = format(0)
    parameters.scaleFormat = format(1)
    parameters.biasFormat = format(2)
    if parameters.format != .float32 {
      parameters.inputOffset = layout.reserve(shape.rowChunk * shape.columnChunk * 4)
    }
    let phase = KernelPhase(
      function: request.kernels.elementwise.groups,
      parameters: ParameterBlock(parameters, retaining: [arena]), operands: operands,
      taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: layout.byteCount)
  }
}

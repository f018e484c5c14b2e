import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Reductions of float numbers, whole vectors at a time.
struct ReductionTactic: CPUTactic {
  private let function: ReductionFunction
  private let prologue: CompiledExpression?
  private let epilogue: EpiloguePlan
  private let kept: AxisSet
  private let reduced: AxisSet
  private let columns: Int?
  private let isAcross: Bool

  var name: String { isAcross ? "reduction across vectors" : "reduction along vectors" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .reduction(let problem) = step.problem, let x = step.inputs[0],
      let output = step.outputs.first, x.elementCount > 0,
      let type = problem.prologue.dataType(operands: [x.dataType]), type.isRealStorage,
      let rule = Self.rule(
        problem.function, count: problem.axes.reduce(1) { $0 * x.shape[$1] }, type: type),
      let epilogue = EpiloguePlan(
        step, valueType: type, transform: rule.after)
    else { return nil }
    let keptAxes = x.shape.indices.filter { !problem.axes.contains($0) }
    let resultAxes = problem.keepsDimensions ? keptAxes : Array(keptAxes.indices)
    let views = [output] + epilogue.views
    var strides = views.map { view in resultAxes.map { view.strides[$0] } }
    strides.insert(keptAxes.map { x.strides[$0] }, at: 1)
    kept = AxisSet(extents: keptAxes.map { x.shape[$0] }, strides: strides)
    reduced = AxisSet(
      extents: problem.axes.map { x.shape[$0] }, strides: [problem.axes.map { x.strides[$0] }])
    function = rule.function
    self.epilogue = epilogue
    let runsAlong = reduced.rank > 0 && reduced.strides[0].last == 1
    let column = kept.contiguousAxis(1)
    columns = column ?? (kept.rank > 0 ? kept.rank - 1 : nil)
    isAcross = !runsAlong && column != nil
    let element = type == .float32 ? problem.prologue : .cast(problem.prologue, .float32)
    let value = rule.before.substituting([element])
    let isPlain = value == .operand(0) && x.dataType == .float32
    let isPacked = isAcross || runsAlong || reduced.rank == 0
    if isPlain, isPacked {
      prologue = nil
    } else {
      guard let program = CompiledExpression(value, types: [x.dataType], keepsFirst: .always) else {
        return nil
      }
      prologue = program
    }
  }

  /// A function as what is applied before and after numbers are combined; nil where it is not of that form.
  private static func rule(
    _ function: Reduction.Function, count: Int, type: DataType
  ) -> (function: ReductionFunction, before: ScalarExpression, after: ScalarExpression)? {
    let x = ScalarExpression.operand(0)
    switch function {
    case .sum: return (.sum, x, x)
    case .mean:
      let factor = ScalarExpression.float(1 / Double(count))
      // Results that are typed as 16 bits multiply with numbers of 16 bits alone.
      return type == .float32 ? (.sum, x, x * factor) : (.sum, x * factor, x)
    case .product: return (.product, x, x)
    case .minimum: return (.minimum, x, x)
    case .maximum: return (.maximum, x, x)
    case .sumOfSquares: return (.sum, x * x, x)
    case .l1Norm: return (.sum, .unary(.absolute, x), x)
    case .l2Norm: return (.sum, x * x, .unary(.squareRoot, x))
    case .logSum: return (.sum, x, .unary(.logarithm, x))
    case .logSumExp, .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum: return nil
    }
  }

  private var shape: LoopShape {
    var shape = LoopShape(
      kept, columns: columns, rows: kept.extents.indices.last { $0 != columns })
    if isAcross {
      shape.chunk(rows: 1, columns: VectorProgram.blockLength)
    } else {
      shape.chunk(elements: max(min(VectorProgram.blockLength, 16384 / reduced.elementCount), 1))
    }
    return shape
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let width = request.kernels.vectorWidth
    let elements = kept.elementCount * reduced.elementCount
    let preparation = prologue?.secondsPerElement(vectorWidth: width) ?? 0
    let combination = 0.4e-9 / Double(width) + preparation
    return max(ElementwiseCost.traffic(request.step), Double(elements) * combination)
      + epilogue.seconds(kept.elementCount, vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    if kept.elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    var shape = shape
    if isAcross, request.threads > 1, shape.unitCount < request.threads {
      // Few columns: rather narrow units than idle threads.
      let width = 4 * request.kernels.vectorWidth
      shape.chunk(
        rows: 1,
        columns: max(shape.columns / request.threads / width * width, width))
    }
    let loop = shape.loop(in: arena, seconds: seconds(request), threads: request.threads)
    var layout = ScratchLayout()
    _ = layout.reserve(loop.scratchBytes)
    let blockBytes = VectorProgram.blockLength * 4 + 64
    let last = reduced.rank - 1
    let parameters = ReductionParameters(
      loop: loop, function: function, isAcross: isAcross, reducedRank: max(last, 0),
      reducedExtents: arena.store(Array(reduced.extents.dropLast())),
      reducedStrides: arena.store(Array(reduced.strides[0].dropLast())),
      reducedCount: reduced.extents.dropLast().reduce(1, *),
      innerExtent: reduced.extents.last ?? 1, innerStride: reduced.strides[0].last ?? 1,
      prologue: prologue.map { arena.store($0) }, prologueOffset: layout.reserve(prologue),
      blockOffset: layout.reserve(blockBytes), resultOffset: layout.reserve(blockBytes),
      epilogue: epilogue.parameters(in: arena, firstOperand: 2, layout: &layout))
    let phase = KernelPhase(
      function: request.kernels.elementwise.reduction,
      parameters: ParameterBlock(parameters, retaining: [arena]),
      operands: [.output(0), .input(0)] + epilogue.operands, taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: layout.byteCount)
  }
}

/// Indices of extrema.
struct ExtremumTactic: CPUTactic {
  private let kept: AxisSet
  private let extent: Int
  private let stride: Int
  private let seeksMaximum: Bool
  private let takesLast: Bool

  var name: String { "extremum" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .reduction(let problem) = step.problem, let x = step.inputs[0],
      let output = step.outputs.first, x.elementCount > 0, x.dataType == .float32,
      problem.prologue == .operand(0), problem.epilogue == .operand(0), problem.axes.count == 1,
      output.dataType == .int64
    else { return nil }
    switch problem.function {
    case .firstMaximum: (seeksMaximum, takesLast) = (true, false)
    case .lastMaximum: (seeksMaximum, takesLast) = (true, true)
    case .firstMinimum: (seeksMaximum, takesLast) = (false, false)
    case .lastMinimum: (seeksMaximum, takesLast) = (false, true)
    default: return nil
    }
    let axis = problem.axes[0]
    let keptAxes = x.shape.indices.filter { $0 != axis }
    let resultAxes = problem.keepsDimensions ? keptAxes : Array(keptAxes.indices)
    kept = AxisSet(
      extents: keptAxes.map { x.shape[$0] },
      strides: [resultAxes.map { output.strides[$0] }, keptAxes.map { x.strides[$0] }])
    extent = x.shape[axis]
    stride = x.strides[axis]
  }

  private var seconds: Double { 1e-9 * Double(kept.elementCount * extent) }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    if kept.elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    let last = kept.rank - 1
    var shape = LoopShape(kept, columns: last >= 0 ? last : nil, rows: last >= 1 ? last - 1 : nil)
    shape.chunk(elements: max(8192 / extent, 1))
    let loop = shape.loop(in: arena, seconds: seconds, threads: request.threads)
    let parameters = ExtremumParameters(
      loop: loop, seeksMaximum: seeksMaximum, takesLast: takesLast, extent: extent, stride: stride)
    let phase = KernelPhase(
      function: request.kernels.elementwise.extremum,
      parameters: ParameterBlock(parameters, retaining: [arena]),
      operands: [.output(0), .input(0)], taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: loop.scratchBytes)
  }
}

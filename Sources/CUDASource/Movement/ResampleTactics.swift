import KernelModel
import ProgramModel
import TensorModel

/// Resampling along any axes.
enum ResampleTactics {
  /// From this many elements for each result on, axes are also taken one by one.
  private static let manyTaps = 16

  static func candidates(_ request: CUDARequest, _ problem: Resample) -> [any CUDATactic] {
    let step = request.step
    guard let x = step.inputs.first ?? nil, let output = step.outputs.first,
      let shape = problem.shape.constants, shape == output.shape, x.rank == output.rank
    else { return [] }
    if output.elementCount == 0 { return [NothingTactic()] }
    guard x.elementCount > 0 else { return [] }
    var axes: [ResampleAxis] = []
    for axis in shape.indices {
      guard
        let resampled = ResampleAxis(
          problem, axis: axis, extent: x.shape[axis], count: shape[axis])
      else { return [] }
      if !resampled.isIdentity { axes.append(resampled) }
    }
    do {
      let plan = try ResamplePlan(step, problem, axes)
      let direct = ElementTactic.candidates(request, "resample", [try plan.direct()])
      if axes.allSatisfy(\.isPicked) { return direct.map { plan.prepared($0) } }
      var result: [any CUDATactic] = direct.filter { $0.shape.unroll == 1 }.map {
        plan.prepared($0)
      }
      let taps = axes.reduce(1) { $0 * $1.taps }
      if taps >= manyTaps, axes.count > 1, !axes.contains(where: \.hasOutside) {
        let tactic = SeparableResampleTactic(plan: plan, passes: try plan.passes())
        if taps >= 2 * manyTaps { result.insert(tactic, at: 0) } else { result.append(tactic) }
      }
      return result
    } catch { return [] }
  }
}

/// One axis after the other, through the workspace.
struct SeparableResampleTactic: CUDATactic {
  var plan: ResamplePlan
  var passes: [ElementMovement]

  var name: String { "resample axis by axis" }

  func estimate(_ request: CUDARequest) -> Double {
    passes.reduce(0) { seconds, pass in
      let elements = Double(pass.elementCount)
      return seconds + request.launchSeconds + 1e-6
        + elements * 12 / request.gpu.memoryBandwidth
    }
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    var launches: [KernelLaunch] = []
    for pass in passes {
      let tactics = ElementTactic.candidates(request, "resample", [pass])
      guard let tactic = tactics.first(where: { $0.shape.unroll == 1 }) else {
        throw CUDASourceError("a pass cannot be walked")
      }
      launches += try tactic.launches()
    }
    return StepPlan(
      launches: launches, workspaceBytes: plan.workspaceBytes, prepared: plan.tables,
      preparation: plan.preparation)
  }
}

/// The kernels of a resampling, and the tables they read.
struct ResamplePlan: Sendable {
  private let step: Step
  private let problem: Resample
  private let axes: [ResampleAxis]
  private let x: View
  private let output: View
  /// Sizes of the tables, and the launches that fill them.
  private(set) var tables: [Int] = []
  private(set) var preparation: [KernelLaunch] = []
  /// For each axis its tables.
  private var indexTable: [Int?] = []
  private var weightTable: [Int?] = []
  private let isPicked: Bool

  /// The type of sums and weights: integers are summed as the reference does.
  private var sumType: DataType {
    switch x.dataType {
    case .float32, .float16, .bfloat16: .float32
    default: .float64
    }
  }

  /// Whether sums are rounded operation by operation: what becomes an integer must not depend on how a
  /// compiler joins them.
  private var sumsExactly: Bool { !x.dataType.isFloatingPoint }

  init(
    _ step: Step, _ problem: Resample, _ axes: [ResampleAxis]
  ) throws(CUDASourceError) {
    guard let x = step.inputs[0] else { throw CUDASourceError("an input is missing") }
    self.step = step
    self.problem = problem
    self.axes = axes
    self.x = x
    output = step.outputs[0]
    isPicked = axes.allSatisfy(\.isPicked)
    for axis in axes { addTables(axis) }
  }

  private mutating func addTables(_ axis: ResampleAxis) {
    if isPicked, axis.formula != nil, !axis.hasOutside {
      indexTable.append(nil)
      weightTable.append(nil)
      return
    }
    var arguments: [KernelLaunch.Argument] = [.prepared(tables.count)]
    indexTable.append(tables.count)
    tables.append(4 * axis.indexCount)
    if isPicked {
      weightTable.append(nil)
    } else {
      arguments.append(.prepared(tables.count))
      weightTable.append(tables.count)
      tables.append(sumType.byteCount * axis.count * axis.taps)
    }
    preparation.append(
      axis.preparation(weight: isPicked ? nil : sumType.cudaStorage, arguments: arguments))
  }

  func prepared(_ tactic: ElementTactic) -> ElementTactic {
    var tactic = tactic
    tactic.prepared = tables
    tactic.preparation = preparation
    return tactic
  }

  // MARK: - Movements

  /// All axes at once, then the epilogue.
  func direct() throws(CUDASourceError) -> ElementMovement {
    try movement(
      ResampleSource(
        view: x, argument: .input(0), axes: Array(axes.indices), isPicked: isPicked,
        sumType: sumType, sumsExactly: sumsExactly, extrapolation: problem.extrapolation),
      to: output, argument: .output(0), appliesEpilogue: true)
  }

  /// The intermediate results between passes, in turns.
  private var intermediateBytes: Int {
    let largest = zip(x.shape, output.shape).reduce(1) { $0 * max($1.0, $1.1) }
    return (largest * sumType.byteCount + 255) / 256 * 256
  }

  var workspaceBytes: Int { intermediateBytes * min(axes.count - 1, 2) }

  /// One movement for each axis.
  func passes() throws(CUDASourceError) -> [ElementMovement] {
    var result: [ElementMovement] = []
    var source = x
    var argument = KernelLaunch.Argument.input(0)
    for (number, axis) in axes.enumerated() {
      let isLast = number == axes.count - 1
      var target = output
      if !isLast {
        var shape = source.shape
        shape[axis.axis] = axis.count
        target = View(
          dense: output.buffer, dataType: sumType, shape: shape, order: output.order)
      }
      let place: KernelLaunch.Argument =
        isLast ? .output(0) : .workspace(number % 2 * intermediateBytes)
      result.append(
        try movement(
          ResampleSource(
            view: source, argument: argument, axes: [number], isPicked: false, sumType: sumType,
            sumsExactly: sumsExactly, extrapolation: 0), to: target, argument: place,
          appliesEpilogue: isLast))
      source = target
      argument = place
    }
    return result
  }

  private func movement(
    _ source: ResampleSource, to target: View, argument: KernelLaunch.Argument,
    appliesEpilogue: Bool
  ) throws(CUDASourceError) -> ElementMovement {
    let own = source.axes.map { axes[$0] }
    var lane = Lane(
      strides: source.view.strides, offset: source.view.offset,
      steps: own.map { source.view.strides[$0.axis] })
    for axis in own { lane.strides[axis.axis] = 0 }
    var lanes = [Lane(target, shape: target.shape), lane]
    lanes += own.map { Lane.coordinate($0.axis, rank: target.rank) }
    var sizes = [target.dataType.byteCount, source.view.dataType.byteCount] + own.map { _ in 0 }
    var parameters = [
      ElementMovement.Parameter(storage: try source.view.storage, argument: source.argument)
    ]
    let tables = try addTables(of: source, to: &parameters)
    let firstOperand = parameters.count
    let operands = appliesEpilogue ? step.inputs.dropFirst().compactMap { $0 } : []
    for (number, operand) in operands.enumerated() {
      lanes.append(Lane(operand, shape: target.shape))
      sizes.append(operand.dataType.byteCount)
      parameters.append(.init(storage: try operand.storage, argument: .input(number + 1)))
    }
    parameters.append(.init(storage: try target.storage, argument: argument))
    let firstLane = 2 + own.count
    let epilogue = appliesEpilogue ? problem.epilogue : nil
    let type = x.dataType
    return ElementMovement(
      shape: target.shape, order: target.order, lanes: lanes, sizes: sizes,
      parameters: parameters,
      sources: { walk, names throws(CUDASourceError) in
        var sources = [try source.source(tables, walk, names)]
        for (number, operand) in operands.enumerated() {
          sources.append(
            try .memory(
              names[firstOperand + number], operand.dataType, lane: firstLane + number, walk))
        }
        return sources
      },
      value: { texts throws(CUDASourceError) in
        let first = OperandText(texts[0], source.valueType, isExact: source.isPicked)
        guard let epilogue else {
          return RenderedExpression(statements: [], value: texts[0], type: source.valueType)
        }
        return try source.finished(first, as: type, epilogue, texts.dropFirst(), operands)
      })
  }

  /// The tables of a source's axes, as further parameters.
  private func addTables(
    of source: ResampleSource, to parameters: inout [ElementMovement.Parameter]
  ) throws(CUDASourceError) -> [ResampleSource.Table] {
    var tables: [ResampleSource.Table] = []
    for index in source.axes {
      var table = ResampleSource.Table(
        axis: axes[index], stride: source.view.strides[axes[index].axis])
      if let place = indexTable[index] {
        table.index = parameters.count
        parameters.append(.init(storage: "int32_t", argument: .prepared(place)))
      }
      if let place = weightTable[index] {
        table.weight = parameters.count
        parameters.append(
          .init(storage: try storage(sumType), argument: .prepared(place)))
      }
      tables.append(table)
    }
    return tables
  }

  private func storage(_ type: DataType) throws(CUDASourceError) -> String {
    guard let storage = type.cudaStorage else {
      throw CUDASourceError("kernels do not hold \(type)")
    }
    return storage
  }
}

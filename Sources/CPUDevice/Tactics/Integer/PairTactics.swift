import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Convolutions and matrix products of bfloat16, on processors that multiply pairs of them and sum in single precision.
enum PairTactics {
  @Sendable static func candidates(_ request: TacticRequest) -> [any CPUTactic] {
    guard let work = PairWork(request) else { return [] }
    return work.kernels.pairVariants.indices.flatMap { index in
      IntegerTactic.Blocking.allCases.map {
        PairTactic(work: work, variant: index, blocking: $0)
      }
    }
  }
}

/// A contraction of bfloat16 with one register tile and one blocking.
struct PairTactic: CPUTactic {
  let work: PairWork
  let variant: Int
  let blocking: IntegerTactic.Blocking

  var name: String {
    let tile = "bf16 tile \(work.kernels.pairVariants[variant].name)\(work.suffix)"
    return blocking == .preferred ? tile : "\(tile), \(blocking.rawValue)"
  }

  func estimate(_ request: TacticRequest) -> Double {
    let step = request.step
    let tile = work.kernels.pairVariants[variant]
    let width = Double(work.kernels.vectorWidth)
    let products = step.multiplyAdds * tile.padding(rows: work.rows, columns: work.columns)
    // Half as many products as of bytes.
    let rate = width * work.kernels.productsPerCycle / 2 * tile.speed * 2.8e9 * 0.4
    return blocking.penalty * products / rate + step.integerResultSeconds(width: width)
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let plan: IntegerPlan
    do {
      let preferred = try work.plan(variant: variant, blocking: nil)
      plan =
        blocking == .preferred
        ? preferred
        : try work.plan(variant: variant, blocking: blocking.adjusted(preferred.blocking))
    } catch {
      throw CPUTacticError("the contraction cannot be planned: \(error)")
    }
    return try work.prepared(plan, request)
  }
}

/// A contraction of bfloat16 as the kernels see it.
struct PairWork: Sendable {
  let kernels: IntegerKernels
  private let threads: Int
  private let geometry: ContractionGeometry
  private let format: IntegerFormat
  private let numbers: IntegerColumns
  private let slots: ContractionOperands
  private let operands: [KernelPhase.Operand]
  private let retained: [any Sendable]

  private static let own = 2

  /// Nil where the kernels do not compute the step.
  init?(_ request: TacticRequest) {
    let step = request.step
    kernels = request.kernels.integer
    threads = request.threads
    guard !kernels.pairVariants.isEmpty, step.inputs.count >= Self.own, step.outputs.count == 1,
      step.outputs[0].elementCount > 0, step.outputs[0].dataType.isRealStorage,
      step.inputs.prefix(Self.own).allSatisfy({
        $0?.dataType == .bfloat16 && ($0?.elementCount ?? 0) > 0
      }), let expression = step.problem.epilogue,
      let channelAxis = Self.channelAxis(step), step.outputs[0].isContiguous(along: channelAxis)
    else { return nil }
    var format = IntegerFormat()
    var start = [Float](repeating: 0, count: step.outputs[0].shape[channelAxis])
    var residual: Int?
    if let pattern = EpiloguePattern(
      expression, request: request, own: Self.own, channelAxis: channelAxis)
    {
      residual = pattern.residual
      format.pairs = PairEpilogue(
        pattern.epilogue, result: ElementFormat(real: step.outputs[0].dataType),
        residual: ElementFormat(
          real: residual.flatMap { step.inputs[$0]?.dataType } ?? .float32))
      if let bias = pattern.bias(request, channelAxis: channelAxis) { start = bias }
      retained = []
    } else if let block = SumsBlockEpilogue(
      expression, of: .bfloat16, step: step, own: Self.own,
      rowAxes: step.outputs[0].shape.indices.filter { $0 != channelAxis },
      columnAxis: channelAxis, kernels: request.kernels.elementwise, place: { $0 })
    {
      format.pairs = PairEpilogue()
      format.hook = block.hook
      retained = [block.retained]
    } else {
      return nil
    }
    numbers = IntegerColumns(
      start: start.map { Int32(bitPattern: $0.bitPattern) }, scale: [], shift: [],
      residualScale: [])
    self.format = format
    (operands, slots) = IntegerWork.operands(request, residual: residual)
    guard let geometry = Self.geometry(request, residual) else { return nil }
    self.geometry = geometry
  }

  private static func channelAxis(_ step: Step) -> Int? {
    switch step.problem {
    case .convolution: 1
    case .matmul: step.outputs[0].rank - 1
    default: nil
    }
  }

  /// Nil also for depthwise convolutions, whose sums are too short for tiles.
  private static func geometry(
    _ request: TacticRequest, _ residual: Int?
  ) -> ContractionGeometry? {
    switch request.step.problem {
    case .convolution(let problem):
      guard let geometry = ContractionWork.convolution(problem, request, residual: residual),
        !geometry.isDepthwise
      else { return nil }
      return .convolution(geometry)
    case .matmul(let problem):
      return ContractionWork.matmul(problem, request, residual: residual).map { .matmul($0) }
    default: return nil
    }
  }

  /// Says in a tactic's name that results are made by the vector machine.
  var suffix: String { format.hook == nil ? "" : " + program" }

  var columns: Int { geometry.columns }
  var rows: Int { geometry.rows }

  func plan(
    variant: Int, blocking: IntegerBlocking?
  ) throws(ContractionPlanError) -> IntegerPlan {
    try geometry.plan(
      format, kernels: kernels, operands: slots, variant: variant, blocking: blocking,
      threads: threads)
  }

  func prepared(
    _ plan: IntegerPlan, _ request: TacticRequest
  ) throws(CPUTacticError) -> PreparedKernel {
    var weights: UnsafePointer<UInt8>?
    if ContractionWork.packsWeights(request), let tensor = request.constants[1],
      let view = request.step.inputs[1]
    {
      weights = UnsafePointer(
        (tensor.address + view.byteOffset).assumingMemoryBound(to: UInt8.self))
    }
    return try PreparedKernel(
      plan, weights: weights, numbers, operands: operands, retaining: retained)
  }
}

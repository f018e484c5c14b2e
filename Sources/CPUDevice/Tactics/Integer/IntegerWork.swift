import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// A contraction of 8-bit integers as the kernels see it.
struct IntegerWork: Sendable {
  let kernels: IntegerKernels
  let threads: Int
  let geometry: ContractionGeometry
  private let format: IntegerFormat
  private let numbers: IntegerColumns
  private let slots: ContractionOperands
  /// The operands of every phase.
  let operands: [KernelPhase.Operand]
  /// What the hook's context points into.
  let retained: [any Sendable]

  private static let own = 2

  /// Nil where the kernels do not compute the step.
  init?(_ request: TacticRequest) {
    let step = request.step
    guard step.inputs.count >= 2, step.outputs.count == 1, step.outputs[0].elementCount > 0,
      step.inputs.prefix(2).allSatisfy({
        $0?.dataType.isByte ?? false && ($0?.elementCount ?? 0) > 0
      }), let x = step.inputs[0], let weights = step.inputs[1],
      let expression = step.problem.epilogue
    else { return nil }
    kernels = request.kernels.integer
    threads = request.threads
    let channelAxis: Int
    var format = IntegerFormat()
    switch step.problem {
    case .convolution(let problem):
      channelAxis = 1
      format.padValue = problem.padValue
    case .matmul: channelAxis = step.outputs[0].rank - 1
    default: return nil
    }
    let channels = step.outputs[0].shape[channelAxis]
    guard step.outputs[0].isContiguous(along: channelAxis) else { return nil }
    let pattern = IntegerPattern(
      expression, request: request, channelAxis: channelAxis,
      depth: weights.elementCount / channels)
    var residual: Int?
    if let pattern {
      let padValue = format.padValue
      format = pattern.format
      format.padValue = padValue
      numbers = pattern.columns
      residual = pattern.residual
      retained = []
    } else {
      guard
        let block = SumsBlockEpilogue(
          expression, step: step, own: Self.own,
          rowAxes: step.outputs[0].shape.indices.filter { $0 != channelAxis },
          columnAxis: channelAxis, kernels: request.kernels.elementwise, place: { $0 })
      else { return nil }
      format.hook = block.hook
      numbers = IntegerColumns(
        start: [Int32](repeating: 0, count: channels), scale: [], shift: [], residualScale: [])
      retained = [block.retained]
    }
    format.inputIsSigned = x.dataType == .int8
    format.weightsAreUnsigned = weights.dataType == .uint8
    self.format = format
    (operands, slots) = Self.operands(request, residual: residual)
    let geometry: ContractionGeometry? =
      switch step.problem {
      case .convolution(let problem):
        ContractionWork.convolution(problem, request, residual: residual).map { .convolution($0) }
      case .matmul(let problem):
        ContractionWork.matmul(problem, request, residual: residual).map { .matmul($0) }
      default: nil
      }
    guard let geometry else { return nil }
    self.geometry = geometry
  }

  /// The output, x, then the step's further inputs at their own places, and the workspace.
  static func operands(
    _ request: TacticRequest, residual: Int?
  ) -> ([KernelPhase.Operand], ContractionOperands) {
    let inputs = request.step.inputs
    // Places 0 and 1 are those of x and of the weights, which are packed.
    var list: [KernelPhase.Operand] = [.input(0), .output(0)]
    list += (own..<max(own, inputs.count)).map { inputs[$0] == nil ? .output(0) : .input($0) }
    var slots = ContractionOperands(output: 1, input: 0, residual: residual ?? -1)
    slots.workspace = list.count
    list.append(.workspace(0))
    if !ContractionWork.packsWeights(request) {
      slots.weights = list.count
      list.append(.input(1))
    }
    return (list, slots)
  }

  /// Says in a tactic's name that results are made by the vector machine.
  var suffix: String { format.hook == nil ? "" : " + program" }

  var columns: Int { geometry.columns }
  var rows: Int { geometry.rows }

  /// - Parameter planes: the parts that weights are taken in.
  func plan(
    variant: Int?, blocking: IntegerBlocking?, planes: Int = 1
  ) throws(ContractionPlanError) -> IntegerPlan {
    var format = format
    format.planes = planes
    return try geometry.plan(
      format, kernels: kernels, operands: slots, variant: variant, blocking: blocking,
      threads: threads)
  }

  /// The first of the weights, where they are constant, and how many parts they are to be taken in.
  func weights(
    _ request: TacticRequest
  ) -> (address: UnsafePointer<UInt8>?, planes: Int) {
    guard ContractionWork.packsWeights(request), let tensor = request.constants[1],
      let view = request.step.inputs[1]
    else { return (nil, format.weightsAreUnsigned ? 3 : 1) }
    let address = UnsafePointer(tensor.address.assumingMemoryBound(to: UInt8.self))
    guard format.weightsAreUnsigned else { return (address + view.offset, 1) }
    let greatest = (0..<tensor.elementCount).reduce(0) { max($0, address[$1]) }
    return (address + view.offset, greatest > 254 ? 3 : greatest > 127 ? 2 : 1)
  }

  /// Nil where channels have no windows of their own, or the kernel takes no such window or weights.
  func depthwisePlan(takesQuads: Bool) -> IntegerDepthwisePlan? {
    guard case .convolution(let geometry) = geometry else { return nil }
    return try? IntegerDepthwisePlan(
      geometry, format, kernels: kernels, operands: slots, takesQuads: takesQuads,
      concurrency: threads)
  }

  /// The kernel of a plan, with its constants written.
  func prepared(
    _ plan: some IntegerContraction, weights: UnsafePointer<UInt8>?
  ) throws(CPUTacticError) -> PreparedKernel {
    try PreparedKernel(plan, weights: weights, numbers, operands: operands, retaining: retained)
  }
}

extension PreparedKernel {
  /// The kernel of a plan, with its constants written.
  init(
    _ plan: some IntegerContraction, weights: UnsafePointer<UInt8>?, _ numbers: IntegerColumns,
    operands: [KernelPhase.Operand], retaining retained: [any Sendable]
  ) throws(CPUTacticError) {
    guard let constants = TensorStorage(byteCount: plan.constantBytes) else {
      throw CPUTacticError("no memory for \(plan.constantBytes) bytes of packed weights")
    }
    plan.writeConstants(to: constants.base, weights: weights, columns: numbers)
    let steps = plan.steps(constants: constants.base)
    let phases = steps.map { step in
      KernelPhase(
        function: step.function,
        parameters: ParameterBlock(bytes: step.parameters, retaining: [constants] + retained),
        operands: operands, taskCount: step.taskCount)
    }
    self.init(
      phases: phases, workspaceBytes: plan.workspaceBytes,
      scratchBytes: steps.map(\.scratchBytes).max() ?? 0, packedBytes: plan.constantBytes)
  }
}

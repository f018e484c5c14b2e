/// One call of a kernel, prepared.
package struct KernelStep: Sendable {
  package var function: KernelFunction
  /// The bytes of the kernel's parameters; the kernel wants them aligned to 16.
  package var parameters: [UInt8]
  package var taskCount: Int
  /// Bytes that each thread needs, aligned to 64.
  package var scratchBytes: Int

  init<Parameters: BitwiseCopyable>(
    _ function: KernelFunction, _ parameters: Parameters, taskCount: Int, scratchBytes: Int = 0
  ) {
    self.function = function
    self.parameters = withUnsafeBytes(of: parameters) { Array($0) }
    self.taskCount = taskCount
    self.scratchBytes = scratchBytes
  }
}

/// How a convolution or a matrix product is computed with the kernels of one instruction set.
///
/// The preparer allocates `constantBytes` (aligned to 64), fills them with `writeConstants`, and asks for the
/// `steps`, which run one after the other; a step's tasks may run in parallel. An inference provides
/// `workspaceBytes` (aligned to 64) as the workspace operand.
package struct ContractionPlan: Sendable {
  package let workspaceBytes: Int
  package let constantBytes: Int

  let kernels: ContractionKernels
  let copy: CopyInputParameters?
  /// The run-time packing of weights.
  let packing: PackParameters?
  /// The packing of constant weights.
  let constants: PackParameters?
  let core: Core
  let constantLayout: ConstantLayout
  let hasBias: Bool
  let hookScratchBytes: Int

  enum Core: @unchecked Sendable {
    case contraction(ContractionParameters)
    case depthwise(DepthwiseParameters)
  }

  init(
    kernels: ContractionKernels, core: Core, copy: CopyInputParameters?, packing: PackParameters?,
    constants: PackParameters?, layout: ConstantLayout, workspaceBytes: Int, hasBias: Bool,
    hookScratchBytes: Int
  ) {
    self.kernels = kernels
    self.core = core
    self.copy = copy
    self.packing = packing
    self.constants = constants
    self.workspaceBytes = workspaceBytes
    constantLayout = layout
    constantBytes = layout.total
    self.hasBias = hasBias
    self.hookScratchBytes = hookScratchBytes
  }

  /// Packs constant weights and the bias, which has one element for each output channel.
  package func writeConstants(
    to bytes: UnsafeMutableRawPointer, weights: UnsafeRawPointer?, bias: UnsafePointer<Float>?
  ) {
    let layout = constantLayout
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: constantBytes)
    if let constants, let weights {
      var operands = [UnsafeMutableRawPointer(mutating: weights), bytes]
      withUnsafeBytes(of: constants) { parameters in
        operands.withUnsafeMutableBufferPointer { operands in
          guard let parameters = parameters.baseAddress, let operands = operands.baseAddress
          else { return }
          kernels.packWeights(parameters, operands, 0, constants.taskCount, bytes)
        }
      }
    }
    if hasBias, let bias {
      let target = (bytes + layout.bias).assumingMemoryBound(to: Float.self)
      for group in 0..<layout.groups {
        let source = bias + group * layout.columns
        (target + group * layout.paddedColumns).update(from: source, count: layout.columns)
      }
    }
  }

  /// The kernel calls, in order, given the constants that were written.
  package func steps(constants bytes: UnsafeRawPointer) -> [KernelStep] {
    var steps: [KernelStep] = []
    if let copy {
      steps.append(KernelStep(kernels.copyInput, copy, taskCount: copy.taskCount))
    }
    if let packing {
      steps.append(KernelStep(kernels.packWeights, packing, taskCount: packing.taskCount))
    }
    let layout = constantLayout
    let bias = hasBias ? (bytes + layout.bias).assumingMemoryBound(to: Float.self) : nil
    switch core {
    case .contraction(var parameters):
      if constants != nil { parameters.weights = bytes }
      parameters.bias = bias
      parameters.zeros = (bytes + layout.zeros).assumingMemoryBound(to: Float.self)
      steps.append(
        KernelStep(
          kernels.contraction, parameters, taskCount: parameters.taskCount,
          scratchBytes: scratchBytes))
    case .depthwise(var parameters):
      parameters.weights = bytes
      parameters.bias = bias
      steps.append(
        KernelStep(
          kernels.depthwise, parameters, taskCount: parameters.taskCount,
          scratchBytes: scratchBytes))
    }
    return steps
  }

  /// The tasks of the main step.
  package var taskCount: Int {
    switch core {
    case .contraction(let parameters): parameters.taskCount
    case .depthwise(let parameters): parameters.taskCount
    }
  }

  /// The blocking in use; nil for a depthwise convolution.
  package var blocking: ContractionBlocking? {
    if case .contraction(let parameters) = core { return parameters.blocking }
    return nil
  }

  private var scratchBytes: Int {
    switch core {
    case .contraction(let parameters): parameters.hookOffset + hookScratchBytes
    case .depthwise(let parameters): parameters.hookOffset + hookScratchBytes
    }
  }
}

/// Where the constants of a plan lie, in bytes: packed weights at 0, then bias, then zeros.
struct ConstantLayout: Sendable {
  var bias: Int
  var zeros: Int
  var total: Int
  var groups: Int
  var columns: Int
  var paddedColumns: Int

  init(
    weights: Int, weightBytes: Int = 4, groups: Int, columns: Int, paddedColumns: Int,
    hasBias: Bool, zeros: Int
  ) throws(ContractionPlanError) {
    self.groups = groups
    self.columns = columns
    self.paddedColumns = paddedColumns
    bias = roundUp(try CheckedCount.product(weights, weightBytes))
    self.zeros = bias + (hasBias ? roundUp(try CheckedCount.product(groups, paddedColumns, 4)) : 0)
    total = self.zeros + roundUp(try CheckedCount.product(zeros, 4))
  }
}

/// The next multiple of 64.
func roundUp(_ bytes: Int) -> Int { (bytes + 63) & ~63 }

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Recurrent layers of constant weights: all inputs are projected first, then each sequence runs in one task.
struct RecurrenceTactic: CPUTactic {
  private let problem: Recurrence
  private let functions: [CompiledExpression]
  private let variant: ContractionVariant
  private let x: View

  var name: String { "projected recurrence \(variant.name)" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .recurrence(let problem) = step.problem, step.inputs.count >= 3,
      let x = step.inputs[0], x.dataType == .float32, x.isRowMajor, x.elementCount > 0,
      step.outputs.allSatisfy({ $0.dataType == .float32 && $0.isRowMajor })
    else { return nil }
    for (index, view) in step.inputs.enumerated() {
      guard let view else { continue }
      guard view.isRowMajor, view.dataType == (index == 4 ? .int32 : .float32) else { return nil }
      if [1, 2, 3, 7].contains(index), request.constants[index] == nil { return nil }
    }
    var functions: [CompiledExpression] = []
    let perDirection = problem.activations.count / problem.directionCount
    for (index, activation) in problem.activations.enumerated() {
      var value = ScalarExpression.operand(0)
      // The function of an LSTM's new cell is not clipped.
      if problem.clip > 0, index % perDirection < 2 {
        value = .maximum(.minimum(value, .float(problem.clip)), .float(-problem.clip))
      }
      guard
        let program = CompiledExpression(
          activation.substituting([value]), types: [.float32], keepsFirst: .always),
        program.resultFormat == .float32
      else { return nil }
      functions.append(program)
    }
    let columns = problem.gateCount * problem.hiddenSize
    let narrow = request.kernels.contraction.variants.first { $0.columns <= columns }
    guard let variant = narrow ?? request.kernels.contraction.variants.last else { return nil }
    self.problem = problem
    self.functions = functions
    self.variant = variant
    self.x = x
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let products = request.step.multiplyAdds / Double(request.kernels.vectorWidth)
    // Weights come from the second-level cache for each step.
    return products * 0.6e-9 + 0.5e-6 * Double(x.shape[0] * problem.directionCount)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  // MARK: - Preparation

  /// `[direction][row][inner]` as `[direction][panel][inner][column]`.
  private func packed(_ tensor: Tensor, inner: Int, columns: Int) -> [Float] {
    let rows = problem.gateCount * problem.hiddenSize
    let width = variant.columns
    let source = tensor.address.assumingMemoryBound(to: Float.self)
    var result = [Float](repeating: 0, count: problem.directionCount * columns * inner)
    for direction in 0..<problem.directionCount {
      for row in 0..<rows {
        let line = source + (direction * rows + row) * inner
        let panel = direction * columns * inner + row / width * width * inner
        for index in 0..<inner { result[panel + index * width + row % width] = line[index] }
      }
    }
    return result
  }

  /// What is added to the projected inputs, and to the recurrent products.
  private func biases(_ tensor: Tensor?, columns: Int) -> (input: [Float], recurrent: [Float]) {
    let rows = problem.gateCount * problem.hiddenSize
    var input = [Float](repeating: 0, count: problem.directionCount * columns)
    var recurrent = input
    guard let tensor else { return (input, recurrent) }
    let source = tensor.address.assumingMemoryBound(to: Float.self)
    for direction in 0..<problem.directionCount {
      let line = source + direction * 2 * rows
      for row in 0..<rows {
        input[direction * columns + row] = line[row]
        recurrent[direction * columns + row] = line[rows + row]
      }
    }
    return (input, recurrent)
  }

  /// Three programs for each direction.
  private func programs(_ arena: ParameterArena) -> UnsafePointer<UnsafePointer<VectorProgram>> {
    let perDirection = functions.count / problem.directionCount
    var pointers: [UnsafePointer<VectorProgram>] = []
    for direction in 0..<problem.directionCount {
      for index in 0..<3 {
        pointers.append(
          arena.store(functions[direction * perDirection + min(index, perDirection - 1)]))
      }
    }
    return arena.store(pointers)
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    guard let w = request.constants[1], let r = request.constants[2] else {
      throw CPUTacticError("the weights are not constant")
    }
    let arena = ParameterArena()
    let width = variant.columns
    let rows = problem.gateCount * problem.hiddenSize
    let columns = (rows + width - 1) / width * width
    let inputWeights = packed(w, inner: x.shape[2], columns: columns)
    let recurrentWeights = packed(r, inner: problem.hiddenSize, columns: columns)
    let bias = biases(step.inputs.count > 3 ? request.constants[3] : nil, columns: columns)
    let cell: RecurrenceCell =
      switch problem.cell {
      case .rnn: .rnn
      case .gru: .gru
      case .lstm: .lstm
      }
    var parameters = RecurrenceParameters(
      cell: cell,
      tile: AttentionTile(rows: variant.rows, columns: width, function: variant.tile),
      inputWeights: arena.store(inputWeights), recurrentWeights: arena.store(recurrentWeights),
      inputBias: arena.store(bias.input), recurrentBias: arena.store(bias.recurrent),
      functions: programs(arena))
    if step.inputs.count > 7, let peepholes = request.constants[7] {
      parameters.peepholes = UnsafePointer(peepholes.address.assumingMemoryBound(to: Float.self))
    }
    configure(&parameters, request)
    let operands = places(&parameters, step)
    let scratchBytes = lay(&parameters)
    let block = ParameterBlock(parameters, retaining: [arena] + request.constants.compactMap { $0 })
    let kernels = request.kernels.elementwise
    let phases = [
      KernelPhase(
        function: kernels.projection, parameters: block, operands: Array(operands.prefix(2)),
        taskCount: parameters.projectionTasks),
      KernelPhase(
        function: kernels.recurrence, parameters: block, operands: operands,
        taskCount: parameters.sequenceTasks),
    ]
    return PreparedKernel(
      phases: phases,
      workspaceBytes: problem.directionCount * x.shape[0] * x.shape[1] * columns * 4,
      scratchBytes: scratchBytes,
      packedBytes: (inputWeights.count + recurrentWeights.count) * 4)
  }

  private func configure(_ parameters: inout RecurrenceParameters, _ request: TacticRequest) {
    parameters.steps = x.shape[0]
    parameters.batch = x.shape[1]
    parameters.inputSize = x.shape[2]
    parameters.size = problem.hiddenSize
    parameters.gates = problem.gateCount
    parameters.directions = problem.directionCount
    parameters.isReverse = problem.direction == .reverse
    parameters.resetsAfterLinear = problem.resetsAfterLinear
    parameters.couplesInputAndForget = problem.couplesInputAndForget
    let total = x.shape[0] * x.shape[1]
    let seconds =
      Double(total * parameters.inputSize * parameters.columns) * 0.3e-9
      / Double(request.kernels.vectorWidth)
    let tasks = TaskSplit.count(seconds: seconds, threads: request.threads, limit: total)
    parameters.rowsPerTask = max(min((total + tasks - 1) / tasks, 64), 1)
    // Sequences of one length share their weights' way through the caches.
    let hasLengths = request.step.inputs.count > 4 && request.step.inputs[4] != nil
    let parallel = max(parameters.batch / max(request.threads, 1), 1)
    parameters.sequencesPerTask = hasLengths ? 1 : min(parallel, 16)
  }

  /// The kernels' operands.
  private func places(
    _ parameters: inout RecurrenceParameters, _ step: Step
  ) -> [KernelPhase.Operand] {
    parameters.hasCellOutput = step.outputs.count > 2
    var operands: [KernelPhase.Operand] = [
      .input(0), .workspace(0), .output(0), .output(1), .output(step.outputs.count > 2 ? 2 : 1),
    ]
    func place(_ index: Int) -> Int {
      guard index < step.inputs.count, step.inputs[index] != nil else { return -1 }
      operands.append(.input(index))
      return operands.count - 1
    }
    parameters.lengths = place(4)
    parameters.initialHidden = place(5)
    parameters.initialCell = problem.cell == .lstm ? place(6) : -1
    return operands
  }

  /// Lays out the scratch.
  private func lay(_ parameters: inout RecurrenceParameters) -> Int {
    var layout = ScratchLayout()
    let sequences = parameters.sequencesPerTask
    parameters.gateOffset = layout.reserve(sequences * parameters.columns * 4)
    parameters.stateOffset = layout.reserve(4 * sequences * parameters.stateStride * 4)
    parameters.pointerOffset = layout.reserve(max(sequences, parameters.rowsPerTask) * 8)
    parameters.programOffset = layout.reserve(functions.map(\.scratchBytes).max() ?? 0)
    return layout.byteCount
  }
}

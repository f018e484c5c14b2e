import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// A step as the contraction kernels see it.
struct ContractionWork: Sendable {
  let kernels: ContractionKernels
  private let threads: Int
  private let geometry: ContractionGeometry
  private let epilogue: ContractionEpilogue
  private let bias: [Float]?
  private let slots: ContractionOperands
  private let formats: ContractionFormats
  /// The operands of every phase.
  let operands: [KernelPhase.Operand]
  /// What runs after each block of results; its context lives as long as it is retained.
  let hook: EpilogueHook

  /// Nil where the kernels do not compute the step.
  init?(_ request: TacticRequest) {
    let step = request.step
    guard step.inputs.count >= 2, step.outputs.count == 1, step.outputs[0].elementCount > 0,
      step.outputs[0].dataType.isRealStorage, let x = step.inputs[0], let factor = step.inputs[1],
      [x, factor].allSatisfy({ $0.dataType.isRealStorage && $0.elementCount > 0 }),
      let expression = step.problem.epilogue
    else { return nil }
    kernels = request.kernels.contraction
    threads = request.threads
    let channelAxis: Int
    switch step.problem {
    case .convolution: channelAxis = 1
    case .matmul: channelAxis = step.outputs[0].rank - 1
    default: return nil
    }
    guard step.outputs[0].isContiguous(along: channelAxis) else { return nil }
    let pattern: EpiloguePattern?
    if let simple = EpiloguePattern(expression, request: request, own: 2, channelAxis: channelAxis)
    {
      pattern = simple
      hook = EpilogueHook()
    } else if let general = EpilogueHook(
      expression, of: x.dataType, request: request, channelAxis: channelAxis, firstOperand: 3)
    {
      pattern = EpiloguePattern(.operand(0), request: request, own: 2, channelAxis: channelAxis)
      hook = general
    } else {
      return nil
    }
    guard let pattern else { return nil }
    var epilogue = pattern.epilogue
    epilogue.hook = hook.hook
    self.epilogue = epilogue
    bias = pattern.bias(request, channelAxis: channelAxis)
    (operands, slots) = Self.operands(request, residual: pattern.residual, hook: hook)
    let residual = pattern.residual.flatMap { step.inputs[$0]?.dataType }
    formats = ContractionFormats(
      input: ElementFormat(real: x.dataType), weights: ElementFormat(real: factor.dataType),
      output: ElementFormat(real: step.outputs[0].dataType),
      residual: ElementFormat(real: residual ?? .float32))
    let geometry: ContractionGeometry?
    switch step.problem {
    case .convolution(let problem):
      geometry = Self.convolution(problem, request, residual: pattern.residual).map {
        .convolution($0)
      }
    case .matmul(let problem):
      geometry = Self.matmul(problem, request, residual: pattern.residual).map { .matmul($0) }
    default: geometry = nil
    }
    guard let geometry else { return nil }
    self.geometry = geometry
  }

  /// Output, input, the second factor where it is not constant, the hook's operands, residual, workspace.
  private static func operands(
    _ request: TacticRequest, residual: Int?, hook: EpilogueHook
  ) -> ([KernelPhase.Operand], ContractionOperands) {
    var list: [KernelPhase.Operand] = [.output(0), .input(0)]
    var slots = ContractionOperands(output: 0, input: 1)
    if !packsWeights(request) {
      slots.weights = 2
      list.append(.input(1))
    } else {
      // Packed weights are not an operand; the place is kept.
      list.append(.output(0))
    }
    list += hook.operands.map { .input($0) }
    if let residual {
      slots.residual = list.count
      list.append(.input(residual))
    }
    slots.workspace = list.count
    list.append(.workspace(0))
    return (list, slots)
  }

  /// Whether the second factor is known now and the same for all of the batch.
  static func packsWeights(_ request: TacticRequest) -> Bool {
    guard request.constants[1] != nil, let weights = request.step.inputs[1] else { return false }
    if case .convolution = request.step.problem { return true }
    return weights.shape.dropLast(2).allSatisfy { $0 == 1 }
  }

  /// Whether weights are widened block by block.
  var widensWeights: Bool { formats.weights != .float32 }

  var isDepthwise: Bool {
    if case .convolution(let geometry) = geometry { geometry.isDepthwise } else { false }
  }

  var columns: Int {
    switch geometry {
    case .convolution(let g): g.outputChannels
    case .matmul(let g): g.columns
    }
  }

  var rows: Int {
    switch geometry {
    case .convolution(let g): g.images * g.outputHeight * g.outputWidth
    case .matmul(let g): g.rows
    }
  }

  func plan(
    variant: Int?, blocking: ContractionBlocking?
  ) throws(ContractionPlanError) -> ContractionPlan {
    switch geometry {
    case .convolution(let geometry):
      try ContractionPlan(
        geometry, kernels: kernels, operands: slots, formats: formats, variant: variant,
        blocking: blocking, epilogue: epilogue, hasBias: bias != nil, concurrency: threads)
    case .matmul(let geometry):
      try ContractionPlan(
        geometry, kernels: kernels, operands: slots, formats: formats, variant: variant,
        blocking: blocking, epilogue: epilogue, hasBias: bias != nil, concurrency: threads)
    }
  }

  /// The geometry of a convolution that minimal filtering computes.
  var winogradGeometry: ConvolutionGeometry? {
    guard formats.areSingle, case .convolution(let geometry) = geometry,
      WinogradPlan.computes(geometry)
    else { return nil }
    return geometry
  }

  func winogradPlan(
    algorithm: Int, variant: Int
  ) throws(ContractionPlanError) -> WinogradPlan {
    guard let geometry = winogradGeometry else { throw .variant }
    return try WinogradPlan(
      geometry, kernels: kernels, operands: slots, algorithm: algorithm, variant: variant,
      epilogue: epilogue, hasBias: bias != nil, concurrency: threads)
  }

  /// Calls `body` with the weights, where they are constant, and the bias.
  func withConstants(
    _ request: TacticRequest,
    _ body: (_ weights: UnsafeRawPointer?, _ bias: UnsafePointer<Float>?) -> Void
  ) {
    let weights = request.constants[1].flatMap { tensor in
      request.step.inputs[1].map { view in
        UnsafeRawPointer(tensor.address + view.byteOffset)
      }
    }
    guard let bias else { return body(weights, nil) }
    bias.withUnsafeBufferPointer { body(weights, $0.baseAddress) }
  }
}

// MARK: - Geometry

extension ContractionWork {
  static func convolution(
    _ problem: Convolution, _ request: TacticRequest, residual: Int?
  ) -> ConvolutionGeometry? {
    guard !problem.isTransposed, request.constants[1] != nil, let x = request.step.inputs[0],
      let weights = request.step.inputs[1], (3...4).contains(x.rank),
      let before = Shape(problem.padsBefore).constants,
      let after = Shape(problem.padsAfter).constants,
      (before + after).allSatisfy({ $0 >= 0 }), x.strides.allSatisfy({ $0 >= 0 })
    else { return nil }
    let output = request.step.outputs[0]
    // One spatial axis is an image of height 1.
    func spatial(_ values: [Int], _ fill: Int) -> (height: Int, width: Int) {
      values.count == 2 ? (values[0], values[1]) : (fill, values[0])
    }
    func strides(_ view: View) -> ContractionStrides {
      let (row, pixel) = spatial(Array(view.strides.dropFirst(2)), 0)
      return ContractionStrides(batch: view.strides[0], row: row, pixel: pixel)
    }
    var g = ConvolutionGeometry()
    g.images = x.shape[0]
    g.groups = problem.groups
    g.inputChannels = weights.shape[1]
    g.outputChannels = weights.shape[0] / problem.groups
    (g.inputHeight, g.inputWidth) = spatial(Array(x.shape.dropFirst(2)), 1)
    (g.outputHeight, g.outputWidth) = spatial(Array(output.shape.dropFirst(2)), 1)
    (g.kernelHeight, g.kernelWidth) = spatial(Array(weights.shape.dropFirst(2)), 1)
    (g.strideHeight, g.strideWidth) = spatial(problem.strides, 1)
    (g.dilationHeight, g.dilationWidth) = spatial(problem.dilations, 1)
    (g.padTop, g.padLeft) = spatial(before, 0)
    g.input = strides(x)
    g.inputChannelStride = x.shape[1] == 1 ? 1 : x.strides[1]
    g.output = strides(output)
    if let residual, let view = request.step.inputs[residual] { g.residual = strides(view) }
    let (row, column) = spatial(Array(weights.strides.dropFirst(2)), 0)
    g.weights = ConvolutionGeometry.WeightStrides(
      output: weights.strides[0], input: weights.strides[1], row: row, column: column)
    return g
  }

  static func matmul(
    _ problem: MatrixProduct, _ request: TacticRequest, residual: Int?
  ) -> MatmulGeometry? {
    guard let a = request.step.inputs[0], let b = request.step.inputs[1],
      (a.strides + b.strides).allSatisfy({ $0 >= 0 })
    else { return nil }
    let output = request.step.outputs[0]
    let batchShape = Array(output.shape.dropLast(2))
    guard batchShape.count <= 4 else { return nil }
    func matrix(_ view: View, transposed: Bool) -> (rows: Int, row: Int, columns: Int, column: Int)
    {
      let r = view.rank - (transposed ? 1 : 2), c = view.rank - (transposed ? 2 : 1)
      return (view.shape[r], view.strides[r], view.shape[c], view.strides[c])
    }
    func batchStrides(_ view: View) -> [Int] {
      var outer = view
      outer.shape = Array(view.shape.dropLast(2))
      outer.strides = Array(view.strides.dropLast(2))
      return outer.expanded(to: batchShape).strides
    }
    let left = matrix(a, transposed: problem.transposesA)
    let right = matrix(b, transposed: problem.transposesB)
    var g = MatmulGeometry()
    g.rows = left.rows
    g.depth = left.columns
    g.columns = right.columns
    g.inputRowStride = left.row
    g.inputDepthStride = left.columns == 1 ? 1 : left.column
    g.weightsDepthStride = right.row
    g.weightsColumnStride = right.columns == 1 ? 1 : right.column
    g.outputRowStride = output.strides[output.rank - 2]
    let inputs = batchStrides(a), weights = batchStrides(b), outputs = batchStrides(output)
    var residuals = [Int](repeating: 0, count: batchShape.count)
    if let residual, let view = request.step.inputs[residual] {
      g.residualRowStride = view.strides[view.rank - 2]
      residuals = batchStrides(view)
    }
    let first = 4 - batchShape.count
    for axis in batchShape.indices where batchShape[axis] > 1 {
      g.batch[first + axis] = ContractionBatchDimension(
        count: batchShape[axis], input: inputs[axis], weights: weights[axis], output: outputs[axis],
        residual: residuals[axis])
    }
    g.weightsAreConstant = packsWeights(request)
    return g
  }
}

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Softmax, layer and local response normalisation, row by row in the nearest cache.
struct RowTactic: CPUTactic {
  /// A vector of a scale or bias.
  private enum Vector {
    case none
    case input(Int)
    /// A constant, to be laid out as rows are.
    case packed(View, Tensor)
  }

  private let kind: Normalization.Kind
  private let epilogue: EpiloguePlan
  private let kept: AxisSet
  /// The row as it is walked: at most one axis.
  private let row: AxisSet
  /// The row's own axes, outermost first in the output's memory.
  private let rowAxes: [Int]
  private let scale: Vector
  private let bias: Vector

  var name: String { "rows" }

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .normalization(let problem) = step.problem, let x = step.inputs[0],
      let output = step.outputs.first, x.dataType.isRealStorage,
      let epilogue = EpiloguePlan(step, valueType: x.dataType)
    else { return nil }
    let axes: [Int]
    switch problem.kind {
    case .softmax(let axis), .logSoftmax(let axis): axes = [axis]
    case .layer(let axis, _), .rootMeanSquare(let axis, _): axes = Array(axis..<x.rank)
    case .localResponse(let size, _, _, _):
      guard size < 1 << 16 else { return nil }
      axes = [1]
    case .group: return nil
    }
    kind = problem.kind
    self.epilogue = epilogue
    rowAxes = axes.filter { output.shape[$0] != 1 }.sorted {
      output.strides[$0].magnitude > output.strides[$1].magnitude
    }
    let views = [output, x] + epilogue.views
    var rowViews = views
    guard
      let scale = Self.vector(1, request, rowAxes, &rowViews),
      let bias = Self.vector(2, request, rowAxes, &rowViews)
    else { return nil }
    self.scale = scale
    self.bias = bias
    let (shape, keptAxes) = (output.shape, output.shape.indices.filter { !axes.contains($0) })
    kept = AxisSet(
      extents: keptAxes.map { shape[$0] },
      strides: views.map { v in keptAxes.map { v.strides[$0] } })
    let rowAxes = rowAxes
    row = AxisSet(
      extents: rowAxes.map { shape[$0] },
      strides: rowViews.map { v in rowAxes.map { v.strides[$0] } })
    guard row.rank <= 1, row.elementCount < 1 << 24 else { return nil }
  }

  /// Adds the view of an operand that must be walked with the row; nil where it varies from row to row.
  private static func vector(
    _ index: Int, _ request: TacticRequest, _ rowAxes: [Int], _ views: inout [View]
  ) -> Vector? {
    let step = request.step
    guard index < step.inputs.count, let view = step.inputs[index] else { return Vector.none }
    guard let output = step.outputs.first, view.dataType.isRealStorage else { return nil }
    let expanded = view.expanded(to: output.shape)
    for axis in output.shape.indices where output.shape[axis] != 1 && !rowAxes.contains(axis) {
      if expanded.strides[axis] != 0 { return nil }
    }
    if let constant = request.constants[index] { return .packed(expanded, constant) }
    guard view.dataType == .float32 else { return nil }
    // Side by side in the order of the row.
    var stride = 1
    for axis in rowAxes.reversed() {
      guard expanded.strides[axis] == stride else { return nil }
      stride *= output.shape[axis]
    }
    views.append(expanded)
    return .input(index)
  }

  private var shape: LoopShape {
    // The row is the columns; the inner kept axis is the rows.
    let count = 2 + epilogue.views.count
    var strides = kept.strides
    for operand in 0..<count { strides[operand].append(row.strides[operand].last ?? 1) }
    let axes = AxisSet(
      extents: kept.extents + [max(row.elementCount, 1)], strides: strides, merges: false)
    let hasRow = row.rank == 1
    let last = axes.rank - 1
    var shape = LoopShape(
      axes, columns: hasRow ? last : nil,
      rows: hasRow ? (last > 0 ? last - 1 : nil) : (last >= 0 ? last : nil))
    shape.rowChunk = min(max(4096 / max(shape.columns, 1), 1), max(shape.rows, 1))
    return shape
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let elements = Double(request.step.outputs[0].elementCount)
    let lane: Double
    switch kind {
    case .softmax, .logSoftmax: lane = 12e-9
    case .localResponse(let size, _, _, _): lane = 8e-9 + Double(size) * 0.6e-9
    default: lane = 3e-9
    }
    let width = request.kernels.vectorWidth
    return max(ElementwiseCost.traffic(request.step), elements * lane / Double(width))
      + epilogue.seconds(Int(elements), vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    if request.step.outputs[0].elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    let shape = shape
    let loop = shape.loop(in: arena, seconds: seconds(request), threads: request.threads)
    var operands: [KernelPhase.Operand] = [.output(0), .input(0)] + epilogue.operands
    var packedBytes = 0
    let scale = try place(self.scale, in: &operands, &packedBytes)
    let bias = try place(self.bias, in: &operands, &packedBytes)
    var layout = ScratchLayout()
    _ = layout.reserve(loop.scratchBytes)
    let rowBytes = ((loop.columns + 15) & ~15) * 4 + 64
    let inputOffset = layout.reserve(rowBytes)
    var extraBytes = 0
    if case .localResponse(let size, _, _, _) = kind { extraBytes = rowBytes + size * 4 + 64 }
    let resultOffset = layout.reserve(rowBytes + extraBytes)
    var parameters = RowParameters(
      loop: loop, function: .softmax, epsilon: 0, scale: scale, bias: bias,
      inputOffset: inputOffset, resultOffset: resultOffset,
      epilogue: epilogue.parameters(in: arena, firstOperand: 2, layout: &layout))
    configure(&parameters)
    parameters.format = ElementFormat(real: request.step.inputs[0]?.dataType ?? .float32)
    let phase = KernelPhase(
      function: request.kernels.elementwise.rows,
      parameters: ParameterBlock(parameters, retaining: [arena]), operands: operands,
      taskCount: loop.taskCount)
    return PreparedKernel(
      phases: [phase], scratchBytes: layout.byteCount, packedBytes: packedBytes)
  }

  private func configure(_ parameters: inout RowParameters) {
    switch kind {
    case .softmax: parameters.function = .softmax
    case .logSoftmax: parameters.function = .logSoftmax
    case .layer(_, let epsilon):
      parameters.function = .standardize
      parameters.epsilon = Float(epsilon)
    case .rootMeanSquare(_, let epsilon):
      parameters.function = .rootMeanSquare
      parameters.epsilon = Float(epsilon)
    case .localResponse(let size, let alpha, let beta, let bias):
      parameters.function = .localResponse
      parameters.before = (size - 1) / 2
      parameters.after = size / 2
      parameters.alpha = Float(alpha)
      parameters.beta = Float(beta)
      parameters.offset = Float(bias)
    case .group: break
    }
  }

  /// The place of a vector among the operands, or -1.
  private func place(
    _ vector: Vector, in operands: inout [KernelPhase.Operand], _ packedBytes: inout Int
  ) throws(CPUTacticError) -> Int {
    switch vector {
    case .none: return -1
    case .input(let index): operands.append(.input(index))
    case .packed(let view, let tensor):
      let bytes = row.elementCount * 4
      guard let storage = TensorStorage(byteCount: bytes) else {
        throw CPUTacticError("no memory for \(bytes) bytes")
      }
      let target = storage.base.assumingMemoryBound(to: Float.self)
      let extents = rowAxes.map { view.shape[$0] }
      let strides = rowAxes.map { view.strides[$0] }
      for index in 0..<row.elementCount {
        var rest = index
        var offset = view.offset
        for axis in extents.indices.reversed() {
          offset += rest % extents[axis] * strides[axis]
          rest /= extents[axis]
        }
        target[index] = tensor.realNumber(offset)
      }
      packedBytes += bytes
      operands.append(.constant(storage, byteOffset: 0))
    }
    return operands.count - 1
  }
}

import CPUKernelInterface
import KernelModel
import ProgramModel
import TensorModel

/// Attention head by head: the scores of a block of queries never leave the caches.
struct AttentionTactic: CPUTactic {
  private let problem: Attention
  private let epilogue: EpiloguePlan
  private let scoreTile: AttentionTile
  private let valueTile: AttentionTile
  private let mask: View?

  var name: String { "attention by heads" }

  private static let maximumScratch = 64 << 20

  init?(_ request: TacticRequest) {
    let step = request.step
    guard case .attention(let problem) = step.problem, step.inputs.count >= 3,
      let query = step.inputs[0], let key = step.inputs[1], let value = step.inputs[2],
      let output = step.outputs.first, let epilogue = EpiloguePlan(step, valueType: query.dataType),
      query.dataType.isRealStorage,
      [query, key, value].allSatisfy({
        $0.dataType == query.dataType && $0.elementCount > 0
      })
    else { return nil }
    self.problem = problem
    self.epilogue = epilogue
    mask = (step.inputs.count > 3 ? step.inputs[3] : nil).map {
      $0.expanded(to: [query.shape[0], query.shape[1], query.shape[2], key.shape[2]])
    }
    if let mask, mask.dataType != .bool, !mask.dataType.isRealStorage { return nil }
    guard let scoreTile = Self.tile(request.kernels, columns: key.shape[2]),
      let valueTile = Self.tile(request.kernels, columns: output.shape[3])
    else { return nil }
    self.scoreTile = scoreTile
    self.valueTile = valueTile
    let packed = (key.shape[2] + 128) * (key.shape[3] + output.shape[3] + 128) * 4
    guard packed < Self.maximumScratch else { return nil }
  }

  /// The register tiles that waste the least of their columns.
  private static func tile(_ kernels: CPUKernelTable, columns: Int) -> AttentionTile? {
    func cost(_ variant: ContractionVariant, _ columns: Int) -> Double {
      let vectors = Double(variant.columns / kernels.vectorWidth)
      let rows = Double(variant.rows)
      // Narrow tiles load more for each product.
      return Double(columns) * (1 + (rows + vectors) / (rows * vectors) / 2)
    }
    var best: AttentionTile?
    var least = Double.infinity
    for main in kernels.contraction.variants {
      for tail in kernels.contraction.variants where tail.columns <= main.columns {
        var tile = AttentionTile(rows: main.rows, columns: main.columns, function: main.tile)
        tile.tailRows = tail.rows
        tile.tailColumns = tail.columns
        tile.tailFunction = tail.tile
        let whole = columns / main.columns * main.columns
        let rest = tile.paddedColumns(columns) - whole
        let sum = cost(main, whole) + cost(rest == tail.columns ? tail : main, rest)
        if sum < least {
          least = sum
          best = tile
        }
      }
    }
    return best
  }

  private func seconds(_ request: TacticRequest) -> Double {
    let width = request.kernels.vectorWidth
    let products = request.step.multiplyAdds / Double(width) * 0.25e-9
    let scores = request.step.inputs[0].map {
      Double($0.elementCount) / Double(max($0.shape[3], 1))
    }
    let keys = request.step.inputs[1].map { Double($0.shape[2]) }
    return products + (scores ?? 0) * (keys ?? 0) * 15e-9 / Double(width)
      + epilogue.seconds(request.step.outputs[0].elementCount, vectorWidth: width)
  }

  func estimate(_ request: TacticRequest) -> Double { ElementwiseCost.startup + seconds(request) }

  private func shape(_ step: Step, _ request: TacticRequest) -> LoopShape {
    let views = [step.outputs[0]] + epilogue.views
    let extents = step.outputs[0].shape
    var shape = LoopShape(
      AxisSet(extents: [1], strides: views.map { _ in [0] }), columns: nil, rows: nil)
    shape.outerExtents = [extents[0], extents[1]]
    shape.outerStrides = views.map { [$0.strides[0], $0.strides[1]] }
    shape.rows = extents[2]
    shape.rowStrides = views.map { $0.strides[2] }
    shape.columns = extents[3]
    shape.columnStrides = views.map { $0.strides[3] }
    shape.columnChunk = max(extents[3], 1)
    // Heads are divided only where there are too few of them for the threads.
    let heads = max(extents[0] * extents[1], 1)
    let parts = max((2 * request.threads + heads - 1) / heads, 1)
    let limit =
      request.threads > 1 && heads < 2 * request.threads ? max(extents[2] / parts, 16) : Int.max
    shape.chunk(rows: limit, columns: Int.max)
    return shape
  }

  private static func strides(_ view: View) -> AttentionStrides {
    var strides = AttentionStrides()
    strides.batch = view.strides[0]
    strides.head = view.strides[1]
    strides.position = view.strides[2]
    strides.feature = view.strides[3]
    return strides
  }

  func prepare(_ request: TacticRequest) throws(CPUTacticError) -> PreparedKernel {
    let step = request.step
    guard let query = step.inputs[0], let key = step.inputs[1], let value = step.inputs[2] else {
      throw CPUTacticError("an operand is missing")
    }
    if step.outputs[0].elementCount == 0 { return PreparedKernel(phases: []) }
    let arena = ParameterArena()
    let loop = shape(step, request).loop(
      in: arena, seconds: seconds(request), threads: request.threads)
    var layout = ScratchLayout()
    _ = layout.reserve(loop.scratchBytes)
    var parameters = AttentionParameters(
      loop: loop, scoreTile: scoreTile, valueTile: valueTile,
      epilogue: epilogue.parameters(in: arena, firstOperand: 5, layout: &layout))
    parameters.format = ElementFormat(real: query.dataType)
    parameters.query = Self.strides(query)
    parameters.key = Self.strides(key)
    parameters.value = Self.strides(value)
    if let mask {
      parameters.mask = Self.strides(mask)
      parameters.maskKind = mask.dataType == .bool ? .bool : .float
      parameters.maskFormat = ElementFormat(real: mask.dataType)
    }
    parameters.headsPerGroup = query.shape[1] / max(key.shape[1], 1)
    parameters.keyCount = key.shape[2]
    parameters.depth = query.shape[3]
    parameters.scale = Float(problem.scale)
    parameters.softCap = Float(problem.softCap)
    parameters.isCausal = problem.isCausal
    parameters.causalOffset = problem.alignsEnds ? key.shape[2] - query.shape[2] : 0
    lay(&parameters, &layout)
    let operands: [KernelPhase.Operand] =
      [.output(0), .input(0), .input(1), .input(2), .input(mask == nil ? 0 : 3)]
    let phase = KernelPhase(
      function: request.kernels.elementwise.attention,
      parameters: ParameterBlock(parameters, retaining: [arena]),
      operands: operands + epilogue.operands, taskCount: loop.taskCount)
    return PreparedKernel(phases: [phase], scratchBytes: layout.byteCount)
  }

  private func lay(_ parameters: inout AttentionParameters, _ layout: inout ScratchLayout) {
    let (scores, results) = (parameters.scoreStride, parameters.resultStride)
    // Scores of a block stay in the second-level cache.
    parameters.block = min(max(131_072 / max(scores, 1), 1), 48)
    parameters.keyOffset = layout.reserve(scores * parameters.depth * 4)
    parameters.valueOffset = layout.reserve(results * parameters.keyCount * 4)
    parameters.queryOffset = layout.reserve(parameters.block * parameters.depth * 4)
    parameters.scoreOffset = layout.reserve(parameters.block * scores * 4 + 64)
    parameters.resultOffset = layout.reserve(parameters.block * results * 4)
    parameters.pointerOffset = layout.reserve(parameters.block * 8)
    if parameters.maskFormat != .float32 {
      parameters.wideMaskOffset = layout.reserve(parameters.keyCount * 4)
    }
    guard parameters.format != .float32 else { return }
    parameters.wideKeyOffset = layout.reserve(parameters.keyCount * parameters.depth * 4)
    parameters.wideValueOffset = layout.reserve(
      parameters.keyCount * parameters.loop.columns * 4)
    parameters.wideQueryOffset = layout.reserve(parameters.block * parameters.depth * 4)
  }
}

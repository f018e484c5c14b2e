/// Kernels for reductions and normalisations.
package enum ReductionKernels {
  package static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    if let step = ReductionStep(request) {
      return best(rowReductions(step, request) + columnReductions(step, request), request)
    }
    if let step = NormalizationStep(request) {
      return best(NormalizationCandidates(step: step, request: request).tactics, request)
    }
    return best(LocalResponseStep.tactics(for: request), request)
  }

  /// The tactics worth measuring, by their estimated time.
  private static func best(
    _ tactics: [any CUDATactic], _ request: CUDARequest
  ) -> [any CUDATactic] {
    let costs = tactics.map { $0.estimate(request) }
    let order = tactics.indices.sorted {
      costs[$0] == costs[$1] ? $0 < $1 : costs[$0] < costs[$1]
    }
    guard let first = order.first else { return [] }
    return order.prefix(6).filter { costs[$0] < 3 * costs[first] }.map { tactics[$0] }
  }

  private static func rowReductions(
    _ step: ReductionStep, _ request: CUDARequest
  ) -> [any CUDATactic] {
    let axes = step.axes
    let width = axes.vectorWidth(along: axes.group, view: 0, of: step.x.view, limit: 16)
    let units = max(axes.groupSize / width, 1)
    var tactics: [any CUDATactic] = []
    for lanes in [1, 4, 8, 32, 128, 256, 512, 1024] where lanes == 1 || lanes / 2 < units {
      tactics.append(RowReduction(step: step, lanes: lanes, width: width, parts: 1))
      let parts = partCount(
        step, request, blocks: ceilingQuotient(step.resultCount * lanes, 256),
        most: units / (lanes * 4))
      if lanes == 256, parts > 1 {
        tactics.append(RowReduction(step: step, lanes: lanes, width: width, parts: parts))
      }
    }
    return tactics
  }

  private static func columnReductions(
    _ step: ReductionStep, _ request: CUDARequest
  ) -> [any CUDATactic] {
    let axes = step.axes
    let widest = axes.vectorWidth(along: axes.kept, view: 0, of: step.x.view, limit: 16)
    var tactics: [any CUDATactic] = []
    for width in Set([widest, max(widest / 2, 1), min(widest, 2), 1]).sorted(by: >) {
      let units = step.resultCount / width
      for (columns, rows) in [(8, 32), (32, 8), (32, 1), (32, 16), (128, 1)]
      where columns / 2 < max(units, 2) && (rows == 1 || rows / 2 < axes.groupSize)
        && rows * columns * width * step.function.stateBytes <= 48 << 10
      {
        tactics.append(
          ColumnReduction(step: step, width: width, columns: columns, rows: rows, parts: 1))
        let parts = partCount(
          step, request, blocks: ceilingQuotient(units, columns),
          most: axes.groupSize / (rows * 4))
        if rows > 1, parts > 1 {
          tactics.append(
            ColumnReduction(step: step, width: width, columns: columns, rows: rows, parts: parts))
        }
      }
    }
    return tactics
  }

  /// Into how many parts to cut groups, so that all multiprocessors have work.
  private static func partCount(
    _ step: ReductionStep, _ request: CUDARequest, blocks: Int, most: Int
  ) -> Int {
    let wanted = ceilingQuotient(request.gpu.multiprocessors * 4, max(blocks, 1))
    return max(min(wanted, most, 1024), 1)
  }
}

import Foundation
import TensorModel

/// A small contraction: tiles of 64 rows, each by a cluster of blocks that divide the depth among them and
/// add their sums in each other's shared memory.
struct SplitTactic: CUDATactic {
  static let rows = 64
  let problem: HopperContraction
  let columns: Int
  let splits: Int

  var name: String {
    "wgmma \(problem.cells == nil ? "" : "cells ")split\(splits) \(Self.rows)x\(columns)"
  }

  var tiles: Int {
    ceilingQuotient(problem.rowCount, Self.rows) * ceilingQuotient(problem.columns, columns)
  }

  private var stages: Int {
    // Where a multiprocessor has room for two blocks, clusters of eight took a quarter less.
    let most =
      problem.contraction.parts < 3
      ? [32: 8, 64: 6][columns] ?? 4 : [32: 6, 64: 4][columns] ?? 3
    return min(most, max(ceilingQuotient(problem.steps, splits), 2))
  }

  private var kernel: SplitKernel {
    SplitKernel(problem: problem, columns: columns, splits: splits, stages: stages, tiles: tiles)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    var plan = StepPlan(launches: [])
    let rowMap = problem.rowMap(Self.rows, at: problem.prepareRows(in: &plan))
    let columnMap = try problem.columnMap(columns, in: &plan)
    plan.launches.append(
      KernelLaunch(
        try kernel.source, grid: GridSize(tiles * splits), threads: SplitKernel.threads,
        sharedBytes: kernel.sharedBytes, clusterSize: splits,
        arguments: [.tensorMap(rowMap), .tensorMap(columnMap)]
          + problem.contraction.epilogue.arguments))
    return plan
  }

  func estimate(_ request: CUDARequest) -> Double {
    let gpu = request.gpu
    let blocks = (Double(tiles * splits) / Double(gpu.multiprocessors)).rounded(.up)
    // Blocks of a cluster wait for each other: two clusters do not share multiprocessors well.
    let fit =
      splits > 1 ? 1 : gpu.sharedBytesPerMultiprocessor / (kernel.sharedBytes + 1024)
    let rounds = (blocks / Double(max(fit, 1))).rounded(.up)
    let steps = Double(ceilingQuotient(problem.steps, splits))
    let step = HopperCost.step(rows: Self.rows, columns: columns, problem)
    let waiting = 700 / Double(stages) + 60
    let store = HopperCost.epilogue(Self.rows * columns / splits, problem.contraction)
    let join = splits > 1 ? 400 + Double(columns) * pow(Double(splits), 0.7) * 10 : 200
    return HopperCost.seconds(
      max(blocks * steps * step, rounds * steps * waiting) + rounds * (1000 + join)
        + blocks * store, request) + problem.preparationSeconds(request)
  }

  static func candidates(_ problem: HopperContraction, _ request: CUDARequest) -> [SplitTactic] {
    var found: [SplitTactic] = []
    for columns in [32, 64, 128] where columns < 2 * max(problem.columns, 32) {
      for splits in [1, 2, 4, 8] where splits <= problem.steps {
        let tactic = SplitTactic(problem: problem, columns: columns, splits: splits)
        if tactic.tiles * splits <= 3 * request.gpu.multiprocessors { found.append(tactic) }
      }
    }
    return found
  }
}

import KernelModel
import TensorModel

/// A contraction by one block on each multiprocessor, which takes tile after tile: one warp has the copy
/// engine fill a ring of stages, warpgroups multiply.
struct PersistentTactic: CUDATactic {
  let problem: HopperContraction
  let tile: HopperTile
  let stages: Int

  var name: String {
    let shape =
      "\(tile.rows)x\(tile.columns)x\(problem.stepDepth) s\(stages)\(tile.ahead > 4 ? " deep" : "")"
    let family = problem.cells == nil ? "wgmma" : "wgmma cells"
    return tile.alternates ? "\(family) \(shape) alternating" : "\(family) \(shape)"
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    var plan = StepPlan(launches: [])
    let rows = problem.rowMap(tile.rows, at: problem.prepareRows(in: &plan))
    let columns = try problem.columnMap(tile.columns, in: &plan)
    let kernel = PersistentKernel(
      problem: problem, tile: tile, stages: stages,
      blocks: min(tiles, request.gpu.multiprocessors), isBackward: request.prefersBackward)
    plan.isBackward = request.prefersBackward
    plan.launches.append(
      KernelLaunch(
        try kernel.source, grid: GridSize(kernel.blocks), threads: tile.threads,
        sharedBytes: tile.sharedBytes(stages, problem),
        arguments: [.tensorMap(rows), .tensorMap(columns)]
          + problem.contraction.epilogue.arguments))
    return plan
  }

  private var tiles: Int {
    ceilingQuotient(problem.rowCount, tile.rows) * ceilingQuotient(problem.columns, tile.columns)
  }

  func estimate(_ request: CUDARequest) -> Double {
    let waves = Double(ceilingQuotient(tiles, request.gpu.multiprocessors))
    let main =
      Double(problem.steps)
      * HopperCost.step(rows: tile.rows, columns: tile.columns, problem)
    let epilogue = HopperCost.epilogue(tile.rows * tile.columns, problem.contraction)
    // The fewer warps there are beside each other, the less of a wait they hide.
    let cycles =
      tile.alternates
      ? max(waves * main, waves * epilogue * 0.75) + epilogue * 1.5
      : waves * (main + epilogue * (tile.groups > 2 ? 0.8 : 1.1))
    let seconds = HopperCost.seconds(cycles + 3000, request)
    return (tile.ahead > 4 ? 0.9 : 1) * seconds + problem.preparationSeconds(request)
  }

  static func candidates(
    _ problem: HopperContraction, _ request: CUDARequest
  ) -> [PersistentTactic] {
    tiles(problem).compactMap { tile in
      let stages = tile.stages(request.gpu.sharedBytesPerBlock, problem)
      let isTooWide = tile.columns > 64 && tile.columns >= 2 * problem.columns
      guard stages >= 3, !isTooWide, tile.holds(problem.contraction.parts) else { return nil }
      return PersistentTactic(problem: problem, tile: tile, stages: stages)
    }
  }

  private static func tiles(_ problem: HopperContraction) -> [HopperTile] {
    let results = StagedResults(
      problem.contraction.epilogue, HopperTile.all[0], start: 0, blocks: 1)
    return results.readsTensors && problem.steps <= 4
      ? HopperTile.deep + HopperTile.all : HopperTile.all
  }
}

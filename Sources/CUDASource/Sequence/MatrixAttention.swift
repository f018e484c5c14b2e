import KernelModel
import ProgramModel
import TensorModel

/// Attention on tensor cores, of 16-bit floating point or of single precision: one kernel that never writes the
/// scores.
///
/// In single precision, all factors are divided in two: see `DividedNumbers`.
///
/// A block takes 16 queries for each row of warps. Keys and values come through shared memory in tiles;
/// where few blocks would run, the warps of a row share each tile's keys and merge at the end.
struct MatrixAttention: CUDATactic {
  struct Tile: Hashable {
    /// Warps along the queries, each of 16.
    var rowWarps: Int
    /// Warps along the keys of a tile.
    var keyWarps: Int
    /// Keys of a tile for each of these.
    var keysPerWarp: Int
    /// Tiles of keys under way at once.
    var stages = 2

    var rows: Int { rowWarps * 16 }
    var keys: Int { keyWarps * keysPerWarp }
    var threads: Int { rowWarps * keyWarps * 32 }
  }

  let shape: AttentionShape
  let tile: Tile

  var name: String {
    "attention \(isDivided ? "divided" : "mma") \(tile.rows)x\(tile.keys) \(tile.rowWarps)x\(tile.keyWarps)"
  }

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = AttentionShape(request.step), !shape.isEmpty, shape.keys > 0,
      [.float16, .bfloat16].contains(shape.query.dataType)
        || shape.query.dataType == .float32 && request.step.arithmetic == .tensorFloat32,
      shape.key.dataType == shape.query.dataType, shape.value.dataType == shape.query.dataType,
      (1...256).contains(shape.depth), (1...256).contains(shape.width),
      [shape.query, shape.key, shape.value].allSatisfy(isCopied)
    else { return [] }
    let isWide = max(shape.depth, shape.width) > 128
    let tiles =
      isWide
      ? [
        Tile(rowWarps: 4, keyWarps: 1, keysPerWarp: 32),
        Tile(rowWarps: 2, keyWarps: 2, keysPerWarp: 32),
        Tile(rowWarps: 1, keyWarps: 4, keysPerWarp: 16),
      ]
      : evenTiles(shape) + [
        Tile(rowWarps: 8, keyWarps: 1, keysPerWarp: 64),
        Tile(rowWarps: 4, keyWarps: 1, keysPerWarp: 64),
        Tile(rowWarps: 4, keyWarps: 2, keysPerWarp: 64),
        Tile(rowWarps: 2, keyWarps: 2, keysPerWarp: 64),
        Tile(rowWarps: 2, keyWarps: 4, keysPerWarp: 32),
        Tile(rowWarps: 1, keyWarps: 4, keysPerWarp: 32),
        Tile(rowWarps: 1, keyWarps: 8, keysPerWarp: 32),
      ]
    var known: Set<Tile> = []
    let candidates = tiles.compactMap { tile -> MatrixAttention? in
      // Warps along the queries need queries.
      if tile.rowWarps > 1, tile.rows / 2 >= shape.queries { return nil }
      let tactic = MatrixAttention(shape: shape, tile: fit(tile, to: shape))
      let fits = tactic.sharedBytes <= request.gpu.sharedBytesPerBlock
      return fits && known.insert(tactic.tile).inserted ? tactic : nil
    }
    return candidates.map { ($0.estimate(request), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  /// Tiles that divide queries and keys evenly, so that little of the last ones is beyond the end.
  private static func evenTiles(_ shape: AttentionShape) -> [Tile] {
    func even(_ extent: Int, most: Int) -> Int {
      let units = max(ceilingQuotient(extent, 16), 1)
      return ceilingQuotient(units, ceilingQuotient(units, most))
    }
    return [(8, 7), (8, 5), (4, 7)].map { rows, keys in
      Tile(
        rowWarps: even(shape.queries, most: rows), keyWarps: 1,
        keysPerWarp: even(shape.keys, most: keys) * 16)
    }
  }

  /// Whether rows can be copied asynchronously, four bytes at a time or more.
  private static func isCopied(_ view: View) -> Bool {
    view.isContiguous(along: 3) && view.vectorLength(limit: 4) * view.dataType.byteCount >= 4
  }

  /// A tile no longer than all keys.
  private static func fit(_ tile: Tile, to shape: AttentionShape) -> Tile {
    var tile = tile
    let units = ceilingQuotient(shape.keys, 16)
    tile.keyWarps = min(tile.keyWarps, units)
    tile.keysPerWarp = min(tile.keysPerWarp, ceilingQuotient(units, tile.keyWarps) * 16)
    return tile
  }

  // MARK: - Sizes

  /// Whether operands are single precision, divided in two on their way into the tensor cores.
  var isDivided: Bool { shape.query.dataType == .float32 }
  var elementBytes: Int { shape.query.dataType.byteCount }
  /// Elements of 16 bytes; a fragment has twice as many along the sum.
  var chunk: Int { 16 / elementBytes }
  /// Extents that fragments cover.
  var depth: Int { ceilingQuotient(shape.depth, 2 * chunk) * 2 * chunk }
  var width: Int { ceilingQuotient(shape.width, 16) * 16 }
  /// Elements between rows in shared memory: an odd count of 16 bytes, so that eight rows lie in
  /// different banks, and so do the elements of two that a warp reads one by one.
  var depthPitch: Int { depth + chunk }
  var widthPitch: Int { width + chunk }
  var mergePitch: Int { width + 8 }
  var rowTiles: Int { ceilingQuotient(shape.queries, tile.rows) }
  var keyTiles: Int { ceilingQuotient(shape.keys, tile.keys) }
  var buffers: Int { min(tile.stages, keyTiles) }

  private var tileElements: Int {
    tile.rows * depthPitch + buffers * tile.keys * (depthPitch + widthPitch)
  }
  private var mergeBytes: Int { 4 * tile.keyWarps * tile.rows * (mergePitch + 2) }
  var sharedBytes: Int { max(elementBytes * tileElements, mergeBytes) }

  func estimate(_ request: CUDARequest) -> Double {
    let gpu = request.gpu
    let registers = 64 + depth / 4 + width / 2 + tile.keysPerWarp * 3 / 4
    let resident = max(
      min(
        gpu.sharedBytesPerMultiprocessor / (sharedBytes + 1024), 2048 / tile.threads,
        65536 / (tile.threads * registers), 16), 1)
    let blocks = rowTiles * shape.batch * shape.heads
    let products = Double(
      tile.rows * tile.keys * (depth + width) * keyTiles)
    let rate =
      gpu.matrixMultiplyAdds / Double(gpu.multiprocessors) * (isDivided ? 1.0 / 3 : 1)
    // One warp of each scheduler keeps its tensor core about a sixth busy.
    let warps =
      Double(min(resident, ceilingQuotient(blocks, gpu.multiprocessors)))
      * Double(tile.threads / 32)
    let busy = min(0.5, warps / 4 * 0.14)
    let perBlock = products / rate / busy * warps / Double(tile.threads / 32)
    let waves = Double(ceilingQuotient(blocks, gpu.multiprocessors * resident))
    let causal = shape.problem.isCausal && keyTiles > 1 ? 0.6 : 1
    let work = waves * (perBlock * causal + 2.0e-6 + (tile.keyWarps > 1 ? 0.3e-6 : 0))
    return max(request.trafficSeconds, work + request.launchSeconds)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let store = try StoreText(request.step, own: shape.query.dataType)
    let writer = MatrixAttentionText(tactic: self, store: store)
    let source = KernelSource(entry: "attention_mma", body: try writer.body())
    return StepPlan(launches: [
      KernelLaunch(
        source, grid: GridSize(rowTiles * shape.batch * shape.heads), threads: tile.threads,
        sharedBytes: sharedBytes, arguments: shape.arguments + store.arguments)
    ])
  }
}

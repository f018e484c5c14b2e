import KernelModel
import ProgramModel
import TensorModel

/// Attention of single precision outside the tensor cores: one kernel that never writes the scores.
///
/// Sixteen threads share a row of queries. Queries, keys and values come through shared memory; scores,
/// weights and results stay in registers, but for the weights on their way from one product to the next.
struct TiledAttention: CUDATactic {
  let shape: AttentionShape
  /// Queries for each thread.
  let rowsPerThread: Int
  /// Keys of a tile.
  let tileKeys: Int

  var name: String { "attention tiled \(rows)x\(tileKeys)" }

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard let shape = AttentionShape(request.step), !shape.isEmpty, shape.keys > 0,
      [shape.query, shape.key, shape.value].allSatisfy({ $0.dataType == .float32 }),
      (1...256).contains(shape.depth), shape.width <= 256
    else { return [] }
    let candidates = [8, 4, 2, 1].compactMap { rows -> TiledAttention? in
      if rows > 1, rows * 4 >= shape.queries { return nil }
      if rows == 8, max(shape.depth, shape.width) > 128 { return nil }
      let tactic = TiledAttention(
        shape: shape, rowsPerThread: rows, tileKeys: shape.keys <= 32 ? 32 : 64)
      return tactic.sharedBytes <= request.gpu.sharedBytesPerBlock ? tactic : nil
    }
    return candidates.map { ($0.estimate(request), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  // MARK: - Sizes

  var threads: Int { 128 }
  var rows: Int { 8 * rowsPerThread }
  /// Keys of a tile for each thread: every sixteenth.
  var keysPerThread: Int { tileKeys / 16 }
  var depth: Int { ceilingQuotient(shape.depth, 4) * 4 }
  /// Elements of a result that a thread has side by side, and how often.
  var columnLength: Int { shape.width <= 16 ? 1 : shape.width <= 32 ? 2 : 4 }
  var columnGroups: Int { ceilingQuotient(shape.width, 16 * columnLength) }
  var width: Int { 16 * columnLength * columnGroups }
  /// Elements between rows in shared memory: multiples of 4 that put neighbours in different banks.
  var depthPitch: Int { depth % 8 == 0 ? depth + 4 : depth }
  var weightPitch: Int { tileKeys + 4 }
  var rowTiles: Int { ceilingQuotient(shape.queries, rows) }
  var keyTiles: Int { ceilingQuotient(shape.keys, tileKeys) }

  var sharedBytes: Int {
    4 * (rows * (depthPitch + weightPitch) + tileKeys * (depthPitch + width))
  }

  func estimate(_ request: CUDARequest) -> Double {
    let gpu = request.gpu
    let registers = 48 + rowsPerThread * (keysPerThread + columnLength * columnGroups + 4)
    let resident = max(
      min(
        gpu.sharedBytesPerMultiprocessor / (sharedBytes + 1024), 16,
        65536 / (threads * registers)), 1)
    let blocks = rowTiles * shape.batch * shape.heads
    let products = Double(rows * tileKeys * (depth + width) * keyTiles)
    let rate = gpu.scalarMultiplyAdds / Double(gpu.multiprocessors)
    let together = Double(min(resident, ceilingQuotient(blocks, gpu.multiprocessors)))
    // Operands from shared memory bound what one multiply-add costs.
    let efficiency = min(0.7, 0.22 * together) * Double(rowsPerThread) / Double(rowsPerThread + 2)
    let waves = Double(ceilingQuotient(blocks, gpu.multiprocessors * resident))
    let causal = shape.problem.isCausal && keyTiles > 1 ? 0.6 : 1
    return max(
      request.trafficSeconds,
      request.launchSeconds + waves
        * (products / rate / efficiency * together * causal + Double(keyTiles) * 1e-6 + 1e-6))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let store = try StoreText(request.step, own: shape.query.dataType)
    let writer = TiledAttentionText(tactic: self, store: store)
    let source = KernelSource(entry: "attention_tiled", body: try writer.body())
    return StepPlan(launches: [
      KernelLaunch(
        source, grid: GridSize(rowTiles * shape.batch * shape.heads), threads: threads,
        sharedBytes: sharedBytes, arguments: shape.arguments + store.arguments)
    ])
  }
}

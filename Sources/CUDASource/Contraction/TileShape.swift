import TensorModel

/// How one block divides its part of a contraction.
struct TileShape: Hashable, Sendable {
  enum Unit: Hashable, Sendable { case tensorCore, scalar }

  var unit: Unit
  var rows: Int
  var columns: Int
  var depth: Int
  /// What one warp computes.
  var warpRows: Int
  var warpColumns: Int
  /// Tiles of the depth in shared memory.
  var stages: Int

  init(
    _ unit: Unit, _ rows: Int, _ columns: Int, _ depth: Int, warp: (rows: Int, columns: Int),
    stages: Int
  ) {
    self.unit = unit
    self.rows = rows
    self.columns = columns
    self.depth = depth
    warpRows = warp.rows
    warpColumns = warp.columns
    self.stages = stages
  }

  var rowWarps: Int { rows / warpRows }
  var threads: Int { 32 * rowWarps * (columns / warpColumns) }
  /// Sums that one thread holds.
  var sums: Int { rows * columns / threads }

  var name: String {
    "\(unit == .tensorCore ? "mma" : "simt") \(rows)x\(columns)x\(depth) w\(threads / 32) s\(stages)"
  }

  func stageBytes(_ type: DataType) -> Int { (rows + columns) * depth * type.byteCount }

  /// Floats from one row to the next where the sums meet in shared memory.
  func stagedRow(columnMajor: Bool) -> Int { columnMajor ? columns + 1 : columns + 8 }

  func sharedBytes(_ type: DataType, columnMajor: Bool) -> Int {
    max(stages * stageBytes(type), rows * stagedRow(columnMajor: columnMajor) * 4)
  }
}

import ProgramModel
import TensorModel

/// How the threads of a grid share the outputs of a channels-last image `[N, C, H, W]`.
///
/// A thread has `vector` channels of `rows` x `columns` pixels; a block has neighbours along all three, so
/// that what they read in common is in the first cache.
struct ImageTiling: Sendable {
  let shape: [Int]
  let vector: Int
  let rows: Int
  let columns: Int
  /// Outputs of a phase lie so far apart; above 1 only for transposed convolution.
  let phases: [Int]
  let blockChannels: Int
  let blockColumns: Int
  let blockRows: Int

  /// - Parameters:
  ///   - geometry: of two spatial axes; windows are the pixels.
  ///   - threads: at most so many in a block.
  init(
    shape: [Int], vector: Int, rows: Int, columns: Int, phases: [Int] = [1, 1],
    geometry: SlidingGeometry, elementBytes: Int, threads: Int
  ) {
    self.shape = shape
    self.vector = vector
    self.rows = rows
    self.columns = columns
    self.phases = phases
    let vectors = shape[1] / vector
    let down = phases[0] * ceilingQuotient(ceilingQuotient(shape[2], phases[0]), rows)
    let across = phases[1] * ceilingQuotient(ceilingQuotient(shape[3], phases[1]), columns)
    var best = (cost: Double.infinity, channels: 1, columns: 1, rows: 1)
    for channels in 1...min(vectors, 32) {
      for width in 1...max(1, min(across, threads / channels)) {
        let height = min(down, threads / channels / width)
        let blocks =
          ceilingQuotient(vectors, channels) * ceilingQuotient(across, width)
          * ceilingQuotient(down, height)
        let warps = ceilingQuotient(channels * width * height, 32)
        // Work of all warps, each filled or not; elements that neighbours read too; lines half used.
        let read =
          Double(
            geometry.span(0, windows: height * rows) * geometry.span(1, windows: width * columns))
        let used = Double(height * rows * width * columns * geometry.strides.reduce(1, *))
        let bytes = channels * vector * elementBytes
        let lines = channels == vectors ? 1.0 : bytes < 32 ? 3 : bytes < 64 ? 1.5 : 1
        let launches = warps == 1 ? 1.2 : 1
        let cost =
          Double(blocks * warps) * (1 + 0.5 * max(read / used, 0.5)) * lines * launches
        if cost < best.cost { best = (cost, channels, width, height) }
      }
    }
    blockChannels = best.channels
    blockColumns = best.columns
    blockRows = best.rows
  }

  var threads: Int { blockChannels * blockColumns * blockRows }

  private var parts: [(name: String, extent: Int)] {
    [
      ("n", shape[0]),
      ("block_row", ceilingQuotient(down, blockRows)),
      ("block_column", ceilingQuotient(across, blockColumns)),
      ("block_channel", ceilingQuotient(shape[1] / vector, blockChannels)),
    ]
  }

  /// Tiles of threads along each axis.
  private var down: Int { phases[0] * ceilingQuotient(ceilingQuotient(shape[2], phases[0]), rows) }
  private var across: Int {
    phases[1] * ceilingQuotient(ceilingQuotient(shape[3], phases[1]), columns)
  }

  var blocks: Int { parts.reduce(1) { $0 * $1.extent } }

  /// Statements that declare a thread's image `n`, first channel `m` and first pixel `top`, `left`;
  /// threads beyond the image leave.
  var mapping: [String] {
    var lines = DirectText.split("blockIdx.x", into: parts)
    lines += DirectText.split(
      "threadIdx.x",
      into: [("row", blockRows), ("column", blockColumns), ("channel", blockChannels)])
    lines += [
      "const int m = (block_channel * \(blockChannels) + channel) * \(vector);",
      "const int tile_row = block_row * \(blockRows) + row;",
      "const int tile_column = block_column * \(blockColumns) + column;",
      "const int top = \(Self.first("tile_row", rows, phases[0]));",
      "const int left = \(Self.first("tile_column", columns, phases[1]));",
      "if (m >= \(shape[1]) || top >= \(shape[2]) || left >= \(shape[3])) return;",
    ]
    return lines
  }

  private static func first(_ tile: String, _ count: Int, _ phases: Int) -> String {
    phases == 1
      ? "\(tile) * \(count)"
      : "\(tile) / \(phases) * \(count * phases) + \(tile) % \(phases)"
  }

  /// The widest vectors, at most of 16 bytes, in which all views can be moved along the channels.
  static func widths(_ views: [View], channels: Int) -> [Int] {
    let widest = 16 / (views.map(\.dataType.byteCount).min() ?? 4)
    return [16, 8, 4, 2, 1].filter { width in
      width <= widest && channels % width == 0
        && views.allSatisfy { DirectText.isVector($0, width, along: 1) }
    }
  }

  /// Threads of a block for work of so many threads: small blocks spread little work.
  static func blockThreads(_ total: Int, _ multiprocessors: Int) -> Int {
    total >= multiprocessors * 256 ? 128 : 64
  }
}

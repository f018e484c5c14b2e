import CPUKernelInterface
import ProgramModel

/// Axes that operands share, as few as their strides allow, outermost in the first operand first.
struct AxisSet {
  private(set) var extents: [Int] = []
  /// `[operand][axis]`, in elements.
  private(set) var strides: [[Int]]

  var rank: Int { extents.count }
  var elementCount: Int { extents.reduce(1, *) }

  /// - Parameter views: operands of one shape.
  init(_ views: [View]) {
    self.init(extents: views.first?.shape ?? [], strides: views.map(\.strides))
  }

  /// - Parameter merges: whether axes are sorted and merged, not only those of extent 1 dropped.
  init(extents all: [Int], strides allStrides: [[Int]], merges: Bool = true) {
    var axes = all.indices.filter { all[$0] != 1 }
    if merges, let first = allStrides.first {
      axes.sort { a, b in
        let (x, y) = (first[a].magnitude, first[b].magnitude)
        return x == y ? a < b : x > y
      }
    }
    strides = allStrides.map { _ in [] }
    for axis in axes {
      let last = extents.count - 1
      let joins =
        merges && last >= 0
        && allStrides.indices.allSatisfy {
          strides[$0][last] == allStrides[$0][axis] * all[axis]
        }
      if joins {
        extents[last] *= all[axis]
        for operand in strides.indices { strides[operand][last] = allStrides[operand][axis] }
      } else {
        extents.append(all[axis])
        for operand in strides.indices { strides[operand].append(allStrides[operand][axis]) }
      }
    }
  }

  /// The axes without one.
  func removing(_ axis: Int) -> AxisSet {
    var result = self
    result.extents.remove(at: axis)
    for operand in strides.indices { result.strides[operand].remove(at: axis) }
    return result
  }

  /// The last axis along which an operand's neighbours lie side by side.
  func contiguousAxis(_ operand: Int) -> Int? {
    extents.indices.last { strides[operand][$0] == 1 }
  }
}

/// A loop over outer axes, rows and columns, before its place in memory is known.
struct LoopShape {
  var outerExtents: [Int]
  /// `[operand][outer axis]`.
  var outerStrides: [[Int]]
  var rows = 1
  var columns = 1
  var rowStrides: [Int]
  var columnStrides: [Int]
  var rowChunk = 1
  var columnChunk = 1

  /// - Parameters:
  ///   - columns: the axis that is the loop's columns; nil: none is.
  ///   - rows: likewise; outer axes are the others, in order.
  init(_ axes: AxisSet, columns: Int?, rows: Int?) {
    let outer = axes.extents.indices.filter { $0 != columns && $0 != rows }
    outerExtents = outer.map { axes.extents[$0] }
    outerStrides = axes.strides.map { strides in outer.map { strides[$0] } }
    rowStrides = axes.strides.map { strides in rows.map { strides[$0] } ?? 0 }
    columnStrides = axes.strides.map { strides in columns.map { strides[$0] } ?? 1 }
    if let rows { self.rows = axes.extents[rows] }
    if let columns { self.columns = axes.extents[columns] }
    rowChunk = max(self.rows, 1)
    columnChunk = max(self.columns, 1)
  }

  /// A loop over batch, three spatial axes and channels; rows are the last spatial axis, columns the channels.
  ///
  /// - Parameter views: of rank 3 to 5, the output first; the strides of an operand of another shape mean
  ///   nothing.
  init(channelsLast views: [View]) {
    let rank = views[0].rank
    func arranged(_ values: [Int], filler: Int) -> [Int] {
      let added = [Int](repeating: filler, count: 5 - rank)
      return [values[0]] + added + values.dropFirst(2) + [values[1]]
    }
    let extents = arranged(views[0].shape, filler: 1)
    let strides = views.map { arranged($0.strides, filler: 0) }
    outerExtents = Array(extents[0..<3])
    outerStrides = strides.map { Array($0[0..<3]) }
    rows = extents[3]
    columns = extents[4]
    rowStrides = strides.map { $0[3] }
    columnStrides = strides.map { $0[4] }
    columnStrides[0] = 1
    rowChunk = max(rows, 1)
    columnChunk = max(columns, 1)
  }

  var outerCount: Int { outerExtents.reduce(1, *) }
  var elementCount: Int { outerCount * rows * columns }

  private static func divided(_ extent: Int, by chunk: Int) -> Int {
    let chunk = max(min(chunk, extent), 1)
    let count = max((extent + chunk - 1) / chunk, 1)
    return max((extent + count - 1) / count, 1)
  }

  /// Units of about so many elements: whole columns where they fit.
  mutating func chunk(elements: Int) {
    columnChunk = Self.divided(columns, by: elements)
    rowChunk =
      columnChunk < columns ? 1 : Self.divided(rows, by: max(elements / max(columns, 1), 1))
  }

  mutating func chunk(rows rowLimit: Int, columns columnLimit: Int) {
    columnChunk = Self.divided(columns, by: columnLimit)
    rowChunk = Self.divided(rows, by: rowLimit)
  }

  /// Units that a loop of this shape has.
  var unitCount: Int {
    outerCount * ((rows + rowChunk - 1) / rowChunk) * ((columns + columnChunk - 1) / columnChunk)
  }

  /// - Parameters:
  ///   - seconds: what the whole loop takes on one thread.
  func loop(in arena: ParameterArena, seconds: Double, threads: Int) -> ElementwiseLoop {
    let tasks = TaskSplit.count(seconds: seconds, threads: threads, limit: unitCount)
    return ElementwiseLoop(
      operandCount: rowStrides.count, outerRank: outerExtents.count,
      outerExtents: arena.store(outerExtents),
      outerStrides: arena.store(outerStrides.flatMap { $0 }),
      outerCount: outerCount, rows: rows, columns: columns, rowStrides: arena.store(rowStrides),
      columnStrides: arena.store(columnStrides), rowChunk: rowChunk, columnChunk: columnChunk,
      unitsPerTask: max((unitCount + tasks - 1) / tasks, 1))
  }
}

/// How much work makes a task.
enum TaskSplit {
  private static let secondsPerTask = 10e-6
  private static let tasksPerThread = 4

  static func count(seconds: Double, threads: Int, limit: Int) -> Int {
    guard threads > 1 else { return 1 }
    let wanted = min(seconds / secondsPerTask, Double(threads * tasksPerThread))
    return max(min(Int(wanted), limit), 1)
  }
}

/// Rates of one thread for cost models.
enum ElementwiseCost {
  static let bytesPerSecond = 20e9
  static let startup = 0.3e-6

  static func traffic(_ step: Step) -> Double { step.trafficBytes / bytesPerSecond }
}

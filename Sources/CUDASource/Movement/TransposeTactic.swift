import KernelModel
import ProgramModel
import TensorModel

/// Elementwise steps of operands that lie in another order than the output: square tiles pass through
/// shared memory, so that both sides are read and written along their own runs.
struct TransposeTactic: CUDATactic {
  var job: ElementwiseJob
  /// Elements of a tile's side.
  var side: Int
  /// Whether runs move in vectors.
  var isVectorized: Bool

  var name: String { "transpose \(side)x\(side)\(isVectorized ? ", vectors" : "")" }

  private static let threads = 256
  /// Axes shorter than this leave too much of a tile empty.
  private static let shortest = 12

  static func candidates(_ request: CUDARequest, _ jobs: [ElementwiseJob]) -> [any CUDATactic] {
    guard jobs.count == 1, let job = jobs.first, let tiling = Tiling(job),
      min(tiling.rows, tiling.columns) >= shortest
    else { return [] }
    var result: [TransposeTactic] = []
    for side in [64, 32] where tiling.sharedBytes(side) <= 48 << 10 {
      let widths = tiling.widths(side)
      if widths.output > 1 || widths.tiles.contains(where: { $0 > 1 }) {
        result.append(TransposeTactic(job: job, side: side, isVectorized: true))
      }
      if side == 32 { result.append(TransposeTactic(job: job, side: side, isVectorized: false)) }
    }
    return result
  }

  func estimate(_ request: CUDARequest) -> Double {
    guard let tiling = Tiling(job) else { return .infinity }
    let widths = isVectorized ? tiling.widths(side) : tiling.singles
    let size = Double(job.output.dataType.byteCount)
    let perThread = Double(side * side / Self.threads) * size
    let narrow = size * Double(min(widths.output, widths.tiles.min() ?? 1)) < 4 ? 1.3 : 1.05
    return request.launchSeconds + 0.3e-6 + narrow
      * LaunchShape.seconds(
        request.gpu, bytes: request.step.trafficBytes, blocks: tiling.blockCount(side),
        threads: Self.threads, bytesInFlight: min(perThread, 64))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard let tiling = Tiling(job) else { throw CUDASourceError("no axes to transpose") }
    let movement = try job.movement(request.step)
    let kernel = TransposeKernel(
      movement: movement, tiling: tiling, side: side, threads: Self.threads,
      widths: isVectorized ? tiling.widths(side) : tiling.singles)
    let source = KernelSource(entry: "transpose", body: try kernel.text())
    return StepPlan(launches: [
      KernelLaunch(
        source, grid: GridSize(tiling.blockCount(side)), threads: Self.threads,
        arguments: movement.parameters.map(\.argument))
    ])
  }
}

/// The two axes between which a job transposes.
struct Tiling {
  /// Lane 0 is the output.
  let space: IndexSpace
  /// The axis along which the output lies in a run, and that of the transposed operands.
  let rowAxis: Int
  let columnAxis: Int
  /// Lanes that pass through shared memory.
  let transposed: [Int]
  private let lanes: [Lane]
  private let sizes: [Int]

  var rows: Int { space.extents[rowAxis] }
  var columns: Int { space.extents[columnAxis] }
  /// Blocks of each tile's place along the other axes.
  var batch: Int { space.elementCount / (rows * columns) }

  init?(_ job: ElementwiseJob) {
    let order = job.output.order
    lanes = job.lanes
    sizes = job.laneSizes
    space = IndexSpace(
      shape: order.map { job.output.shape[$0] },
      strides: lanes.map { lane in order.map { lane.strides[$0] } })
    let output = space.strides[0]
    guard let row = output.indices.last(where: { output[$0] == 1 }) else { return nil }
    let sizes = sizes
    let strides = space.strides
    let far = strides.indices.dropFirst().filter { sizes[$0] > 0 && abs(strides[$0][row]) > 1 }
    guard let first = far.first,
      let column = output.indices.first(where: { $0 != row && strides[first][$0] == 1 })
    else { return nil }
    rowAxis = row
    columnAxis = column
    transposed = far.filter { strides[$0][column] == 1 }
  }

  func blockCount(_ side: Int) -> Int {
    batch * ceilingQuotient(rows, side) * ceilingQuotient(columns, side)
  }

  /// Elements of a row of a tile in shared memory: an odd number of words, so that columns spread over
  /// the banks.
  func pitch(_ side: Int, lane: Int) -> Int { side + max(4 / sizes[lane], 1) }

  func sharedBytes(_ side: Int) -> Int {
    transposed.reduce(0) { $0 + side * pitch(side, lane: $1) * sizes[$1] }
  }

  /// Elements of vectors: of the output, and of each transposed lane.
  typealias Widths = (output: Int, tiles: [Int])

  var singles: Widths { (1, transposed.map { _ in 1 }) }

  func widths(_ side: Int) -> Widths {
    (
      width(lane: 0, along: rowAxis, side),
      transposed.map { width(lane: $0, along: columnAxis, side) }
    )
  }

  /// The widest vectors along an axis.
  private func width(lane: Int, along axis: Int, _ side: Int) -> Int {
    let elements = side * side / 256
    for width in [16, 8, 4, 2] where width * sizes[lane] <= 16 && width <= elements {
      if space.extents[axis] % width == 0, isAligned(lane: lane, along: axis, width) {
        return width
      }
    }
    return 1
  }

  /// Whether a lane has vectors along an axis.
  func isAligned(lane: Int, along axis: Int, _ width: Int) -> Bool {
    let strides = space.strides[lane]
    return strides[axis] == 1 && (lanes[lane].offset ?? 1) % width == 0
      && strides.indices.allSatisfy { $0 == axis || strides[$0] % width == 0 }
  }

  /// How a vector of the output reaches a lane.
  func access(lane: Int, width: Int) -> VectorWalk.Access {
    switch space.strides[lane][rowAxis] {
    case 0: .uniform
    case 1 where isAligned(lane: lane, along: rowAxis, width): .vector
    case let stride: .strided(stride)
    }
  }
}

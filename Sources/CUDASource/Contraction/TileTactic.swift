import TensorModel

/// A contraction by tiles of one shape.
struct TileTactic: CUDATactic {
  let contraction: Contraction
  let shape: TileShape
  let splits: Int

  var name: String { splits > 1 ? "\(shape.name) split\(splits)" : shape.name }

  func estimate(_ request: CUDARequest) -> Double {
    TileCost(contraction, shape, splits: splits, request).seconds
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard let contraction = Contraction(request) else {
      throw CUDASourceError("the step is no contraction")
    }
    let isScalar = shape.unit == .scalar
    let fed = try FedContraction(
      contraction, constants: isScalar ? .line : nil,
      divides: !isScalar && contraction.type == .float32)
    return try TileKernel(fed, shape, splits: splits).schedule(in: fed.plan)
  }

  // MARK: - Choice

  /// The most promising tiles for a contraction, best guess first.
  static func candidates(
    _ contraction: Contraction, _ unit: TileShape.Unit, count: Int, _ request: CUDARequest
  ) -> [TileTactic] {
    var found: [(tactic: TileTactic, seconds: Double)] = []
    for shape in shapes(unit, contraction.type) {
      guard
        shape.sharedBytes(contraction.type, columnMajor: contraction.epilogue.isColumnMajor)
          <= request.gpu.sharedBytesPerBlock
      else { continue }
      let steps = ceilingQuotient(contraction.depth, shape.depth)
      let splits = Set([1, 2, 3, 4, 6, 8, 12, 16].map { TileKernel.splits($0, steps: steps) })
      for split in splits.sorted() {
        let tactic = TileTactic(contraction: contraction, shape: shape, splits: split)
        guard split == 1 || tactic.isWorthSplitting(request) else { continue }
        found.append((tactic, tactic.estimate(request)))
      }
    }
    // Sorted by guess and then by name, so that equal guesses keep their order.
    found.sort { ($0.seconds, $0.tactic.name) < ($1.seconds, $1.tactic.name) }
    var chosen: [TileTactic] = []
    for (tactic, seconds) in found where chosen.count < count {
      let alike = chosen.filter { $0.shape == tactic.shape }.count
      if alike < 2, seconds < 3 * (found.first?.seconds ?? 0) { chosen.append(tactic) }
    }
    return chosen
  }

  private func isWorthSplitting(_ request: CUDARequest) -> Bool {
    let tiles =
      ceilingQuotient(contraction.rowCount, shape.rows)
      * ceilingQuotient(contraction.columns, shape.columns) * contraction.batchCount
    return tiles <= request.gpu.multiprocessors * 2 && splits * tiles <= 1024
  }

  private static func shapes(_ unit: TileShape.Unit, _ type: DataType) -> [TileShape] {
    if unit == .scalar { return scalarShapes }
    // A line of a tile is as many bytes for all: half as many elements of four bytes, twice as many of one.
    return tensorShapes.map { shape in
      var shape = shape
      shape.depth = shape.depth * 2 / type.byteCount
      return shape
    }
  }

  private static let tensorShapes: [TileShape] = [
    TileShape(.tensorCore, 256, 128, 32, warp: (64, 64), stages: 4),
    TileShape(.tensorCore, 128, 256, 32, warp: (64, 64), stages: 4),
    TileShape(.tensorCore, 256, 64, 32, warp: (64, 32), stages: 4),
    TileShape(.tensorCore, 128, 128, 32, warp: (64, 64), stages: 4),
    TileShape(.tensorCore, 128, 128, 32, warp: (64, 32), stages: 4),
    TileShape(.tensorCore, 128, 128, 64, warp: (64, 32), stages: 3),
    TileShape(.tensorCore, 128, 64, 32, warp: (64, 32), stages: 5),
    TileShape(.tensorCore, 128, 64, 64, warp: (64, 32), stages: 4),
    TileShape(.tensorCore, 64, 128, 64, warp: (32, 64), stages: 4),
    TileShape(.tensorCore, 64, 64, 64, warp: (32, 32), stages: 5),
    TileShape(.tensorCore, 64, 32, 64, warp: (32, 16), stages: 5),
    TileShape(.tensorCore, 32, 64, 64, warp: (16, 32), stages: 5),
    TileShape(.tensorCore, 32, 32, 64, warp: (16, 16), stages: 6),
    TileShape(.tensorCore, 16, 64, 64, warp: (16, 16), stages: 6),
    TileShape(.tensorCore, 16, 32, 128, warp: (16, 16), stages: 5),
  ]

  private static let scalarShapes: [TileShape] = [
    TileShape(.scalar, 128, 128, 16, warp: (32, 64), stages: 3),
    TileShape(.scalar, 128, 64, 16, warp: (32, 64), stages: 4),
    TileShape(.scalar, 64, 128, 16, warp: (32, 64), stages: 4),
    TileShape(.scalar, 128, 32, 16, warp: (32, 32), stages: 4),
    TileShape(.scalar, 64, 64, 16, warp: (32, 32), stages: 4),
    TileShape(.scalar, 64, 64, 16, warp: (16, 32), stages: 4),
    TileShape(.scalar, 64, 32, 32, warp: (16, 32), stages: 4),
    TileShape(.scalar, 32, 64, 32, warp: (16, 32), stages: 4),
    TileShape(.scalar, 32, 32, 32, warp: (16, 32), stages: 4),
    TileShape(.scalar, 16, 64, 32, warp: (16, 32), stages: 4),
  ]
}

/// The cost model's guess for tiles: what one multiprocessor does in clock cycles.
struct TileCost {
  private static let clock = 1.7e9
  /// Cycles before the first tile has come, and those after the last product.
  private static let latency = 1400.0
  /// Bytes that reach a multiprocessor from the cache in one cycle.
  private static let copyRate = 50.0
  private static let sharedRate = 128.0

  let seconds: Double

  init(_ contraction: Contraction, _ shape: TileShape, splits: Int, _ request: CUDARequest) {
    let gpu = request.gpu
    let size = Double(contraction.type.byteCount)
    let tiles =
      Double(ceilingQuotient(contraction.rowCount, shape.rows))
      * Double(ceilingQuotient(contraction.columns, shape.columns))
      * Double(contraction.batchCount)
    let blocks = tiles * Double(splits)
    let steps = Double(max(ceilingQuotient(contraction.depth, shape.depth), 1)) / Double(splits)
    let perProcessor = (blocks / Double(gpu.multiprocessors)).rounded(.up)
    let resident = Double(Self.resident(contraction, shape, gpu))
    let rounds = (perProcessor / resident).rounded(.up)

    let products = Double(shape.rows * shape.columns * shape.depth)
    let warps = Double(shape.threads / 32)
    let read = Double(shape.warpRows + shape.warpColumns) * Double(shape.depth) * size * warps
    let multiply: Double
    if shape.unit == .tensorCore {
      let rate = gpu.matrixMultiplyAdds / Double(gpu.multiprocessors) / Self.clock * 0.65
      // Of numbers in two parts, three products are added.
      multiply = products / rate * (size == 4 ? 3 : size / 2)
    } else {
      let rate = gpu.scalarMultiplyAdds / Double(gpu.multiprocessors) / Self.clock
      multiply = products / rate
    }
    let copy = Double(shape.stageBytes(contraction.type)) / Self.copyRate
    let busy = max(multiply, copy, read / Self.sharedRate) + 0.15 * (multiply + copy)
    let waiting = Self.latency / 2 / Double(shape.stages - 1) + 60
    // With few resident blocks nothing hides the wait for a tile.
    let main = max(perProcessor * steps * busy, rounds * steps * waiting)
    let store = Double(shape.rows * shape.columns) * 6 / Self.copyRate
    var cycles = main + rounds * Self.latency + perProcessor * store
    if splits > 1 {
      let part = Double(shape.rows * shape.columns) * 4 / Self.copyRate
      cycles += Self.latency + part * Double(splits) + perProcessor * part
    }
    let launches = splits > 1 ? 2.0 : 1.0
    let traffic = request.trafficSeconds - request.launchSeconds
    seconds = max(cycles / Self.clock, traffic) + launches * request.launchSeconds
  }

  private static func resident(
    _ contraction: Contraction, _ shape: TileShape, _ gpu: GPUProperties
  ) -> Int {
    let shared = shape.sharedBytes(
      contraction.type, columnMajor: contraction.epilogue.isColumnMajor)
    let registers = shape.sums + (shape.unit == .tensorCore ? 64 : 100)
    return max(
      min(gpu.sharedBytesPerMultiprocessor / (shared + 1024), 65536 / (registers * shape.threads)),
      1)
  }
}

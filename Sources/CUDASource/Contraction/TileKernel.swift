import TensorModel

/// The kernel that computes a contraction tile by tile: one tile for each block, or one part of a tile's
/// depth.
struct TileKernel {
  let contraction: Contraction
  let shape: TileShape
  /// Blocks that share a tile: each adds up a part of the depth, the last one to finish adds the parts.
  let splits: Int
  private let a: TileFeedText
  private let b: TileFeedText
  private let sums: any TileSums

  init(_ fed: FedContraction, _ shape: TileShape, splits: Int) throws(CUDASourceError) {
    let contraction = fed.contraction
    self.contraction = contraction
    self.shape = shape
    self.splits = TileKernel.splits(splits, steps: ceilingQuotient(contraction.depth, shape.depth))
    a = TileFeedText(
      name: "a", operand: contraction.a, feed: fed.a, lines: shape.rows, first: "m0",
      depth: shape.depth, threads: shape.threads, type: contraction.type,
      window: contraction.window, padValue: contraction.padsWithNumbers ? contraction.padValue : 0)
    b = TileFeedText(
      name: "b", operand: contraction.b, feed: fed.b, lines: shape.columns, first: "n0",
      depth: shape.depth, threads: shape.threads, type: contraction.columnType, window: nil)
    guard a.isPossible, b.isPossible else {
      throw CUDASourceError("\(shape.name) has too few threads for copies this small")
    }
    switch shape.unit {
    case .tensorCore: sums = TensorCoreSums(shape, contraction, a: fed.a.major, b: fed.b.major)
    case .scalar: sums = ScalarSums(shape, contraction, a: fed.a.major, b: fed.b.major)
    }
  }

  /// The closest count of splits that leaves none empty.
  static func splits(_ wanted: Int, steps: Int) -> Int {
    let steps = max(steps, 1)
    return ceilingQuotient(steps, ceilingQuotient(steps, wanted))
  }

  private var sum: String { contraction.epilogue.sumStorage }
  private var steps: Int { max(ceilingQuotient(contraction.depth, shape.depth), 1) }
  private var stepsOfSplit: Int { ceilingQuotient(steps, splits) }
  private var rowTiles: Int { ceilingQuotient(contraction.rowCount, shape.rows) }
  private var columnTiles: Int { ceilingQuotient(contraction.columns, shape.columns) }
  private var tiles: Int { rowTiles * columnTiles * contraction.batchCount }
  private var isColumnMajor: Bool { contraction.epilogue.isColumnMajor }
  private var stagedRow: Int { shape.stagedRow(columnMajor: isColumnMajor) }
  private var sharedBytes: Int {
    shape.sharedBytes(contraction.type, columnMajor: isColumnMajor)
  }

  /// The kernel's launch, added to what comes before it.
  func schedule(in before: StepPlan) throws(CUDASourceError) -> StepPlan {
    var plan = before
    var arguments =
      [contraction.a.argument, contraction.b.argument] + contraction.epilogue.arguments
    if splits > 1 {
      plan = try plan.withCounters(tiles)
      arguments = arguments.map { plan.moved($0, by: before) }
      let partials = plan.reserve(tiles * splits * shape.rows * shape.columns * 4)
      arguments += [.workspace(0), .workspace(partials)]
    }
    plan.launches.append(
      KernelLaunch(
        try source, grid: GridSize(tiles * splits), threads: shape.threads,
        sharedBytes: sharedBytes, arguments: arguments))
    return plan
  }

  private var source: KernelSource {
    get throws(CUDASourceError) {
      var parameters = contraction.factorParameters + contraction.epilogue.parameters
      if splits > 1 { parameters += ["int* counters", "\(sum)* partials"] }
      var text = KernelText()
      text.line(TileFeedText.placeFunction)
      try text.block(
        "KERNEL(\(shape.threads)) contraction(\(parameters.joined(separator: ", ")))"
      ) { (text) throws(CUDASourceError) in
        place(&text)
        feeds(&text)
        let results = TileStoreText(contraction, shape, row: stagedRow)
        results.loadEarly(&text)
        sums.declare(&text, a: a, b: b)
        mainLoop(&text)
        if splits > 1 { joinSplits(&text) }
        text.line("\(sum)* const staged = (\(sum)*)dynamic_shared;")
        sums.stage(&text, row: stagedRow, isColumnMajor: isColumnMajor)
        text.line("block_barrier();")
        try results.store(&text)
      }
      return KernelSource(entry: "contraction", body: text.text)
    }
  }

  // MARK: - Which tile

  private func place(_ text: inout KernelText) {
    text.line("const int thread = threadIdx.x;")
    text.line("int number = blockIdx.x;")
    if splits > 1 {
      text.line("const int split = number / \(tiles);")
      text.line("number %= \(tiles);")
      text.line("const int tile = number;")
    }
    if contraction.batchCount > 1 {
      let perBatch = rowTiles * columnTiles
      text.line("const int batch = number / \(perBatch);")
      text.line("number %= \(perBatch);")
      let space = IndexSpace(
        shape: contraction.batch,
        strides: [contraction.a.batchStrides, contraction.b.batchStrides])
      text.block("", end: "}") { text in
        text.lines(space.coordinates(of: "batch", prefix: "z"))
        text.line("a += \(space.offset(view: 0, prefix: "z"));")
        text.line("b += \(space.offset(view: 1, prefix: "z"));")
      }
      text.block("", end: "}") { $0.lines(contraction.epilogue.batchStatements) }
    }
    // Tiles that run at the same time share rows and columns: a band of columns, row by row.
    let band = min(columnTiles, 8)
    if columnTiles <= band {
      text.line("const int m0 = number / \(columnTiles) * \(shape.rows);")
      text.line("const int n0 = number % \(columnTiles) * \(shape.columns);")
    } else {
      let full = columnTiles / band * band, rest = columnTiles - full
      text.line("const int band = number / \(band * rowTiles);")
      text.line("const int within = number - band * \(band * rowTiles);")
      let width = rest == 0 ? "\(band)" : "(band < \(full / band) ? \(band) : \(rest))"
      text.line("const int m0 = within / \(width) * \(shape.rows);")
      text.line("const int n0 = (band * \(band) + within % \(width)) * \(shape.columns);")
    }
    if splits > 1 {
      text.line("const int steps = min(\(stepsOfSplit), \(steps) - split * \(stepsOfSplit));")
      text.line("const int k0 = split * \(stepsOfSplit * shape.depth);")
    } else {
      text.line("const int steps = \(steps), k0 = 0;")
    }
  }

  // MARK: - Main loop

  private func feeds(_ text: inout KernelText) {
    a.setup(&text, rows: contraction.rows)
    b.setup(&text, rows: [contraction.columns])
    text.block("auto copy_tiles = [&](int stage)", end: "};") { text in
      text.line(
        "unsigned char* target = dynamic_shared + stage * \(shape.stageBytes(contraction.type));")
      a.copy(&text, to: "target")
      b.copy(&text, to: "target + \(a.bytes)")
    }
  }

  private func mainLoop(_ text: inout KernelText) {
    let stages = shape.stages
    text.line("#pragma unroll 1")
    text.block("for (int stage = 0; stage < \(stages - 1); stage++)") { text in
      text.line("if (stage < steps) copy_tiles(stage);")
      text.line("copy_async_commit();")
    }
    text.line("int from = 0, to = \(stages - 1);")
    sums.loop(&text) { text in
      text.line("if (step + \(stages - 1) < steps) copy_tiles(to);")
      text.line("copy_async_commit();")
      text.line("to = to + 1 == \(stages) ? 0 : to + 1;")
    }
    text.line("copy_async_wait<0>();")
    text.line("block_barrier();")
  }

  // MARK: - Splits

  private func joinSplits(_ text: inout KernelText) {
    let size = shape.rows * shape.columns
    text.line("\(sum)* const parts = partials + (int64_t)tile * \(splits * size) + thread * 4;")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(shape.sums / 4); i++)") { text in
      text.line("Vector<\(sum), 4> part;")
      text.line("#pragma unroll")
      text.line("for (int j = 0; j < 4; j++) part.at[j] = \(sums.element("i * 4 + j"));")
      text.line("store_vector(parts + split * \(size) + i * \(shape.threads * 4), part);")
    }
    // Written parts become visible before they are counted; the last to count sees all of them.
    text.line("global_fence();")
    text.line("block_barrier();")
    text.line("SHARED int finished;")
    text.line("if (thread == 0) finished = atomic_add(counters + tile, 1);")
    text.line("block_barrier();")
    text.line("if (finished != \(splits - 1)) return;")
    text.line("if (thread == 0) counters[tile] = 0;")
    text.line("global_fence();")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(shape.sums / 4); i++)") { text in
      text.line("Vector<\(sum), 4> part[\(splits)];")
      text.line("#pragma unroll")
      text.line(
        "for (int s = 0; s < \(splits); s++)"
          + " part[s] = load_vector<4>(parts + s * \(size) + i * \(shape.threads * 4));")
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < 4; j++)") { text in
        text.line("\(sum) sum = part[0].at[j];")
        text.line("#pragma unroll")
        text.line("for (int s = 1; s < \(splits); s++) sum += part[s].at[j];")
        text.line("\(sums.element("i * 4 + j")) = sum;")
      }
    }
  }
}

extension StepPlan {
  /// The plan with zeroed counters at the start of its workspace.
  fileprivate func withCounters(_ count: Int) throws(CUDASourceError) -> StepPlan {
    guard zeroedWorkspaceBytes == 0 else {
      throw CUDASourceError("the workspace begins with other counters")
    }
    var plan = self
    plan.zeroedWorkspaceBytes = count * 4
    let room = ceilingQuotient(count * 4, 256) * 256
    plan.workspaceBytes += room
    for index in plan.launches.indices {
      plan.launches[index].arguments = launches[index].arguments.map { plan.moved($0, by: self) }
    }
    return plan
  }

  /// An argument of an earlier plan, whose workspace now begins later.
  fileprivate func moved(_ argument: KernelLaunch.Argument, by before: StepPlan)
    -> KernelLaunch.Argument
  {
    guard case .workspace(let offset) = argument else { return argument }
    return .workspace(offset + workspaceBytes - before.workspaceBytes)
  }
}

import TensorModel

/// The text of a persistent kernel.
struct PersistentKernel {
  let problem: HopperContraction
  let tile: HopperTile
  let stages: Int
  let blocks: Int
  var isBackward = false

  private var contraction: Contraction { problem.contraction }
  private var rowBytes: Int { tile.rows * problem.rowLine }
  private var columnBytes: Int { tile.columns * problem.columnLine }
  private var stageBytes: Int { tile.stageBytes(problem) }
  private var columnTiles: Int { ceilingQuotient(problem.columns, tile.columns) }
  private var tiles: Int { ceilingQuotient(problem.rowCount, tile.rows) * columnTiles }
  private var results: StagedResults {
    StagedResults(
      contraction.epilogue, tile, start: stages * stageBytes, blocks: blocks,
      isBackward: isBackward)
  }

  var source: KernelSource {
    get throws(CUDASourceError) {
      let parameters = ["TENSOR_MAP(a)", "TENSOR_MAP(b)"] + contraction.epilogue.parameters
      var text = KernelText()
      try text.block(
        "LONE_KERNEL(\(tile.threads)) contraction(\(parameters.joined(separator: ", ")))"
      ) { (text) throws(CUDASourceError) in
        begin(&text)
        text.block("if (warp_index() < 4)") { load(&$0) }
        try text.block("else") { (text) throws(CUDASourceError) in try multiply(&text) }
      }
      return KernelSource(
        entry: "contraction",
        body: HopperPrelude.text(contraction, columns: tile.columns) + text.text)
    }
  }

  private func begin(_ text: inout KernelText) {
    text.line("const uint32_t shared = shared_address(dynamic_shared);")
    text.line("const uint32_t shared_b = shared + \(stages * rowBytes);")
    text.line("const uint32_t full = shared + \(stages * stageBytes + results.bytes);")
    text.line("const uint32_t empty = full + \(8 * stages);")
    if tile.alternates { text.line("const uint32_t turn = empty + \(8 * stages);") }
    let readers = 4 * (tile.alternates ? 1 : tile.groups)
    text.block("if (threadIdx.x == 0)") { text in
      text.block("for (int i = 0; i < \(stages); i++)") { text in
        text.line("barrier_begin(full + 8 * i, 1);")
        text.line("barrier_begin(empty + 8 * i, \(readers));")
      }
      if tile.alternates {
        text.line("barrier_begin(turn, 4);")
        text.line("barrier_begin(turn + 8, 4);")
      }
      text.line("barriers_begun();")
      text.line("prefetch_map(&a);")
      text.line("prefetch_map(&b);")
    }
    text.line("block_barrier();")
    text.line("let_dependents_begin();")
  }

  private func eachTile(
    _ text: inout KernelText, _ body: (inout KernelText) throws(CUDASourceError) -> Void
  ) throws(CUDASourceError) {
    text.line("#pragma unroll 1")
    try text.block(
      "for (int tile = blockIdx.x, turns = 0; tile < \(tiles); tile += \(blocks), turns++)"
    ) { (text) throws(CUDASourceError) in
      text.lines(results.place(of: "tile", rows: "m0", columns: "n0"))
      try body(&text)
    }
  }

  // MARK: - Copies

  private func load(_ text: inout KernelText) {
    text.line("give_registers<40>();")
    text.line("if (threadIdx.x != 0) return;")
    text.line("wait_for_predecessor();")
    text.line("int stage = 0;")
    text.line("uint32_t phase = 1;")
    try? eachTile(&text) { text in
      text.lines(problem.tilePlace)
      text.lines(problem.depthPlace(first: nil))
      text.line("#pragma unroll 1")
      text.block("for (int step = 0; step < \(problem.steps); step++)") { text in
        text.line("const uint32_t bar = full + 8 * stage;")
        text.line("barrier_wait(empty + 8 * stage, phase);")
        text.line("barrier_expect(bar, \(stageBytes));")
        text.line(problem.copyRows(to: "shared + stage * \(rowBytes)", barrier: "bar"))
        text.line(problem.copyColumns(to: "shared_b + stage * \(columnBytes)", barrier: "bar"))
        problem.advance(&text)
        text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
      }
    }
  }

  // MARK: - Products

  private func multiply(_ text: inout KernelText) throws(CUDASourceError) {
    text.line("take_registers<\(tile.registers)>();")
    text.line("wait_for_predecessor();")
    text.line(
      "const int group = (threadIdx.x >> 7) - 1, warp = warp_index() & 3, lane = lane_index();")
    results.begin(&text)
    text.line("\(contraction.epilogue.sumStorage) sums[\(tile.blocks)][\(tile.columns / 2)];")
    if tile.alternates { text.line("int seen = 0;") }
    try eachTile(&text) { (text) throws(CUDASourceError) in
      if tile.alternates { text.line("if ((turns & 1) != group) continue;") }
      text.line("const uint32_t number = turns * \(problem.steps);")
      text.line("int stage = number % \(stages), before = 0;")
      text.line("uint32_t phase = number / \(stages) & 1;")
      results.ask(&text)
      if tile.alternates {
        // Parity tells neighbouring phases apart, no more: a main loop begins only after the other
        // warpgroup's has seen all of its stages.
        text.line(
          "if (group || seen) barrier_wait(turn + 8 * group, (group ? seen : seen - 1) & 1);")
      }
      mainLoop(&text)
      if tile.alternates { text.line("if (lane == 0) barrier_arrive(turn + 8 * (1 - group));") }
      text.line("products_wait<0>();")
      text.line("if (lane == 0) barrier_arrive(empty + 8 * before);")
      for block in 0..<tile.blocks { text.line("hold(sums[\(block)]);") }
      divided?.end(&text)
      try results.store(&text)
      if tile.alternates { text.line("seen++;") }
    }
  }

  private var divided: DividedProducts? {
    contraction.parts == 1
      ? nil
      : DividedProducts(
        parts: contraction.parts, columns: tile.columns, rowBytes: rowBytes, stages: stages,
        sums: (0..<tile.blocks).map { "sums[\($0)]" })
  }

  private func mainLoop(_ text: inout KernelText) {
    let first = tile.alternates ? "" : " + group * \(tile.blocks * 8192)"
    if let divided {
      divided.loop(&text, first: "dynamic_shared\(first)", steps: "0", to: "\(problem.steps)")
      return
    }
    text.line("#pragma unroll 1")
    text.block("for (int step = 0; step < \(problem.steps); step++)") { text in
      text.line("barrier_wait(full + 8 * stage, phase);")
      text.line("const uint64_t x = tile_descriptor(shared + stage * \(rowBytes)\(first));")
      text.line("const uint64_t y = tile_descriptor(shared_b + stage * \(columnBytes));")
      text.line("products_begin();")
      for part in 0..<4 {
        for block in 0..<tile.blocks {
          text.line(
            "multiply(sums[\(block)], x + \(block * 512 + part * 2), y + \(part * 2), "
              + (part == 0 ? "step);" : "1);"))
        }
      }
      text.line("products_commit();")
      // The step before has read its stage.
      text.line("products_wait<1>();")
      text.line("if (step && lane == 0) barrier_arrive(empty + 8 * before);")
      text.line("before = stage;")
      text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
    }
  }
}

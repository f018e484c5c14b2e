import TensorModel

/// The text of a kernel whose clusters each compute one tile.
struct SplitKernel {
  /// Four warps multiply, one has the copy engine bring tiles.
  static let threads = 160
  private static let rows = SplitTactic.rows

  let problem: HopperContraction
  let columns: Int
  let splits: Int
  let stages: Int
  let tiles: Int

  private var contraction: Contraction { problem.contraction }
  private var sum: String { contraction.epilogue.sumStorage }
  private var rowBytes: Int { Self.rows * problem.rowLine }
  private var columnBytes: Int { columns * problem.columnLine }
  private var stageBytes: Int { rowBytes + columnBytes }
  /// Floats from one row of sums to the next.
  private var sumsRow: Int { columns + 8 }
  private var sumsBytes: Int { Self.rows * sumsRow * 4 }
  /// Rows that each block of the cluster finishes.
  private var ownRows: Int { Self.rows / splits }
  private var vector: Int {
    var vector = contraction.epilogue.vector
    while vector > 4, ownRows * columns / vector < 128 { vector /= 2 }
    return vector
  }
  private var writer: EpilogueText {
    EpilogueText(epilogue: contraction.epilogue, vector: vector, common: columnOperands)
  }
  /// Operands that do not differ between rows, where all vectors of a thread are of the same columns.
  private var columnOperands: Set<Int> {
    guard 128 % (columns / vector) == 0 else { return [] }
    let epilogue = contraction.epilogue
    return Set(
      epilogue.operands.indices.filter { epilogue.isSameForAllRows(epilogue.operands[$0]) })
  }
  private var vectors: Int { ownRows * columns / vector }
  private var slots: Int { ceilingQuotient(vectors, 128) }

  var sharedBytes: Int { stages * stageBytes + sumsBytes + 16 * stages }

  var source: KernelSource {
    get throws(CUDASourceError) {
      let parameters = ["TENSOR_MAP(a)", "TENSOR_MAP(b)"] + contraction.epilogue.parameters
      var text = KernelText()
      try text.block(
        "EARLY_KERNEL(\(Self.threads)) contraction(\(parameters.joined(separator: ", ")))"
      ) { (text) throws(CUDASourceError) in
        begin(&text)
        text.block("if (warp_index() == 4)") { text in
          text.block("if (lane == 0)") { load(&$0) }
          text.line("warp_barrier();")
          if splits > 1 { text.line("cluster_wait(); cluster_arrive(); cluster_wait();") }
          text.line("return;")
        }
        multiply(&text)
        join(&text)
        try store(&text)
      }
      return KernelSource(
        entry: "contraction",
        body: HopperPrelude.text(contraction, columns: columns) + text.text)
    }
  }

  private func begin(_ text: inout KernelText) {
    let columnTiles = ceilingQuotient(problem.columns, columns)
    text.line("const int lane = lane_index(), warp = warp_index();")
    text.line("const uint32_t shared = shared_address(dynamic_shared);")
    text.line("const uint32_t shared_b = shared + \(stages * rowBytes);")
    text.line("const uint32_t full = shared + \(stages * stageBytes + sumsBytes);")
    text.line("const uint32_t empty = full + \(8 * stages);")
    text.line("const int rank = blockIdx.x % \(splits), tile = blockIdx.x / \(splits);")
    text.line("const int m0 = tile / \(columnTiles) * \(Self.rows);")
    text.line("const int n0 = tile % \(columnTiles) * \(columns);")
    text.line("const int begin = \(problem.steps) * rank / \(splits);")
    text.line("const int end = \(problem.steps) * (rank + 1) / \(splits);")
    text.block("if (threadIdx.x == 128)") { text in
      text.line("prefetch_map(&a);")
      text.line("prefetch_map(&b);")
      text.block("for (int i = 0; i < \(stages); i++)") { text in
        text.line("barrier_begin(full + 8 * i, 1);")
        text.line("barrier_begin(empty + 8 * i, 4);")
      }
      text.line("barriers_begun();")
    }
    text.line("block_barrier();")
    // Nothing is sent to a block before it runs.
    if splits > 1 { text.line("cluster_arrive();") }
    text.line("let_dependents_begin();")
  }

  // MARK: - Copies

  private func load(_ text: inout KernelText) {
    let columnPlace = "shared_b + stage * \(columnBytes)"
    text.line("int stage = 0;")
    if problem.contraction.b.isConstant {
      // Constants do not depend on the kernel before.
      text.block("", end: "}") { text in
        text.lines(problem.depthPlace(first: "begin"))
        text.block("for (; stage < \(stages) && begin + stage < end; stage++)") { text in
          text.line("barrier_expect(full + 8 * stage, \(stageBytes));")
          text.line(problem.copyColumns(to: columnPlace, barrier: "full + 8 * stage"))
          problem.advance(&text)
        }
        text.block("for (; begin + stage < end; stage++)") { text in
          text.line(problem.prefetchColumns)
          problem.advance(&text)
        }
      }
      text.line("stage = 0;")
    }
    text.line("wait_for_predecessor();")
    text.line("uint32_t phase = 1;")
    text.lines(problem.tilePlace)
    text.lines(problem.depthPlace(first: "begin"))
    text.block("for (int step = begin; step < end; step++)") { text in
      let head = problem.contraction.b.isConstant ? "if (step - begin >= \(stages))" : ""
      text.block(head) { text in
        text.line("barrier_wait(empty + 8 * stage, phase);")
        text.line("barrier_expect(full + 8 * stage, \(stageBytes));")
        text.line(problem.copyColumns(to: columnPlace, barrier: "full + 8 * stage"))
      }
      text.line(
        problem.copyRows(to: "shared + stage * \(rowBytes)", barrier: "full + 8 * stage"))
      problem.advance(&text)
      text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
    }
  }

  // MARK: - Products

  private func multiply(_ text: inout KernelText) {
    text.line("wait_for_predecessor();")
    if !contraction.epilogue.operands.isEmpty {
      text.lines(writer.declarations(count: slots))
      if !columnOperands.isEmpty {
        text.block("") { text in
          text.line(
            "const int row = 0, column = n0 + threadIdx.x % \(columns / vector) * \(vector);")
          text.block("if (column < \(problem.columns))") { $0.lines(writer.commonLoads) }
        }
      }
      if columnOperands.count < contraction.epilogue.operands.count {
        eachSlot(&text) { $0.lines(writer.loads(slot: "slot")) }
      }
    }
    text.line("\(sum) sums[\(columns / 2)];")
    text.line("int stage = 0, before = 0;")
    text.line("uint32_t phase = 0;")
    let divided = DividedProducts(
      parts: contraction.parts, columns: columns, rowBytes: rowBytes, stages: stages,
      sums: ["sums"])
    if contraction.parts > 1 {
      divided.loop(&text, first: "dynamic_shared", steps: "begin", to: "end")
    } else {
      products(&text)
    }
    text.line("products_wait<0>();")
    text.line("hold(sums);")
    if contraction.parts > 1 { divided.end(&text) }
  }

  private func products(_ text: inout KernelText) {
    text.line("#pragma unroll 1")
    text.block("for (int step = begin; step < end; step++)") { text in
      text.line("barrier_wait(full + 8 * stage, phase);")
      text.line("const uint64_t x = tile_descriptor(shared + stage * \(rowBytes));")
      text.line("const uint64_t y = tile_descriptor(shared_b + stage * \(columnBytes));")
      text.line("products_begin();")
      for part in 0..<4 {
        let adds = part == 0 ? "step - begin" : "1"
        text.line("multiply(sums, x + \(part * 2), y + \(part * 2), \(adds));")
      }
      text.line("products_commit();")
      text.line("products_wait<1>();")
      text.line("if (step > begin && lane == 0) barrier_arrive(empty + 8 * before);")
      text.line("before = stage;")
      text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
    }
  }

  /// Sends each row of sums to the block that finishes it.
  private func join(_ text: inout KernelText) {
    if splits > 1 {
      text.line("warp_barrier();")
      text.line("cluster_wait();")
    }
    // Neighbouring lanes exchange halves, so that each has four columns of one row.
    text.line("const uint32_t parts = shared + \(stages * stageBytes);")
    text.line("const bool odd = lane & 1;")
    text.line("const int line = warp * 16 + (lane & 1) * 8 + lane / 4;")
    text.line(
      "const uint32_t own = parts + ((rank * \(ownRows) + line % \(ownRows)) * \(sumsRow) + lane % 4 / 2 * 4) * 4;"
    )
    text.line(
      "const uint32_t at = \(splits > 1 ? "remote_address(own, line / \(ownRows))" : "own");")
    text.line("#pragma unroll")
    text.block("for (int j = 0; j < \(columns / 8); j++)") { text in
      text.line("const \(sum)* const four = sums + j * 4;")
      text.line("const \(sum) x = shuffle_xor(odd ? four[0] : four[2], 1);")
      text.line("const \(sum) y = shuffle_xor(odd ? four[1] : four[3], 1);")
      text.line(
        "store_remote(at + j * 32, odd ? x : four[0], odd ? y : four[1], odd ? four[2] : x, odd ? four[3] : y);"
      )
    }
    text.line(splits > 1 ? "cluster_arrive(); cluster_wait();" : "group_barrier(1, 128);")
  }

  // MARK: - Results

  private func eachSlot(_ text: inout KernelText, _ body: (inout KernelText) -> Void) {
    let pieces = columns / vector
    let tail = vectors % 128 == 0 ? "" : "index < \(vectors) && "
    text.line("#pragma unroll")
    text.block("for (int slot = 0; slot < \(slots); slot++)") { text in
      text.line("const int index = threadIdx.x + slot * 128;")
      text.line("const int line = index / \(pieces), piece = index % \(pieces) * \(vector);")
      text.line("const int row = m0 + rank * \(ownRows) + line, column = n0 + piece;")
      text.block(
        "if (\(tail)row < \(problem.rowCount) && column < \(problem.columns))", body)
    }
  }

  private func store(_ text: inout KernelText) throws(CUDASourceError) {
    let results = try writer.results(slot: "slot", sum: "total.at[j]")
    text.line(
      "const \(sum)* const partial = (const \(sum)*)(dynamic_shared + \(stages * stageBytes));")
    eachSlot(&text) { text in
      text.line("Vector<\(sum), \(vector)> total;")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < \(vector); j++) total.at[j] = \(contraction.epilogue.zeroSum);")
      text.line("#pragma unroll")
      text.block("for (int part = 0; part < \(splits); part++)") { text in
        text.line("#pragma unroll")
        text.block("for (int quad = 0; quad < \(vector); quad += 4)") { text in
          text.line(
            "const Vector<\(sum), 4> some = load_vector<4>(partial + (part * \(ownRows) + line) * \(sumsRow) + piece + quad);"
          )
          text.line("#pragma unroll")
          text.line("for (int j = 0; j < 4; j++) total.at[quad + j] += some.at[j];")
        }
      }
      text.lines(results)
    }
  }
}

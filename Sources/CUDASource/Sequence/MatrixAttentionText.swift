import KernelModel
import ProgramModel
import TensorModel

/// The text of `MatrixAttention`.
struct MatrixAttentionText {
  let tactic: MatrixAttention
  let store: StoreText

  var shape: AttentionShape { tactic.shape }
  var tile: MatrixAttention.Tile { tactic.tile }
  private var type: String { shape.query.dataType.cudaStorage ?? "half_t" }
  private var isHalf: Bool { shape.query.dataType == .float16 }
  private var multiply: String {
    tactic.isDivided ? "mma_divided" : isHalf ? "mma_half" : "mma_bfloat"
  }
  private var pack: String { isHalf ? "floats_to_halves" : "floats_to_bfloats" }
  private var scoreTiles: Int { tile.keysPerWarp / 8 }
  var resultTiles: Int { tactic.width / 8 }
  private var isPipelined: Bool { tactic.keyTiles > 1 }
  /// Fragments of the queries stay in registers where there is room.
  private var keepsQuery: Bool { shape.depth * tactic.elementBytes <= 256 }
  /// Elements along the sum of a fragment.
  private var fragmentDepth: Int { 2 * tactic.chunk }
  private var depthSteps: Int { tactic.depth / fragmentDepth }
  /// Nothing happens to scores but scaling, which then happens together with the exponential.
  private var foldsScale: Bool {
    shape.mask == nil && shape.problem.softCap == 0 && shape.problem.scale > 0
  }
  /// Scores times this are powers of two.
  var exponent: String {
    let log2e = 1.442695040888963407
    return DataType.float32.cudaLiteral(foldsScale ? shape.problem.scale * log2e : log2e)
  }

  func body() throws(CUDASourceError) -> String {
    var text = KernelText()
    loader(&text)
    let parameters = (shape.parameters + store.parameters).joined(separator: ", ")
    try text.block("KERNEL(\(tile.threads)) attention_mma(\(parameters))") {
      text throws(CUDASourceError) in
      begin(&text)
      text.block("for (int tile = 0; tile < tiles; tile++)") { text in
        loadTerms(&text)
        productOfQueryAndKey(&text)
        maskScores(&text)
        softmax(&text)
        productWithValue(&text)
      }
      try finish(&text)
    }
    return text.text
  }

  /// A function that starts copies of rows of a matrix into shared memory; rows beyond `limit` are zero.
  private func loader(_ text: inout KernelText) {
    text.line("template <int rows, int columns, int pitch, int stride, int length>")
    text.block(
      "DEVICE void load_rows(\(type)* shared, const \(type)* global, int first, int limit)"
    ) {
      $0.line(
        """
        const int chunks = columns / length, threads = \(tile.threads);
        const int row = threadIdx.x / chunks, column = threadIdx.x % chunks * length;
        if (threads % chunks == 0) {
          const int step = threads / chunks;
          #pragma unroll
          for (int i = 0; i < rows; i += step)
            if (rows % step == 0 || row + i < rows)
              copy_async<length * \(tactic.elementBytes)>(shared + row * pitch + column + i * pitch, global + (first + row) * stride + column + i * stride, first + row + i < limit);
        } else {
          for (int at = threadIdx.x; at < rows * chunks; at += threads)
            copy_async<length * \(tactic.elementBytes)>(shared + at / chunks * pitch + at % chunks * length, global + (first + at / chunks) * stride + at % chunks * length, first + at / chunks < limit);
        }
        """)
    }
  }

  private func load(
    _ view: View, _ name: String, rows: Int, pitch: Int, to target: String, first: String
  )
    -> String
  {
    let length = view.vectorLength(limit: tactic.chunk)
    return """
      load_rows<\(rows), \(view.shape[3]), \(pitch), \(view.strides[2]), \(length)>\
      (\(target), \(name), \(first), \(view.shape[2]));
      """
  }

  private func loadKey(_ number: String, _ buffer: String) -> String {
    load(
      shape.key, "key", rows: tile.keys, pitch: tactic.depthPitch,
      to: "keys + \(buffer) * \(tile.keys * tactic.depthPitch)", first: "(\(number)) * \(tile.keys)"
    )
  }

  private func loadValue(_ number: String, _ buffer: String) -> String {
    load(
      shape.value, "value", rows: tile.keys, pitch: tactic.widthPitch,
      to: "values + \(buffer) * \(tile.keys * tactic.widthPitch)",
      first: "(\(number)) * \(tile.keys)")
  }

  private func begin(_ text: inout KernelText) {
    let keysStart = tile.rows * tactic.depthPitch
    let valuesStart = keysStart + tactic.buffers * tile.keys * tactic.depthPitch
    // Blocks that see the most keys come first.
    let order = shape.problem.isCausal ? "\(tactic.rowTiles - 1) - " : ""
    text.line(
      """
      \(type)* const queries = (\(type)*)dynamic_shared;
      \(type)* const keys = queries + \(keysStart);
      \(type)* const values = queries + \(valuesStart);
      const int lane = lane_index(), warp = warp_index();
      const int warp_row = warp % \(tile.rowWarps) * 16, warp_key = warp / \(tile.rowWarps) * \(tile.keysPerWarp);
      const int first_row = (\(order)(int)blockIdx.x % \(tactic.rowTiles)) * \(tile.rows);
      const int head = blockIdx.x / \(tactic.rowTiles), h = head % \(shape.heads), b = head / \(shape.heads);
      """)
    text.lines(shape.toHead)
    if tactic.depth != shape.depth {
      let rows = tile.rows + tactic.buffers * tile.keys
      text.line(
        """
        for (int i = threadIdx.x; i < \(rows * (tactic.depth - shape.depth)); i += \(tile.threads)) {
          const int row = i / \(tactic.depth - shape.depth), column = \(shape.depth) + i % \(tactic.depth - shape.depth);
          queries[row * \(tactic.depthPitch) + column] = store<\(type)>(0.0f);
        }
        """)
    }
    let last = "first_row + \(tile.rows - 1 + 1 + shape.causalOffset)"
    text.line(
      shape.problem.isCausal
        ? "const int tiles = min(max((\(last) + \(tile.keys - 1)) / \(tile.keys), 0), \(tactic.keyTiles));"
        : "const int tiles = \(tactic.keyTiles);")
    text.line(
      load(
        shape.query, "query", rows: tile.rows, pitch: tactic.depthPitch, to: "queries",
        first: "first_row"))
    text.line(loadKey("0", "0"))
    text.line("copy_async_commit();")
    text.line(loadValue("0", "0"))
    text.line(
      """
      copy_async_commit();
      float results[\(resultTiles)][4] = {}, largest[2] = {-INFINITY_F, -INFINITY_F}, total[2] = {0, 0};
      """)
    if keepsQuery { text.line("uint32_t q[\(depthSteps)][4];") }
  }

  private var readQuery: String {
    """
    load_matrices(fragment, queries + (warp_row + lane % 16) * \(tactic.depthPitch) + step * \(fragmentDepth) + lane / 16 * \(tactic.chunk));
    """
  }

  /// The product of fragments of queries and keys.
  private var addScores: String {
    guard tactic.isDivided else {
      return """
        const uint32_t k0[2] = {k[0], k[1]}, k1[2] = {k[2], k[3]};
        \(multiply)(scores[n], fragment, k0);
        \(multiply)(scores[n + 1], fragment, k1);
        """
    }
    return """
      uint32_t k0[2], k1[2];
      divide_floats(k[0], k[1], k0[0], k0[1]);
      divide_floats(k[2], k[3], k1[0], k1[1]);
      mma_divided(scores[n], parts, k0);
      mma_divided(scores[n + 1], parts, k1);
      """
  }

  private func productOfQueryAndKey(_ text: inout KernelText) {
    text.line("copy_async_wait<1>();")
    text.line("block_barrier();")
    if isPipelined {
      text.block("if (tile + 1 < tiles)") {
        $0.line(loadKey("tile + 1", "((tile + 1) % 2)"))
      }
      text.line("copy_async_commit();")
      text.block("if (tile + 1 < tiles)") {
        $0.line(loadValue("tile + 1", "((tile + 1) % 2)"))
      }
      text.line("copy_async_commit();")
    }
    if keepsQuery {
      text.block("if (tile == 0)") {
        $0.line("#pragma unroll")
        $0.block("for (int step = 0; step < \(depthSteps); step++)") {
          $0.line("uint32_t (&fragment)[4] = q[step];")
          $0.line(readQuery)
        }
      }
    }
    let buffer = isPipelined ? "tile % 2 * \(tile.keys * tactic.depthPitch) + " : ""
    text.line("float scores[\(scoreTiles)][4] = {};")
    text.line("#pragma unroll")
    text.block("for (int step = 0; step < \(depthSteps); step++)") {
      if keepsQuery {
        $0.line("const uint32_t (&fragment)[4] = q[step];")
      } else {
        $0.line("uint32_t fragment[4];")
        $0.line(readQuery)
      }
      if tactic.isDivided {
        $0.line("uint32_t parts[4];")
        $0.line("divide_floats(fragment[0], fragment[2], parts[0], parts[2]);")
        $0.line("divide_floats(fragment[1], fragment[3], parts[1], parts[3]);")
      }
      $0.line("#pragma unroll")
      $0.block("for (int n = 0; n < \(scoreTiles); n += 2)") {
        $0.line(
          """
          uint32_t k[4];
          load_matrices(k, keys + \(buffer)(warp_key + n * 8 + lane / 16 * 8 + lane % 8) * \(tactic.depthPitch) + step * \(fragmentDepth) + lane / 8 % 2 * \(tactic.chunk));
          """)
        $0.line(addScores)
      }
    }
  }

  /// What the mask adds to the keys of the tile, on its way while keys are waited for.
  private func loadTerms(_ text: inout KernelText) {
    guard loadsTerms, let term = shape.maskTerm(row: "0", column: "column") else { return }
    text.line("float terms[\(scoreTiles)][2];")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(scoreTiles * 2); i++)") {
      $0.line("const int column = \(firstColumn) + i / 2 * 8 + lane % 4 * 2 + i % 2;")
      $0.line(
        cutsKeys
          ? "terms[i / 2][i % 2] = column < \(shape.keys) ? \(term) : -INFINITY_F;"
          : "terms[i / 2][i % 2] = \(term);")
    }
  }

  private var loadsTerms: Bool { shape.masksKeysOnly }
  private var firstColumn: String { "tile * \(tile.keys) + warp_key" }
  /// Whether the last tile has keys beyond the last.
  private var cutsKeys: Bool { tactic.keyTiles * tile.keys != shape.keys }

  private func maskScores(_ text: inout KernelText) {
    var conditions: [String] = []
    if cutsKeys && !loadsTerms { conditions.append("column >= \(shape.keys)") }
    if shape.problem.isCausal { conditions.append("column > row + \(shape.causalOffset)") }
    if foldsScale && conditions.isEmpty { return }
    if !foldsScale {
      maskEach(&text, conditions)
      return
    }
    // Most tiles exclude nothing.
    var tests: [String] = []
    if cutsKeys { tests.append("tile == \(tactic.keyTiles - 1)") }
    if shape.problem.isCausal {
      let last = "\(firstColumn) + \(tile.keysPerWarp - 1)"
      tests.append("\(last) > first_row + warp_row + \(shape.causalOffset)")
    }
    text.block("if (\(tests.joined(separator: " || ")))") { maskEach(&$0, conditions) }
  }

  /// Excludes keys under any of the conditions and applies to other scores what they need.
  private func maskEach(_ text: inout KernelText, _ conditions: [String]) {
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(scoreTiles * 4); i++)") { text in
      text.line("float& score = scores[i / 4][i % 4];")
      text.line("const int row = first_row + warp_row + lane / 4 + i / 2 % 2 * 8;")
      text.line("const int column = \(firstColumn) + i / 4 * 8 + lane % 4 * 2 + i % 2;")
      if !conditions.isEmpty {
        let excluded = conditions.joined(separator: " || ")
        text.line("if (\(excluded)) { score = -INFINITY_F; continue; }")
      }
      if foldsScale { return }
      // Rows beyond the last are computed like it and not stored.
      let source = "min(row, \(shape.queries - 1))"
      let term = loadsTerms ? "terms[i / 4][i % 2]" : shape.maskTerm(row: source, column: "column")
      text.lines(shape.finish(score: "score", term: term))
    }
  }

  private func softmax(_ text: inout KernelText) {
    text.line("#pragma unroll")
    text.block("for (int r = 0; r < 2; r++)") {
      $0.line(
        """
        float high = largest[r];
        #pragma unroll
        for (int n = 0; n < \(scoreTiles); n++) high = fmaxf(high, fmaxf(scores[n][2 * r], scores[n][2 * r + 1]));
        high = fmaxf(high, shuffle_xor(high, 1));
        high = fmaxf(high, shuffle_xor(high, 2));
        const float reference = high == -INFINITY_F ? 0.0f : high;
        const float factor = power_of_two((largest[r] - reference) * \(exponent));
        largest[r] = high;
        total[r] *= factor;
        #pragma unroll
        for (int n = 0; n < \(resultTiles); n++) { results[n][2 * r] *= factor; results[n][2 * r + 1] *= factor; }
        #pragma unroll
        for (int n = 0; n < \(scoreTiles); n++) {
          float (&s)[4] = scores[n];
          s[2 * r] = power_of_two((s[2 * r] - reference) * \(exponent));
          s[2 * r + 1] = power_of_two((s[2 * r + 1] - reference) * \(exponent));
          total[r] += s[2 * r] + s[2 * r + 1];
        }
        """)
    }
  }

  private func productWithValue(_ text: inout KernelText) {
    let buffer = isPipelined ? "tile % 2 * \(tile.keys * tactic.widthPitch) + " : ""
    text.line("copy_async_wait<\(isPipelined ? 2 : 0)>();")
    text.line("block_barrier();")
    text.line("#pragma unroll")
    text.block("for (int step = 0; step < \(tile.keysPerWarp / fragmentDepth); step++)") {
      $0.line(tactic.isDivided ? addDivided(buffer) : addHalves(buffer))
    }
  }

  private func addHalves(_ buffer: String) -> String {
    """
    const float (&s)[4] = scores[2 * step], (&t)[4] = scores[2 * step + 1];
    const uint32_t p[4] = {\(pack)(s[0], s[1]), \(pack)(s[2], s[3]), \(pack)(t[0], t[1]), \(pack)(t[2], t[3])};
    #pragma unroll
    for (int n = 0; n < \(resultTiles); n += 2) {
      uint32_t v[4];
      load_matrices_transposed(v, values + \(buffer)(warp_key + step * 16 + lane % 16) * \(tactic.widthPitch) + n * 8 + lane / 16 * 8);
      const uint32_t v0[2] = {v[0], v[1]}, v1[2] = {v[2], v[3]};
      \(multiply)(results[n], p, v0);
      \(multiply)(results[n + 1], p, v1);
    }
    """
  }

  private func addDivided(_ buffer: String) -> String {
    """
    const float (&s)[4] = scores[step];
    uint32_t p[4];
    divide_floats(s[0], s[1], p[0], p[2]);
    divide_floats(s[2], s[3], p[1], p[3]);
    const float* const v = values + \(buffer)(warp_key + step * 8 + lane % 4 * 2) * \(tactic.widthPitch) + lane / 4;
    #pragma unroll
    for (int n = 0; n < \(resultTiles); n++) {
      uint32_t pair[2];
      divide_floats(v[n * 8], v[\(tactic.widthPitch) + n * 8], pair[0], pair[1]);
      mma_divided(results[n], p, pair);
    }
    """
  }
}

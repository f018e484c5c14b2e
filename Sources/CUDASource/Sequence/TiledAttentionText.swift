import KernelModel
import ProgramModel
import TensorModel

/// The text of `TiledAttention`.
struct TiledAttentionText {
  let tactic: TiledAttention
  let store: StoreText

  private var shape: AttentionShape { tactic.shape }

  func body() throws(CUDASourceError) -> String {
    var text = KernelText()
    loader(&text)
    let parameters = (shape.parameters + store.parameters).joined(separator: ", ")
    try text.block("KERNEL(\(tactic.threads)) attention_tiled(\(parameters))") {
      text throws(CUDASourceError) in
      begin(&text)
      text.block("for (int tile = 0; tile < tiles; tile++)") { text in
        text.line("copy_async_wait<1>();")
        text.line("block_barrier();")
        productOfQueryAndKey(&text)
        maskScores(&text)
        softmax(&text)
        next(&text, loadKey, before: "copy_async_wait<0>();")
        productWithValue(&text)
        next(&text, loadValue, before: "")
      }
      try finish(&text)
    }
    return text.text
  }

  /// A function that starts copies of rows of a matrix into shared memory; what lies outside is zero.
  private func loader(_ text: inout KernelText) {
    text.line(
      "template <int rows, int columns, int padded, int pitch, int stride, int step, int length>")
    text.block("DEVICE void load_rows(float* shared, const float* global, int first, int limit)") {
      $0.line(
        """
        const int chunks = padded / length;
        for (int at = threadIdx.x; at < rows * chunks; at += \(tactic.threads)) {
          const int row = at / chunks, column = at % chunks * length;
          copy_async<length * 4>(shared + row * pitch + column, global + (first + row) * stride + column * step, first + row < limit && column < columns);
        }
        """)
    }
  }

  private func load(
    _ view: View, _ name: String, rows: Int, padded: Int, pitch: Int, to target: String,
    first: String
  ) -> String {
    """
    load_rows<\(rows), \(view.shape[3]), \(padded), \(pitch), \(view.strides[2]), \
    \(view.strides[3]), \(view.vectorLength(limit: 4))>(\(target), \(name), \(first), \(view.shape[2]));
    """
  }

  private func loadKey(_ number: String) -> String {
    load(
      shape.key, "key", rows: tactic.tileKeys, padded: tactic.depth, pitch: tactic.depthPitch,
      to: "keys", first: "(\(number)) * \(tactic.tileKeys)")
  }

  private func loadValue(_ number: String) -> String {
    load(
      shape.value, "value", rows: tactic.tileKeys, padded: tactic.width, pitch: tactic.width,
      to: "values", first: "(\(number)) * \(tactic.tileKeys)")
  }

  private func begin(_ text: inout KernelText) {
    let order = shape.problem.isCausal ? "\(tactic.rowTiles - 1) - " : ""
    text.line(
      """
      float* const queries = (float*)dynamic_shared;
      float* const keys = queries + \(tactic.rows * tactic.depthPitch);
      float* const values = keys + \(tactic.tileKeys * tactic.depthPitch);
      float* const weights = values + \(tactic.tileKeys * tactic.width);
      const int lane = threadIdx.x % 16, place = threadIdx.x / 16 * \(tactic.rowsPerThread);
      const int first_row = (\(order)(int)blockIdx.x % \(tactic.rowTiles)) * \(tactic.rows);
      const int head = blockIdx.x / \(tactic.rowTiles), h = head % \(shape.heads), b = head / \(shape.heads);
      """)
    text.lines(shape.toHead)
    let reach = tactic.rows + shape.causalOffset + tactic.tileKeys - 1
    text.line(
      shape.problem.isCausal
        ? "const int tiles = min(max((first_row + \(reach)) / \(tactic.tileKeys), 0), \(tactic.keyTiles));"
        : "const int tiles = \(tactic.keyTiles);")
    text.line(
      load(
        shape.query, "query", rows: tactic.rows, padded: tactic.depth, pitch: tactic.depthPitch,
        to: "queries", first: "first_row"))
    text.line(loadKey("0"))
    text.line("copy_async_commit();")
    text.line(loadValue("0"))
    let n = tactic.rowsPerThread
    text.line(
      """
      copy_async_commit();
      float results[\(n)][\(tactic.columnGroups)][\(tactic.columnLength)] = {}, largest[\(n)], total[\(n)] = {};
      for (int r = 0; r < \(n); r++) largest[r] = -INFINITY_F;
      """)
  }

  private func next(_ text: inout KernelText, _ load: (String) -> String, before: String) {
    if !before.isEmpty { text.line(before) }
    text.line("block_barrier();")
    if tactic.keyTiles == 1 { return }
    text.line("if (tile + 1 < tiles) \(load("tile + 1"))")
    text.line("copy_async_commit();")
  }

  private func productOfQueryAndKey(_ text: inout KernelText) {
    let (n, c) = (tactic.rowsPerThread, tactic.keysPerThread)
    text.line("float scores[\(n)][\(c)] = {};")
    text.line("#pragma unroll 4")
    text.block("for (int d = 0; d < \(tactic.depth); d += 4)") {
      $0.line(
        """
        Vector<float, 4> k[\(c)];
        #pragma unroll
        for (int j = 0; j < \(c); j++) k[j] = load_vector<4>(keys + (lane + j * 16) * \(tactic.depthPitch) + d);
        #pragma unroll
        for (int r = 0; r < \(n); r++) {
          const Vector<float, 4> q = load_vector<4>(queries + (place + r) * \(tactic.depthPitch) + d);
          #pragma unroll
          for (int j = 0; j < \(c); j++)
            #pragma unroll
            for (int i = 0; i < 4; i++) scores[r][j] = fmaf(q.at[i], k[j].at[i], scores[r][j]);
        }
        """)
    }
  }

  private func maskScores(_ text: inout KernelText) {
    var conditions: [String] = []
    if tactic.keyTiles * tactic.tileKeys != shape.keys {
      conditions.append("column >= \(shape.keys)")
    }
    if shape.problem.isCausal { conditions.append("column > row + \(shape.causalOffset)") }
    text.line("#pragma unroll")
    text.block("for (int r = 0; r < \(tactic.rowsPerThread); r++)") { text in
      text.line("const int row = first_row + place + r, source = min(row, \(shape.queries - 1));")
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(tactic.keysPerThread); j++)") { text in
        text.line("float& score = scores[r][j];")
        text.line("const int column = tile * \(tactic.tileKeys) + lane + j * 16;")
        if !conditions.isEmpty {
          text.line(
            "if (\(conditions.joined(separator: " || "))) { score = -INFINITY_F; continue; }")
        }
        let term = shape.maskTerm(row: "source", column: "column")
        text.lines(shape.finish(score: "score", term: term))
      }
    }
  }

  private func softmax(_ text: inout KernelText) {
    let c = tactic.keysPerThread
    text.line("#pragma unroll")
    text.block("for (int r = 0; r < \(tactic.rowsPerThread); r++)") {
      $0.line(
        """
        float high = largest[r];
        #pragma unroll
        for (int j = 0; j < \(c); j++) high = fmaxf(high, scores[r][j]);
        #pragma unroll
        for (int i = 8; i > 0; i /= 2) high = fmaxf(high, shuffle_xor(high, i));
        const float reference = high == -INFINITY_F ? 0.0f : high;
        const float factor = expf(largest[r] - reference);
        largest[r] = high;
        float sum = 0;
        #pragma unroll
        for (int j = 0; j < \(c); j++) {
          const float weight = expf(scores[r][j] - reference);
          weights[(place + r) * \(tactic.weightPitch) + lane + j * 16] = weight;
          sum += weight;
        }
        total[r] = total[r] * factor + sum;
        #pragma unroll
        for (int g = 0; g < \(tactic.columnGroups); g++)
          #pragma unroll
          for (int i = 0; i < \(tactic.columnLength); i++) results[r][g][i] *= factor;
        """)
    }
  }

  private func productWithValue(_ text: inout KernelText) {
    let (n, groups, length) = (tactic.rowsPerThread, tactic.columnGroups, tactic.columnLength)
    text.line("#pragma unroll 2")
    text.block("for (int t = 0; t < \(tactic.tileKeys); t += 4)") {
      $0.line(
        """
        Vector<float, 4> w[\(n)];
        #pragma unroll
        for (int r = 0; r < \(n); r++) w[r] = load_vector<4>(weights + (place + r) * \(tactic.weightPitch) + t);
        #pragma unroll
        for (int i = 0; i < 4; i++)
          #pragma unroll
          for (int g = 0; g < \(groups); g++) {
            const Vector<float, \(length)> v = load_vector<\(length)>(values + (t + i) * \(tactic.width) + (g * 16 + lane) * \(length));
            #pragma unroll
            for (int r = 0; r < \(n); r++)
              #pragma unroll
              for (int j = 0; j < \(length); j++) results[r][g][j] = fmaf(w[r].at[i], v.at[j], results[r][g][j]);
          }
        """)
    }
  }

  private func finish(_ text: inout KernelText) throws(CUDASourceError) {
    let length = tactic.columnLength
    let isVector =
      store.output.vectorLength(limit: length) == length
      && store.output.dataType.byteCount * length <= 16
    let coordinates = ["b", "h", "row", "(column + i)"]
    let (statements, element) = try store.element(of: "value", at: coordinates)
    text.line("copy_async_wait<0>();")
    text.line("#pragma unroll")
    text.block("for (int r = 0; r < \(tactic.rowsPerThread); r++)") { text in
      text.line(
        """
        float sum = total[r];
        #pragma unroll
        for (int i = 8; i > 0; i /= 2) sum += shuffle_xor(sum, i);
        const int row = first_row + place + r;
        if (row >= \(shape.queries)) continue;
        #pragma unroll
        """)
      text.block("for (int g = 0; g < \(tactic.columnGroups); g++)") { text in
        text.line("const int column = (g * 16 + lane) * \(length);")
        if isVector { text.line("Vector<\(store.storage), \(length)> stored;") }
        text.line("if (column >= \(shape.width)) continue;")
        text.line("#pragma unroll")
        text.block("for (int i = 0; i < \(length); i++)") {
          if !isVector { $0.line("if (column + i >= \(shape.width)) break;") }
          $0.line("const float value = sum == 0 ? 0.0f : results[r][g][i] / sum;")
          $0.lines(statements)
          $0.line(
            isVector
              ? "stored.at[i] = \(element);"
              : "output[\(store.place(at: coordinates))] = \(element);")
        }
        if isVector {
          let place = store.place(at: ["b", "h", "row", "column"])
          text.line("store_vector(output + \(place), stored);")
        }
      }
    }
  }
}

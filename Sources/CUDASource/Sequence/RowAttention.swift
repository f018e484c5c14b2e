import KernelModel
import ProgramModel
import TensorModel

/// Attention of any types, extents and strides: a warp for each query, 32 keys at a time.
struct RowAttention: CUDATactic {
  private let shape: AttentionShape

  let name = "attention rows"

  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    AttentionShape(request.step).map { [RowAttention(shape: $0)] } ?? []
  }

  func estimate(_ request: CUDARequest) -> Double {
    // Neighbouring lanes read keys far apart: a load is 32 sectors.
    let chunks = Double(shape.rows) * Double(ceilingQuotient(max(shape.keys, 1), 32))
    let perChunk = Double(shape.depth) * 19e-9 + Double(min(shape.width, 256)) * 5e-9
    let latency = Double(ceilingQuotient(max(shape.keys, 1), 32)) * Double(shape.depth) * 20e-9
    return request.launchSeconds
      + max(chunks / Double(request.gpu.multiprocessors) * perChunk, latency)
      * Double(ceilingQuotient(max(shape.width, 1), 256))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    if shape.isEmpty { return StepPlan(launches: []) }
    let store = try StoreText(request.step, own: shape.query.dataType)
    let columns = min(shape.width, 256)
    let source = KernelSource(
      entry: "attention_rows", body: try body(store, columnsPerLane: ceilingQuotient(columns, 32)))
    return StepPlan(launches: [
      KernelLaunch(
        source,
        grid: GridSize(ceilingQuotient(shape.rows, 4), ceilingQuotient(shape.width, 256)),
        threads: 128, arguments: shape.arguments + store.arguments)
    ])
  }

  private var isDouble: Bool {
    [shape.query, shape.key, shape.value].contains { $0.dataType == .float64 }
  }

  private func body(
    _ store: StoreText, columnsPerLane: Int
  ) throws(CUDASourceError) -> String {
    var text = KernelText()
    let real = isDouble ? "double" : "float"
    let parameters = (shape.parameters + store.parameters).joined(separator: ", ")
    let stored = try store.store("sum", at: ["b", "h", "s", "column"])
    let visible =
      shape.problem.isCausal
      ? "min(max(s + \(1 + shape.causalOffset), 0), \(shape.keys))" : "\(shape.keys)"
    text.block("KERNEL(128) attention_rows(\(parameters))") { text in
      text.line(
        """
        const int lane = lane_index(), row = blockIdx.x * 4 + warp_index();
        if (row >= \(shape.rows)) return;
        const int s = row % \(shape.queries), rest = row / \(shape.queries);
        const int h = rest % \(shape.heads), b = rest / \(shape.heads);
        """)
      text.lines(shape.toHead)
      text.line(
        """
        const int first = blockIdx.y * 256 + lane, visible = \(visible);
        \(real) results[\(columnsPerLane)] = {}, largest = \(infinity), total = 0;
        """)
      text.block("for (int from = 0; from < visible; from += 32)") { text in chunk(&text) }
      text.line("for (int i = 16; i > 0; i /= 2) total += shuffle_xor(total, i);")
      text.block("for (int j = 0; j < \(columnsPerLane); j++)") { text in
        text.line("const int column = first + j * 32;")
        text.line("if (column >= \(shape.width)) break;")
        text.line("const \(real) sum = total == 0 ? 0 : results[j] / total;")
        text.lines(stored)
      }
    }
    return text.text
  }

  private var infinity: String {
    (isDouble ? DataType.float64 : .float32).cudaLiteral(-.infinity)
  }

  /// Scores of 32 keys, one for each lane, and their values added to the results.
  private func chunk(_ text: inout KernelText) {
    let real = isDouble ? "double" : "float"
    let suffix = isDouble ? "" : "f"
    let (q, k, v) = (shape.query.strides, shape.key.strides, shape.value.strides)
    func place(_ a: (String, Int), _ b: (String, Int)) -> String { IndexText.sum([a, b]) }
    text.line(
      """
      const int t = from + lane;
      \(real) score = \(infinity);
      """)
    text.block("if (t < visible)") { text in
      text.line(
        """
        score = 0;
        for (int d = 0; d < \(shape.depth); d++)
          score += (\(real))load(query[\(place(("s", q[2]), ("d", q[3])))]) \
        * (\(real))load(key[\(place(("t", k[2]), ("d", k[3])))]);
        """)
      let term = shape.maskTerm(row: "s", column: "t", isDouble: isDouble)
      text.lines(shape.finish(score: "score", term: term, isDouble: isDouble))
    }
    text.line(
      """
      \(real) next = fmax\(suffix)(largest, score);
      for (int i = 16; i > 0; i /= 2) next = fmax\(suffix)(next, shuffle_xor(next, i));
      const \(real) reference = next == \(infinity) ? 0 : next;
      const \(real) factor = exp\(suffix)(largest - reference), weight = exp\(suffix)(score - reference);
      largest = next;
      total = total * factor + weight;
      for (int j = 0; j < \(ceilingQuotient(min(shape.width, 256), 32)); j++) results[j] *= factor;
      const int count = min(32, visible - from);
      """)
    text.block("for (int i = 0; i < count; i++)") { text in
      text.line(
        """
        const \(real) w = shuffle_from(weight, i);
        const int u = from + i;
        if (w == 0) continue;
        for (int j = 0; j < \(ceilingQuotient(min(shape.width, 256), 32)); j++) {
          const int column = first + j * 32;
          if (column < \(shape.width)) results[j] += w * (\(real))load(value[\(place(("u", v[2]), ("column", v[3])))]);
        }
        """)
    }
  }
}

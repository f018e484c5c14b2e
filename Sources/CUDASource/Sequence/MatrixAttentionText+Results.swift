import KernelModel
import ProgramModel
import TensorModel

extension MatrixAttentionText {
  private var pitch: Int { tactic.mergePitch }
  private var merges: Bool { tile.keyWarps > 1 }

  /// Brings the warps' results into shared memory and from there, merged, to the output, side by side as
  /// they lie in it.
  func finish(_ text: inout KernelText) throws(CUDASourceError) {
    let slots = tile.keyWarps * tile.rows
    text.line(
      """
      copy_async_wait<0>();
      block_barrier();
      float* const merged = (float*)dynamic_shared;
      const int slot = warp / \(tile.rowWarps) * \(tile.rows) + warp_row + lane / 4;
      """)
    if merges {
      text.line("float* const high = merged + \(slots * pitch);")
      text.line("float* const sums = high + \(slots);")
    }
    text.line("#pragma unroll")
    text.block("for (int r = 0; r < 2; r++)") {
      $0.line("total[r] += shuffle_xor(total[r], 1);")
      $0.line("total[r] += shuffle_xor(total[r], 2);")
      $0.line(
        merges
          ? "if (lane % 4 == 0) { high[slot + r * 8] = largest[r]; sums[slot + r * 8] = total[r]; }"
          : "const float share = total[r] == 0 ? 0.0f : 1 / total[r];")
      let factor = merges ? "" : " * share"
      $0.line(
        """
        #pragma unroll
        for (int n = 0; n < \(resultTiles); n++) {
          const Vector<float, 2> pair = {results[n][2 * r]\(factor), results[n][2 * r + 1]\(factor)};
          store_vector(merged + (slot + r * 8) * \(pitch) + n * 8 + lane % 4 * 2, pair);
        }
        """)
    }
    text.line("block_barrier();")
    try storeResults(&text)
  }

  private func storeResults(_ text: inout KernelText) throws(CUDASourceError) {
    let output = store.output
    let length = output.vectorLength(limit: max(16 / output.dataType.byteCount, 1))
    let coordinates = ["b", "h", "row", "(column + i)"]
    let (statements, element) = try store.element(of: "value", at: coordinates)
    let chunks = shape.width / length
    text.block("for (int at = threadIdx.x; at < \(tile.rows * chunks); at += \(tile.threads))") {
      $0.line(
        """
        const int place = at / \(chunks), row = first_row + place, column = at % \(chunks) * \(length);
        if (row >= \(shape.queries)) break;
        Vector<\(store.storage), \(length)> stored;
        float values[\(length)] = {};
        """)
      if merges { findShares(&$0) }
      addWarps(&$0, length: length)
      $0.line("#pragma unroll")
      $0.block("for (int i = 0; i < \(length); i++)") {
        $0.line("const float value = values[i];")
        $0.lines(statements)
        $0.line("stored.at[i] = \(element);")
      }
      let place = store.place(at: ["b", "h", "row", "column"])
      $0.line("store_vector(output + \(place), stored);")
    }
  }

  /// `shares`: what each warp's results weigh in a row.
  private func findShares(_ text: inout KernelText) {
    text.line(
      """
      float shares[\(tile.keyWarps)], top = -INFINITY_F, sum = 0;
      #pragma unroll
      for (int w = 0; w < \(tile.keyWarps); w++) top = fmaxf(top, high[w * \(tile.rows) + place]);
      if (top == -INFINITY_F) top = 0;
      #pragma unroll
      for (int w = 0; w < \(tile.keyWarps); w++) {
        shares[w] = power_of_two((high[w * \(tile.rows) + place] - top) * \(exponent));
        sum += shares[w] * sums[w * \(tile.rows) + place];
      }
      const float share = sum == 0 ? 0.0f : 1 / sum;
      """)
  }

  /// `values`: the sum of the warps' results.
  private func addWarps(_ text: inout KernelText, length: Int) {
    let part = min(length, 4)
    text.line("#pragma unroll")
    text.block("for (int w = 0; w < \(tile.keyWarps); w++)") {
      $0.line(
        """
        #pragma unroll
        for (int i = 0; i < \(length); i += \(part)) {
          const Vector<float, \(part)> some = load_vector<\(part)>(merged + (w * \(tile.rows) + place) * \(pitch) + column + i);
          #pragma unroll
          for (int j = 0; j < \(part); j++) values[i + j] += some.at[j]\(merges ? " * (shares[w] * share)" : "");
        }
        """)
    }
  }
}

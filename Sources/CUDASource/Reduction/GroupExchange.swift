/// How the threads that share a group agree on a number.
struct GroupExchange: Sendable {
  let arrangement: NormalizationText.Arrangement
  /// Threads that share a group.
  let lanes: Int
  /// The type of the numbers.
  let real: String

  /// Defines `group_sum<slot>` and `group_most<slot>`, each slot for one use in a kernel.
  func definitions(needsMost: Bool) -> [String] {
    let sum = definition("group_sum", "s + o")
    return needsMost ? [sum, definition("group_most", "o > s ? o : s")] : [sum]
  }

  private func definition(_ name: String, _ operation: String) -> String {
    var text = KernelText()
    text.block("template <int slot> DEVICE \(real) \(name)(\(real) s)") { text in
      switch arrangement {
      case .rows: writeRows(&text, operation)
      case .columns(let columns): writeColumns(&text, columns, operation)
      }
      text.line("return s;")
    }
    return text.text
  }

  private func writeRows(_ text: inout KernelText, _ operation: String) {
    writeShuffles(&text, min(lanes, 32), operation)
    let warps = lanes / 32
    guard warps > 1 else { return }
    text.line("SHARED \(real) shared[\(warps)];")
    text.line("if (lane_index() == 0) shared[warp_index()] = s;")
    text.line("block_barrier();")
    if warps > 4, warps & (warps - 1) == 0 {
      text.line("s = shared[lane_index() % \(warps)];")
      writeShuffles(&text, warps, operation)
    } else {
      text.line("s = shared[0];")
      writeLoop(&text, warps, "shared[i]", operation)
    }
  }

  private func writeColumns(_ text: inout KernelText, _ columns: Int, _ operation: String) {
    if lanes == 1 { return }
    text.line("SHARED \(real) shared[\(lanes)][\(columns)];")
    text.line("const int column = threadIdx.x % \(columns);")
    text.line("shared[threadIdx.x / \(columns)][column] = s;")
    text.line("block_barrier();")
    text.line("s = shared[0][column];")
    writeLoop(&text, lanes, "shared[i][column]", operation)
  }

  /// Leaves the result of `count` neighbouring lanes with each of them.
  private func writeShuffles(_ text: inout KernelText, _ count: Int, _ operation: String) {
    if count == 1 { return }
    text.line("#pragma unroll")
    text.block("for (int m = 1; m < \(count); m *= 2)") {
      $0.line("const \(real) o = shuffle_xor(s, m);")
      $0.line("s = \(operation);")
    }
  }

  private func writeLoop(
    _ text: inout KernelText, _ count: Int, _ element: String, _ operation: String
  ) {
    text.line("#pragma unroll")
    text.block("for (int i = 1; i < \(count); i++)") {
      $0.line("const \(real) o = \(element);")
      $0.line("s = \(operation);")
    }
  }
}

/// The text of a main loop whose rows pass through registers, where they are rounded to TF32: matrix instructions
/// would cut them off, which is twice the error.
struct RoundedProducts {
  /// Groups of 64 rows that a warpgroup multiplies.
  let blocks: Int
  let rowBytes: Int
  let columnBytes: Int
  let stages: Int

  /// With one group of rows there are registers enough for those of the next step to come while matrix units
  /// still read these.
  private var sets: Int { blocks == 1 ? 2 : 1 }

  /// Expects `shared_b`, `full`, `empty`, `stage`, `phase`, `before`, `warp` (within the warpgroup) and `lane`.
  ///
  /// - Parameters:
  ///   - first: the warpgroup's rows of stage 0.
  ///   - sums: the name of a block's sums.
  func loop(
    _ text: inout KernelText, first: String, steps begin: String, to end: String,
    sums: (Int) -> String
  ) {
    text.line("uint32_t rounded[\(sets)][\(blocks * 4)][4];")
    text.line("const int own_line = warp * 16 + (lane & 15);")
    text.line("#pragma unroll 1")
    text.block("for (int step = \(begin); step < \(end);)") { text in
      for set in 0..<sets {
        if set > 0 { text.line("if (step == \(end)) break;") }
        text.block("", end: "}") { step(&$0, set, first: first, begin: begin, sums: sums) }
      }
    }
  }

  private func step(
    _ text: inout KernelText, _ set: Int, first: String, begin: String, sums: (Int) -> String
  ) {
    text.line("barrier_wait(full + 8 * stage, phase);")
    text.line(
      "const unsigned char* const rows = \(first) + stage * \(rowBytes) + own_line * 128;")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(blocks * 4); i++)") { text in
      text.line("const int piece = i % 4 * 2 + (lane >> 4);")
      text.line(
        "load_matrices(rounded[\(set)][i], rows + i / 4 * 8192 + ((piece ^ (own_line & 7)) << 4));")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < 4; j++) rounded[\(set)][i][j] = float_to_tf32(__int_as_float((int)rounded[\(set)][i][j]));"
      )
    }
    text.line("const uint64_t y = tile_descriptor(shared_b + stage * \(columnBytes));")
    text.line("products_begin();")
    for part in 0..<4 {
      for block in 0..<blocks {
        let adds = part == 0 ? "step - \(begin)" : "1"
        text.line(
          "multiply(\(sums(block)), rounded[\(set)][\(block * 4 + part)], y + \(part * 2), \(adds));"
        )
      }
    }
    text.line("products_commit();")
    // The step before has read its stage.
    text.line("products_wait<\(sets - 1)>();")
    text.line("if (step > \(begin) && lane == 0) barrier_arrive(empty + 8 * before);")
    text.line("before = stage;")
    text.line("step++;")
    text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
  }
}

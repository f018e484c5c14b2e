/// The text of a main loop over numbers in single precision, each the sum of two bfloat16: three matrix instructions
/// multiply 16 bits by 16, which takes half as long again as TF32 and is fifty times as exact. Only products of two low
/// parts are left out, which have the size of rounding errors.
///
/// Rows pass through registers, where they are divided. Two pieces of 16 bytes, each of which gives a lane the elements
/// t and t + 4 of one row, make one operand of 16 elements; so the sum takes elements in the order
/// 0 4 1 5 2 6 3 7, 8 12 9 13 10 14 11 15, and columns are packed in this order: 32 high parts, then 32 low ones.
struct DividedProducts {
  /// Groups of 64 rows that a warpgroup multiplies.
  let blocks: Int
  let rowBytes: Int
  let columnBytes: Int
  let stages: Int

  /// With one group of rows there are registers enough for those of the next step to come while matrix units
  /// still read these.
  private var sets: Int { blocks == 1 ? 2 : 1 }

  /// The word at a place of packed columns, from a function of the element's place.
  static func word(at place: String, of element: String) -> String {
    "divided_line_word(\(place), \(element))"
  }

  /// Expects `shared_b`, `full`, `empty`, `stage`, `phase`, `before`, `warp` (within the warpgroup) and `lane`.
  ///
  /// - Parameters:
  ///   - first: the warpgroup's rows of stage 0.
  ///   - sums: the name of a block's sums.
  func loop(
    _ text: inout KernelText, first: String, steps begin: String, to end: String,
    sums: (Int) -> String
  ) {
    text.line("uint32_t high[\(sets)][\(blocks * 2)][4], low[\(sets)][\(blocks * 2)][4];")
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
      text.line("const int piece = i % 4 * 2 + (lane >> 4), part = i / 2, at = i % 2 * 2;")
      text.line("uint32_t x[4];")
      text.line("load_matrices(x, rows + i / 4 * 8192 + ((piece ^ (own_line & 7)) << 4));")
      text.line("divide_floats(x[0], x[2], high[\(set)][part][at], low[\(set)][part][at]);")
      text.line(
        "divide_floats(x[1], x[3], high[\(set)][part][at + 1], low[\(set)][part][at + 1]);")
    }
    text.line("const uint64_t y = tile_descriptor(shared_b + stage * \(columnBytes));")
    text.line("products_begin();")
    for (number, (rows, columns)) in [("low", 0), ("high", 4), ("high", 0)].enumerated() {
      for part in 0..<2 {
        for block in 0..<blocks {
          let adds = number == 0 && part == 0 ? "step - \(begin)" : "1"
          text.line(
            "multiply(\(sums(block)), \(rows)[\(set)][\(block * 2 + part)], y + \(columns + part * 2), \(adds));"
          )
        }
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

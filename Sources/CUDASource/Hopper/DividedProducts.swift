/// The text of a main loop over numbers in single precision, each the sum of two or three bfloat16.
///
/// In two parts, three matrix instructions multiply 16 bits by 16, which takes half as long again as TF32 and is fifty times as
/// exact. In three, six multiply all 24 bits. Only products are left out which have the size of rounding errors.
///
/// Matrix units cut off what does not fit their sums. So those of three parts run over one step alone, the largest products
/// last, and are then added to sums in registers, with rounding: these have fewer errors than a loop of multiply-adds.
///
/// Rows pass through registers, where they are divided. Two pieces of 16 bytes, each of which gives a lane the elements
/// t and t + 4 of one row, make one operand of 16 elements; so the sum takes elements in the order
/// 0 4 1 5 2 6 3 7, 8 12 9 13 10 14 11 15, and columns are packed in this order: 32 high parts, then 32 of the next.
/// Two parts are one line in shared memory; three are three tiles with lines of 64 bytes.
struct DividedProducts {
  /// Of a number: two or three.
  let parts: Int
  /// Of a matrix instruction.
  let columns: Int
  let rowBytes: Int
  let stages: Int
  /// The names of the sums of each group of 64 rows that a warpgroup multiplies.
  let sums: [String]

  private var blocks: Int { sums.count }
  private var columnBytes: Int { columns * parts * 64 }
  private var addsSteps: Bool { parts == 3 }

  /// With one group of rows there are registers enough for those of the next step to come while matrix units
  /// still read these.
  private var sets: Int { blocks == 1 ? 2 : 1 }

  /// Which part of rows multiplies which of columns, the smallest products first.
  private var products: [(rows: Int, columns: Int)] {
    parts == 2
      ? [(1, 0), (0, 1), (0, 0)] : [(2, 0), (1, 1), (0, 2), (1, 0), (0, 1), (0, 0)]
  }

  /// Words of so many elements, a multiple of 32.
  static func words(_ elements: Int, _ parts: Int) -> Int { elements / 2 * parts }

  /// The word at a place of packed columns, from a function of the element's place.
  static func word(at place: String, of element: String, _ parts: Int) -> String {
    "divided_line_word<\(parts)>(\(place), \(element))"
  }

  /// Expects `shared_b`, `full`, `empty`, `stage`, `phase`, `before`, `warp` (within the warpgroup) and `lane`.
  ///
  /// - Parameter first: the warpgroup's rows of stage 0.
  func loop(_ text: inout KernelText, first: String, steps begin: String, to end: String) {
    text.line("uint32_t factors[\(sets)][\(parts)][\(blocks * 2)][4];")
    if addsSteps {
      text.line("float step_sums[\(blocks)][\(columns / 2)];")
      for sum in sums { text.line("clear(\(sum));") }
    }
    text.line("const int own_line = warp * 16 + (lane & 15);")
    text.line("#pragma unroll 1")
    text.block("for (int step = \(begin); step < \(end);)") { text in
      for set in 0..<sets {
        if set > 0 { text.line("if (step == \(end)) break;") }
        text.block("", end: "}") { step(&$0, set, first: first, begin: begin) }
      }
    }
  }

  /// Adds the last step's sums, which matrix units have computed.
  func end(_ text: inout KernelText) {
    guard addsSteps else { return }
    for (block, sum) in sums.enumerated() {
      text.line("hold(step_sums[\(block)]);")
      text.line("add(\(sum), step_sums[\(block)]);")
    }
  }

  private func step(_ text: inout KernelText, _ set: Int, first: String, begin: String) {
    text.line("barrier_wait(full + 8 * stage, phase);")
    if addsSteps, sets == 1 { addStep(&text, begin) }
    divide(&text, set, first)
    if addsSteps, sets > 1 { addStep(&text, begin) }
    text.line(
      "const uint64_t y = \(addsSteps ? "narrow_" : "")tile_descriptor(shared_b + stage * \(columnBytes));"
    )
    text.line("products_begin();")
    for (number, product) in products.enumerated() {
      for half in 0..<2 {
        for block in 0..<blocks {
          multiply(&text, set, product, half, block, isFirst: number + half == 0, begin)
        }
      }
    }
    text.line("products_commit();")
    if !addsSteps {
      // The step before has read its stage.
      text.line("products_wait<\(sets - 1)>();")
      text.line("if (step > \(begin) && lane == 0) barrier_arrive(empty + 8 * before);")
    }
    text.line("before = stage;")
    text.line("step++;")
    text.line("if (++stage == \(stages)) { stage = 0; phase ^= 1; }")
  }

  private func divide(_ text: inout KernelText, _ set: Int, _ first: String) {
    text.line(
      "const unsigned char* const rows = \(first) + stage * \(rowBytes) + own_line * 128;")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(blocks * 4); i++)") { text in
      text.line("const int piece = i % 4 * 2 + (lane >> 4), part = i / 2, at = i % 2 * 2;")
      text.line("uint32_t x[4];")
      text.line("load_matrices(x, rows + i / 4 * 8192 + ((piece ^ (own_line & 7)) << 4));")
      for line in 0..<2 {
        let targets = (0..<parts).map { "factors[\(set)][\($0)][part][at + \(line)]" }
        text.line("divide_floats(x[\(line)], x[\(line + 2)], \(targets.joined(separator: ", ")));")
      }
    }
  }

  private func addStep(_ text: inout KernelText, _ begin: String) {
    text.line("products_wait<0>();")
    text.block("if (step > \(begin))") { text in
      text.line("if (lane == 0) barrier_arrive(empty + 8 * before);")
      end(&text)
    }
  }

  private func multiply(
    _ text: inout KernelText, _ set: Int, _ product: (rows: Int, columns: Int), _ half: Int,
    _ block: Int, isFirst: Bool, _ begin: String
  ) {
    let rows = "factors[\(set)][\(product.rows)][\(block * 2 + half)]"
    // In units of 16 bytes.
    let columns = product.columns * (addsSteps ? self.columns * 4 : 4) + half * 2
    let target = addsSteps ? "step_sums[\(block)]" : sums[block]
    let adds = !isFirst ? "1" : addsSteps ? "0" : "step - \(begin)"
    text.line("multiply(\(target), \(rows), y + \(columns), \(adds));")
  }
}

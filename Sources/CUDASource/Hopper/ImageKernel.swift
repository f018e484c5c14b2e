import KernelModel
import ProgramModel
import TensorModel

/// The text of a kernel for images: a warpgroup computes a strip of one image, row by row.
///
/// Rows of the image lie in shared memory in planes of 16 bytes for each cell of pixels, as many pixels as the window's step.
/// Filters are the rows of a matrix instruction and pixels its columns: a window's next cells are the same columns one
/// piece of 16 bytes farther on, so nothing is copied twice.
struct ImageKernel {
  /// Threads of a warpgroup.
  static let threads = 128
  /// Filters of a block.
  static let filters = 64
  /// Floats from one pixel's sums to the next one's.
  private static let stagedPixel = filters + 4

  let image: ImageGeometry
  let contraction: Contraction
  /// Rows of results of a strip.
  let strip: Int
  /// Warpgroups of a block, which share the filters.
  let groups: Int
  let blocksPerMultiprocessor: Int

  private var sum: String { contraction.epilogue.sumStorage }
  private var storage: String { contraction.type.cudaStorage ?? "float" }
  private var vector: Int { contraction.epilogue.vector }
  private var writer: EpilogueText {
    EpilogueText(epilogue: contraction.epilogue, vector: vector)
  }
  /// Pixels whose sums are passed on together.
  private var stagedPixels: Int {
    let rounds = ceilingQuotient(image.pixels, image.isWide ? 32 : 64)
    return ceilingQuotient(image.pixels / 8, rounds) * 8
  }
  private var rounds: Int { ceilingQuotient(image.pixels, stagedPixels) }
  private var ring: Int { image.filterBytes }
  private var staged: Int { ring + image.slots * image.rowBytes }
  private var groupBytes: Int {
    image.slots * image.rowBytes + stagedPixels * Self.stagedPixel * 4
  }
  var sharedBytes: Int { image.filterBytes + groups * groupBytes }
  private var strips: Int { ceilingQuotient(image.rows.windows, strip) }
  /// Strips of all images, sections of rows and filters.
  private var jobs: Int { strips * image.images * image.sections * image.filterBlocks }
  var blocks: Int { ceilingQuotient(jobs, groups) }
  /// Waits for all threads of a warpgroup.
  private var barrier: String {
    groups == 1 ? "block_barrier();" : "group_barrier(group + 1, \(Self.threads));"
  }

  var source: KernelSource {
    get throws(CUDASourceError) {
      let parameters =
        [
          "const \(storage)* x", "const unsigned char* __restrict__ filters",
        ] + contraction.epilogue.parameters
      var text = KernelText()
      try text.block(
        "CROWDED_KERNEL(\(groups * Self.threads), \(blocksPerMultiprocessor)) convolution(\(parameters.joined(separator: ", ")))"
      ) { (text) throws(CUDASourceError) in
        begin(&text)
        text.line("#pragma unroll 1")
        try text.block("for (int row = begin; row < end; row++)") {
          (text) throws(CUDASourceError) in
          multiply(&text)
          if !image.isWide { nextRows(&text) }
          try store(&text)
          text.line(barrier)
          text.line("slot += \(image.newRows);")
          text.line("if (slot >= \(image.slots)) slot -= \(image.slots);")
        }
      }
      return KernelSource(
        entry: "convolution",
        body: HopperPrelude.text(contraction, columns: image.pixels, rowsInRegisters: false)
          + text.text)
    }
  }

  // MARK: - Copies

  private func begin(_ text: inout KernelText) {
    let threads = groups * Self.threads
    text.line("const int group = threadIdx.x / \(Self.threads);")
    text.line("const int thread = threadIdx.x % \(Self.threads);")
    text.line("const int warp = thread / 32, lane = lane_index();")
    text.line("const uint32_t shared = shared_address(dynamic_shared);")
    text.line("unsigned char* const ring = dynamic_shared + \(ring) + group * \(groupBytes);")
    text.line("\(sum)* const staged = (\(sum)*)(ring + \(staged - ring));")
    text.line("const int job = blockIdx.x * \(groups) + group;")
    text.line("int rest = job;")
    text.line(
      "const int left = rest % \(image.sections) * \(image.pixels); rest /= \(image.sections);")
    text.line("const int begin = rest % \(strips) * \(strip); rest /= \(strips);")
    // Warpgroups of a block have the same filters.
    text.line("const int image = rest % \(image.images);")
    text.line("const int block = blockIdx.x * \(groups) / \(jobs / image.filterBlocks);")
    text.line("const int n0 = block * \(Self.filters);")
    text.line(
      "const int end = begin + \(strip) < \(image.rows.windows) ? begin + \(strip) : \(image.rows.windows);"
    )
    text.line("let_dependents_begin();")
    text.line("filters += (size_t)block * \(image.filterBytes);")
    text.block(
      "for (int i = threadIdx.x; i < \(image.filterBytes / 16); i += \(threads))"
    ) { text in
      text.line("copy_async<16>(dynamic_shared + i * 16, filters + i * 16, true);")
    }
    text.line("copy_async_commit();")
    text.line("wait_for_predecessor();")
    if image.isWide { beginWide(&text) } else { beginNarrow(&text) }
    text.line("shared_to_engine();")
    text.line("block_barrier();")
    if groups > 1 { text.line("if (job >= \(jobs)) return;") }
    keepOperands(&text)
    text.line("int slot = 0;")
  }

  /// The row of the image under the first row of a window.
  private var top: String { "begin * \(image.rows.step) - \(image.rows.padding)" }
  /// The first row under a window that is under no earlier one.
  private func newTop(_ row: String) -> String {
    "\(row) * \(image.rows.step) + (\(image.rows.taps - image.newRows - image.rows.padding))"
  }

  private func beginWide(_ text: inout KernelText) {
    text.block("auto copy = [&](int line, int to, int count)", end: "};") { text in
      let pieces = "count * \(image.pieces)"
      text.block("for (int i = thread; i < \(pieces); i += \(Self.threads))") { text in
        text.line("const int plane = i % \(image.planes);")
        text.line("const int cell = i / \(image.planes) % \(image.cells);")
        text.line("const int y = line + i / \(image.pieces);")
        text.line("int at = to + i / \(image.pieces);")
        text.line("if (at >= \(image.slots)) at -= \(image.slots);")
        text.line("const int column = left + cell - \(image.columns.padding);")
        text.line(
          "const bool inside = (unsigned)y < \(image.rows.extent) && (unsigned)column < \(image.columns.extent);"
        )
        let element = image.element(of: "x", ["image", "plane * 8", "y", "column"])
        text.line(
          "copy_async<16>(ring + at * \(image.rowBytes) + plane * \(image.cells * 16) + cell * 16, inside ? &\(element) : x, inside);"
        )
      }
    }
    text.line(
      "auto ask = [&](int row, int to) { copy(\(newTop("row")), to >= \(image.slots) ? to - \(image.slots) : to, \(image.newRows)); };"
    )
    let isJob = groups > 1 ? "job < \(jobs)" : "true"
    text.line("if (\(isJob)) copy(\(top), 0, \(image.rows.taps));")
    text.line("copy_async_commit();")
    text.line("if (\(isJob) && begin + 1 < end) ask(begin + 1, \(image.rows.taps));")
    text.line("copy_async_commit();")
    text.line("copy_async_wait<1>();")
  }

  private func beginNarrow(_ text: inout KernelText) {
    declareFetch(&text)
    text.block(
      "for (int i = thread; i < \(image.rows.taps * image.pieces); i += \(Self.threads))"
    ) { text in
      text.line(
        "keep(ring + i / \(image.pieces) * \(image.rowBytes) + i % \(image.pieces) * 16, fetch(\(top) + i / \(image.pieces), i % \(image.pieces)));"
      )
    }
    text.line("\(pieceType) next[\(fetches)];")
    declareLoad(&text)
    text.line("if (begin + 1 < end) ask(begin + 1);")
    text.line("copy_async_wait<0>();")
  }

  /// The functions that read and keep one piece of a row of cells.
  private func declareFetch(_ text: inout KernelText) {
    text.block("auto fetch = [&](int line, int piece)", end: "};") { text in
      text.line("const int cell = piece % \(image.cells), plane = piece / \(image.cells);")
      text.line("\(pieceType) result;")
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(ImageGeometry.vector); j++)") { text in
        text.line("const int at = plane * \(ImageGeometry.vector) + j;")
        text.line("const int c = at % \(image.paddedChannels);")
        text.line(
          "const int column = (left + cell) * \(image.columns.step) + at / \(image.paddedChannels) - \(image.columns.padding);"
        )
        text.line(
          "const bool inside = c < \(image.channels) && (unsigned)line < \(image.rows.extent) && (unsigned)column < \(image.columns.extent);"
        )
        text.line("result.at[j] = store<\(storage)>(0.0f);")
        let element = image.element(of: "x", ["image", "c", "line", "column"])
        text.line("if (inside) result.at[j] = \(element);")
      }
      text.line("return result;")
    }
    text.block("auto keep = [&](unsigned char* to, const \(pieceType)& piece)", end: "};") { text in
      guard image.isDivided else {
        text.line("store_vector((\(storage)*)to, piece);")
        return
      }
      text.line("Vector<uint32_t, 4> high, low;")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < 4; j++) divide_floats(piece.at[2 * j], piece.at[2 * j + 1], high.at[j], low.at[j]);"
      )
      text.line("store_vector((uint32_t*)to, high);")
      text.line("store_vector((uint32_t*)(to + \(image.partBytes)), low);")
    }
  }

  /// What becomes 16 bytes of each part of a row.
  private var pieceType: String { "Vector<\(storage), \(ImageGeometry.vector)>" }

  private var fetches: Int { ceilingQuotient(image.newRows * image.pieces, Self.threads) }

  /// The function that asks for those rows under the window of a row of results that are under no earlier one.
  private func declareLoad(_ text: inout KernelText) {
    text.block("auto ask = [&](int row)", end: "};") { text in
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(fetches); i++)") { text in
        text.line("const int number = thread + i * \(Self.threads);")
        text.line(
          "if (number < \(image.newRows * image.pieces)) next[i] = fetch(\(newTop("row")) + number / \(image.pieces), number % \(image.pieces));"
        )
      }
    }
  }

  /// Keeps the rows that were asked for, and asks for those after them.
  private func nextRows(_ text: inout KernelText) {
    text.block("if (row + 1 < end)") { text in
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(fetches); i++)") { text in
        text.line("const int number = thread + i * \(Self.threads);")
        text.line("int to = slot + \(image.rows.taps) + number / \(image.pieces);")
        text.line("if (to >= \(image.slots)) to -= \(image.slots);")
        text.line(
          "if (number < \(image.newRows * image.pieces)) keep(ring + to * \(image.rowBytes) + number % \(image.pieces) * 16, next[i]);"
        )
      }
      // Before results are stored: this waits for whatever a thread has stored.
      text.line("shared_to_engine();")
      text.line("if (row + 2 < end) ask(row + 2);")
    }
  }

  // MARK: - Products

  /// The parts of filters and pixels that are multiplied, the smallest products first.
  private var products: [(filters: Int, pixels: Int)] {
    image.isDivided ? [(0, 1), (1, 0), (0, 0)] : [(0, 0)]
  }

  private func multiply(_ text: inout KernelText) {
    text.line("\(sum) sums[\(image.pixels / 2)];")
    text.line("products_begin();")
    text.line("#pragma unroll")
    text.block("for (int tap = 0; tap < \(image.rows.taps); tap++)") { text in
      text.line("int from = slot + tap;")
      text.line("if (from >= \(image.slots)) from -= \(image.slots);")
      text.line("const uint32_t line = shared_address(ring) + from * \(image.rowBytes);")
      text.line("#pragma unroll")
      text.block("for (int step = 0; step < \(image.steps); step++)") { text in
        for (index, (filter, part)) in products.enumerated() {
          let filters = "shared + \(filter * image.filterPartBytes)"
          let pixels = "line + \(part * image.partBytes)"
          text.line(
            "multiply(sums, plain_descriptor(\(filters) + (tap * \(image.steps) + step) * 2048, 1024), plain_descriptor(\(pixels) + \(image.stepPlace("step")), \(image.leadingBytes)), \(index == 0 ? "tap + step" : "1"));"
          )
        }
      }
    }
    text.line("products_commit();")
  }

  // MARK: - Results

  private func store(_ text: inout KernelText) throws(CUDASourceError) {
    text.line("products_wait<0>();")
    text.line("hold(sums);")
    if image.isWide {
      // This waits for whatever a thread has asked for, so that it comes before the next rows.
      text.line("copy_async_wait<0>();")
      text.line("shared_to_engine();")
      text.line("if (row + 2 < end) ask(row + 2, slot + \(image.rows.taps + image.newRows));")
      text.line("copy_async_commit();")
    }
    text.line("#pragma unroll")
    try text.block("for (int round = 0; round < \(rounds); round++)") {
      (text) throws(CUDASourceError) in
      text.line("if (round > 0) \(barrier)")
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(stagedPixels / 8); j++)") { text in
        text.line("const int eight = round * \(stagedPixels / 8) + j;")
        text.line(
          "\(sum)* const to = staged + (j * 8 + lane % 4 * 2) * \(Self.stagedPixel) + \(stagedPlace("(warp * 16 + lane / 4)"));"
        )
        text.block("if (eight < \(image.pixels / 8))") { text in
          for (index, offset) in [0, Self.stagedPixel, 8, Self.stagedPixel + 8].enumerated() {
            text.line("to[\(offset)] = sums[eight * 4 + \(index)];")
          }
        }
      }
      text.line(barrier)
      try results(&text)
    }
  }

  /// Where a filter's sum lies within a pixel: sums of the second half change places by four, so that lanes that read
  /// eight filters each do not meet in a bank.
  private func stagedPlace(_ filter: String) -> String {
    "(\(filter) ^ (\(filter) >> 5 << 2))"
  }

  private var pieces: Int { Self.filters / vector }
  /// Whether no operand differs between pixels, so that a thread needs the same ones for all of its results.
  private var keepsOperands: Bool {
    contraction.epilogue.operands.allSatisfy(contraction.epilogue.isSameForAllRows)
  }

  /// Loads what all results of a thread have in common.
  private func keepOperands(_ text: inout KernelText) {
    guard keepsOperands, !contraction.epilogue.operands.isEmpty else { return }
    text.lines(writer.declarations(count: 1))
    text.block("") { text in
      text.line("const int row = 0, column = n0 + thread % \(pieces) * \(vector);")
      text.block("if (column < \(contraction.columns))") { $0.lines(writer.loads(slot: "0")) }
    }
  }

  private func results(_ text: inout KernelText) throws(CUDASourceError) {
    let slots = ceilingQuotient(stagedPixels * pieces, Self.threads)
    let window = image.columns.windows
    text.line("const int first = (image * \(image.rows.windows) + row) * \(window);")
    func each(
      _ text: inout KernelText,
      _ body: (inout KernelText) throws(CUDASourceError) -> Void
    ) throws(CUDASourceError) {
      text.line("#pragma unroll")
      try text.block("for (int part = 0; part < \(slots); part++)") {
        (text) throws(CUDASourceError) in
        text.line("const int number = thread + part * \(Self.threads);")
        text.line("const int near = number / \(pieces), piece = number % \(pieces) * \(vector);")
        text.line("const int pixel = left + round * \(stagedPixels) + near;")
        text.line("const int row = first + pixel, column = n0 + piece;")
        let inRound =
          rounds * stagedPixels == image.pixels
          ? "" : " && round * \(stagedPixels) + near < \(image.pixels)"
        try text.block(
          "if (near < \(stagedPixels) && pixel < \(window)\(inRound) && column < \(contraction.columns))",
          body)
      }
    }
    if !keepsOperands {
      text.lines(writer.declarations(count: slots))
      try each(&text) { $0.lines(writer.loads(slot: "part")) }
    }
    let lines = try writer.results(slot: keepsOperands ? "0" : "part", sum: "own_sums.at[j]")
    try each(&text) { text in
      text.line("Vector<\(sum), \(vector)> own_sums;")
      for quad in 0..<vector / 4 {
        text.line(
          "((Vector<\(sum), 4>*)own_sums.at)[\(quad)] = load_vector<4>(staged + near * \(Self.stagedPixel) + \(stagedPlace("(piece + \(quad * 4))")));"
        )
      }
      text.lines(lines)
    }
  }
}

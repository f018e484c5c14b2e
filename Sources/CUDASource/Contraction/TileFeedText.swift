import TensorModel

/// The text that copies the tiles of one operand from global to shared memory.
///
/// Every thread copies the same piece of several lines. Lines of the tile lie in shared memory one after
/// the other, their 16-byte pieces permuted (`tile_place`), so that neither copies nor reads of columns
/// of pieces meet in one bank.
struct TileFeedText {
  /// `a` or `b`: begins the names of variables.
  let name: String
  let operand: ContractionOperand
  let feed: ContractionFeed
  /// Lines of the tile, and their text's number of the first.
  let lines: Int
  let first: String
  let depth: Int
  let threads: Int
  let type: DataType
  let window: ContractionWindow?
  /// What is copied beside the elements.
  var padValue = 0

  static let placeFunction = """
    /* Where piece `piece` of line `line` lies in a tile with lines of `bytes`. */
    template <int bytes> DEVICE int tile_place(int line, int piece) {
      const int group = bytes < 128 ? 128 / bytes : 1, pieces = bytes < 128 ? bytes / 16 : 8;
      return line * bytes + ((piece ^ (line / group % pieces)) << 4);
    }
    """

  /// Whether the threads can share the copies: masks hold 32 lines of a thread.
  var isPossible: Bool { copies <= threads && passes <= 32 && lineBytes >= 16 }

  private var size: Int { type.byteCount }
  private var isDeep: Bool { feed.major == .depth }
  /// Of a line in shared memory, in elements.
  private var lineLength: Int { isDeep ? depth : lines }
  private var lineCount: Int { isDeep ? lines : depth }
  var lineBytes: Int { lineLength * size }
  var bytes: Int { lines * depth * size }
  private var copies: Int { lineLength / feed.vector }
  private var step: Int { max(threads / copies, 1) }
  private var passes: Int { ceilingQuotient(lineCount, step) }
  private var isExact: Bool { passes * step == lineCount }
  private var lineLimit: Int { operand.lines.reduce(1) { $0 * $1.padded } }

  /// Statements before the first copy; `k0` is the first element of the depth.
  func setup(_ text: inout KernelText, rows: [Int]) {
    text.line("const int \(name)_piece = thread % \(copies), \(name)_line = thread / \(copies);")
    if !isDeep {
      setupLines(&text)
    } else if let window {
      setupWindow(&text, window, rows)
    } else {
      setupDepth(&text, rows)
    }
  }

  private func setupLines(_ text: inout KernelText) {
    text.line(
      "const int \(name)_first = \(first) + \(name)_piece * \(feed.vector);"
        + " int \(name)_k = k0 + \(name)_line;")
    text.line("const bool \(name)_wanted = \(name)_first < \(operand.lines[0].padded);")
  }

  private func setupDepth(_ text: inout KernelText, _ rows: [Int]) {
    let space = IndexSpace(shape: rows, strides: [operand.rowStrides(nil)])
    text.line(
      "int \(name)_base[\(passes)], \(name)_k = k0 + \(name)_piece * \(feed.vector);"
        + " uint32_t \(name)_valid = 0;")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(passes); i++)") { text in
      text.line("const int line = \(first) + \(name)_line + i * \(step);")
      text.lines(space.coordinates(of: "line", prefix: "u"))
      text.line("\(name)_base[i] = \(space.offset(view: 0, prefix: "u"));")
      text.line("if (line < \(rows.reduce(1, *))) \(name)_valid |= 1u << i;")
    }
  }

  private func setupWindow(_ text: inout KernelText, _ window: ContractionWindow, _ rows: [Int]) {
    let strides = operand.rowStrides(window)
    text.line("int \(name)_base[\(passes)], \(name)_tap, \(name)_c;")
    text.line("uint32_t \(name)_rows = 0, \(name)_valid = 0;")
    for (axis, place) in window.axes.enumerated() {
      text.line("int \(name)_t\(axis);")
      if place.isPadded { text.line("int \(name)_x\(axis)[\(passes)];") }
    }
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(passes); i++)") { text in
      text.line("const int line = \(first) + \(name)_line + i * \(step);")
      text.lines(AxisText.coordinates(rows, of: "line", prefix: "u"))
      let offset = IndexText.sum(
        strides.enumerated().map { (text: "u\($0.offset)", $0.element) },
        plus: operand.origin(window))
      text.line("\(name)_base[i] = \(offset);")
      for (axis, place) in window.axes.enumerated() where place.isPadded {
        text.line("\(name)_x\(axis)[i] = u\(axis + 1) * \(place.step) - \(place.padding);")
      }
      text.line("if (line < \(rows.reduce(1, *))) \(name)_rows |= 1u << i;")
    }
    text.block("", end: "}") { text in
      text.line("const int k = k0 + \(name)_piece * \(feed.vector), tap = k / \(operand.depth);")
      text.line("\(name)_c = k % \(operand.depth);")
      // The first axis counts on, so that what lies beyond the window is seen there.
      let taps = [Int.max] + window.axes.dropFirst().map(\.taps)
      var rest = "tap"
      for axis in window.axes.indices.reversed() {
        text.line("\(name)_t\(axis) = \(axis == 0 ? rest : "\(rest) % \(taps[axis])");")
        rest = "(\(rest) / \(taps[axis]))"
      }
    }
    text.block("auto \(name)_turn = [&]()", end: "};") { turn(&$0, window) }
    text.line("\(name)_turn();")
  }

  /// Statements after a move to another tap.
  private func turn(_ text: inout KernelText, _ window: ContractionWindow) {
    let strides = operand.tapStrides(window)
    let offset = IndexText.sum(
      strides.enumerated().map { (text: "\(name)_t\($0.offset)", $0.element) })
    text.line("\(name)_tap = \(offset);")
    let isInside = "\(name)_t0 < \(window.axes[0].taps)"
    guard window.isPadded else {
      text.line("\(name)_valid = \(isInside) ? \(name)_rows : 0;")
      return
    }
    text.line("\(name)_valid = 0;")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(passes); i++)") { text in
      let tests = window.axes.enumerated().filter(\.element.isPadded).map { axis, place in
        "(uint32_t)(\(name)_x\(axis)[i] + \(name)_t\(axis) * \(place.dilation)) < \(place.extent)u"
      }
      text.line("if (\(tests.joined(separator: " && "))) \(name)_valid |= 1u << i;")
    }
    text.line("\(name)_valid = \(isInside) ? \(name)_valid & \(name)_rows : 0;")
  }

  /// Statements that begin to copy the next tile to `target`, a pointer to bytes, and move on.
  func copy(_ text: inout KernelText, to target: String) {
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(passes); i++)") { text in
      if !isExact { text.line("if (\(name)_line + i * \(step) >= \(lineCount)) break;") }
      let perPiece = max(16 / (feed.vector * size), 1)
      let piece = perPiece == 1 ? "\(name)_piece" : "\(name)_piece / \(perPiece)"
      let inner =
        perPiece == 1 ? "" : " + \(name)_piece % \(perPiece) * \(feed.vector * size)"
      let place = "tile_place<\(lineBytes)>(\(name)_line + i * \(step), \(piece))\(inner)"
      let (source, wanted) = element
      let copy = "<\(feed.vector * size)>(\(target) + \(place), \(name) + \(source), \(wanted)"
      if padValue == 0 {
        text.line("copy_async\(copy));")
      } else {
        // Beyond the last tap as well, where b holds zeros.
        let pattern = UInt32(truncatingIfNeeded: padValue & 0xFF) * 0x0101_0101
        text.line("copy_async_or_fill\(copy), \(pattern)u);")
      }
    }
    advance(&text)
  }

  /// The place of pass i's piece, and whether it exists.
  private var element: (String, String) {
    if !isDeep {
      let k = "(\(name)_k + i * \(step))"
      return (
        "(\(name)_first + \(k) * \(operand.channels.stride))",
        "\(name)_wanted && \(k) < \(operand.channels.padded)"
      )
    }
    if window != nil {
      return (
        "(\(name)_base[i] + \(name)_tap + \(name)_c)", "(\(name)_valid >> i & 1) != 0"
      )
    }
    return (
      "(\(name)_base[i] + \(name)_k)",
      "(\(name)_valid >> i & 1) != 0 && \(name)_k < \(operand.channels.padded)"
    )
  }

  private func advance(_ text: inout KernelText) {
    guard isDeep, let window else {
      text.line("\(name)_k += \(depth);")
      return
    }
    let channels = operand.depth
    let whole = depth / channels
    text.line("\(name)_c += \(depth % channels);")
    let carries = depth % channels != 0
    if whole == 0 {
      text.block("if (\(name)_c >= \(channels))") { text in
        text.line("\(name)_c -= \(channels);")
        count(&text, window, by: 1)
        text.line("\(name)_turn();")
      }
    } else {
      count(&text, window, by: whole)
      if carries {
        text.block("if (\(name)_c >= \(channels))") { text in
          text.line("\(name)_c -= \(channels);")
          count(&text, window, by: 1)
        }
      }
      text.line("\(name)_turn();")
    }
  }

  /// Statements that move `count` taps on.
  private func count(_ text: inout KernelText, _ window: ContractionWindow, by count: Int) {
    var rest = count
    for axis in window.axes.indices.reversed() {
      let t = "\(name)_t\(axis)"
      let taps = window.axes[axis].taps
      guard axis > 0 else {
        if rest > 0 { text.line("\(t) += \(rest);") }
        break
      }
      if rest % taps > 0 || axis < window.axes.count - 1 { text.line("\(t) += \(rest % taps);") }
      // A carry from a faster axis may come as well, so that one subtraction is always enough.
      text.line("if (\(t) >= \(taps)) { \(t) -= \(taps); \(name)_t\(axis - 1)++; }")
      rest /= taps
    }
  }
}

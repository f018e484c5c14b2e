import TensorModel

/// The text that applies the epilogue to a tile of sums in shared memory, `staged`, and stores the
/// results, so that neighbouring threads store neighbouring elements.
struct TileStoreText {
  /// Vectors of operands that a thread can hold while it multiplies.
  private static let earlyVectors = 4

  private let epilogue: ContractionEpilogue
  private let writer: EpilogueText
  private let shape: TileShape
  /// Floats from one row of `staged` to the next.
  private let row: Int
  private let vector: Int
  /// Vectors of a tile, and those of one thread.
  private let count: Int
  private let total: Int

  init(_ contraction: Contraction, _ shape: TileShape, row: Int) {
    epilogue = contraction.epilogue
    self.shape = shape
    self.row = row
    vector = min(epilogue.vector, shape.columns)
    writer = EpilogueText(epilogue: epilogue, vector: vector)
    count = shape.rows * shape.columns / vector
    total = ceilingQuotient(count, shape.threads)
  }

  /// Small tiles load the epilogue's operands before they multiply, when there is time to wait.
  private var isEarly: Bool { !epilogue.operands.isEmpty && total <= Self.earlyVectors }

  /// Vectors whose operands are loaded together.
  private var group: Int {
    if isEarly { return total }
    return epilogue.operands.isEmpty ? 1 : min(total, max(8 / vector, 2))
  }

  /// Statements before the main loop.
  func loadEarly(_ text: inout KernelText) { if isEarly { load(&text) } }

  private func load(_ text: inout KernelText) {
    text.lines(writer.declarations(count: group))
    guard !epilogue.operands.isEmpty else { return }
    text.line("#pragma unroll")
    text.block("for (int slot = 0; slot < \(group); slot++)") { text in
      text.lines(place)
      text.block("if (\(condition))") { $0.lines(writer.loads(slot: "slot")) }
    }
  }

  /// Statements after the sums were staged.
  func store(_ text: inout KernelText) throws(CUDASourceError) {
    if isEarly {
      try results(&text)
      return
    }
    text.line("#pragma unroll \(epilogue.operands.isEmpty ? 4 : 1)")
    try text.block("for (int i = 0; i < \(total); i += \(group))") {
      (text) throws(CUDASourceError) in
      load(&text)
      try results(&text)
    }
  }

  private func results(_ text: inout KernelText) throws(CUDASourceError) {
    text.line("#pragma unroll")
    try text.block("for (int slot = 0; slot < \(group); slot++)") {
      (text) throws(CUDASourceError) in
      text.lines(place)
      try text.block("if (\(condition))") { (text) throws(CUDASourceError) in
        text.lines(try writer.results(slot: "slot", sum: "staged[line * \(row) + piece + j]"))
      }
    }
  }

  /// Where vector `slot` lies.
  private var place: [String] {
    let number = isEarly ? "slot" : "(i + slot)"
    var lines = ["const int index = thread + \(number) * \(shape.threads);"]
    if epilogue.isColumnMajor {
      lines.append("const int line = index % \(shape.rows), piece = index / \(shape.rows);")
    } else {
      let pieces = shape.columns / vector
      lines.append(
        "const int line = index / \(pieces), piece = index % \(pieces) * \(vector);")
    }
    return lines + ["const int row = m0 + line, column = n0 + piece;"]
  }

  private var condition: String {
    let isExact = total * shape.threads == count && total % group == 0
    return "row < \(epilogue.rows.reduce(1, *)) && column < \(epilogue.columns)"
      + (isExact ? "" : " && index < \(count)")
  }
}

import TensorModel

/// The text that applies the epilogue to 16 rows of 32 sums of one warp in shared memory, `staged`, from row
/// `first` and column `left`.
struct StagedResults {
  private let epilogue: ContractionEpilogue
  private let writer: EpilogueText
  private let vector: Int

  init(_ problem: HopperContraction) {
    epilogue = problem.contraction.epilogue
    vector = epilogue.vector
    writer = EpilogueText(epilogue: epilogue, vector: vector)
  }

  /// Vectors of one lane.
  private var slots: Int { 16 / vector }
  private var pieces: Int { 32 / vector }

  private var place: [String] {
    [
      "const int own = slot * \(vector) + lane / \(pieces);",
      "const int row = first + own, column = left + lane % \(pieces) * \(vector);",
    ]
  }

  private var condition: String {
    "if (row < \(epilogue.rows.reduce(1, *)) && column < \(epilogue.columns))"
  }

  func load(_ text: inout KernelText) {
    guard !epilogue.operands.isEmpty else { return }
    text.lines(writer.declarations(count: slots))
    text.line("#pragma unroll")
    text.block("for (int slot = 0; slot < \(slots); slot++)") { text in
      text.lines(place)
      text.block(condition) { $0.lines(writer.loads(slot: "slot")) }
    }
  }

  func store(_ text: inout KernelText) throws(CUDASourceError) {
    text.line("#pragma unroll")
    try text.block("for (int slot = 0; slot < \(slots); slot++)") {
      (text) throws(CUDASourceError) in
      text.lines(place)
      text.line("const int order = (own & 3) << 1 | (own & 1);")
      text.line("Vector<float, \(vector)> own_sums;")
      for part in 0..<vector / 4 {
        text.line(
          "((Vector<float, 4>*)own_sums.at)[\(part)] = load_vector<4>(staged + own * 32 + "
            + "((lane % \(pieces) * \(vector / 4) + \(part) ^ order) << 2));")
      }
      try text.block(condition) { (text) throws(CUDASourceError) in
        text.lines(try writer.results(slot: "slot", sum: "own_sums.at[j]"))
      }
    }
  }
}

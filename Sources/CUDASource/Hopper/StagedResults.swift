import TensorModel

/// The text that applies the epilogue to a tile's sums: each warp passes 512 of them at a time, a part, through
/// shared memory, so that a lane has neighbouring columns of one row, and rows of a part are 128 bytes of results
/// where they can be, which is what memory likes best.
///
/// Operands are asked for long before they are needed, as memory answers late while tiles are copied: those
/// that all rows share at the beginning of a tile, others a few parts ahead, with asynchronous copies.
struct StagedResults {
  private typealias Place = ContractionEpilogue.Place

  /// Room for the sums of one part.
  private static let sumsBytes = 2048

  private let epilogue: ContractionEpilogue
  private let tile: HopperTile
  /// Where the room of this begins in shared memory.
  private let start: Int
  private let writer: EpilogueText
  private let vector: Int
  /// Operands with one number for each column.
  private let shared: [Place]
  /// Operands with one number for each result.
  private let own: [Place]
  private let others: ContractionEpilogue

  /// Blocks, each of which takes every so many-th tile.
  private let blocks: Int
  /// Whether the last tile comes first.
  private let isBackward: Bool

  init(
    _ epilogue: ContractionEpilogue, _ tile: HopperTile, start: Int, blocks: Int,
    isBackward: Bool = false
  ) {
    self.blocks = blocks
    self.isBackward = isBackward
    self.epilogue = epilogue
    self.tile = tile
    self.start = start
    let vector = epilogue.vector
    self.vector = vector
    writer = EpilogueText(epilogue: epilogue, vector: vector)
    let isShared = epilogue.isSameForAllRows
    func isOwn(_ place: Place) -> Bool {
      !isShared(place) && place.type.byteCount <= 4
        && [4, 8, 16].contains(vector * place.type.byteCount)
        && place.holdsVectors(of: vector, epilogue.rows)
    }
    shared = epilogue.operands.filter(isShared)
    own = epilogue.operands.filter(isOwn)
    others = ContractionEpilogue(
      epilogue.expression, epilogue.sumType, batch: epilogue.batch, rows: epilogue.rows,
      columns: epilogue.columns, output: epilogue.output,
      operands: epilogue.operands.filter { !isShared($0) && !isOwn($0) })
  }

  // MARK: - Room

  /// Where there is room, one part is passed on while another is read.
  private var buffers: Int { tile.groups > 2 ? 1 : 2 }
  /// Parts whose operands are under way.
  private var ahead: Int { [tile.ahead, 4, 3, 2].first { parts % $0 == 0 } ?? 1 }
  /// Whether there are operands with a number for each result.
  var readsTensors: Bool { !own.isEmpty }
  private func partBytes(_ place: Place) -> Int { 512 * place.type.byteCount }
  private func sharedBytes(_ place: Place) -> Int { tile.columns * place.type.byteCount }
  private var warpBytes: Int {
    own.reduce(buffers * Self.sumsBytes) { $0 + ahead * partBytes($1) }
  }
  private var groupBytes: Int { shared.reduce(4 * warpBytes) { $0 + sharedBytes($1) } }
  var bytes: Int { tile.groups * groupBytes }

  // MARK: - Places

  private var sum: String { epilogue.sumStorage }
  private var columnTiles: Int { ceilingQuotient(epilogue.columns, tile.columns) }
  /// Whether operands that rows share are the same for all tiles.
  private var isOneTileWide: Bool { columnTiles == 1 }
  private var firstTile: String {
    tile.alternates ? "(int)blockIdx.x + group * \(blocks)" : "(int)blockIdx.x"
  }
  /// From one tile of a warpgroup to the next.
  private var nextTile: Int { tile.alternates ? 2 * blocks : blocks }
  private var slots: Int { 16 / vector }
  /// Columns of a part; its rows are all or half of a warp's 16.
  private var partColumns: Int {
    epilogue.output.type.byteCount <= 2 && tile.columns % 64 == 0 ? 64 : 32
  }
  private var halves: Int { partColumns / 32 }
  private var pieces: Int { partColumns / vector }
  private var rowsOfSlot: Int { 32 / pieces }
  private var partsOfRow: Int { tile.columns / partColumns }
  private var parts: Int { tile.blocks * partsOfRow * halves }

  /// Declares the first row and the first column of a tile.
  func place(of tile: String, rows: String, columns: String) -> [String] {
    let rowTiles = ceilingQuotient(epilogue.rows.reduce(1, *), self.tile.rows)
    let line = "\(tile) / \(columnTiles)"
    let row = isBackward ? "(\(rowTiles - 1) - \(line))" : line
    return [
      "const int \(rows) = \(row) * \(self.tile.rows);",
      "const int \(columns) = \(tile) % \(columnTiles) * \(self.tile.columns);",
    ]
  }

  private func partPlace(_ row: String, _ column: String) -> [String] {
    let row = tile.alternates ? row : "\(row) + group * \(tile.blocks * 64)"
    return [
      "const int first = \(row) + part / \(partsOfRow * halves) * 64 + warp * 16\(halves == 2 ? " + part % 2 * 8" : "");",
      "const int left = \(column) + part / \(halves) % \(partsOfRow) * \(partColumns);",
    ]
  }

  private var slotPlace: [String] {
    [
      "const int near = slot * \(rowsOfSlot) + lane / \(pieces);",
      "const int row = first + near, column = left + lane % \(pieces) * \(vector);",
    ]
  }

  private var condition: String {
    // Rows of a tile past the last one are beyond the end, or before the beginning.
    "\(isBackward ? "(unsigned)row" : "row") < \(epilogue.rows.reduce(1, *)) && column < \(epilogue.columns)"
  }

  private func ring(_ place: Place, part: String) -> String {
    let size = vector * place.type.byteCount
    return
      "(\(place.storage)*)(\(place.name)_ring + (\(part) % \(ahead) * \(slots) + slot) * \(32 * size) + lane * \(size))"
  }

  // MARK: - Text

  /// Declares what all tiles use.
  func begin(_ text: inout KernelText) {
    var offset = buffers * Self.sumsBytes
    text.line(
      "unsigned char* const group_room = dynamic_shared + \(start) + group * \(groupBytes);")
    text.line("unsigned char* const warp_room = group_room + warp * \(warpBytes);")
    text.line("\(sum)* const staged = (\(sum)*)warp_room;")
    for place in own {
      text.line("unsigned char* const \(place.name)_ring = warp_room + \(offset);")
      offset += ahead * partBytes(place)
    }
    offset = 4 * warpBytes
    for place in shared {
      text.line(
        "\(place.storage)* const \(place.name)_line = (\(place.storage)*)(group_room + \(offset));")
      offset += sharedBytes(place)
    }
    declareFetch(&text)
    guard isOneTileWide else { return }
    text.block("", end: "}") { text in
      text.line("const int n0 = 0;")
      askShared(&text)
      keepShared(&text)
    }
  }

  /// Asks for operands, before the main loop of a tile.
  func ask(_ text: inout KernelText) {
    if !isOneTileWide { askShared(&text) }
  }

  private func askShared(_ text: inout KernelText) {
    let count = ceilingQuotient(tile.columns, 128)
    for place in shared {
      text.line("\(place.storage) \(place.name)_early[\(count)];")
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(count); i++)") { text in
        text.line("const int near = i * 128 + (threadIdx.x & 127);")
        text.line("const int column = near < \(tile.columns) ? n0 + near : n0;")
        let factor = IndexText.sum([("column", place.columnStride)])
        text.line(
          "if (column < \(epilogue.columns)) \(place.name)_early[i] = \(place.name)[\(factor)];")
      }
    }
  }

  /// The function that asks for the operands of one part of a tile, and its first calls.
  private func declareFetch(_ text: inout KernelText) {
    guard !own.isEmpty else { return }
    text.block("auto fetch = [&](int tile, int part)", end: "};") { text in
      text.lines(place(of: "tile", rows: "m", columns: "n"))
      text.lines(partPlace("m", "n"))
      text.line("#pragma unroll")
      text.block("for (int slot = 0; slot < \(slots); slot++)") { text in
        text.lines(slotPlace)
        text.line("const bool wanted = \(condition);")
        for (index, place) in own.enumerated() {
          let space = IndexSpace(shape: epilogue.rows, strides: [place.rowStrides])
          text.lines(space.coordinates(of: "row", prefix: "v\(index)_"))
          let from = "\(place.name) + \(space.offset(view: 0, prefix: "v\(index)_")) + column"
          text.line(
            "copy_async<\(vector * place.type.byteCount)>(\(ring(place, part: "part")), wanted ? \(from) : \(place.name), wanted);"
          )
        }
      }
      text.line("copy_async_commit();")
    }
    text.line("#pragma unroll 1")
    text.line("for (int part = 0; part < \(ahead); part++) fetch(\(firstTile), part);")
  }

  /// Results of a tile, whose sums are `sums[block][...]`.
  func store(_ text: inout KernelText) throws(CUDASourceError) {
    if !isOneTileWide { keepShared(&text) }
    text.line("const int line = lane >> 2, swizzle = \(swizzle("line"));")
    declarePass(&text)
    text.line("warp_barrier();")
    if buffers == 2 { text.line("pass(0);") }
    text.line("#pragma unroll")
    try text.block("for (int part = 0; part < \(parts); part++)") {
      (text) throws(CUDASourceError) in
      if !own.isEmpty { text.line("copy_async_wait<\(ahead - 1)>();") }
      if buffers == 1 { text.line("warp_barrier(); pass(part);") }
      text.line("warp_barrier();")
      if buffers == 2 { text.line("if (part + 1 < \(parts)) pass(part + 1);") }
      text.lines(partPlace("m0", "n0"))
      try text.block(
        "if (first < \(epilogue.rows.reduce(1, *)) && left < \(epilogue.columns))"
      ) { (text) throws(CUDASourceError) in
        operands(&text)
        try results(&text)
      }
      guard !own.isEmpty else { return }
      text.line(
        "fetch(part + \(ahead) < \(parts) ? tile : tile + \(nextTile), (part + \(ahead)) % \(parts));"
      )
    }
  }

  /// Passes on the operands that rows share.
  private func keepShared(_ text: inout KernelText) {
    guard !shared.isEmpty else { return }
    text.line("group_barrier(group + 1, 128);")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(ceilingQuotient(tile.columns, 128)); i++)") { text in
      text.line("const int near = i * 128 + (threadIdx.x & 127);")
      for place in shared {
        text.line(
          "if (near < \(tile.columns)) \(place.name)_line[near] = \(place.name)_early[i];")
      }
    }
    text.line("group_barrier(group + 1, 128);")
  }

  /// Which pieces of 16 bytes of a row change places, so that no two lanes meet in a bank.
  private func swizzle(_ row: String) -> String {
    halves == 2 ? "(\(row) & 3) << 1" : "(\(row) & 3) << 1 | (\(row) & 1)"
  }

  /// Where a piece of a part's row begins.
  private func place(_ row: String, piece: String, _ swizzle: String) -> String {
    let piece = halves == 2 ? "(\(piece)) ^ ((\(piece)) >> 3)" : "(\(piece))"
    return
      "staged + part % \(buffers) * \(Self.sumsBytes / 4) + (\(row)) * \(partColumns) + ((\(piece) ^ \(swizzle)) << 2)"
  }

  /// The function that puts a part's sums into shared memory.
  private func declarePass(_ text: inout KernelText) {
    text.block("auto pass = [&](int part)", end: "};") { text in
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < 8; j++)") { text in
        text.line("Vector<\(sum), 2> pair;")
        let at =
          halves == 2
          ? "part / 2 % \(partsOfRow) * 32 + j * 4 + part % 2 * 2"
          : "part % \(partsOfRow) * 16 + j * 2"
        text.line("const int at = \(at);")
        text.line("pair.at[0] = sums[part / \(partsOfRow * halves)][at];")
        text.line("pair.at[1] = sums[part / \(partsOfRow * halves)][at + 1];")
        let row = halves == 2 ? "line" : "line + j % 2 * 8"
        let piece = "\(halves == 2 ? "j" : "j / 2") * 2 + (lane >> 1 & 1)"
        text.line(
          "store_vector(\(place(row, piece: piece, "swizzle")) + (lane & 1) * 2, pair);")
      }
    }
  }

  private func operands(_ text: inout KernelText) {
    guard !epilogue.operands.isEmpty else { return }
    text.lines(writer.declarations(count: slots))
    text.line("#pragma unroll")
    text.block("for (int slot = 0; slot < \(slots); slot++)") { text in
      for place in shared {
        let target = "\(place.name)_at[slot]"
        if place.columnStride == 0 || epilogue.columns == 1 {
          text.line("\(target).at[0] = \(place.name)_line[0];")
        } else {
          text.line(
            "\(target) = load_vector<\(vector)>(\(place.name)_line + (left - n0) + lane % \(pieces) * \(vector));"
          )
        }
      }
      for place in own {
        text.line("\(place.name)_at[slot] = load_vector<\(vector)>(\(ring(place, part: "part")));")
      }
      guard !others.operands.isEmpty else { return }
      text.lines(slotPlace)
      let loads = EpilogueText(epilogue: others, vector: vector).loads(slot: "slot")
      text.block("if (\(condition))") { $0.lines(loads) }
    }
  }

  private func results(_ text: inout KernelText) throws(CUDASourceError) {
    text.line("#pragma unroll")
    try text.block("for (int slot = 0; slot < \(slots); slot++)") {
      (text) throws(CUDASourceError) in
      text.lines(slotPlace)
      text.line("const int order = \(swizzle("near"));")
      text.line("Vector<\(sum), \(vector)> own_sums;")
      for piece in 0..<vector / 4 {
        let from = place(
          "near", piece: "lane % \(pieces) * \(vector / 4) + \(piece)", "order")
        text.line("((Vector<\(sum), 4>*)own_sums.at)[\(piece)] = load_vector<4>(\(from));")
      }
      try text.block("if (\(condition))") { (text) throws(CUDASourceError) in
        text.lines(try writer.results(slot: "slot", sum: "own_sums.at[j]"))
      }
    }
  }
}

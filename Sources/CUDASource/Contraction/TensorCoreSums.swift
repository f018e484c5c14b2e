import TensorModel

/// Sums on tensor cores: fragments of `mma.sync`, read by `ldmatrix` one slice ahead of the products.
struct TensorCoreSums: TileSums {
  private let shape: TileShape
  private let type: DataType
  private let columnType: DataType
  /// The type of a sum, as text, and its first value.
  private let sum: String
  private let zero: String
  private let a: ContractionFeed.Major
  private let b: ContractionFeed.Major
  /// Whether the words of a tile are numbers in two parts already.
  private let isDividedA: Bool
  private let isDividedB: Bool

  init(
    _ shape: TileShape, _ contraction: Contraction, a: ContractionFeed.Major,
    b: ContractionFeed.Major
  ) {
    self.shape = shape
    type = contraction.type
    columnType = contraction.columnType
    sum = contraction.epilogue.sumStorage
    zero = contraction.epilogue.zeroSum
    self.a = a
    self.b = b
    isDividedA = contraction.a.isDivided
    isDividedB = contraction.b.isDivided
  }

  private var rowFragments: Int { shape.warpRows / 16 }
  private var columnFragments: Int { shape.warpColumns / 8 }
  /// Slices of a tile's depth, of 32 bytes each.
  private var slices: Int { shape.depth * type.byteCount / 32 }
  private var product: String {
    switch type {
    case .float16: "mma_half"
    case .bfloat16: "mma_bfloat"
    case .uint8, .int8: "mma_\(type.byteName)_\(columnType.byteName)"
    default: "mma_divided"
    }
  }

  func declare(_ text: inout KernelText, a feedA: TileFeedText, b feedB: TileFeedText) {
    let m = rowFragments, n = columnFragments
    text.line("const int lane = lane_index(), warp = warp_index();")
    text.line("const int warp_m = warp % \(shape.rowWarps) * \(shape.warpRows);")
    text.line("const int warp_n = warp / \(shape.rowWarps) * \(shape.warpColumns);")
    text.line("\(sum) sums[\(m)][\(n)][4];")
    text.line("#pragma unroll")
    text.line(
      "for (int i = 0; i < \(m * n * 4); i++) \(element("i")) = \(zero);")
    text.line("uint32_t fa[2][\(m)][4], fb[2][\(n)][2];")
    text.block("auto read = [&](int buffer, int stage, int slice)", end: "};") { text in
      text.line(
        "const unsigned char* tile = dynamic_shared + stage * \(shape.stageBytes(type));")
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(m); i++)") { readRows(&$0, feedA) }
      text.line("tile += \(feedA.bytes);")
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(n / 2); i++)") { readColumns(&$0, feedB) }
    }
    text.block("auto multiply = [&](int buffer)", end: "};") { text in
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(m); i++)") { text in
        text.line("#pragma unroll")
        text.line(
          "for (int j = 0; j < \(n); j++) \(product)(sums[i][j], fa[buffer][i], fb[buffer][j]);")
      }
    }
  }

  private func readRows(_ text: inout KernelText, _ feed: TileFeedText) {
    let bytes = feed.lineBytes
    text.line("const int first = warp_m + i * 16;")
    if a == .depth {
      text.line(
        "load_matrices(fa[buffer][i], tile + tile_place<\(bytes)>(first + (lane & 15), slice * 2 + (lane >> 4)));"
      )
    } else if type != .float32 {
      text.line(
        "load_matrices_transposed(fa[buffer][i], tile + tile_place<\(bytes)>(slice * 16 + (lane >> 4) * 8 + (lane & 7), first / 8 + (lane >> 3 & 1)));"
      )
    } else {
      text.line("const int k = slice * 8 + (lane & 3), m = first + (lane >> 2);")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < 4; j++) fa[buffer][i][j] = \(word(bytes, "k + (j >> 1) * 4", "m + (j & 1) * 8"));"
      )
    }
    if type == .float32 {
      text.line("uint32_t (&x)[4] = fa[buffer][i];")
      text.line("uint32_t high[2], low[2];")
      for line in 0..<2 {
        text.line(
          "\(divide(isDividedA))(x[\(line)], x[\(line + 2)], high[\(line)], low[\(line)]);")
      }
      text.line("x[0] = high[0]; x[1] = high[1]; x[2] = low[0]; x[3] = low[1];")
    }
  }

  private func readColumns(_ text: inout KernelText, _ feed: TileFeedText) {
    let bytes = feed.lineBytes
    text.line("const int first = warp_n + i * 16;")
    text.line("uint32_t four[4];")
    if b == .depth {
      text.line(
        "load_matrices(four, tile + tile_place<\(bytes)>(first + (lane >> 4) * 8 + (lane & 7), slice * 2 + (lane >> 3 & 1)));"
      )
    } else if type != .float32 {
      text.line(
        "load_matrices_transposed(four, tile + tile_place<\(bytes)>(slice * 16 + (lane & 15), first / 8 + (lane >> 4)));"
      )
    } else {
      text.line("const int k = slice * 8 + (lane & 3), n = first + (lane >> 2);")
      text.line("#pragma unroll")
      text.line(
        "for (int j = 0; j < 4; j++) four[j] = \(word(bytes, "k + (j & 1) * 4", "n + (j >> 1) * 8"));"
      )
    }
    text.line("#pragma unroll")
    if type == .float32 {
      text.line(
        "for (int j = 0; j < 2; j++) \(divide(isDividedB))(four[2 * j], four[2 * j + 1], fb[buffer][i * 2 + j][0], fb[buffer][i * 2 + j][1]);"
      )
    } else {
      text.line("for (int j = 0; j < 4; j++) fb[buffer][i * 2 + (j >> 1)][j & 1] = four[j];")
    }
  }

  /// A word of a tile whose lines lie along the depth.
  private func word(_ bytes: Int, _ line: String, _ place: String) -> String {
    "*(const uint32_t*)(tile + tile_place<\(bytes)>(\(line), (\(place)) >> 2) + ((\(place)) & 3) * 4)"
  }

  /// The function that makes the two parts of two neighbouring words of a fragment.
  private func divide(_ isDivided: Bool) -> String { isDivided ? "divided_parts" : "divide_floats" }

  func loop(_ text: inout KernelText, copy: (inout KernelText) -> Void) {
    let stages = shape.stages
    text.line("copy_async_wait<\(stages - 2)>();")
    text.line("block_barrier();")
    text.line("read(0, 0, 0);")
    text.line("#pragma unroll 1")
    text.block("for (int step = 0; step < steps; step++)") { text in
      for slice in 0..<slices {
        if slice == slices - 1 {
          text.line("copy_async_wait<\(stages - 2)>();")
          text.line("block_barrier();")
          text.line("from = from + 1 == \(stages) ? 0 : from + 1;")
        }
        text.line("read(\((slice + 1) & 1), from, \((slice + 1) % slices));")
        if slice == 0 { copy(&text) }
        text.line("multiply(\(slice & 1));")
      }
    }
  }

  func element(_ index: String) -> String { "((\(sum)*)sums)[\(index)]" }

  func stage(_ text: inout KernelText, row: Int, isColumnMajor: Bool) {
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(rowFragments); i++)") { text in
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(columnFragments); j++)") { text in
        text.line(
          "\(sum)* place = staged + (warp_m + i * 16 + (lane >> 2)) * \(row) + warp_n + j * 8 + (lane & 3) * 2;"
        )
        if isColumnMajor {
          text.line("place[0] = sums[i][j][0]; place[1] = sums[i][j][1];")
          text.line("place[\(8 * row)] = sums[i][j][2]; place[\(8 * row + 1)] = sums[i][j][3];")
        } else {
          text.line("Vector<\(sum), 2> upper, lower;")
          text.line("upper.at[0] = sums[i][j][0]; upper.at[1] = sums[i][j][1];")
          text.line("lower.at[0] = sums[i][j][2]; lower.at[1] = sums[i][j][3];")
          text.line("store_vector(place, upper); store_vector(place + \(8 * row), lower);")
        }
      }
    }
  }
}

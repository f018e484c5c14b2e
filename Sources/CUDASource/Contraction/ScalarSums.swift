import TensorModel

/// Sums on the scalar units, exact in single precision: 4 x 8 threads of a warp, each with a block of
/// sums in registers. 16-bit elements are not copied as floats, so only float32 is computed here.
struct ScalarSums: TileSums {
  private static let rowLanes = 4
  private static let columnLanes = 8

  private let shape: TileShape
  private let type: DataType
  private let a: ContractionFeed.Major
  private let b: ContractionFeed.Major

  init(
    _ shape: TileShape, _ contraction: Contraction, a: ContractionFeed.Major,
    b: ContractionFeed.Major
  ) {
    self.shape = shape
    type = contraction.type
    self.a = a
    self.b = b
  }

  private var rows: Int { shape.warpRows / Self.rowLanes }
  private var columns: Int { shape.warpColumns / Self.columnLanes }

  /// The line of a warp's part that a thread's line `i` is.
  private static func line(
    _ major: ContractionFeed.Major, _ lane: String, _ lanes: Int, _ i: String
  ) -> String {
    major == .depth
      ? "\(lane) + (\(i)) * \(lanes)"
      : "\(lane) * 4 + (\(i)) / 4 * \(4 * lanes) + (\(i)) % 4"
  }

  func declare(_ text: inout KernelText, a feedA: TileFeedText, b feedB: TileFeedText) {
    text.line("const int lane = lane_index(), warp = warp_index();")
    // Lanes side by side share lines of both tiles, so that one access to shared memory serves more.
    text.line("const int lane_m = (lane & 1) | (lane >> 4) << 1, lane_n = lane >> 1 & 7;")
    text.line("const int warp_m = warp % \(shape.rowWarps) * \(shape.warpRows);")
    text.line("const int warp_n = warp / \(shape.rowWarps) * \(shape.warpColumns);")
    text.line("float sums[\(rows)][\(columns)];")
    text.line("#pragma unroll")
    text.line("for (int i = 0; i < \(rows * columns); i++) \(element("i")) = 0.0f;")
    text.block("auto multiply = [&](int stage)", end: "};") { text in
      text.line(
        "const unsigned char* tile = dynamic_shared + stage * \(shape.stageBytes(type));")
      text.line("#pragma unroll")
      text.block("for (int slice = 0; slice < \(shape.depth / 4); slice++)") { text in
        read(&text, "fa", "tile", a, feedA, rows, "warp_m", "lane_m", Self.rowLanes)
        read(
          &text, "fb", "tile + \(feedA.bytes)", b, feedB, columns, "warp_n", "lane_n",
          Self.columnLanes)
        text.line("#pragma unroll")
        text.block("for (int k = 0; k < 4; k++)") { text in
          text.line("#pragma unroll")
          text.block("for (int i = 0; i < \(rows); i++)") { text in
            text.line("#pragma unroll")
            text.line(
              "for (int j = 0; j < \(columns); j++) sums[i][j] = fmaf(\(value("fa", a, "i")), \(value("fb", b, "j")), sums[i][j]);"
            )
          }
        }
      }
    }
  }

  /// Reads four elements of the depth of a thread's lines.
  private func read(
    _ text: inout KernelText, _ name: String, _ tile: String, _ major: ContractionFeed.Major,
    _ feed: TileFeedText, _ count: Int, _ first: String, _ lane: String, _ lanes: Int
  ) {
    let line = "\(first) + \(Self.line(major, lane, lanes, "i"))"
    if major == .depth {
      text.line("Vector<float, 4> \(name)[\(count)];")
      text.line("#pragma unroll")
      text.line(
        "for (int i = 0; i < \(count); i++) \(name)[i] = load_vector<4>((const float*)(\(tile) + tile_place<\(feed.lineBytes)>(\(line), slice)));"
      )
    } else {
      text.line("Vector<float, 4> \(name)[4][\(count / 4)];")
      text.line("#pragma unroll")
      text.block("for (int i = 0; i < \(count); i += 4)") { text in
        text.line("#pragma unroll")
        text.line(
          "for (int k = 0; k < 4; k++) \(name)[k][i / 4] = load_vector<4>((const float*)(\(tile) + tile_place<\(feed.lineBytes)>(slice * 4 + k, (\(line)) / 4)));"
        )
      }
    }
  }

  private func value(_ name: String, _ major: ContractionFeed.Major, _ i: String) -> String {
    major == .depth ? "\(name)[\(i)].at[k]" : "\(name)[k][\(i) / 4].at[\(i) % 4]"
  }

  func loop(_ text: inout KernelText, copy: (inout KernelText) -> Void) {
    text.line("#pragma unroll 1")
    text.block("for (int step = 0; step < steps; step++)") { text in
      text.line("copy_async_wait<\(shape.stages - 2)>();")
      text.line("block_barrier();")
      copy(&text)
      text.line("multiply(from);")
      text.line("from = from + 1 == \(shape.stages) ? 0 : from + 1;")
    }
  }

  func element(_ index: String) -> String { "((float*)sums)[\(index)]" }

  func stage(_ text: inout KernelText, row: Int, isColumnMajor: Bool) {
    let isWide = b == .line && !isColumnMajor
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(rows); i++)") { text in
      text.line(
        "float* place = staged + (warp_m + \(Self.line(a, "lane_m", Self.rowLanes, "i"))) * \(row) + warp_n;"
      )
      text.line("#pragma unroll")
      text.block("for (int j = 0; j < \(columns); j += \(isWide ? 4 : 1))") { text in
        let column = Self.line(b, "lane_n", Self.columnLanes, "j")
        if isWide {
          text.line("Vector<float, 4> four;")
          text.line("#pragma unroll")
          text.line("for (int k = 0; k < 4; k++) four.at[k] = sums[i][j + k];")
          text.line("store_vector(place + \(column), four);")
        } else {
          text.line("place[\(column)] = sums[i][j];")
        }
      }
    }
  }
}

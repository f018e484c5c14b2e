import KernelModel
import TensorModel

/// A contraction of few rows: a warp or a whole block adds up one column of all rows, so that b is
/// read once.
struct VectorTactic: CUDATactic {
  private static let mostRows = 8

  let warpsOfColumn: Int

  var name: String { warpsOfColumn > 1 ? "gemv x\(warpsOfColumn)" : "gemv" }

  static func candidates(_ contraction: Contraction, _ request: CUDARequest) -> [VectorTactic] {
    guard contraction.window == nil, contraction.rowCount <= mostRows, contraction.depth > 0,
      contraction.b.isConstant || contraction.b.feed(contraction.type, nil)?.major == .depth
    else { return [] }
    let columns = contraction.columns * contraction.batchCount
    let both = [VectorTactic(warpsOfColumn: 1), VectorTactic(warpsOfColumn: 8)]
    return columns < 4 * request.gpu.multiprocessors ? both.reversed() : both
  }

  func estimate(_ request: CUDARequest) -> Double {
    guard let contraction = Contraction(request) else { return .infinity }
    let columns = Double(contraction.columns * contraction.batchCount)
    let warps = columns * Double(warpsOfColumn) / Double(request.gpu.multiprocessors)
    // About 600 cycles for each access that a warp waits for; the loads of eight are under way at once.
    let accesses = Double(contraction.depth) / Double(warpsOfColumn * 256)
    let rounds = (warps / 32).rounded(.up)
    let waiting = rounds * (accesses / 4 + 1) * 4e-7 + Double(warpsOfColumn - 1) * 5e-8
    return request.launchSeconds + max(request.trafficSeconds - request.launchSeconds, waiting)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard let contraction = Contraction(request) else {
      throw CUDASourceError("the step is no contraction")
    }
    let fed = try FedContraction(contraction, constants: .depth, divides: false)
    guard contraction.window == nil, fed.b.major == .depth else {
      throw CUDASourceError("the columns' depth is not contiguous")
    }
    let kernel = VectorKernel(fed, warpsOfColumn: warpsOfColumn)
    var plan = fed.plan
    plan.launches.append(try kernel.launch)
    return plan
  }
}

/// The kernel that multiplies few rows by a matrix.
struct VectorKernel {
  private static let warps = 4

  private let contraction: Contraction
  private let warpsOfColumn: Int
  /// Elements of b, and of a where its depth is contiguous, that a thread loads at once.
  private let vector: Int
  private let isRowContiguous: Bool

  init(_ fed: FedContraction, warpsOfColumn: Int) {
    contraction = fed.contraction
    self.warpsOfColumn = warpsOfColumn
    isRowContiguous = fed.a.major == .depth
    // What is not padded is read to the last element and no further.
    let depth = min(contraction.a.depth, contraction.b.depth)
    var vector = isRowContiguous ? min(fed.a.vector, fed.b.vector) : fed.b.vector
    while depth % vector != 0 { vector /= 2 }
    self.vector = vector
  }

  private var depth: Int { min(contraction.a.depth, contraction.b.depth) }
  private var rows: Int { contraction.rowCount }
  private var units: Int { contraction.columns * contraction.batchCount }
  private var threads: Int { 32 * (warpsOfColumn > 1 ? warpsOfColumn : Self.warps) }
  private var storage: String { contraction.type.cudaStorage ?? "float" }
  private var columnStorage: String { contraction.columnType.cudaStorage ?? "float" }
  private var sum: String { contraction.epilogue.sumStorage }
  private var zero: String { contraction.epilogue.zeroSum }

  var launch: KernelLaunch {
    get throws(CUDASourceError) {
      KernelLaunch(
        try source,
        grid: GridSize(warpsOfColumn > 1 ? units : ceilingQuotient(units, Self.warps)),
        threads: threads,
        arguments: [contraction.a.argument, contraction.b.argument]
          + contraction.epilogue.arguments)
    }
  }

  private var source: KernelSource {
    get throws(CUDASourceError) {
      let parameters = contraction.factorParameters + contraction.epilogue.parameters
      var text = KernelText()
      try text.block(
        "KERNEL(\(threads)) contraction(\(parameters.joined(separator: ", ")))"
      ) { (text) throws(CUDASourceError) in
        place(&text)
        add(&text)
        join(&text)
        try store(&text)
      }
      return KernelSource(entry: "contraction", body: text.text)
    }
  }

  private func place(_ text: inout KernelText) {
    text.line("const int lane = lane_index();")
    if warpsOfColumn > 1 {
      text.line("const int unit = blockIdx.x, part = threadIdx.x;")
    } else {
      text.line("const int unit = blockIdx.x * \(Self.warps) + warp_index(), part = lane;")
      text.line("if (unit >= \(units)) return;")
    }
    text.line("const int column = unit % \(contraction.columns);")
    guard contraction.batchCount > 1 else { return }
    text.line("const int batch = unit / \(contraction.columns);")
    let space = IndexSpace(
      shape: contraction.batch,
      strides: [contraction.a.batchStrides, contraction.b.batchStrides])
    text.block("", end: "}") { text in
      text.lines(space.coordinates(of: "batch", prefix: "z"))
      text.line("a += \(space.offset(view: 0, prefix: "z"));")
      text.line("b += \(space.offset(view: 1, prefix: "z"));")
    }
    text.block("", end: "}") { $0.lines(contraction.epilogue.batchStatements) }
  }

  private func add(_ text: inout KernelText) {
    let stride = vector * (warpsOfColumn > 1 ? threads : 32)
    let space = IndexSpace(
      shape: contraction.rows, strides: [contraction.a.rowStrides(nil)])
    text.line("\(sum) sums[\(rows)];")
    text.line("#pragma unroll")
    text.line("for (int row = 0; row < \(rows); row++) sums[row] = \(zero);")
    text.line(
      "const \(columnStorage)* line = b + \(IndexText.sum([("column", contraction.b.lines[0].stride)]));"
    )
    text.line("#pragma unroll \(rows > 4 ? 2 : 4)")
    text.block("for (int k = part * \(vector); k < \(depth); k += \(stride))") { text in
      text.line("const Vector<\(columnStorage), \(vector)> y = load_vector<\(vector)>(line + k);")
      text.line("#pragma unroll")
      text.block("for (int row = 0; row < \(rows); row++)") { text in
        text.lines(space.coordinates(of: "row", prefix: "u"))
        let place = "a + \(space.offset(view: 0, prefix: "u"))"
        let step = contraction.a.channels.stride
        if isRowContiguous {
          text.line(
            "const Vector<\(storage), \(vector)> x = load_vector<\(vector)>(\(place) + k);")
        }
        text.line("#pragma unroll")
        let x = isRowContiguous ? "x.at[j]" : "(\(place))[(k + j) * \(step)]"
        let product =
          contraction.type.isByte
          ? "sums[row] += (int32_t)\(x) * (int32_t)y.at[j];"
          : "sums[row] = fmaf(load(\(x)), load(y.at[j]), sums[row]);"
        text.line("for (int j = 0; j < \(vector); j++) \(product)")
      }
    }
  }

  /// Adds the sums of a column's threads; those of lane `row` of the first warp count.
  private func join(_ text: inout KernelText) {
    text.line("#pragma unroll")
    text.block("for (int row = 0; row < \(rows); row++)") { text in
      text.line("#pragma unroll")
      text.line(
        "for (int mask = 16; mask > 0; mask /= 2) sums[row] += shuffle_xor(sums[row], mask);")
    }
    if warpsOfColumn > 1 {
      text.line("SHARED \(sum) parts[\(rows)][\(warpsOfColumn)];")
      text.line("#pragma unroll")
      text.line(
        "for (int row = 0; row < \(rows); row++) if (lane == 0) parts[row][warp_index()] = sums[row];"
      )
      text.line("block_barrier();")
      text.line("const int row = threadIdx.x;")
      text.line("if (row >= \(rows)) return;")
      text.line("\(sum) sum = \(zero);")
      text.line("#pragma unroll")
      text.line("for (int i = 0; i < \(warpsOfColumn); i++) sum += parts[row][i];")
    } else {
      text.line("const int row = lane;")
      text.line("if (row >= \(rows)) return;")
      text.line("\(sum) sum = sums[0];")
      text.line("#pragma unroll")
      text.line("for (int i = 1; i < \(rows); i++) if (row == i) sum = sums[i];")
    }
  }

  private func store(_ text: inout KernelText) throws(CUDASourceError) {
    let writer = EpilogueText(epilogue: contraction.epilogue, vector: 1)
    text.lines(writer.declarations(count: 1))
    try text.block("", end: "}") { (text) throws(CUDASourceError) in
      text.block("", end: "}") { $0.lines(writer.loads(slot: "0")) }
      text.lines(try writer.results(slot: "0", sum: "sum"))
    }
  }
}

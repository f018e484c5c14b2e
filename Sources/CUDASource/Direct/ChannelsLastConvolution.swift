import KernelModel
import ProgramModel
import TensorModel

/// Depthwise and grouped convolution of images whose channels lie side by side, and transposed convolution:
/// a thread sums a few neighbouring pixels for several channels at once.
///
/// Weights are repacked to `[R][S][C / groups][M]`, so that neighbouring threads read neighbouring weights.
struct ChannelsLastConvolution: CUDATactic {
  let step: ConvolutionStep
  /// Output channels of a thread: they divide a group's, or are those of several whole groups.
  let vector: Int
  let rows: Int
  let columns: Int
  let tiling: ImageTiling

  static func variants(_ step: ConvolutionStep, _ request: CUDARequest) -> [any CUDATactic] {
    guard let step = step.asImage(), step.output.elementCount > 0, step.x.elementCount > 0,
      step.isWorthIt, step.x.isContiguous(along: 1),
      !step.isTransposed || step.geometry.dilations == [1, 1]
    else { return [] }
    let widths = ImageTiling.widths([step.output], channels: step.output.shape[1])
      .filter(step.allows)
    func best(_ count: Int, of tiles: [(Int, Int)]) -> [ChannelsLastConvolution] {
      let found = widths.prefix(2).flatMap { width in
        tiles.map { rows, columns in
          ChannelsLastConvolution(
            step, vector: width, rows: rows, columns: columns, gpu: request.gpu)
        }
      }
      return Array(
        found.filter { $0.registers <= 224 }
          .sorted { $0.estimate(request) < $1.estimate(request) }.prefix(count))
    }
    return best(7, of: tiles(step)) + best(3, of: tallTiles(step))
  }

  private static func tiles(_ step: ConvolutionStep) -> [(Int, Int)] {
    let tiles = [(1, 1), (1, 2), (1, 4)]
    return fitting(step, tiles + (isSmall(step) ? [(2, 2), (2, 4), (4, 2)] : [(1, 8)]))
  }

  /// Tiles whose rows are stored one after the other; of the extents that images of 224 have at last.
  private static func tallTiles(_ step: ConvolutionStep) -> [(Int, Int)] {
    fitting(step, isSmall(step) ? [(7, 1), (7, 2), (8, 2), (14, 2)] : [])
  }

  private static func isSmall(_ step: ConvolutionStep) -> Bool {
    step.groupInputs == 1 && step.geometry.taps <= 9 && !step.isTransposed
  }

  private static func fitting(_ step: ConvolutionStep, _ tiles: [(Int, Int)]) -> [(Int, Int)] {
    tiles.filter { $0.0 <= step.output.shape[2] && $0.1 < 2 * step.output.shape[3] }
  }

  private init(
    _ step: ConvolutionStep, vector: Int, rows: Int, columns: Int, gpu: GPUProperties
  ) {
    self.step = step
    self.vector = vector
    self.rows = rows
    self.columns = columns
    var geometry = step.geometry
    if step.isTransposed {
      // Outputs of a phase lie over x as those of a dense convolution do.
      geometry.kernel = zip(geometry.kernel, geometry.strides).map { ceilingQuotient($0, $1) }
      geometry.strides = [1, 1]
    }
    let total = step.output.elementCount / (vector * rows * columns)
    tiling = ImageTiling(
      shape: step.output.shape, vector: vector, rows: rows, columns: columns,
      phases: step.isTransposed ? step.geometry.strides : [1, 1], geometry: geometry,
      elementBytes: step.x.dataType.byteCount,
      threads: ImageTiling.blockThreads(total, gpu.multiprocessors))
  }

  var name: String { "\(step.family) channels last \(vector)x\(rows)x\(columns)" }

  /// Groups of which a thread computes channels.
  private var groups: Int { max(1, vector / step.groupOutputs) }
  /// Input channels of a group that are in registers at a time.
  private var chunk: Int {
    groups > 1 ? step.groupInputs : [8, 4, 2, 1].first { step.groupInputs % $0 == 0 } ?? 1
  }
  /// Channels of x that a thread loads of a pixel.
  private var inputs: Int { groups * chunk }
  private var inputVector: Int {
    ImageTiling.widths([step.x], channels: step.x.shape[1]).first { inputs % $0 == 0 } ?? 1
  }
  private var span: Int {
    step.isTransposed ? columns : step.geometry.span(1, windows: columns)
  }
  /// Whether rows of outputs are stored as soon as their sums are complete.
  private var storesEarly: Bool { rows > 1 && chunk == step.groupInputs && !step.isTransposed }
  private var registers: Int {
    guard storesEarly else {
      return 40 + rows * columns * vector + span * inputs + 3 * vector
    }
    let geometry = step.geometry
    let reach = (geometry.kernel[0] - 1) * geometry.dilations[0]
    let live = min(rows, reach / geometry.strides[0] + 1)
    return 24 + live * columns * vector + span * inputs + geometry.taps * vector
  }

  func estimate(_ request: CUDARequest) -> Double {
    let geometry = step.geometry
    let phases = step.isTransposed ? geometry.strides.reduce(1, *) : 1
    let taps = ceilingQuotient(geometry.taps, phases)
    let chunks = step.groupInputs / chunk
    let lines =
      step.isTransposed
      ? taps * columns : geometry.span(0, windows: rows) * span
    let loads = lines * chunks * max(1, inputs / inputVector) + taps * step.groupInputs
    let cost = ThreadCost(
      loads: loads, loadBytes: min(16, vector * step.x.dataType.byteCount),
      operations: taps * step.groupInputs * vector * (rows * columns + 1) + lines * inputs * chunks,
      registers: registers)
    // Where it is memory that answers, a tall tile has too few loads under way.
    let waits = rows > 4 && request.step.trafficBytes > Double(request.gpu.cacheBytes) * 1.2
    return (waits ? 1.3 : 1)
      * cost.seconds(blocks: tiling.blocks, threads: tiling.threads, request)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let repacking = WeightRepacking(
      weights: step.weights, isTransposed: step.isTransposed, groupOutputs: step.groupOutputs,
      groupInputs: step.groupInputs)
    let source = KernelSource(entry: "channels_last_convolution", body: try text())
    func launch(_ weights: KernelLaunch.Argument) -> KernelLaunch {
      KernelLaunch(
        source, grid: GridSize(tiling.blocks), threads: tiling.threads,
        arguments: [.input(0), weights] + step.epilogue.arguments)
    }
    if step.weightsAreConstant {
      return StepPlan(
        launches: [launch(.prepared(0))], prepared: [repacking.byteCount],
        preparation: [repacking.launch(to: .prepared(0))])
    }
    return StepPlan(
      launches: [repacking.launch(to: .workspace(0)), launch(.workspace(0))],
      workspaceBytes: repacking.byteCount)
  }

  // MARK: - Text

  private func text() throws(CUDASourceError) -> String {
    let parameters = step.factorParameters + step.epilogue.parameters
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(tiling.threads)) channels_last_convolution(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.lines(tiling.mapping)
      kernel.line("\(step.accumulator.name) sum[\(rows)][\(columns)][\(vector)] = {};")
      kernel.line("const int base = m / \(step.groupOutputs) * \(step.groupInputs);")
      if chunk < step.groupInputs {
        kernel.line("#pragma unroll 1")
        try kernel.block("for (int c = 0; c < \(step.groupInputs); c += \(chunk))") {
          (kernel) throws(CUDASourceError) in try chunkText(&kernel)
        }
      } else {
        kernel.line("const int c = 0;")
        try chunkText(&kernel)
      }
      if !storesEarly {
        kernel.line("#pragma unroll")
        try kernel.block("for (int t = 0; t < \(rows); t++)") {
          (kernel) throws(CUDASourceError) in try results(&kernel)
        }
      }
    }
    return kernel.text
  }

  private func chunkText(_ kernel: inout KernelText) throws(CUDASourceError) {
    let offset = DirectText.offset(step.x, ["n", "(base + c)", "0", "0"])
    kernel.line("const \(DirectText.storage(step.x.dataType))* source = x + \(offset);")
    kernel.line(
      "const \(DirectText.storage(step.weights.dataType))* filter = w + c * \(step.output.shape[1]) + m;"
    )
    if step.isTransposed { transposedTaps(&kernel) } else { try taps(&kernel) }
  }

  /// Rows of x one after the other: each is loaded once and given to every output that it meets.
  private func taps(_ kernel: inout KernelText) throws(CUDASourceError) {
    let geometry = step.geometry
    let lines = geometry.span(0, windows: rows), products = vector * columns * rows
    let isLong = geometry.taps * chunk * products > 2400
    kernel.line("const int first = left * \(geometry.strides[1]) - \(geometry.pads[1]);")
    let isLoop = isLong && rows == 1
    kernel.line(isLoop ? "#pragma unroll 1" : "#pragma unroll")
    let count = rows == 1 ? geometry.kernel[0] : lines
    try kernel.block("for (int line = 0; line < \(count); line++)") {
      (kernel) throws(CUDASourceError) in
      let advance = rows == 1 ? geometry.dilations[0] : 1
      kernel.line(
        "const int i = top * \(geometry.strides[0]) - \(geometry.pads[0]) + line * \(advance);")
      let inside = "(unsigned)i < \(geometry.elements[0])u"
      // Without a branch, loads of several rows are in flight at a time.
      let skips = isLoop && step.padValue == 0
      if skips { kernel.line("if (!(\(inside))) continue;") }
      load(&kernel, row: skips ? "" : inside + " && ")
      outputs(&kernel)
      guard storesEarly else { return }
      let reach = (geometry.kernel[0] - 1) * geometry.dilations[0]
      let isLast = "line >= \(reach) && (line - \(reach)) % \(geometry.strides[0]) == 0"
      try kernel.block("if (\(isLast))") { (kernel) throws(CUDASourceError) in
        kernel.line("const int t = (line - \(reach)) / \(geometry.strides[0]);")
        try results(&kernel)
      }
    }
  }

  /// Adds the products of the row `line` to the outputs whose windows hold it.
  private func outputs(_ kernel: inout KernelText) {
    let geometry = step.geometry
    func products(_ kernel: inout KernelText) {
      kernel.line("#pragma unroll")
      kernel.block("for (int s = 0; s < \(geometry.kernel[1]); s++)") { kernel in
        self.products(
          &kernel, tap: "(r * \(geometry.kernel[1]) + s)",
          column: "j * \(geometry.strides[1]) + s * \(geometry.dilations[1])")
      }
    }
    guard rows > 1 else {
      kernel.line("const int r = line, t = 0;")
      return products(&kernel)
    }
    kernel.line("#pragma unroll")
    kernel.block("for (int t = 0; t < \(rows); t++)") { kernel in
      let reach = (geometry.kernel[0] - 1) * geometry.dilations[0]
      kernel.line("const int away = line - t * \(geometry.strides[0]);")
      kernel.line(
        "if (away < 0 || away > \(reach) || away % \(geometry.dilations[0]) != 0) continue;")
      kernel.line("const int r = away / \(geometry.dilations[0]);")
      products(&kernel)
    }
  }

  /// The taps that meet elements of x are the same for all of a thread's outputs.
  private func transposedTaps(_ kernel: inout KernelText) {
    let geometry = step.geometry
    let stride = geometry.strides, pad = geometry.pads
    kernel.line("const int t = 0;")
    kernel.block(Self.phaseLoop("r", "top", pad[0], stride[0], geometry.kernel[0])) { kernel in
      kernel.line("const int i = (top + \(pad[0]) - r) / \(stride[0]);")
      kernel.line("if ((unsigned)i >= \(geometry.windows[0])u) continue;")
      kernel.block(Self.phaseLoop("s", "left", pad[1], stride[1], geometry.kernel[1])) { kernel in
        kernel.line("const int first = (left + \(pad[1]) - s) / \(stride[1]);")
        load(&kernel, row: "")
        products(&kernel, tap: "(r * \(geometry.kernel[1]) + s)", column: "j")
      }
    }
  }

  private static func phaseLoop(
    _ tap: String, _ output: String, _ pad: Int, _ stride: Int, _ count: Int
  ) -> String {
    "for (int \(tap) = ((\(output) + \(pad)) % \(stride) + \(stride)) % \(stride); "
      + "\(tap) < \(count); \(tap) += \(stride))"
  }

  /// Loads `span` pixels of the row `i` of x from column `first` on; zeros outside.
  private func load(_ kernel: inout KernelText, row: String) {
    let type = DirectText.storage(step.x.dataType), width = inputVector
    let extent = step.x.shape[3]
    kernel.line("\(step.accumulator.name) element[\(span)][\(inputs)];")
    kernel.line("#pragma unroll")
    kernel.block("for (int p = 0; p < \(span); p++)") { kernel in
      kernel.line("const int o = first + p;")
      kernel.line("#pragma unroll")
      kernel.block("for (int q = 0; q < \(inputs); q += \(width))") { kernel in
        kernel.line("Vector<\(type), \(width)> part = {};")
        if step.padValue != 0 {
          kernel.line("#pragma unroll")
          kernel.line(
            "for (int v = 0; v < \(width); v++) part.at[v] = (\(type))(\(step.padValue));")
        }
        let offset = IndexText.sum([("i", step.x.strides[2]), ("o", step.x.strides[3]), ("q", 1)])
        kernel.line(
          "if (\(row)(unsigned)o < \(extent)u) part = load_vector<\(width)>(source + \(offset));")
        kernel.line("#pragma unroll")
        kernel.line("for (int v = 0; v < \(width); v++)")
        kernel.line("  element[p][q + v] = (\(step.accumulator.name))load(part.at[v]);")
      }
    }
  }

  /// Adds the products of one tap; column `j` of the outputs meets pixel `column`.
  private func products(_ kernel: inout KernelText, tap: String, column: String) {
    let type = DirectText.storage(step.weights.dataType), sum = step.accumulator.name
    let lane = groups > 1 ? "v / \(step.groupOutputs) * \(step.groupInputs) + q" : "q"
    let channels = step.output.shape[1]
    kernel.line("#pragma unroll")
    kernel.block("for (int q = 0; q < \(chunk); q++)") { kernel in
      kernel.line(
        "const Vector<\(type), \(vector)> weight = load_vector<\(vector)>"
          + "(filter + (\(tap) * \(step.groupInputs) + q) * \(channels));")
      kernel.line("\(sum) factor[\(vector)];")
      kernel.line("#pragma unroll")
      kernel.line(
        "for (int v = 0; v < \(vector); v++) factor[v] = (\(sum))load(weight.at[v]);")
      kernel.line("#pragma unroll")
      kernel.line("for (int j = 0; j < \(columns); j++)")
      kernel.line("#pragma unroll")
      kernel.line("  for (int v = 0; v < \(vector); v++)")
      kernel.line("    sum[t][j][v] += element[\(column)][\(lane)] * factor[v];")
    }
  }

  /// Stores the row `t` of the outputs.
  private func results(_ kernel: inout KernelText) throws(CUDASourceError) {
    let advance = step.isTransposed ? step.geometry.strides[1] : 1
    kernel.line("#pragma unroll")
    try kernel.block("for (int j = 0; j < \(columns); j++)") { kernel throws(CUDASourceError) in
      kernel.line("const int h = top + t, o = left + j * \(advance);")
      kernel.line(
        "if (h >= \(step.output.shape[2]) || o >= \(step.output.shape[3])) continue;")
      kernel.lines(
        try step.epilogue.store(
          step.accumulator.value("sum[t][j][v]"), width: vector, along: 1,
          at: ["n", "m", "h", "o"]))
    }
  }
}

extension ConvolutionStep {
  fileprivate var family: String {
    if isTransposed { return "transposed" }
    return groupInputs == 1 && groupOutputs == 1 ? "depthwise" : "grouped"
  }

  /// Whether this is not the business of matrix products.
  fileprivate var isWorthIt: Bool {
    guard groupInputs > 0 else { return false }
    switch x.dataType {
    case .float32, .float16, .bfloat16, .int8, .uint8: return groups > 1 || isTransposed
    case .bool: return false
    default: return true
    }
  }

  /// Whether a thread can have so many channels.
  fileprivate func allows(_ width: Int) -> Bool {
    groupOutputs % width == 0
      || width % groupOutputs == 0 && width / groupOutputs * groupInputs <= 16
  }
}

import KernelModel
import ProgramModel
import TensorModel

/// Pooling of images whose channels lie side by side: a thread combines several channels at once, for a few
/// neighbouring outputs of a row.
struct ChannelsLastWindow: CUDATactic {
  let step: WindowStep
  let vector: Int
  let columns: Int
  private let tiling: ImageTiling

  var name: String { "channels last \(vector)x\(columns)" }

  static func variants(_ step: WindowStep, _ request: CUDARequest) -> [any CUDATactic] {
    guard let step = step.asImage(), step.output.elementCount > 0, step.geometry.taps <= 64,
      step.combination.ignoresZeros
    else { return [] }
    let widths = ImageTiling.widths([step.x, step.output], channels: step.x.shape[1])
    guard let widest = widths.first, widest > 1 else { return [] }
    var result: [ChannelsLastWindow] = []
    for width in widths.prefix(2) where width > 1 {
      for columns in [1, 2, 4] where columns == 1 || columns <= step.output.shape[3] {
        result.append(
          ChannelsLastWindow(step, vector: width, columns: columns, gpu: request.gpu))
      }
    }
    return result.sorted { $0.estimate(request) < $1.estimate(request) }
  }

  private init(_ step: WindowStep, vector: Int, columns: Int, gpu: GPUProperties) {
    self.step = step
    self.vector = vector
    self.columns = columns
    let total = step.output.elementCount / (vector * columns)
    tiling = ImageTiling(
      shape: step.output.shape, vector: vector, rows: 1, columns: columns,
      geometry: step.geometry, elementBytes: step.x.dataType.byteCount,
      threads: ImageTiling.blockThreads(total, gpu.multiprocessors))
  }

  func estimate(_ request: CUDARequest) -> Double {
    let loads = step.geometry.kernel[0] * step.geometry.span(1, windows: columns)
    let cost = ThreadCost(
      loads: loads, loadBytes: vector * step.x.dataType.byteCount,
      operations: step.geometry.taps * columns * vector * 2 + loads * vector,
      registers: (columns + step.geometry.span(1, windows: columns)) * vector + 32)
    return cost.seconds(blocks: tiling.blocks, threads: tiling.threads, request)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let launch = KernelLaunch(
      KernelSource(entry: "channels_last_window", body: try text()),
      grid: GridSize(tiling.blocks), threads: tiling.threads,
      arguments: [.input(0)] + step.epilogue.arguments)
    return StepPlan(launches: [launch])
  }

  private func text() throws(CUDASourceError) -> String {
    let type = DirectText.storage(step.x.dataType), combination = step.combination
    let parameters = ["const \(type)* __restrict__ x"] + step.epilogue.parameters
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(tiling.threads)) channels_last_window(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.lines(tiling.mapping)
      kernel.line("\(combination.name) result[\(columns)][\(vector)];")
      kernel.line("#pragma unroll")
      kernel.line("for (int j = 0; j < \(columns); j++)")
      kernel.line("#pragma unroll")
      kernel.line(
        "  for (int v = 0; v < \(vector); v++) result[j][v] = \(combination.start);")
      rows(&kernel)
      try results(&kernel)
    }
    return kernel.text
  }

  private func rows(_ kernel: inout KernelText) {
    let geometry = step.geometry, span = geometry.span(1, windows: columns)
    let type = DirectText.storage(step.x.dataType)
    let offset = DirectText.offset(step.x, ["n", "m", "i", "0"])
    kernel.line("Vector<\(type), \(vector)> nothing = {};")
    if step.combination.isMaximum {
      kernel.line("#pragma unroll")
      kernel.line(
        "for (int v = 0; v < \(vector); v++) nothing.at[v] = store<\(type)>(\(step.combination.start));"
      )
    }
    kernel.line("const int start = left * \(geometry.strides[1]) - \(geometry.pads[1]);")
    kernel.line(geometry.kernel[0] * span <= 32 ? "#pragma unroll" : "#pragma unroll 1")
    kernel.block("for (int r = 0; r < \(geometry.kernel[0]); r++)") { kernel in
      kernel.line(
        "const int i = top * \(geometry.strides[0]) - \(geometry.pads[0])"
          + " + r * \(geometry.dilations[0]);")
      kernel.line("const \(type)* line = x + \(offset);")
      kernel.line("#pragma unroll")
      kernel.block("for (int t = 0; t < \(span); t++)") { kernel in
        kernel.line("Vector<\(type), \(vector)> element = nothing;")
        kernel.line(
          "if ((unsigned)i < \(geometry.elements[0])u && "
            + "(unsigned)(start + t) < \(geometry.elements[1])u)")
        kernel.line(
          "  element = load_vector<\(vector)>(line + (start + t) * \(step.x.strides[3]));")
        take(&kernel)
      }
    }
  }

  /// Gives the element at column `t` to the windows that hold it.
  private func take(_ kernel: inout KernelText) {
    let geometry = step.geometry
    let type = DirectText.arithmetic(step.x.dataType)
    kernel.line("\(type) value[\(vector)];")
    kernel.line("#pragma unroll")
    kernel.line("for (int v = 0; v < \(vector); v++) value[v] = load(element.at[v]);")
    kernel.line("#pragma unroll")
    kernel.block("for (int j = 0; j < \(columns); j++)") { kernel in
      kernel.line("const int s = t - j * \(geometry.strides[1]);")
      let reach = (geometry.kernel[1] - 1) * geometry.dilations[1]
      kernel.line(
        "if (s < 0 || s > \(reach) || s % \(geometry.dilations[1]) != 0) continue;")
      kernel.line("#pragma unroll")
      kernel.line("for (int v = 0; v < \(vector); v++)")
      kernel.line("  " + step.combination.take("value[v]", into: "result[j][v]"))
    }
  }

  private func results(_ kernel: inout KernelText) throws(CUDASourceError) {
    kernel.line("#pragma unroll")
    try kernel.block("for (int j = 0; j < \(columns); j++)") { kernel throws(CUDASourceError) in
      if columns > 1 { kernel.line("if (left + j >= \(step.output.shape[3])) break;") }
      var count = "1"
      if case .average(let countsPadding) = step.function {
        kernel.lines(step.geometry.tapRange(0, window: "top", suffix: "0"))
        kernel.lines(step.geometry.tapRange(1, window: "(left + j)", suffix: "1"))
        let counts = (0...1).map {
          step.geometry.tapCount($0, suffix: "\($0)", countsPadding: countsPadding)
        }
        kernel.line("const int count = \(counts.joined(separator: " * "));")
        count = "count"
      }
      let value = step.combination.finish("result[j][v]", count: count)
      kernel.lines(
        try step.epilogue.store(
          value, width: vector, along: 1, at: ["n", "m", "top", "(left + j)"]))
    }
  }
}

/// A guess at the time of a kernel whose threads all do the same.
struct ThreadCost {
  /// Loads of global memory by a thread, most of which meet the first cache.
  var loads: Int
  var loadBytes: Int
  /// Instructions of arithmetic.
  var operations: Int
  var registers: Int

  func seconds(blocks: Int, threads: Int, _ request: CUDARequest) -> Double {
    let processors = Double(request.gpu.multiprocessors)
    let warps = Double(blocks) * Double(ceilingQuotient(threads, 32))
    // Work is spread over whole blocks, of which a multiprocessor holds a few at a time.
    let resident = max(1, min(2048, 65536 / max(registers, 24)) / max(threads, 32))
    let waves = (Double(blocks) / (processors * Double(resident))).rounded(.up)
    let perProcessor = max(1, (Double(blocks) / processors).rounded(.up)) * warps / Double(blocks)
    let clock = 1.7e9
    let issue = Double(operations) * 1.25 + Double(loads) * 4
    let arithmetic = perProcessor * issue / 4
    let cache = perProcessor * Double(loads * loadBytes) * 32 / 100
    // Few loads are in flight at once; each wave waits for some.
    let waiting = waves * (600 + Double(loads) * 12 + issue)
    let inside = max(arithmetic, cache, waiting) / clock
    return max(inside, request.step.trafficBytes / request.gpu.memoryBandwidth) + inside * 0.1
      + request.launchSeconds
  }
}

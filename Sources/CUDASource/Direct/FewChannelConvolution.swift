import KernelModel
import ProgramModel
import TensorModel

/// The first layer of a network: convolution of images of at most four channels.
///
/// A block holds its part of x and its weights in shared memory, both in single precision, which is exact for
/// the sums of so few products of 8-bit integers. A thread sums four neighbouring pixels of a row for several channels.
struct FewChannelConvolution: CUDATactic {
  let step: ConvolutionStep
  /// Rows of pixels of a block.
  let rows: Int
  /// Output channels of a block.
  let channels: Int

  private let columns = 16
  private let pixels = 4

  var name: String { "few channels \(rows)x\(channels)" }

  static func variants(_ step: ConvolutionStep, _ request: CUDARequest) -> [any CUDATactic] {
    guard let step = step.asImage(), step.output.elementCount > 0, step.groups == 1,
      !step.isTransposed, (1...4).contains(step.groupInputs), step.geometry.taps <= 64,
      step.geometry.dilations == [1, 1], step.geometry.strides.allSatisfy({ $0 <= 4 }),
      step.isExactInSinglePrecision
    else { return [] }
    var result: [FewChannelConvolution] = []
    for channels in [64, 32, 16] where channels < step.output.shape[1] + 16 {
      for rows in [4, 8] {
        let tactic = FewChannelConvolution(step: step, rows: rows, channels: channels)
        let isAligned = DirectText.isVector(step.output, tactic.vector, along: 1)
        if isAligned, tactic.sharedBytes <= 48 << 10 { result.append(tactic) }
      }
    }
    return Array(result.sorted { $0.estimate(request) < $1.estimate(request) }.prefix(3))
  }

  /// Output channels of a thread.
  private var vector: Int { channels == 64 ? 8 : 4 }
  private var lanes: Int { channels / vector }
  private var threads: Int { lanes * columns / pixels * rows }
  private var tileHeight: Int { step.geometry.span(0, windows: rows) }
  private var tileWidth: Int { step.geometry.span(1, windows: columns) }
  /// Products of an output.
  private var depth: Int { step.groupInputs * step.geometry.taps }
  private var sharedBytes: Int {
    4 * (depth * channels + step.groupInputs * tileHeight * tileWidth)
  }
  private var parts: [(name: String, extent: Int)] {
    let shape = step.output.shape
    return [
      ("n", shape[0]), ("tile_row", ceilingQuotient(shape[2], rows)),
      ("tile_column", ceilingQuotient(shape[3], columns)),
      ("part", ceilingQuotient(shape[1], channels)),
    ]
  }
  private var blocks: Int { parts.reduce(1) { $0 * $1.extent } }

  func estimate(_ request: CUDARequest) -> Double {
    let processors = Double(request.gpu.multiprocessors)
    let perProcessor = (Double(blocks) / processors).rounded(.up)
    let work = Double(rows * columns * channels * depth)
    let rate = request.gpu.scalarMultiplyAdds / processors
    // One block alone cannot keep a multiprocessor busy.
    let share = perProcessor * Double(threads) >= 512 ? 0.55 : 0.35
    return max(
      request.step.trafficBytes / request.gpu.memoryBandwidth, perProcessor * work / (rate * share))
      + request.launchSeconds + 1.5e-6
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let source = KernelSource(entry: "few_channel_convolution", body: try text())
    let packed = (parts.last?.extent ?? 1) * depth * channels
    func launches(_ weights: KernelLaunch.Argument) -> (KernelLaunch, KernelLaunch) {
      let packing = KernelLaunch(
        KernelSource(entry: "pack_weights", body: packingText(packed)),
        grid: GridSize(ceilingQuotient(packed, 256)), threads: 256,
        arguments: [.input(1), weights])
      let main = KernelLaunch(
        source, grid: GridSize(blocks), threads: threads,
        arguments: [.input(0), weights] + step.epilogue.arguments)
      return (packing, main)
    }
    if step.weightsAreConstant {
      let (packing, main) = launches(.prepared(0))
      return StepPlan(launches: [main], prepared: [4 * packed], preparation: [packing])
    }
    let (packing, main) = launches(.workspace(0))
    return StepPlan(launches: [packing, main], workspaceBytes: 4 * packed)
  }

  // MARK: - Text

  /// Weights as `[part][C][R][S][channels]` in single precision, with zeros for channels that are not.
  private func packingText(_ count: Int) -> String {
    var kernel = KernelText()
    kernel.block(
      "KERNEL(256) pack_weights(\(step.factorParameters[1]), float* __restrict__ packed)"
    ) { kernel in
      kernel.lines(DirectText.linear(count, threads: 256))
      let geometry = step.geometry
      kernel.lines(
        DirectText.split(
          "i",
          into: [
            ("part", parts.last?.extent ?? 1), ("c", step.groupInputs), ("r", geometry.kernel[0]),
            ("s", geometry.kernel[1]), ("j", channels),
          ]))
      kernel.line("const int m = part * \(channels) + j;")
      let offset = DirectText.offset(step.weights, ["m", "c", "r", "s"])
      kernel.line("packed[i] = m < \(step.output.shape[1]) ? load(w[\(offset)]) : 0.0f;")
    }
    return kernel.text
  }

  private func text() throws(CUDASourceError) -> String {
    let parameters =
      [step.factorParameters[0], "const float* __restrict__ w"] + step.epilogue.parameters
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(threads)) few_channel_convolution(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.line("SHARED Vector<float, 4> weights[\(depth * channels / 4)];")
      kernel.line("SHARED float image[\(step.groupInputs)][\(tileHeight)][\(tileWidth)];")
      kernel.lines(DirectText.split("blockIdx.x", into: parts))
      fill(&kernel)
      kernel.lines(
        DirectText.split(
          "threadIdx.x", into: [("row", rows), ("column", columns / pixels), ("lane", lanes)]))
      kernel.line("block_barrier();")
      kernel.line("float sum[\(pixels)][\(vector)] = {};")
      products(&kernel)
      try results(&kernel)
    }
    return kernel.text
  }

  /// Loads the block's weights and its part of x, neighbouring threads along the axis of x that is
  /// innermost in memory.
  private func fill(_ kernel: inout KernelText) {
    let geometry = step.geometry, count = depth * channels / 4
    kernel.line("#pragma unroll 4")
    kernel.line("for (int i = threadIdx.x; i < \(count); i += \(threads))")
    kernel.line("  weights[i] = load_vector<4>(w + (part * \(count) + i) * 4);")
    kernel.line(
      "const int first_row = tile_row * \(rows * geometry.strides[0]) - \(geometry.pads[0]);")
    kernel.line(
      "const int first_column = tile_column * \(columns * geometry.strides[1]) - \(geometry.pads[1]);"
    )
    let extents = ["c": step.groupInputs, "h": tileHeight, "o": tileWidth]
    let isChannelInner = step.x.strides[1] < step.x.strides[3]
    let order = isChannelInner ? ["h", "o", "c"] : ["c", "h", "o"]
    let total = step.groupInputs * tileHeight * tileWidth
    kernel.line("#pragma unroll 4")
    kernel.block("for (int i = threadIdx.x; i < \(total); i += \(threads))") { kernel in
      kernel.lines(DirectText.split("i", into: order.map { ($0, extents[$0] ?? 1) }))
      kernel.line("const int y_row = first_row + h, y_column = first_column + o;")
      let offset = DirectText.offset(step.x, ["n", "c", "y_row", "y_column"])
      kernel.line(
        "const bool inside = (unsigned)y_row < \(geometry.elements[0])u && "
          + "(unsigned)y_column < \(geometry.elements[1])u;")
      let outside = "\(step.padValue).0f"
      kernel.line("image[c][h][o] = inside ? load(x[\(offset)]) : \(outside);")
    }
  }

  private func products(_ kernel: inout KernelText) {
    let geometry = step.geometry
    let height = geometry.kernel[0], width = geometry.kernel[1]
    let span = geometry.span(1, windows: pixels)
    kernel.line("#pragma unroll 1")
    kernel.block("for (int line = 0; line < \(step.groupInputs * height); line++)") { kernel in
      kernel.line("const int c = line / \(height), r = line % \(height);")
      kernel.line(
        "const float* source = &image[c][row * \(geometry.strides[0]) + r]"
          + "[column * \(pixels * geometry.strides[1])];")
      kernel.line("float element[\(span)];")
      kernel.line("#pragma unroll")
      kernel.line("for (int p = 0; p < \(span); p++) element[p] = source[p];")
      kernel.line("#pragma unroll")
      kernel.block("for (int s = 0; s < \(width); s++)") { kernel in
        kernel.line("#pragma unroll")
        kernel.block("for (int q = 0; q < \(vector / 4); q++)") { kernel in
          kernel.line(
            "const Vector<float, 4> weight = weights[(line * \(width) + s) * \(channels / 4)"
              + " + lane * \(vector / 4) + q];")
          kernel.line("#pragma unroll")
          kernel.line("for (int j = 0; j < \(pixels); j++)")
          kernel.line("#pragma unroll")
          kernel.line("  for (int v = 0; v < 4; v++)")
          kernel.line(
            "    sum[j][q * 4 + v] += element[j * \(geometry.strides[1]) + s] * weight.at[v];")
        }
      }
    }
  }

  private var sum: OperandText {
    step.x.dataType.isByte
      ? OperandText("((int32_t)sum[j][v])", .int32) : OperandText("sum[j][v]", .float32)
  }

  private func results(_ kernel: inout KernelText) throws(CUDASourceError) {
    kernel.line("const int m = part * \(channels) + lane * \(vector);")
    kernel.line("const int h = tile_row * \(rows) + row;")
    kernel.line("if (m >= \(step.output.shape[1]) || h >= \(step.output.shape[2])) return;")
    kernel.line("#pragma unroll")
    try kernel.block("for (int j = 0; j < \(pixels); j++)") { kernel throws(CUDASourceError) in
      kernel.line("const int o = tile_column * \(columns) + column * \(pixels) + j;")
      kernel.line("if (o >= \(step.output.shape[3])) break;")
      kernel.lines(
        try step.epilogue.store(
          sum, width: vector, along: 1, at: ["n", "m", "h", "o"]))
    }
  }
}

extension ConvolutionStep {
  /// Whether single precision holds the sums as well as the type of its own does.
  fileprivate var isExactInSinglePrecision: Bool {
    switch x.dataType {
    case .float32, .float16, .bfloat16: true
    // Products of up to 255 * 255, summed below 2^24.
    case .int8, .uint8: groupInputs * geometry.taps <= 256
    default: false
    }
  }
}

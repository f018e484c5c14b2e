import KernelModel
import ProgramModel
import TensorModel

/// Convolution of any rank, type, layout and grouping, transposed or not: a thread for each output, or for
/// a few neighbouring channels of a group.
struct DirectConvolution: CUDATactic {
  let step: ConvolutionStep
  /// Channels of a thread; divides a group's.
  let channels: Int

  private let threads = 128

  var name: String { channels == 1 ? "direct" : "direct \(channels) channels" }

  /// The variants for a convolution, best guess first.
  static func variants(_ step: ConvolutionStep) -> [any CUDATactic] {
    var widths = [1]
    for width in [8, 4] where step.groupOutputs % width == 0 && step.groupOutputs > 0 {
      // Where channels lie side by side, neighbouring threads take neighbouring channels.
      if step.output.order.last != 1 || width == 4 {
        widths.insert(width, at: 0)
        break
      }
    }
    return widths.map { DirectConvolution(step: step, channels: $0) }
  }

  func estimate(_ request: CUDARequest) -> Double {
    let filling = min(1, Double(count) / Double(request.gpu.multiprocessors * 1024))
    let share = (channels == 1 ? 0.03 : 0.06) * max(filling, 0.02)
    let slowdown = step.x.dataType.byteCount == 8 ? 2.0 : 1.0
    return request.trafficSeconds * 1.5 + step.multiplyAdds * slowdown
      / (request.gpu.scalarMultiplyAdds * share)
  }

  private var count: Int { step.output.elementCount / channels }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard step.output.elementCount > 0 else { return StepPlan(launches: []) }
    let source = KernelSource(entry: "direct_convolution", body: try text())
    let launch = KernelLaunch(
      source, grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(0), .input(1)] + step.epilogue.arguments)
    return StepPlan(launches: [launch])
  }

  private var spatial: Range<Int> { 0..<step.geometry.rank }

  private func text() throws(CUDASourceError) -> String {
    let sum = step.accumulator.name
    let parameters = step.factorParameters + step.epilogue.parameters
    let parts = step.output.order.map { axis in
      switch axis {
      case 0: (name: "n", extent: step.output.shape[0])
      case 1: (name: "tile", extent: step.output.shape[1] / channels)
      default: (name: "o\(axis - 2)", extent: step.output.shape[axis])
      }
    }
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(threads)) direct_convolution(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.lines(DirectText.linear(count, threads: threads))
      kernel.lines(DirectText.split("i", into: parts))
      kernel.line("const int m = tile * \(channels);")
      kernel.line("const int group = m / \(step.groupOutputs);")
      kernel.line("\(sum) sum[\(channels)] = {};")
      taps(&kernel, axis: 0)
      let coordinates = ["n", "(m + j)"] + spatial.map { "o\($0)" }
      kernel.line("#pragma unroll")
      try kernel.block("for (int j = 0; j < \(channels); j++)") {
        kernel throws(CUDASourceError) in
        kernel.lines(try step.epilogue.store(step.accumulator.value("sum[j]"), at: coordinates))
      }
    }
    return kernel.text
  }

  /// Loops over the taps of an axis and those inside; `i` is the element of x that the tap meets.
  private func taps(_ kernel: inout KernelText, axis: Int) {
    guard axis < step.geometry.rank else { return products(&kernel) }
    let geometry = step.geometry
    let taps = geometry.kernel[axis], stride = geometry.strides[axis]
    let dilation = geometry.dilations[axis], pad = geometry.pads[axis]
    let k = "k\(axis)", i = "i\(axis)", extent = step.x.shape[axis + 2]
    guard step.isTransposed else {
      kernel.block("for (int \(k) = 0; \(k) < \(taps); \(k)++)") { kernel in
        kernel.line(
          "const int \(i) = o\(axis) * \(stride) + \(k) * \(dilation) - \(pad);")
        if step.padValue == 0 {
          kernel.line("if ((unsigned)\(i) >= \(extent)u) continue;")
        } else {
          let before = axis == 0 ? "true" : "inside\(axis - 1)"
          kernel.line("const bool inside\(axis) = \(before) && (unsigned)\(i) < \(extent)u;")
        }
        self.taps(&kernel, axis: axis + 1)
      }
      return
    }
    // Only taps that lie a multiple of the stride away meet an element.
    let isDense = dilation == 1 && pad >= 0
    let start = isDense ? "(o\(axis) + \(pad)) % \(stride)" : "0"
    let advance = isDense ? stride : 1
    kernel.block("for (int \(k) = \(start); \(k) < \(taps); \(k) += \(advance))") { kernel in
      kernel.line("const int t\(axis) = o\(axis) + \(pad) - \(k) * \(dilation);")
      kernel.line(
        isDense || stride == 1
          ? "if (t\(axis) < 0) break;"
          : "if (t\(axis) < 0 || t\(axis) % \(stride) != 0) continue;")
      kernel.line("const int \(i) = t\(axis) / \(stride);")
      kernel.line("if (\(i) >= \(extent)) continue;")
      self.taps(&kernel, axis: axis + 1)
    }
  }

  /// Adds the products of one tap over the channels of the group.
  private func products(_ kernel: inout KernelText) {
    let x = step.x, w = step.weights
    let type = DirectText.storage(x.dataType), sum = step.accumulator.name
    let isFilled = step.padValue != 0
    let xOffset = DirectText.offset(
      x, ["n", "(group * \(step.groupInputs))"] + spatial.map { "i\($0)" })
    // Transposed weights are [C, M / groups, ...], others [M, C / groups, ...].
    let outer = step.isTransposed ? "(group * \(step.groupInputs))" : "m"
    let inner = step.isTransposed ? "(m - group * \(step.groupOutputs))" : "0"
    let wOffset = DirectText.offset(w, [outer, inner] + spatial.map { "k\($0)" })
    let cStride = w.strides[step.isTransposed ? 0 : 1]
    let mStride = w.strides[step.isTransposed ? 1 : 0]
    kernel.line("const \(type)* xp = x + \(xOffset);")
    kernel.line("const \(DirectText.storage(w.dataType))* wp = w + \(wOffset);")
    kernel.line("#pragma unroll 4")
    kernel.block("for (int c = 0; c < \(step.groupInputs); c++)") { kernel in
      let value = "(\(sum))load(xp[c * \(x.strides[1])])"
      let inside = "inside\(step.geometry.rank - 1)"
      kernel.line(
        "const \(sum) value = "
          + (isFilled ? "\(inside) ? \(value) : (\(sum))(\(step.padValue));" : "\(value);"))
      kernel.line("#pragma unroll")
      kernel.line("for (int j = 0; j < \(channels); j++)")
      kernel.line(
        "  sum[j] += value * (\(sum))load(wp[c * \(cStride) + j * \(mStride)]);")
    }
  }
}

import KernelModel
import ProgramModel
import TensorModel

/// Pooling whose one window holds all of an image: threads share the elements of a plane and put their
/// results together.
struct GlobalWindow: CUDATactic {
  let step: WindowStep
  /// Channels of a thread, side by side; 1 where neighbouring threads take neighbouring elements.
  let vector: Int
  /// Threads of a block along the channels and along the elements of a plane.
  let channelThreads: Int
  let elementThreads: Int

  private var isAcrossChannels: Bool { channelThreads > 1 || vector > 1 }

  var name: String {
    isAcrossChannels
      ? "global \(vector)x\(channelThreads)x\(elementThreads)" : "global plane \(elementThreads)"
  }

  static func variants(_ step: WindowStep, _ request: CUDARequest) -> [any CUDATactic] {
    guard step.positions == nil, step.output.elementCount > 0, step.coversAll else { return [] }
    var result: [GlobalWindow] = []
    let channels = step.x.shape[1], elements = step.geometry.elements.reduce(1, *)
    if step.x.isContiguous(along: 1), channels > 1 {
      for width in ImageTiling.widths([step.x], channels: channels).prefix(3) {
        let vectors = channels / width
        let lanes = [32, 16, 8].first { $0 <= max(vectors, 8) && $0 * width <= 64 } ?? 8
        let slots = max(1, min(256 / lanes, elements))
        result.append(
          GlobalWindow(step: step, vector: width, channelThreads: lanes, elementThreads: slots))
      }
    } else {
      for threads in [32, 256] where threads == 32 || elements >= 256 {
        result.append(
          GlobalWindow(step: step, vector: 1, channelThreads: 1, elementThreads: threads))
      }
    }
    return result.sorted { $0.estimate(request) < $1.estimate(request) }
  }

  private var vectors: Int { step.x.shape[1] / vector }
  private var elements: Int { step.geometry.elements.reduce(1, *) }
  private var threads: Int { channelThreads * elementThreads }
  private var blocks: Int { step.x.shape[0] * ceilingQuotient(vectors, channelThreads) }

  func estimate(_ request: CUDARequest) -> Double {
    let loads = ceilingQuotient(elements, elementThreads)
    let cost = ThreadCost(
      loads: loads, loadBytes: vector * step.x.dataType.byteCount, operations: loads * vector * 2,
      registers: 32 + 8 * vector)
    return cost.seconds(blocks: blocks, threads: threads, request) + 0.3e-6
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let launch = KernelLaunch(
      KernelSource(entry: "global_window", body: try text()), grid: GridSize(blocks),
      threads: threads, arguments: [.input(0)] + step.epilogue.arguments)
    return StepPlan(launches: [launch])
  }

  private func text() throws(CUDASourceError) -> String {
    let type = DirectText.storage(step.x.dataType), result = step.combination.name
    let parameters = ["const \(type)* __restrict__ x"] + step.epilogue.parameters
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(threads)) global_window(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.lines(
        DirectText.split(
          "blockIdx.x",
          into: [("n", step.x.shape[0]), ("tile", ceilingQuotient(vectors, channelThreads))]))
      kernel.lines(
        DirectText.split(
          "threadIdx.x", into: [("slot", elementThreads), ("lane", channelThreads)]))
      kernel.line("const int c = (tile * \(channelThreads) + lane) * \(vector);")
      kernel.line("\(result) result[\(vector)];")
      kernel.line("#pragma unroll")
      kernel.line(
        "for (int v = 0; v < \(vector); v++) result[v] = \(step.combination.start);")
      kernel.block("if (c < \(step.x.shape[1]))") { kernel in elements(&kernel) }
      merge(&kernel)
      try store(&kernel)
    }
    return kernel.text
  }

  /// Combines every `elementThreads`-th element of the thread's planes.
  private func elements(_ kernel: inout KernelText) {
    let spatial = Array(2..<step.x.rank)
    let order = step.x.order.filter { $0 >= 2 }
    let space = IndexSpace(
      shape: order.map { step.x.shape[$0] }, strides: [order.map { step.x.strides[$0] }])
    let type = DirectText.storage(step.x.dataType)
    let start = DirectText.offset(step.x, ["n", "c"] + spatial.map { _ in "0" })
    kernel.line("const \(type)* plane = x + \(start);")
    kernel.line("#pragma unroll 4")
    kernel.block("for (int i = slot; i < \(elements); i += \(elementThreads))") { kernel in
      kernel.lines(space.coordinates(of: "i", prefix: "i"))
      kernel.line(
        "const Vector<\(type), \(vector)> element = "
          + "load_vector<\(vector)>(plane + \(space.offset(view: 0, prefix: "i")));")
      kernel.line("#pragma unroll")
      kernel.block("for (int v = 0; v < \(vector); v++)") { kernel in
        kernel.line(
          "const \(DirectText.arithmetic(step.x.dataType)) value = load(element.at[v]);")
        kernel.line(step.combination.take("value", into: "result[v]"))
      }
    }
  }

  /// Puts the results of the threads of each channel together, in slot 0.
  private func merge(_ kernel: inout KernelText) {
    guard elementThreads > 1 else { return }
    let combination = step.combination
    kernel.line("SHARED \(combination.name) parts[\(vector)][\(threads)];")
    kernel.line("#pragma unroll")
    kernel.line("for (int v = 0; v < \(vector); v++) parts[v][threadIdx.x] = result[v];")
    var width = 1
    while width * 2 < elementThreads { width *= 2 }
    kernel.block("for (int step = \(width); step > 0; step /= 2)") { kernel in
      kernel.line("block_barrier();")
      kernel.block("if (slot < step && slot + step < \(elementThreads))") { kernel in
        kernel.line("#pragma unroll")
        kernel.block("for (int v = 0; v < \(vector); v++)") { kernel in
          kernel.line(
            "const \(combination.name) other = parts[v][threadIdx.x + step * \(channelThreads)];")
          kernel.line("result[v] = \(combination.merge("result[v]", "other"));")
          kernel.line("parts[v][threadIdx.x] = result[v];")
        }
      }
    }
  }

  private func store(_ kernel: inout KernelText) throws(CUDASourceError) {
    kernel.line("if (slot > 0 || c >= \(step.x.shape[1])) return;")
    var count = elements
    if case .average(true) = step.function {
      count = step.geometry.kernel.indices.reduce(1) { product, axis in
        let geometry = step.geometry
        let inside = geometry.elements[axis] + geometry.padsAfter[axis] + geometry.pads[axis]
        return product * min(geometry.kernel[axis], max(inside, 0))
      }
    }
    let value = step.combination.finish("result[v]", count: "\(count)")
    let rest = (2..<step.x.rank).map { _ in "0" }
    if DirectText.isVector(step.output, vector, along: 1) {
      kernel.lines(
        try step.epilogue.store(value, width: vector, along: 1, at: ["n", "c"] + rest))
    } else {
      kernel.line("#pragma unroll")
      try kernel.block("for (int v = 0; v < \(vector); v++)") { kernel throws(CUDASourceError) in
        kernel.lines(try step.epilogue.store(value, at: ["n", "(c + v)"] + rest))
      }
    }
  }
}

extension WindowStep {
  /// Whether there is one window, and it holds every element.
  fileprivate var coversAll: Bool {
    geometry.windows.allSatisfy { $0 == 1 }
      && (0..<geometry.rank).allSatisfy { axis in
        geometry.dilations[axis] == 1 && geometry.pads[axis] >= 0
          && geometry.kernel[axis] - geometry.pads[axis] >= geometry.elements[axis]
      }
  }
}

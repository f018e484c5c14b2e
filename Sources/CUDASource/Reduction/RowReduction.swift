import KernelModel
import ProgramModel
import TensorModel

/// Neighbouring threads share a group: for groups whose elements lie side by side, and, being
/// indifferent to strides, for all others.
///
/// Where there are few groups each is cut into parts, whose states a second kernel merges.
struct RowReduction: CUDATactic {
  let step: ReductionStep
  /// Threads that share a group: a power of two.
  let lanes: Int
  /// Elements that a thread loads at once.
  let width: Int
  /// Blocks or rows of blocks that share a group.
  let parts: Int

  var name: String {
    "row reduction \(lanes) lanes x\(width)\(parts > 1 ? " \(parts) parts" : "")"
  }

  private var units: Int { step.axes.groupSize / width }
  private var rows: Int { step.resultCount }

  /// Threads of a block; a block has several groups where a warp is enough for one.
  private func threads(_ request: CUDARequest) -> Int {
    if lanes > 32 { return lanes }
    var threads = 256
    while threads > 32, rows * lanes * parts / threads < 2 * request.gpu.multiprocessors {
      threads /= 2
    }
    return threads
  }

  func estimate(_ request: CUDARequest) -> Double {
    let work = ReductionCost(request)
    let stride = abs(step.axes.group.innerStride(view: 0))
    let size = step.x.view.dataType.byteCount
    let spread = lanes == 1 ? max(min(32 / size, stride, 4), 1) : max(min(32 / size, stride), 1)
    return work.seconds(
      bytes: step.bytesRead * Double(width == 1 ? spread : 1), threads: rows * lanes * parts,
      blockThreads: threads(request), loads: ceilingQuotient(units, lanes * parts),
      loadsInFlight: 4, bytesPerLoad: size * width,
      levels: lanes.trailingZeroBitCount + (lanes > 32 ? 4 : 0))
      + (parts > 1 ? request.launchSeconds + 1e-6 : 0)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard rows > 0 else { return StepPlan(launches: []) }
    let threads = threads(request)
    let groups = threads / lanes
    let blocks = ceilingQuotient(rows, groups)
    var arguments: [KernelLaunch.Argument] = [.input(0)]
    arguments += parts > 1 ? [.workspace(0)] : step.resultArguments
    let source = KernelSource(
      entry: "reduce_rows", body: try text(threads: threads, groups: groups))
    let launch = KernelLaunch(
      source, grid: GridSize(blocks, parts), threads: threads, arguments: arguments)
    guard parts > 1 else { return StepPlan(launches: [launch]) }
    return StepPlan(
      launches: [launch, try PartsMerge(step: step, parts: parts).launch(request)],
      workspaceBytes: parts * rows * step.function.stateBytes)
  }

  private func text(threads: Int, groups: Int) throws(CUDASourceError) -> String {
    var text = KernelText()
    text.line(try step.definitions())
    let results = parts > 1 ? "State* __restrict__ states" : step.resultParameters
    try text.block("KERNEL(\(threads)) reduce_rows(\(step.x.parameter), \(results))") {
      text throws(CUDASourceError) in
      text.line("const int lane = threadIdx.x % \(lanes);")
      text.line("const int row = blockIdx.x * \(groups) + threadIdx.x / \(lanes);")
      text.lines(step.axes.kept.coordinates(of: "row", prefix: "k"))
      text.line("State s = initial();")
      let isFull = rows % groups == 0
      if isFull { accumulate(&text) } else { text.block("if (row < \(rows))") { accumulate(&$0) } }
      mergeGroup(&text)
      let isLast = "lane == 0\(isFull ? "" : " && row < \(rows)")"
      try text.block("if (\(isLast))") { text throws(CUDASourceError) in
        if parts > 1 {
          text.line("states[blockIdx.y * \(rows) + row] = s;")
        } else {
          try storeResult(&text, step, prefix: "k")
        }
      }
    }
    return text.text
  }

  private func accumulate(_ text: inout KernelText) {
    let group = width > 1 ? step.axes.group.divided(by: width) : step.axes.group
    let from = KernelOperand(name: "from", argument: .input(0), view: step.x.view)
    let access = ElementAccess(from, width: width, stride: 1, vectorWidth: width)
    let perPart = ceilingQuotient(units, parts)
    text.line(
      "const \(step.x.storage)* from = x + (\(step.axes.kept.offset(view: 0, prefix: "k")));")
    var (first, end) = ("lane", "\(units)")
    if parts > 1 {
      text.line("const int first = blockIdx.y * \(perPart);")
      text.line("const int end = min(first + \(perPart), \(units));")
      (first, end) = ("first + lane", "end")
    }
    if units == 0 { return }
    text.line("#pragma unroll 4")
    text.block("for (int i = \(first); i < \(end); i += \(lanes))") { text in
      text.lines(group.coordinates(of: "i", prefix: "g"))
      let offset = group.offset(view: 0, prefix: "g")
      text.line(access.declaration("v", offset: offset))
      text.neighbours(width) {
        $0.line(
          step.adding(
            access.element("v"), to: "s", index: width == 1 ? "i" : "i * \(width) + j"))
      }
    }
  }

  private func mergeGroup(_ text: inout KernelText) {
    text.mergeLanes(min(lanes, 32))
    guard lanes > 32 else { return }
    let warps = lanes / 32
    text.line("SHARED State shared[\(warps)];")
    text.line("if (lane_index() == 0) shared[warp_index()] = s;")
    text.line("block_barrier();")
    text.block("if (warp_index() == 0)") {
      $0.line("s = shared[lane % \(warps)];")
      $0.mergeLanes(warps)
    }
  }
}

/// Stores the result of state `s` at kept coordinates.
func storeResult(
  _ text: inout KernelText, _ step: ReductionStep, prefix: String
) throws(CUDASourceError) {
  let result = step.result(width: 1)
  let offset = { (view: Int) in step.axes.kept.offset(view: view, prefix: prefix) }
  text.lines(result.loads(offset))
  try result.store(&text, offset: offset) { text throws(CUDASourceError) in
    let value = step.function.result(of: "s")
    text.line("const \(value.type.cudaArithmetic ?? "float") value = \(value.text);")
    return "value"
  }
}

/// Merges the states of parts, `states[part][result]`, and stores results.
struct PartsMerge {
  let step: ReductionStep
  let parts: Int

  func launch(_ request: CUDARequest) throws(CUDASourceError) -> KernelLaunch {
    let rows = step.resultCount
    let isWide = rows >= 4096 || parts <= 2
    let lanes = isWide ? 1 : 32
    let threads = rows * lanes < 256 * request.gpu.multiprocessors ? 64 : 256
    let groups = threads / lanes
    var text = KernelText()
    text.line(try step.definitions())
    try text.block(
      "KERNEL(\(threads)) merge_parts(const State* __restrict__ states, \(step.resultParameters))"
    ) { text throws(CUDASourceError) in
      text.line("const int lane = threadIdx.x % \(lanes);")
      text.line("const int row = blockIdx.x * \(groups) + threadIdx.x / \(lanes);")
      text.lines(step.axes.kept.coordinates(of: "row", prefix: "k"))
      text.line("State s = initial();")
      text.block("if (row < \(rows))") {
        $0.line("#pragma unroll 4")
        $0.line(
          "for (int i = lane; i < \(parts); i += \(lanes)) merge(s, states[i * \(rows) + row]);")
      }
      text.mergeLanes(lanes)
      try text.block("if (lane == 0 && row < \(rows))") { text throws(CUDASourceError) in
        try storeResult(&text, step, prefix: "k")
      }
    }
    return KernelLaunch(
      KernelSource(entry: "merge_parts", body: text.text),
      grid: GridSize(ceilingQuotient(rows, groups)), threads: threads,
      arguments: [.workspace(0)] + step.resultArguments)
  }
}

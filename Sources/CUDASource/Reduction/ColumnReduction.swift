import KernelModel
import ProgramModel
import TensorModel

/// Neighbouring threads have neighbouring results, and several rows of threads share the groups:
/// for groups whose elements lie far apart while the results' lie side by side.
struct ColumnReduction: CUDATactic {
  let step: ReductionStep
  /// Neighbouring results of a thread.
  let width: Int
  /// Threads along the results.
  let columns: Int
  /// Threads that share a group.
  let rows: Int
  /// Blocks that share a group.
  let parts: Int

  var name: String {
    "column reduction \(columns)x\(rows) x\(width)\(parts > 1 ? " \(parts) parts" : "")"
  }

  /// Runs of `width` results.
  private var units: Int { step.resultCount / width }
  private var threads: Int { columns * rows }
  private var perPart: Int { ceilingQuotient(step.axes.groupSize, parts) }

  func estimate(_ request: CUDARequest) -> Double {
    let work = ReductionCost(request)
    let stride = abs(step.axes.kept.innerStride(view: 0))
    let size = step.x.view.dataType.byteCount
    let spread = max(min(32 / size, stride), 1)
    let lineWaste = max(1, 32 / (columns * width * size))
    return work.seconds(
      bytes: step.bytesRead * Double(width == 1 ? spread * lineWaste : lineWaste),
      threads: units * rows * parts, blockThreads: threads,
      loads: ceilingQuotient(perPart, rows), loadsInFlight: width > 4 ? 4 : 8,
      bytesPerLoad: size * width, levels: rows > 1 ? 4 + rows / 8 : 0)
      + (parts > 1 ? request.launchSeconds + 1e-6 : 0)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    guard units > 0 else { return StepPlan(launches: []) }
    var arguments: [KernelLaunch.Argument] = [.input(0)]
    arguments += parts > 1 ? [.workspace(0)] : step.resultArguments
    let launch = KernelLaunch(
      KernelSource(entry: "reduce_columns", body: try text()),
      grid: GridSize(ceilingQuotient(units, columns), parts), threads: threads,
      arguments: arguments)
    guard parts > 1 else { return StepPlan(launches: [launch]) }
    return StepPlan(
      launches: [launch, try PartsMerge(step: step, parts: parts).launch(request)],
      workspaceBytes: parts * step.resultCount * step.function.stateBytes)
  }

  private func text() throws(CUDASourceError) -> String {
    var text = KernelText()
    text.line(try step.definitions())
    let results = parts > 1 ? "State* __restrict__ states" : step.resultParameters
    try text.block("KERNEL(\(threads)) reduce_columns(\(step.x.parameter), \(results))") {
      text throws(CUDASourceError) in
      text.line("const int column = threadIdx.x % \(columns), lane = threadIdx.x / \(columns);")
      text.line("const int unit = blockIdx.x * \(columns) + column;")
      let kept = width > 1 ? step.axes.kept.divided(by: width) : step.axes.kept
      text.lines(kept.coordinates(of: "unit", prefix: "k"))
      text.line("State states_here[\(width)];")
      text.line("#pragma unroll")
      text.line("for (int j = 0; j < \(width); j++) states_here[j] = initial();")
      let isFull = units % columns == 0
      if isFull {
        accumulate(&text, kept)
      } else {
        text.block("if (unit < \(units))") { accumulate(&$0, kept) }
      }
      if rows > 1 {
        try mergeRows(&text)
      } else {
        try text.block(isFull ? "" : "if (unit < \(units))") { text throws(CUDASourceError) in
          try finish(&text, kept)
        }
      }
    }
    return text.text
  }

  private func accumulate(_ text: inout KernelText, _ kept: IndexSpace) {
    if step.axes.groupSize == 0 { return }
    let from = KernelOperand(name: "from", argument: .input(0), view: step.x.view)
    let access = ElementAccess(from, width: width, stride: 1, vectorWidth: width)
    text.line("const \(step.x.storage)* from = x + (\(kept.offset(view: 0, prefix: "k")));")
    var (first, end) = ("lane", "\(step.axes.groupSize)")
    if parts > 1 {
      text.line("const int first = blockIdx.y * \(perPart);")
      text.line("const int end = min(first + \(perPart), \(step.axes.groupSize));")
      (first, end) = ("first + lane", "end")
    }
    text.line("#pragma unroll \(width > 4 ? 4 : 8)")
    text.block("for (int i = \(first); i < \(end); i += \(rows))") { text in
      text.lines(step.axes.group.coordinates(of: "i", prefix: "g"))
      text.line(
        access.declaration("v", offset: step.axes.group.offset(view: 0, prefix: "g")))
      text.neighbours(width) {
        $0.line(
          step.adding(
            access.element("v"), to: "states_here[\(width == 1 ? "0" : "j")]", index: "i"))
      }
    }
  }

  /// Merges the states of the rows of threads; then thread `i` has the block's result `i`.
  private func mergeRows(_ text: inout KernelText) throws(CUDASourceError) {
    let count = columns * width
    text.line("SHARED State shared[\(rows)][\(count)];")
    text.line("#pragma unroll")
    text.line(
      "for (int j = 0; j < \(width); j++) shared[lane][column * \(width) + j] = states_here[j];")
    text.line("block_barrier();")
    let end = "min(\(count), \(step.resultCount) - (int)blockIdx.x * \(count))"
    try text.block("for (int c = threadIdx.x; c < \(end); c += \(threads))") {
      text throws(CUDASourceError) in
      text.line("State s = shared[0][c];")
      text.line("#pragma unroll")
      text.line("for (int i = 1; i < \(rows); i++) merge(s, shared[i][c]);")
      text.line("const int result = blockIdx.x * \(count) + c;")
      if parts > 1 {
        text.line("states[blockIdx.y * \(step.resultCount) + result] = s;")
      } else {
        text.lines(step.axes.kept.coordinates(of: "result", prefix: "q"))
        try storeResult(&text, step, prefix: "q")
      }
    }
  }

  /// Stores a thread's results.
  private func finish(_ text: inout KernelText, _ kept: IndexSpace) throws(CUDASourceError) {
    if parts > 1 {
      text.neighbours(width) {
        let place = "blockIdx.y * \(step.resultCount) + unit * \(width)"
        $0.line(
          width == 1
            ? "states[\(place)] = states_here[0];" : "states[\(place) + j] = states_here[j];")
      }
      return
    }
    let result = step.result(width: width)
    let offset = { (view: Int) in kept.offset(view: view, prefix: "k") }
    text.lines(result.loads(offset))
    try result.store(&text, offset: offset) { text throws(CUDASourceError) in
      text.line("const State s = states_here[\(width == 1 ? "0" : "j")];")
      let value = step.function.result(of: "s")
      text.line("const \(value.type.cudaArithmetic ?? "float") value = \(value.text);")
      return "value"
    }
  }
}

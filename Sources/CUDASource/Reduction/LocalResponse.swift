import KernelModel
import ProgramModel
import TensorModel

/// Local response normalisation: each thread has a run of channels at one place, whose elements it
/// keeps.
struct LocalResponse: CUDATactic {
  let size: Int
  let alpha: Double
  let beta: Double
  let bias: Double
  /// Channels of a thread.
  let run: Int
  let step: LocalResponseStep

  var name: String { "local response \(run) channels" }

  func estimate(_ request: CUDARequest) -> Double {
    let units = step.placeCount * ceilingQuotient(step.channels, run)
    let reads = Double(size + run - 1) / Double(run)
    return ReductionCost(request).seconds(
      bytes: request.step.trafficBytes * (0.7 + 0.3 * reads), threads: units, blockThreads: 128,
      loads: run + size - 1, loadsInFlight: run == 1 ? 4 : run + size - 1,
      bytesPerLoad: step.x.view.dataType.byteCount, levels: 0)
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let units = step.placeCount * ceilingQuotient(step.channels, run)
    guard units > 0 else { return StepPlan(launches: []) }
    return StepPlan(launches: [
      KernelLaunch(
        KernelSource(entry: "local_response", body: try text(units)),
        grid: GridSize(ceilingQuotient(units, 128)), threads: 128,
        arguments: [step.x.argument, step.output.argument] + step.others.map(\.operand.argument))
    ])
  }

  /// Channels before and after one that count.
  private var before: Int { (size - 1) / 2 }
  private var after: Int { size / 2 }

  private func text(_ units: Int) throws(CUDASourceError) -> String {
    var text = KernelText()
    let real = step.real
    let parameters = ([step.x, step.output] + step.others.map(\.operand)).map(\.parameter)
    try text.block("KERNEL(128) local_response(\(parameters.joined(separator: ", ")))") {
      text throws(CUDASourceError) in
      text.line("const int unit = blockIdx.x * 128 + threadIdx.x;")
      text.line("if (unit >= \(units)) return;")
      let runs = ceilingQuotient(step.channels, run)
      // Threads of a warp stay close in memory.
      if step.channelsAreInner {
        text.line("const int place = unit / \(runs), first = unit % \(runs) * \(run);")
      } else {
        text.line(
          "const int place = unit % \(step.placeCount), first = unit / \(step.placeCount) * \(run);"
        )
      }
      text.lines(step.axes.kept.coordinates(of: "place", prefix: "k"))
      text.line(
        "const \(step.x.storage)* from = x + (\(step.axes.kept.offset(view: 0, prefix: "k")));")
      if run == 1 { writeSum(&text) } else { writeWindow(&text) }
      text.line("#pragma unroll")
      try text.block("for (int k = 0; k < \(run); k++)") { text throws(CUDASourceError) in
        text.line("const int c = first + k;")
        try text.block(step.channels % run == 0 ? "" : "if (c < \(step.channels))") {
          text throws(CUDASourceError) in
          if run > 1 {
            text.line("\(real) sum = 0;")
            text.line("#pragma unroll")
            text.line(
              "for (int i = k; i < k + \(size); i++) sum += v[i] * v[i];")
          }
          let element = run == 1 ? "load(from[c * \(stride)])" : "v[k + \(before)]"
          text.line("const \(real) e = \(element);")
          try writeResult(&text)
        }
      }
    }
    return text.text
  }

  private var stride: Int { step.axes.group.innerStride(view: 0) }

  /// The sum of squares around one channel.
  private func writeSum(_ text: inout KernelText) {
    text.line("\(step.real) sum = 0;")
    text.line("const int low = max(first - \(before), 0);")
    text.line("const int high = min(first + \(after), \(step.channels - 1));")
    text.line("#pragma unroll 4")
    text.block("for (int i = low; i <= high; i++)") {
      $0.line("const \(step.real) e = load(from[i * \(stride)]);")
      $0.line("sum += e * e;")
    }
  }

  /// The elements of all windows of a run; zeros outside.
  private func writeWindow(_ text: inout KernelText) {
    text.line("\(step.real) v[\(run + size - 1)];")
    text.line("#pragma unroll")
    text.block("for (int i = 0; i < \(run + size - 1); i++)") {
      $0.line("const int c = first + i - \(before);")
      $0.line("v[i] = c >= 0 && c < \(step.channels) ? load(from[c * \(stride)]) : 0;")
    }
  }

  private func writeResult(_ text: inout KernelText) throws(CUDASourceError) {
    let offset = { (view: Int) -> String in
      let kept = step.axes.kept.offset(view: view, prefix: "k")
      return "\(kept) + c * \(step.axes.group.innerStride(view: view))"
    }
    let factor = step.literal(alpha / Double(size))
    text.line("const \(step.real) base = \(step.literal(bias)) + \(factor) * sum;")
    text.lines(step.result.loads(offset))
    try step.result.store(&text, offset: offset) { text in
      text.line("const \(step.real) value = e / \(power);")
      return "value"
    }
  }

  /// `base` to the power of beta, from square roots where they do.
  private var power: String {
    let root = "sqrt\(step.suffix)"
    switch beta {
    case 0.5: return "\(root)(base)"
    case 0.75: return "(\(root)(base) * \(root)(\(root)(base)))"
    case 1: return "base"
    default: return "pow\(step.suffix)(base, \(step.literal(beta)))"
    }
  }
}

/// A local response normalisation with its views.
struct LocalResponseStep: Sendable {
  let x: KernelOperand
  let output: KernelOperand
  let others: [(index: Int, operand: KernelOperand)]
  /// Groups are the channels of one place.
  let axes: GroupedAxes
  let result: ResultText

  var placeCount: Int { axes.keptCount }
  var channels: Int { axes.groupSize }
  /// Whether channels lie closer than places.
  var channelsAreInner: Bool {
    placeCount == 1
      || channels > 1
        && abs(axes.group.innerStride(view: 0)) < abs(axes.kept.innerStride(view: 0))
  }

  private var isDouble: Bool { x.view.dataType == .float64 }
  var real: String { isDouble ? "double" : "float" }
  var suffix: String { isDouble ? "" : "f" }
  func literal(_ value: Double) -> String {
    (isDouble ? DataType.float64 : .float32).cudaLiteral(value)
  }

  /// The tactics of a local response normalisation; none for anything else.
  static func tactics(for request: CUDARequest) -> [any CUDATactic] {
    guard case .normalization(let problem) = request.step.problem,
      case .localResponse(let size, let alpha, let beta, let bias) = problem.kind,
      let step = LocalResponseStep(problem, request.step)
    else { return [] }
    return [1, 4, 8].filter { $0 == 1 || (size <= 16 && $0 <= step.channels) }.map {
      LocalResponse(size: size, alpha: alpha, beta: beta, bias: bias, run: $0, step: step)
    }
  }

  private init?(_ problem: Normalization, _ step: Step) {
    guard let input = step.inputs.first, let view = input, let result = step.outputs.first else {
      return nil
    }
    x = KernelOperand(name: "x", argument: .input(0), view: view)
    output = KernelOperand(name: "y", argument: .output(0), view: result, isOutput: true)
    var others: [(index: Int, operand: KernelOperand)] = []
    for index in problem.epilogue.operands where index > 0 {
      guard index + 2 < step.inputs.count, let other = step.inputs[index + 2] else { return nil }
      let operand = KernelOperand(
        name: "p\(index)", argument: .input(index + 2), view: other, mayAlias: true)
      others.append((index, operand))
    }
    self.others = others
    let views = [view, result] + others.map { $0.operand.view.expanded(to: view.shape) }
    axes = GroupedAxes(
      view.shape.indices.map { axis in
        GroupedAxes.Axis(
          extent: view.shape[axis], strides: views.map { $0.strides[axis] }, isKept: axis != 1)
      }, viewCount: views.count)
    self.result = ResultText(
      expression: problem.epilogue, valueType: view.dataType,
      operands: others.enumerated().map { number, other in
        ResultText.Operand(
          index: other.index, view: number + 2, type: other.operand.view.dataType,
          access: ElementAccess(other.operand, width: 1, stride: 0, vectorWidth: 1))
      },
      output: ElementAccess(output, width: 1, stride: 0, vectorWidth: 1))
  }
}

import KernelModel
import ProgramModel
import TensorModel

/// Pooling with what its kernels need to know.
struct WindowStep: Sendable {
  let function: Window.Function
  var x: View
  /// The positions of maxima, where they are asked for.
  var positions: View?
  let isColumnMajor: Bool
  var geometry: SlidingGeometry
  var epilogue: DirectEpilogue

  init?(_ request: CUDARequest) {
    guard case .window(let problem) = request.step.problem,
      let x = request.step.inputs.first ?? nil,
      x.rank >= 3, let epilogue = DirectEpilogue(request, valueType: x.dataType),
      let geometry = SlidingGeometry(
        windows: Array(epilogue.output.shape.dropFirst(2)), elements: Array(x.shape.dropFirst(2)),
        kernel: problem.kernel, strides: problem.strides, dilations: problem.dilations,
        padsBefore: problem.padsBefore, padsAfter: problem.padsAfter)
    else { return nil }
    function = problem.function
    self.x = x
    positions = request.step.outputs.count > 1 ? request.step.outputs[1] : nil
    isColumnMajor = problem.indices == .columnMajor
    self.geometry = geometry
    self.epilogue = epilogue
    if positions != nil && function != .maximum { return nil }
  }

  var output: View { epilogue.output }
  var combination: WindowCombination { WindowCombination(function, x.dataType) }

  /// The step with two spatial axes; nil where it has more, or positions.
  func asImage() -> WindowStep? {
    guard x.rank <= 4, positions == nil else { return nil }
    guard x.rank == 3 else { return self }
    var copy = self
    copy.x = x.asImage()
    copy.geometry = geometry.asImage()
    copy.epilogue = epilogue.insertingAxis(at: 2)
    return copy
  }
}

/// How pooling combines elements, as text.
struct WindowCombination: Sendable {
  let function: Window.Function
  let type: DataType

  init(_ function: Window.Function, _ type: DataType) {
    self.function = function
    self.type = type
  }

  var isMaximum: Bool { function == .maximum }

  /// The type in which elements are combined.
  var resultType: DataType {
    switch function {
    case .maximum: type
    case .average: isSingle ? .float32 : .float64
    case .norm(let p): isSingle && p <= 2 ? .float32 : .float64
    }
  }

  /// Whether a sum is the same with more zeros in it.
  var ignoresZeros: Bool { if case .norm(let p) = function { p > 0 } else { true } }

  private var isSingle: Bool { type.isFloatingPoint && type != .float64 }

  var name: String { DirectText.arithmetic(resultType) }

  /// What an empty window gives.
  var start: String {
    guard isMaximum else { return "0" }
    return type.isFloatingPoint
      ? type.cudaLiteral(-Double.infinity)
      : type.cudaLiteral(type.integerRange?.lowerBound ?? 0)
  }

  /// A statement that takes an element `value`, in the type that arithmetic is done in, into `result`.
  func take(_ value: String, into result: String) -> String {
    let real = "(\(name))\(value)"
    let size = resultType == .float32 ? "fabsf(\(real))" : "fabs(\(real))"
    return switch function {
    case .maximum:
      type.isFloatingPoint
        ? "\(result) = larger(\(result), \(value));"
        : "if (\(value) > \(result)) \(result) = \(value);"
    case .average: "\(result) += \(real);"
    case .norm(1): "\(result) += \(size);"
    case .norm(2): "\(result) += \(real) * \(real);"
    case .norm(let p): "\(result) += pow(\(size), \(DataType.float64.cudaLiteral(Double(p))));"
    }
  }

  /// The text of two partial results as one.
  func merge(_ a: String, _ b: String) -> String {
    guard isMaximum else { return "\(a) + \(b)" }
    return type.isFloatingPoint
      ? "larger(\(a), \(b))" : "\(b) > \(a) ? \(b) : \(a)"
  }

  /// The value that is stored for a combined `result`; averages divide by `count`.
  func finish(_ result: String, count: String) -> OperandText {
    switch function {
    case .maximum: OperandText(result, type)
    case .average: OperandText("(\(result) / (\(name))(\(count)))", resultType)
    case .norm(1): OperandText(result, resultType)
    case .norm(2):
      OperandText((resultType == .float32 ? "sqrtf" : "sqrt") + "(\(result))", resultType)
    case .norm(let p):
      OperandText("pow(\(result), \(DataType.float64.cudaLiteral(1 / Double(p))))", resultType)
    }
  }
}

extension SlidingGeometry {
  /// Statements that give the first tap of a window inside x, and one after the last: `first0`, `last0`.
  ///
  /// - Parameter window: the text of the window's number along the axis.
  func tapRange(_ axis: Int, window: String, suffix: String) -> [String] {
    let extent = elements[axis], dilation = dilations[axis], taps = kernel[axis]
    let start = "start\(suffix)"
    let rounding = dilation == 1 ? "" : " + \(dilation - 1)) / \(dilation)"
    let open = dilation == 1 ? "" : "("
    return [
      "const int \(start) = \(window) * \(strides[axis]) - \(pads[axis]);",
      "const int first\(suffix) = \(start) < 0 ? \(open)-\(start)\(rounding) : 0;",
      "const int last\(suffix) = min(\(taps), \(open)\(extent) - \(start)\(rounding));",
    ]
  }

  /// The taps of a window that an average divides by: inside x, or inside x and its pads.
  func tapCount(_ axis: Int, suffix: String, countsPadding: Bool) -> String {
    guard countsPadding else { return "max(last\(suffix) - first\(suffix), 0)" }
    let end = elements[axis] + padsAfter[axis], dilation = dilations[axis]
    return "min(\(kernel[axis]), (max(\(end) - start\(suffix), 0) + \(dilation - 1)) / \(dilation))"
  }
}

/// Pooling of any rank, type and layout: a thread for each output.
struct DirectWindow: CUDATactic {
  let step: WindowStep

  private let threads = 128

  var name: String { "direct" }

  func estimate(_ request: CUDARequest) -> Double {
    let count = Double(step.output.elementCount)
    let taps = Double(step.geometry.taps)
    let filling = min(1, count / Double(request.gpu.multiprocessors * 1024))
    return request.trafficSeconds * 1.3 + 0.5e-6 + count * taps
      / (request.gpu.scalarMultiplyAdds * 0.03 * max(filling, 0.02))
  }

  func plan(_ request: CUDARequest) throws(CUDASourceError) -> StepPlan {
    let count = step.output.elementCount
    guard count > 0 else { return StepPlan(launches: []) }
    let launch = KernelLaunch(
      KernelSource(entry: "direct_window", body: try text(count)),
      grid: GridSize(ceilingQuotient(count, threads)), threads: threads,
      arguments: [.input(0)] + step.epilogue.arguments
        + (step.positions == nil ? [] : [.output(1)]))
    return StepPlan(launches: [launch])
  }

  private var names: [String] { ["n", "c"] + (0..<step.geometry.rank).map { "o\($0)" } }

  private func text(_ count: Int) throws(CUDASourceError) -> String {
    let type = DirectText.storage(step.x.dataType)
    var parameters = ["const \(type)* __restrict__ x"] + step.epilogue.parameters
    if step.positions != nil { parameters.append("int64_t* positions") }
    let parts = step.output.order.map { (name: names[$0], extent: step.output.shape[$0]) }
    var kernel = KernelText()
    try kernel.block(
      "KERNEL(\(threads)) direct_window(\(parameters.joined(separator: ", ")))"
    ) { kernel throws(CUDASourceError) in
      kernel.lines(DirectText.linear(count, threads: threads))
      kernel.lines(DirectText.split("i", into: parts))
      for axis in 0..<step.geometry.rank {
        kernel.lines(step.geometry.tapRange(axis, window: "o\(axis)", suffix: "\(axis)"))
      }
      kernel.line("\(step.combination.name) result = \(step.combination.start);")
      if step.positions != nil { kernel.line("int position = -1;") }
      taps(&kernel, axis: 0)
      if let positions = step.positions { store(&kernel, positions) }
      kernel.lines(
        try step.epilogue.store(
          step.combination.finish("result", count: divisor), at: names))
    }
    return kernel.text
  }

  private var divisor: String {
    guard case .average(let countsPadding) = step.function else { return "1" }
    return (0..<step.geometry.rank).map {
      "(\(DirectText.arithmetic(step.combination.resultType)))"
        + step.geometry.tapCount($0, suffix: "\($0)", countsPadding: countsPadding)
    }.joined(separator: " * ")
  }

  private func taps(_ kernel: inout KernelText, axis: Int) {
    let geometry = step.geometry
    guard axis < geometry.rank else { return take(&kernel) }
    let k = "k\(axis)"
    kernel.block("for (int \(k) = first\(axis); \(k) < last\(axis); \(k)++)") { kernel in
      kernel.line("const int i\(axis) = start\(axis) + \(k) * \(geometry.dilations[axis]);")
      taps(&kernel, axis: axis + 1)
    }
  }

  private func take(_ kernel: inout KernelText) {
    let inside = (0..<step.geometry.rank).map { "i\($0)" }
    let type = DirectText.arithmetic(step.x.dataType)
    kernel.line(
      "const \(type) value = load(x[\(DirectText.offset(step.x, ["n", "c"] + inside))]);")
    guard step.positions != nil else {
      return kernel.line(step.combination.take("value", into: "result"))
    }
    let isAbove =
      step.x.dataType.isFloatingPoint
      ? "value > result || (value != value && result == result)" : "value > result"
    kernel.block("if (position < 0 || \(isAbove))") { kernel in
      kernel.line("result = value;")
      kernel.line("position = \(place(inside));")
    }
  }

  /// The number of an element inside its plane.
  private func place(_ coordinates: [String]) -> String {
    let extents = step.geometry.elements
    var terms: [(text: String, factor: Int)] = []
    var factor = 1
    for axis in step.isColumnMajor ? Array(extents.indices) : extents.indices.reversed() {
      terms.append((coordinates[axis], factor))
      factor *= extents[axis]
    }
    return IndexText.sum(terms)
  }

  private func store(_ kernel: inout KernelText, _ positions: View) {
    let plane = step.geometry.elements.reduce(1, *)
    kernel.line(
      "positions[\(DirectText.offset(positions, names))] = position < 0 ? 0 : "
        + "(int64_t)(n * \(step.x.shape[1]) + c) * \(plane) + position;")
  }
}

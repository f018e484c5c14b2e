import KernelModel
import ProgramModel
import TensorModel

/// A reduction with its views, as its tactics see it.
struct ReductionStep: Sendable {
  let problem: Reduction
  let function: ReductionFunctionText
  let x: KernelOperand
  let output: KernelOperand
  /// The epilogue's operands that occur, by number; views from 2 on.
  let others: [(index: Int, operand: KernelOperand)]
  let axes: GroupedAxes

  /// Nil for anything but a reduction.
  init?(_ request: CUDARequest) {
    let step = request.step
    guard case .reduction(let problem) = step.problem, let input = step.inputs.first,
      let view = input, let result = step.outputs.first,
      let type = problem.prologue.dataType(operands: [view.dataType])
    else { return nil }
    self.problem = problem
    function = ReductionFunctionText(
      function: problem.function, type: type,
      groupSize: problem.axes.reduce(1) { $0 * view.shape[$1] })
    x = KernelOperand(name: "x", argument: .input(0), view: view)
    output = KernelOperand(name: "y", argument: .output(0), view: result, isOutput: true)
    var others: [(index: Int, operand: KernelOperand)] = []
    for index in problem.epilogue.operands where index > 0 {
      guard index < step.inputs.count, let other = step.inputs[index] else { return nil }
      let operand = KernelOperand(
        name: "p\(index)", argument: .input(index), view: other, mayAlias: true)
      others.append((index, operand))
    }
    self.others = others
    axes = Self.axes(problem, x: view, output: result, others: others.map(\.operand.view))
  }

  private static func axes(
    _ problem: Reduction, x: View, output: View, others: [View]
  ) -> GroupedAxes {
    let results = [output] + others.map { $0.expanded(to: output.shape) }
    var position = 0
    var axes: [GroupedAxes.Axis] = []
    for axis in x.shape.indices {
      let isKept = !problem.axes.contains(axis)
      axes.append(
        GroupedAxes.Axis(
          extent: x.shape[axis],
          strides: [x.strides[axis]] + results.map { isKept ? $0.strides[position] : 0 },
          isKept: isKept))
      if isKept || problem.keepsDimensions { position += 1 }
    }
    return GroupedAxes(axes, viewCount: 2 + others.count)
  }

  /// Results to compute.
  var resultCount: Int { axes.keptCount }

  var bytesRead: Double {
    Double(resultCount) * Double(axes.groupSize) * Double(x.view.dataType.byteCount)
  }

  // MARK: - Text

  /// The definitions that kernels begin with.
  func definitions() throws(CUDASourceError) -> String {
    let prologue = try problem.prologue.cudaText(operands: [OperandText("x", x.view.dataType)])
    var text = KernelText()
    text.line(function.text)
    text.block("DEVICE \(function.type.cudaArithmetic ?? "float") element(\(x.arithmetic) x)") {
      $0.lines(prologue.statements)
      $0.line("return \(prologue.value);")
    }
    return text.text
  }

  /// Adds element `index` of a group to a state.
  func adding(_ element: String, to state: String, index: String) -> String {
    "add(\(state), element(\(element)), \(function.usesIndex ? index : "0"));"
  }

  /// What becomes of the states of `width` neighbouring results.
  func result(width: Int) -> ResultText {
    let value = function.result(of: "s")
    var expression = problem.epilogue
    if !Self.isSameArithmetic(value.type, function.resultType) {
      expression = expression.substituting([.cast(.operand(0), function.resultType)])
    }
    func access(_ operand: KernelOperand, _ view: Int) -> ElementAccess {
      ElementAccess(
        operand, width: width, stride: axes.kept.innerStride(view: view),
        vectorWidth: axes.vectorWidth(
          along: axes.kept, view: view, of: operand.view, limit: width))
    }
    return ResultText(
      expression: expression, valueType: value.type,
      operands: others.enumerated().map { number, other in
        ResultText.Operand(
          index: other.index, view: number + 2, type: other.operand.view.dataType,
          access: access(other.operand, number + 2))
      },
      output: access(output, 1))
  }

  private static func isSameArithmetic(_ a: DataType, _ b: DataType) -> Bool {
    a == b || (a.isFloatingPoint && a.cudaArithmetic == b.cudaArithmetic)
  }

  /// The parameters after the first of a kernel that stores results.
  var resultParameters: String {
    ([output] + others.map(\.operand)).map(\.parameter).joined(separator: ", ")
  }

  var resultArguments: [KernelLaunch.Argument] {
    [output.argument] + others.map(\.operand.argument)
  }
}

extension KernelText {
  /// Merges the states `s` of `count` neighbouring lanes, a power of two up to 32.
  mutating func mergeLanes(_ count: Int) {
    if count == 1 { return }
    line("#pragma unroll")
    line("for (int m = 1; m < \(count); m *= 2) merge(s, exchanged(s, m));")
  }
}

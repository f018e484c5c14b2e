import KernelModel
import ProgramModel
import TensorModel

/// A normalisation with its views, as its tactics see it: groups of elements that share statistics.
struct NormalizationStep: Sendable {
  /// What is measured of a group, and what an element becomes.
  enum Statistics: Hashable, Sendable {
    /// Largest element and sum of exponentials.
    case exponentials(isLogarithm: Bool)
    /// Mean and sum of squared distances from it.
    case moments(epsilon: Double)
    /// Sum of squares.
    case squares(epsilon: Double)
  }

  let statistics: Statistics
  let x: KernelOperand
  let output: KernelOperand
  /// Scale, bias and the epilogue's operands, by number in `expression`; views from 2 on.
  let others: [(index: Int, operand: KernelOperand)]
  let axes: GroupedAxes
  /// The epilogue, with scale and bias, over operand 0, the normalised element.
  let expression: ScalarExpression

  /// Nil for anything but a normalisation of groups.
  init?(_ request: CUDARequest) {
    let step = request.step
    guard case .normalization(let problem) = step.problem, let input = step.inputs.first,
      let view = input, let result = step.outputs.first
    else { return nil }
    var first = view.rank, last = view.rank, groups = 1
    switch problem.kind {
    case .softmax(let axis), .logSoftmax(let axis):
      (first, last) = (axis, axis + 1)
      if case .softmax = problem.kind {
        statistics = .exponentials(isLogarithm: false)
      } else {
        statistics = .exponentials(isLogarithm: true)
      }
    case .layer(let axis, let epsilon):
      first = axis
      statistics = .moments(epsilon: epsilon)
    case .rootMeanSquare(let axis, let epsilon):
      first = axis
      statistics = .squares(epsilon: epsilon)
    case .group(let count, let epsilon):
      guard let count = count.constant, count > 0, view.shape[1] % count == 0 else { return nil }
      groups = count
      first = 1
      statistics = .moments(epsilon: epsilon)
    case .localResponse: return nil
    }
    x = KernelOperand(name: "x", argument: .input(0), view: view)
    output = KernelOperand(name: "y", argument: .output(0), view: result, isOutput: true)
    guard let operands = Self.operands(problem, step) else { return nil }
    others = operands
    expression = Self.expression(problem, step)
    let expanded =
      [view, result]
      + others.map { index, operand in
        var place = operand.view
        if case .group = problem.kind, index > step.inputs.count {
          place.shape += [Int](repeating: 1, count: view.rank - 2)
          place.strides += [Int](repeating: 0, count: view.rank - 2)
        }
        return place.expanded(to: view.shape)
      }
    axes = Self.axes(view.shape, expanded, grouped: first..<last, groups: groups)
  }

  /// The number of the scale in `expression`; the bias follows.
  private static func scaleIndex(_ step: Step) -> Int { step.inputs.count + 1 }

  private static func operands(
    _ problem: Normalization, _ step: Step
  ) -> [(index: Int, operand: KernelOperand)]? {
    var operands: [(index: Int, operand: KernelOperand)] = []
    for (position, name) in [(1, "scale"), (2, "bias")] where hasVectors(problem) {
      guard step.inputs.count > position, let view = step.inputs[position] else { continue }
      operands.append(
        (
          scaleIndex(step) + position - 1,
          KernelOperand(name: name, argument: .input(position), view: view)
        ))
    }
    for index in problem.epilogue.operands where index > 0 {
      guard index + 2 < step.inputs.count, let view = step.inputs[index + 2] else { return nil }
      operands.append(
        (
          index,
          KernelOperand(
            name: "p\(index)", argument: .input(index + 2), view: view, mayAlias: true)
        ))
    }
    return operands
  }

  private static func hasVectors(_ problem: Normalization) -> Bool {
    switch problem.kind {
    case .layer, .rootMeanSquare, .group: true
    case .softmax, .logSoftmax, .localResponse: false
    }
  }

  private static func expression(_ problem: Normalization, _ step: Step) -> ScalarExpression {
    guard hasVectors(problem) else { return problem.epilogue }
    var value = ScalarExpression.operand(0)
    let index = scaleIndex(step)
    if step.inputs.count > 1, step.inputs[1] != nil { value = value * .operand(index) }
    if step.inputs.count > 2, step.inputs[2] != nil { value = value + .operand(index + 1) }
    return problem.epilogue.substituting([value])
  }

  private static func axes(
    _ shape: [Int], _ views: [View], grouped: Range<Int>, groups: Int
  ) -> GroupedAxes {
    var axes: [GroupedAxes.Axis] = []
    for axis in shape.indices {
      let strides = views.map { $0.strides[axis] }
      let isKept = !grouped.contains(axis)
      if groups > 1, axis == 1 {
        let members = shape[axis] / groups
        axes.append(
          GroupedAxes.Axis(extent: groups, strides: strides.map { $0 * members }, isKept: true))
        axes.append(GroupedAxes.Axis(extent: members, strides: strides, isKept: false))
      } else {
        axes.append(GroupedAxes.Axis(extent: shape[axis], strides: strides, isKept: isKept))
      }
    }
    return GroupedAxes(axes, viewCount: views.count)
  }

  // MARK: - Text

  private var type: DataType { x.view.dataType }
  var isDouble: Bool { type == .float64 }
  /// What is computed with.
  var real: String { isDouble ? "double" : "float" }
  /// Appended to the names of functions.
  var suffix: String { isDouble ? "" : "f" }
  func literal(_ value: Double) -> String {
    (isDouble ? DataType.float64 : .float32).cudaLiteral(value)
  }

  /// Elements that one thread can keep in registers.
  var residentLimit: Int { isDouble ? 16 : 32 }

  var groupCount: Int { axes.keptCount }
  var groupSize: Int { axes.groupSize }
  var elementCount: Int { groupCount * groupSize }

  /// What becomes of `width` neighbours of a group.
  func result(width: Int) -> ResultText {
    func access(_ operand: KernelOperand, _ view: Int) -> ElementAccess {
      ElementAccess(
        operand, width: width, stride: axes.group.innerStride(view: view),
        vectorWidth: axes.vectorWidth(
          along: axes.group, view: view, of: operand.view, limit: width))
    }
    return ResultText(
      expression: expression, valueType: type,
      operands: others.enumerated().map { number, other in
        // Scale and bias take part in x's arithmetic whatever they are stored as.
        ResultText.Operand(
          index: other.index, view: number + 2,
          type: other.operand.mayAlias ? other.operand.view.dataType : type,
          access: access(other.operand, number + 2))
      },
      output: access(output, 1))
  }

  var parameters: String {
    ([x, output] + others.map(\.operand)).map(\.parameter).joined(separator: ", ")
  }

  var arguments: [KernelLaunch.Argument] {
    [x.argument, output.argument] + others.map(\.operand.argument)
  }
}

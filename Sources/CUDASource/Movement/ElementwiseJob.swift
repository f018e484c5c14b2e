import KernelModel
import ProgramModel
import TensorModel

/// An expression of views of one shape: what pointwise problems and most copies come down to.
struct ElementwiseJob: Sendable {
  struct Operand: Sendable {
    /// Of the step.
    var input: Int
    /// Of the output's shape.
    var view: View
  }

  var expression: ScalarExpression
  var operands: [Operand]
  var output: View

  /// The jobs that together are a step, none of which is empty; nil for what is not such a step.
  static func jobs(_ step: Step) -> [ElementwiseJob]? {
    guard let output = step.outputs.first else { return nil }
    switch step.problem {
    case .pointwise(let problem):
      var operands: [Operand] = []
      for (index, input) in step.inputs.enumerated() {
        guard let input else { return nil }
        operands.append(Operand(input: index, view: input.expanded(to: output.shape)))
      }
      return output.elementCount == 0
        ? [] : [ElementwiseJob(expression: problem.expression, operands: operands, output: output)]
    case .copy(let problem): return copies(problem, step.inputs.compactMap { $0 }, output)
    default: return nil
    }
  }

  private static func copies(
    _ problem: Copy, _ inputs: [View], _ output: View
  ) -> [ElementwiseJob]? {
    guard let x = inputs.first else { return nil }
    switch problem {
    case .reshape: return reshape(x, output)
    case .transpose(let permutation): return copy(x.transposed(permutation), output)
    case .expand: return copy(x.expanded(to: output.shape), output)
    case .slice(let starts, _, let steps):
      guard let starts = Shape(starts).constants else { return nil }
      return copy(x.sliced(starts: starts, sizes: output.shape, steps: steps), output)
    case .tile: return tile(x, output)
    case .concatenate(let axis): return concatenate(inputs, axis, output)
    case .pad: return nil
    }
  }

  /// A copy moves bits, whatever they mean.
  static func copy(_ x: View, input: Int = 0, _ output: View) -> [ElementwiseJob] {
    guard output.elementCount > 0 else { return [] }
    var source = x
    var target = output
    source.dataType = x.dataType.bits
    target.dataType = x.dataType.bits
    return [
      ElementwiseJob(
        expression: .operand(0), operands: [Operand(input: input, view: source)], output: target)
    ]
  }

  /// A reshape is a copy where axes can be cut so that both shapes are made of the same parts.
  private static func reshape(_ x: View, _ output: View) -> [ElementwiseJob]? {
    guard output.elementCount > 0 else { return [] }
    if let view = x.reshaped(output.shape) { return copy(view, output) }
    if let view = output.reshaped(x.shape) { return copy(x, view) }
    guard let common = commonShape(x.shape, output.shape), let source = x.reshaped(common),
      let target = output.reshaped(common)
    else { return nil }
    return copy(source, target)
  }

  /// The coarsest shape of which both are mergings.
  private static func commonShape(_ a: [Int], _ b: [Int]) -> [Int]? {
    func sizes(_ shape: [Int]) -> [Int] {
      var size = 1
      return shape.reversed().map { extent in
        size *= extent
        return size
      }
    }
    var result: [Int] = []
    var inner = 1
    for size in Set(sizes(a) + sizes(b)).sorted() where size != inner {
      guard size % inner == 0 else { return nil }
      result.append(size / inner)
      inner = size
    }
    return result.reversed()
  }

  /// Every axis becomes two, the outer of which repeats the input.
  private static func tile(_ x: View, _ output: View) -> [ElementwiseJob]? {
    guard output.elementCount > 0 else { return [] }
    var shape: [Int] = []
    var source = x
    source.strides = []
    for axis in x.shape.indices {
      shape += [output.shape[axis] / x.shape[axis], x.shape[axis]]
      source.strides += [0, x.strides[axis]]
    }
    source.shape = shape
    guard let target = output.reshaped(shape) else { return nil }
    return copy(source, target)
  }

  private static func concatenate(
    _ inputs: [View], _ axis: Int, _ output: View
  ) -> [ElementwiseJob] {
    var result: [ElementwiseJob] = []
    var start = 0
    for (index, input) in inputs.enumerated() {
      var part = output
      part.offset += start * output.strides[axis]
      part.shape = input.shape
      result += copy(input, input: index, part)
      start += input.shape[axis]
    }
    return result
  }
}

extension ElementwiseJob {
  /// The operands that the expression refers to, then the axes whose coordinates it takes.
  private var used: (operands: [Int], axes: [Int]) {
    var axes: Set<Int> = []
    expression.visit { if case .index(let axis) = $0 { axes.insert(axis) } }
    return (expression.operands, axes.sorted())
  }

  /// The output, the operands in use, and the coordinates in use.
  var lanes: [Lane] {
    let (operands, axes) = used
    return [Lane(output, shape: output.shape)]
      + operands.map { Lane(self.operands[$0].view, shape: output.shape) }
      + axes.map { Lane.coordinate($0, rank: output.rank) }
  }

  /// Bytes of an element of each lane; 0 for coordinates.
  var laneSizes: [Int] {
    let (operands, axes) = used
    return [output.dataType.byteCount]
      + operands.map { self.operands[$0].view.dataType.byteCount } + axes.map { _ in 0 }
  }

  /// The job as elements of a kernel.
  func movement(_ step: Step) throws(CUDASourceError) -> ElementMovement {
    let used = used.operands.map { operands[$0] }
    var parameters: [ElementMovement.Parameter] = []
    for operand in used {
      let origin = step.inputs[operand.input]?.offset ?? 0
      parameters.append(
        .init(
          storage: try operand.view.storage, argument: .input(operand.input),
          shift: operand.view.offset - origin))
    }
    parameters.append(
      .init(
        storage: try output.storage, argument: .output(0),
        shift: output.offset - step.outputs[0].offset))
    return ElementMovement(
      shape: output.shape, order: output.order, lanes: lanes,
      sizes: laneSizes,
      parameters: parameters, sources: sources, value: value)
  }

  /// What the kernel reads, through pointers of the given names.
  @Sendable private func sources(
    _ walk: VectorWalk, names: [String]
  ) throws(CUDASourceError) -> [ElementSource] {
    let (operands, axes) = used
    var result: [ElementSource] = []
    for (position, operand) in operands.enumerated() {
      result.append(
        try .memory(
          names[position], self.operands[operand].view.dataType, lane: position + 1, walk))
    }
    for position in axes.indices {
      result.append(.coordinate(lane: operands.count + 1 + position, walk))
    }
    return result
  }

  /// The expression of the texts of the sources' elements.
  @Sendable func value(_ texts: [String]) throws(CUDASourceError) -> RenderedExpression {
    let (used, axes) = used
    var operands = self.operands.map { OperandText("", $0.view.dataType) }
    for (position, operand) in used.enumerated() { operands[operand].text = texts[position] }
    var indices = [String](repeating: "", count: output.rank)
    for (position, axis) in axes.enumerated() { indices[axis] = texts[used.count + position] }
    return try expression.cudaText(operands: operands, indices: indices)
  }
}

extension View {
  /// The type of an element in kernels.
  var storage: String {
    get throws(CUDASourceError) {
      guard let storage = dataType.cudaStorage else {
        throw CUDASourceError("kernels do not hold \(dataType)")
      }
      return storage
    }
  }
}

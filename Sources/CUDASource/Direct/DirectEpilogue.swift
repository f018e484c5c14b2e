import KernelModel
import ProgramModel
import TensorModel

/// What a direct kernel does with a value that it has computed: the problem's epilogue, and the store.
struct DirectEpilogue: Sendable {
  /// An operand that the epilogue reads, broadcast to the output's shape.
  private struct Operand {
    var index: Int
    var input: Int
    var view: View
  }

  private(set) var output: View
  private let expression: ScalarExpression
  private let valueType: DataType
  private var operands: [Operand]

  /// - Parameter valueType: the problem's own output type.
  init?(_ request: CUDARequest, valueType: DataType) {
    guard let output = request.step.outputs.first, let own = request.step.problem.ownOperandCount
    else { return nil }
    self.output = output
    self.valueType = valueType
    expression = request.step.problem.epilogue ?? .operand(0)
    operands = []
    for index in expression.operands where index > 0 {
      let input = own + index - 1
      guard request.step.inputs.indices.contains(input), let view = request.step.inputs[input]
      else { return nil }
      operands.append(Operand(index: index, input: input, view: view.expanded(to: output.shape)))
    }
  }

  /// The epilogue over an output with one more axis of extent 1.
  func insertingAxis(at axis: Int) -> DirectEpilogue {
    var copy = self
    copy.output = output.insertingAxis(at: axis)
    for index in operands.indices {
      copy.operands[index].view = operands[index].view.insertingAxis(at: axis)
    }
    return copy
  }

  /// Parameters for the operands and the output `y`. Only operands in other memory than the output's are
  /// declared to be apart from it.
  var parameters: [String] {
    operands.map {
      let apart = $0.view.buffer != output.buffer ? " __restrict__" : ""
      return "const \(DirectText.storage($0.view.dataType))*\(apart) e\($0.index)"
    } + ["\(DirectText.storage(output.dataType))* y"]
  }

  var arguments: [KernelLaunch.Argument] { operands.map { .input($0.input) } + [.output(0)] }

  /// Statements that store one value.
  ///
  /// - Parameter coordinates: for each axis of the output the text of the element's coordinate.
  func store(_ value: OperandText, at coordinates: [String]) throws(CUDASourceError) -> [String] {
    var lines: [String] = []
    for operand in operands {
      let type = operand.view.dataType
      lines.append(
        "const \(DirectText.arithmetic(type)) a\(operand.index) = "
          + "load(e\(operand.index)[\(DirectText.offset(operand.view, coordinates))]);")
    }
    let result = try render(value) { "a\($0)" }
    lines += result.statements
    lines.append("y[\(DirectText.offset(output, coordinates))] = \(result.stored);")
    return ["{"] + lines.map { "  " + $0 } + ["}"]
  }

  /// Statements that store `width` values side by side along an axis; the output must allow it.
  ///
  /// - Parameters:
  ///   - value: the text of value `v`.
  ///   - coordinates: of the first value.
  func store(
    _ value: OperandText, width: Int, along axis: Int, at coordinates: [String]
  ) throws(CUDASourceError) -> [String] {
    if width == 1 {
      return ["{ const int v = 0;"] + (try store(value, at: coordinates)) + ["}"]
    }
    var before: [String] = []
    var inside: [String] = []
    for operand in operands {
      let name = "e\(operand.index)", type = operand.view.dataType
      let offset = DirectText.offset(operand.view, coordinates)
      var element = "b\(operand.index)"
      if operand.view.strides[axis] == 0 {
        before.append("const \(DirectText.storage(type)) \(element) = \(name)[\(offset)];")
      } else if DirectText.isVector(operand.view, width, along: axis) {
        let vector = "Vector<\(DirectText.storage(type)), \(width)>"
        before.append("const \(vector) \(element) = load_vector<\(width)>(\(name) + \(offset));")
        element += ".at[v]"
      } else {
        element = "\(name)[\(offset) + v * \(operand.view.strides[axis])]"
      }
      inside.append(
        "const \(DirectText.arithmetic(type)) a\(operand.index) = load(\(element));")
    }
    let result = try render(value) { "a\($0)" }
    inside += result.statements + ["r.at[v] = \(result.stored);"]
    let vector = "Vector<\(DirectText.storage(output.dataType)), \(width)>"
    return ["{"] + before.map { "  " + $0 } + [
      "  \(vector) r;", "  #pragma unroll", "  for (int v = 0; v < \(width); v++) {",
    ] + inside.map { "    " + $0 } + [
      "  }", "  store_vector(y + \(DirectText.offset(output, coordinates)), r);", "}",
    ]
  }

  private func render(
    _ value: OperandText, _ name: (Int) -> String
  ) throws(CUDASourceError) -> RenderedExpression {
    var texts = [OperandText](
      repeating: OperandText("0", .int32), count: (expression.operands.max() ?? 0) + 1)
    for operand in operands {
      texts[operand.index] = OperandText(name(operand.index), operand.view.dataType)
    }
    if value.type.isFloatingPoint && valueType.isFloatingPoint {
      // Sixteen-bit floats stay in single precision up to the store.
      let isSame = value.type.cudaArithmetic == valueType.cudaArithmetic
      let type = DirectText.arithmetic(valueType)
      texts[0] = OperandText(isSame ? value.text : "((\(type))\(value.text))", valueType)
      return try expression.cudaText(operands: texts)
    }
    texts[0] = value
    let first = ScalarExpression.cast(.operand(0), valueType)
    return try (value.type == valueType ? expression : expression.substituting([first]))
      .cudaText(operands: texts)
  }
}

extension View {
  /// The view with one more axis, of extent 1.
  fileprivate func insertingAxis(at axis: Int) -> View {
    var view = self
    view.shape.insert(1, at: axis)
    view.strides.insert(0, at: axis)
    return view
  }

  /// A tensor `[N, C, L]` as an image `[N, C, 1, L]`.
  func asImage() -> View { rank == 3 ? insertingAxis(at: 2) : self }
}

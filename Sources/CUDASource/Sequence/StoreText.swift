import KernelModel
import ProgramModel
import TensorModel

/// The end of a kernel: the epilogue of a problem applied to a value, and the value stored.
struct StoreText {
  private let expression: ScalarExpression
  private let own: DataType
  /// The epilogue's operands that it refers to, broadcast to the output's shape.
  private let operands: [(index: Int, input: Int, view: View)]
  private let operandTypes: [DataType]
  let output: View

  /// - Parameter own: the type of the problem's result before its epilogue.
  init(_ step: Step, own: DataType) throws(CUDASourceError) {
    expression = step.problem.epilogue ?? .operand(0)
    self.own = own
    output = step.outputs[0]
    let first = step.problem.ownOperandCount ?? step.inputs.count
    var types = [own]
    var used: [(index: Int, input: Int, view: View)] = []
    let wanted = expression.operands
    for input in step.inputs.indices.dropFirst(first) {
      guard let view = step.inputs[input] else {
        throw CUDASourceError("an operand of the epilogue is missing")
      }
      let index = input - first + 1
      types.append(view.dataType)
      if wanted.contains(index) { used.append((index, input, view.expanded(to: output.shape))) }
    }
    operands = used
    operandTypes = types
  }

  /// Parameters of the kernel, for `arguments`: the operands, which may lie in the output's place, and
  /// `output`.
  var parameters: [String] {
    operands.map { "const \($0.view.dataType.cudaStorage ?? "float")* operand\($0.index)" }
      + ["\(storage)* output"]
  }

  var arguments: [KernelLaunch.Argument] { operands.map { .input($0.input) } + [.output(0)] }

  var storage: String { output.dataType.cudaStorage ?? "float" }

  /// Statements that apply the epilogue, and the element to store.
  func element(
    of value: String, at coordinates: [String], prefix: String = "e"
  ) throws(CUDASourceError) -> (statements: [String], element: String) {
    var texts = operandTypes.map { OperandText("0", $0) }
    texts[0] = OperandText(value, own)
    for operand in operands {
      let place = IndexText.sum(Array(zip(coordinates, operand.view.strides)).map { ($0, $1) })
      texts[operand.index] = OperandText(
        "load(operand\(operand.index)[\(place)])", operand.view.dataType)
    }
    let rendered = try expression.cudaText(operands: texts, prefix: prefix)
    return (rendered.statements, rendered.stored)
  }

  /// The offset in the output.
  func place(at coordinates: [String]) -> String {
    IndexText.sum(Array(zip(coordinates, output.strides)).map { ($0, $1) })
  }

  /// Statements that apply the epilogue and store the result.
  func store(_ value: String, at coordinates: [String]) throws(CUDASourceError) -> [String] {
    let (statements, element) = try element(of: value, at: coordinates)
    return statements + ["output[\(place(at: coordinates))] = \(element);"]
  }
}

extension View {
  /// The most elements, up to `limit`, a power of two, that can always be moved together along the last
  /// axis: they lie side by side and every row begins at a multiple of their size.
  func vectorLength(limit: Int) -> Int {
    guard let last = strides.last, last == 1 || shape.last == 1 else { return 1 }
    let outer = zip(shape, strides).dropLast().filter { $0.0 > 1 }.map { abs($0.1) }
    var length = limit
    while length > 1,
      !([offset, shape.last ?? 1] + outer).allSatisfy({ $0 % length == 0 })
    {
      length /= 2
    }
    return length
  }
}

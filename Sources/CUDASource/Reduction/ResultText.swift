import KernelModel
import ProgramModel
import TensorModel

/// What a kernel does with its values: the epilogue, and the store.
struct ResultText: Sendable {
  struct Operand: Sendable {
    /// In the expression.
    var index: Int
    /// The number of its view.
    var view: Int
    /// What the expression takes it for.
    var type: DataType
    var access: ElementAccess
  }

  /// Over operand 0, the value, and operand `k`, the element of `operands[k]`.
  let expression: ScalarExpression
  let valueType: DataType
  /// The epilogue's operands that occur, by their number in the expression.
  let operands: [Operand]
  let output: ElementAccess

  /// Statements that read operands; `offset` gives the text for a view's number.
  func loads(_ offset: (Int) -> String) -> [String] {
    operands.map { $0.access.declaration("o\($0.index)", offset: offset($0.view)) }
  }

  /// Statements that apply the epilogue to a value for each neighbour `j` and store the results.
  ///
  /// - Parameter variable: the name of what `loads` gave for an operand.
  func store(
    _ text: inout KernelText, offset: (Int) -> String,
    variable: (Operand) -> String = { "o\($0.index)" },
    value: (_ text: inout KernelText) throws(CUDASourceError) -> String
  ) throws(CUDASourceError) {
    let type = output.operand.storage
    let width = output.width
    if output.isVector { text.line("Vector<\(type), \(width)> r;") }
    try text.neighbours(width) { text throws(CUDASourceError) in
      let rendered = try expression.cudaText(
        operands: try texts(try value(&text), variable))
      text.lines(rendered.statements)
      let isSame = rendered.type.cudaStorage == type
      let stored = isSame ? rendered.stored : "store<\(type)>(\(rendered.value))"
      if output.isVector {
        text.line("r.at[j] = \(stored);")
      } else {
        let step = width > 1 ? " + j * \(output.stride)" : ""
        text.line("\(output.operand.name)[\(offset(1))\(step)] = \(stored);")
      }
    }
    if output.isVector { text.line("store_vector(\(output.operand.name) + (\(offset(1))), r);") }
  }

  private func texts(
    _ value: String, _ variable: (Operand) -> String
  ) throws(CUDASourceError) -> [OperandText] {
    var texts = [OperandText(value, valueType)]
    for operand in operands {
      while texts.count <= operand.index { texts.append(OperandText("0", .float32)) }
      texts[operand.index] = OperandText(
        operand.access.element(variable(operand)), operand.type)
    }
    return texts
  }
}

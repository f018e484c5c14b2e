import ProgramModel
import TensorModel

/// A view that a kernel reads or writes through a pointer of its own.
struct KernelOperand: Hashable, Sendable {
  var name: String
  var argument: KernelLaunch.Argument
  var view: View
  var isOutput = false
  /// Whether its memory may be that of the output.
  var mayAlias = false

  var storage: String { view.dataType.cudaStorage ?? "float" }
  var arithmetic: String { view.dataType.cudaArithmetic ?? "float" }

  var parameter: String {
    let qualifier = isOutput ? "" : "const "
    return mayAlias || isOutput
      ? "\(qualifier)\(storage)* \(name)" : "\(qualifier)\(storage)* __restrict__ \(name)"
  }
}

/// How a kernel moves `width` neighbours of an operand, with a loop over `j` around their uses.
struct ElementAccess: Hashable, Sendable {
  var operand: KernelOperand
  var width: Int
  /// Between neighbours, in elements.
  var stride: Int
  /// Neighbours that one load or store moves.
  private let piece: Int

  init(_ operand: KernelOperand, width: Int, stride: Int, vectorWidth: Int) {
    self.operand = operand
    self.width = width
    self.stride = stride
    let isDivided = width > 1 && stride == 1 && width % max(min(vectorWidth, width), 1) == 0
    piece = isDivided ? min(vectorWidth, width) : 1
  }

  /// Whether all neighbours move together.
  var isVector: Bool { width > 1 && piece == width }
  /// Whether `load` gives all neighbours.
  private var holdsVector: Bool { piece > 1 }

  /// The type of what `load` gives, where it fits into a variable.
  var variableType: String? {
    if holdsVector { return "Vector<\(operand.storage), \(width)>" }
    return width == 1 || stride == 0 ? operand.storage : nil
  }

  /// What reads the neighbours at an offset; a pointer where they do not fit into a variable.
  func load(_ offset: String) -> String {
    if isVector { return "load_vector<\(width)>(\(operand.name) + (\(offset)))" }
    if holdsVector { return "load_pieces<\(width), \(piece)>(\(operand.name) + (\(offset)))" }
    if variableType != nil { return "\(operand.name)[\(offset)]" }
    return "\(operand.name) + (\(offset))"
  }

  func declaration(_ variable: String, offset: String) -> String {
    "const \(variableType ?? "\(operand.storage)*") \(variable) = \(load(offset));"
  }

  /// Neighbour `j` of what `load` gave, in the type that arithmetic is done in.
  func element(_ variable: String) -> String {
    if holdsVector { return "load(\(variable).at[j])" }
    if variableType != nil { return "load(\(variable))" }
    return "load(\(variable)[j * \(stride)])"
  }

  var bytesInRegisters: Int {
    variableType == nil ? 0 : operand.view.dataType.byteCount * (holdsVector ? width : 1)
  }
}

extension KernelText {
  /// A loop over `j` below `width`; nothing around the body where that is 1 but `j`'s absence.
  mutating func neighbours<E: Error>(
    _ width: Int, _ body: (inout KernelText) throws(E) -> Void
  ) throws(E) {
    if width == 1 {
      try body(&self)
    } else {
      line("#pragma unroll")
      try block("for (int j = 0; j < \(width); j++)", body)
    }
  }
}

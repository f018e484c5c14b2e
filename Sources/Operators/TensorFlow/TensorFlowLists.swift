import GraphModel
import KernelModel
import TensorModel

/// Lists of tensors of one shape, as loops fill them. A list is one tensor, whose first axis counts the
/// elements. Source: TensorFlow `TensorListReserve`, `TensorListFromTensor`, `TensorListStack`.
struct TensorFlowList: Operator {
  static let spellings = [
    Spelling.tensorflow("TensorListReserve"), .tensorflow("TensorListFromTensor"),
    .tensorflow("TensorListStack"), .tensorflow("TensorListLength"),
  ]

  private let name: String
  private let type: DataType?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    type = try attributes.dataType("element_dtype")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    switch name {
    case "TensorListReserve": try reserve(&expansion)
    case "TensorListLength":
      let list = try expansion.input(0)
      guard list.rank > 0 else { throw OperatorError("the input is no list") }
      expansion.set(0, expansion.symbolic([list.shape[0]], TensorType(.int32, [Int]())))
    default: expansion.set(0, try expansion.input(0))
    }
  }

  /// Zeros; extents that are not known before an element is written are 1, and grow then.
  private func reserve(_ expansion: inout Expansion) throws(OperatorError) {
    guard let type, let element = expansion.dimensions(try expansion.input(0)),
      let count = expansion.dimensions(try expansion.input(1))?.first,
      try expansion.input(0).rank == 1
    else {
      throw OperatorError("the length of the list, or the rank of its elements, is not known")
    }
    let extents = element.map { $0.constant ?? 0 < 0 ? Dimension(1) : $0 }
    let zeros = Pointwise(.constant(0, type), shape: Shape([count] + extents))
    expansion.set(0, try expansion.emit(.pointwise(zeros), []))
  }
}

/// One element of a list. Source: TensorFlow `TensorListGetItem`.
struct TensorFlowListGetItem: Operator {
  static let spellings = [Spelling.tensorflow("TensorListGetItem")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let list = try expansion.input(0)
    let index = try expansion.cast(try expansion.input(1), to: .int64)
    guard list.rank > 0, index.rank == 0 else {
      throw OperatorError("expected a list and a number")
    }
    expansion.set(0, try expansion.emit(.gather(.slices(axis: 0)), [list, index]))
  }
}

/// A list with one element replaced. Source: TensorFlow `TensorListSetItem`.
struct TensorFlowListSetItem: Operator {
  static let spellings = [Spelling.tensorflow("TensorListSetItem")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (list, item) = (try expansion.input(0), try expansion.input(2))
    let index = try expansion.cast(try expansion.input(1), to: .int64)
    guard list.rank == item.rank + 1, index.rank == 0 else {
      throw OperatorError("an element of shape \(item.shape) does not fit a list of \(list.shape)")
    }
    let update = try expansion.unsqueeze(item, axes: [0])
    // A list of one has nothing else to keep.
    guard list.shape[0] != 1 else { return expansion.set(0, update) }
    let whole = Shape([list.shape[0]] + item.shape.dimensions)
    if list.shape == whole {
      let coordinates = try expansion.reshape(index, [1, 1])
      return expansion.set(
        0,
        try expansion.emit(
          .scatter(Scatter(.coordinates, .replace)), [list, coordinates, update]))
    }
    // The list has elements of extent 1 before the first is written: it grows to the element's shape.
    let formula = ScalarExpression.select(
      .equal(.index(axis: 0), .operand(0)), .operand(1), .operand(2))
    expansion.set(
      0,
      try expansion.emit(.pointwise(Pointwise(formula, shape: whole)), [index, update, list]))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// Lists of tensors of one shape, as loops fill them. A list is one tensor, whose first axis counts the
/// elements. Source: TensorFlow `TensorListReserve`, `TensorListFromTensor`, `TensorListStack`.
struct TensorFlowList: Operator {
  static let spellings = [
    Spelling.tensorflow("TensorListReserve"), .tensorflow("TensorListFromTensor"),
    .tensorflow("TensorListStack"), .tensorflow("TensorListLength"),
    .tensorflow("EmptyTensorList"), .tensorflow("TensorListConcatV2"),
    .tensorflow("TensorListConcat"),
  ]

  private let name: String
  private let type: DataType?

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    type = try attributes.dataType("element_dtype")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    switch name {
    case "TensorListReserve", "EmptyTensorList": try reserve(&expansion)
    case "TensorListConcatV2", "TensorListConcat":
      let list = try expansion.input(0)
      guard list.rank > 1 else { throw OperatorError("a list of scalars cannot be concatenated") }
      let rows = list.shape[0] * list.shape[1]
      expansion.set(
        0, try expansion.reshape(list, Shape([rows] + list.shape.dimensions[2...])))
      let lengths = [Dimension](repeating: list.shape[1], count: list.shape[0].constant ?? 0)
      expansion.set(1, expansion.shapeVector(lengths))
    case "TensorListLength":
      let list = try expansion.input(0)
      guard list.rank > 0 else { throw OperatorError("the input is no list") }
      expansion.set(0, expansion.symbolic([list.shape[0]], TensorType(.int32, [Int]())))
    default: expansion.set(0, try expansion.input(0))
    }
  }

  /// Zeros; extents that are not known before an element is written are 1, and grow then. Elements of
  /// unknown rank are scalars until then.
  private func reserve(_ expansion: inout Expansion) throws(OperatorError) {
    let shape = try expansion.input(0)
    let known = shape.rank == 1 ? expansion.dimensions(shape) : []
    let length =
      name == "EmptyTensorList" ? 0 : expansion.dimensions(try expansion.input(1))?.first
    guard let type, let element = known, let count = length else {
      throw OperatorError("the length of the list, or the shape of its elements, is not known")
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
struct TensorFlowListSetItem: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("TensorListSetItem")]

  private let grows: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    grows = try attributes.bool("resize_if_index_out_of_bounds", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var (list, item) = (try expansion.input(0), try expansion.input(2))
    let index = try expansion.cast(try expansion.input(1), to: .int64)
    guard list.rank == item.rank + 1 || list.rank == 1, index.rank == 0 else {
      throw OperatorError("an element of shape \(item.shape) does not fit a list of \(list.shape)")
    }
    let update = try expansion.unsqueeze(item, axes: [0])
    if grows {
      guard let place = expansion.integers(index)?.first, let length = list.shape[0].constant else {
        let count = expansion.freshSymbol("length")
        let shape = Shape([count] + item.shape.dimensions)
        return try emitHostOrFold(&expansion, outputs: [TensorType(list.dataType, shape)])
      }
      if place >= length {
        var after = [Dimension](repeating: 0, count: list.rank)
        let before = after
        after[0] = Dimension(place + 1 - length)
        list = try expansion.emit(
          .copy(.pad(.constant(0), before: before, after: after)), [list])
      }
    }
    if list.rank != item.rank + 1 {
      let units = [Dimension](repeating: 1, count: item.rank)
      list = try expansion.reshape(list, Shape([list.shape[0]] + units))
    }
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

/// A list with an element added or taken away at its end. Source: TensorFlow `TensorListPushBack`,
/// `TensorListPopBack`.
struct TensorFlowListEnd: Operator {
  static let spellings = [
    Spelling.tensorflow("TensorListPushBack"), .tensorflow("TensorListPopBack"),
  ]

  private let pushes: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    pushes = attributes.name == "TensorListPushBack"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let list = try expansion.input(0)
    guard list.rank > 0 else { throw OperatorError("the input is no list") }
    if pushes {
      let item = try expansion.unsqueeze(try expansion.input(1), axes: [0])
      let isEmpty = list.shape[0] == 0
      return expansion.set(0, isEmpty ? item : try expansion.concatenate([list, item], axis: 0))
    }
    let rest = list.shape[0] - 1
    expansion.set(0, try expansion.slice(list, axis: 0, start: 0, count: rest))
    let last = try expansion.slice(list, axis: 0, start: rest, count: 1)
    expansion.set(
      1, try expansion.reshape(last, Shape(Array(list.shape.dimensions.dropFirst()))))
  }
}

import GraphModel
import KernelModel
import TensorModel

extension Expansion {
  /// An extent as an operand of a formula.
  mutating func extent(_ dimension: Dimension) -> Operand {
    symbolic([dimension], TensorType(.int64, [Int]()))
  }

  /// Slices of an axis in the order that a formula gives: `index(axis: 0)` is the place in the result,
  /// operand 0 the axis' extent.
  mutating func permuted(
    _ x: Operand, axis: Int, count: Dimension, _ place: ScalarExpression, _ operands: [Operand] = []
  ) throws(OperatorError) -> Operand {
    let indices = try emit(
      .pointwise(Pointwise(place, shape: [count])), [extent(x.shape[axis])] + operands)
    return try emit(.gather(.slices(axis: axis)), [x, indices])
  }
}

/// Slices moved around the ends of axes. Source: TensorFlow `Roll`.
struct TensorFlowRoll: Operator {
  static let spellings = [Spelling.tensorflow("Roll")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var x = try expansion.input(0)
    guard let shifts = try expansion.requiredIntegers(1, "shift"),
      let list = try expansion.requiredIntegers(2, "axis"), shifts.count == list.count
    else { throw OperatorError("expected one shift for each axis") }
    for (shift, written) in zip(shifts, list) {
      let axis = try expansion.axis(written, rank: x.rank)
      let place = ScalarExpression.binary(
        .moduloFloor, .index(axis: 0) - .integer64(shift), .operand(0))
      x = try expansion.permuted(x, axis: axis, count: x.shape[axis], place)
    }
    expansion.set(0, x)
  }
}

/// The first elements of each sequence in reverse order. Source: TensorFlow `ReverseSequence`.
struct TensorFlowReverseSequence: Operator {
  static let spellings = [Spelling.tensorflow("ReverseSequence")]

  private let batchAxis: Int
  private let timeAxis: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    batchAxis = try attributes.int("batch_dim", default: 0)
    timeAxis = try attributes.requiredInt("seq_dim")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let batch = try expansion.axis(batchAxis, rank: x.rank)
    let time = try expansion.axis(timeAxis, rank: x.rank)
    guard batch != time else { throw OperatorError("batch and sequence are one axis") }
    let lengths = try expansion.cast(try expansion.input(1), to: .int64)
    guard lengths.rank == 1 else { throw OperatorError("the lengths are \(lengths.type)") }
    let rest = (0..<x.rank).filter { $0 != batch && $0 != time }
    let order = [batch, time] + rest
    let first = try expansion.transpose(x, order)
    let (step, length) = (ScalarExpression.index(axis: 1), ScalarExpression.operand(0))
    let place = ScalarExpression.select(
      .less(step, length), length - .integer64(1) - step, step)
    let indices = try expansion.emit(
      .pointwise(Pointwise(place, shape: [first.shape[0], first.shape[1], 1])),
      [try expansion.unsqueeze(lengths, axes: [1, 2])])
    let y = try expansion.emit(.gather(.coordinates(batchAxes: 1)), [first, indices])
    let inverse = order.indices.map { axis in order.firstIndex(of: axis) ?? 0 }
    expansion.set(0, try expansion.transpose(y, inverse))
  }
}

/// The permutation that undoes one. Source: TensorFlow `InvertPermutation`.
struct TensorFlowInvertPermutation: Operator {
  static let spellings = [Spelling.tensorflow("InvertPermutation")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 1 else { throw OperatorError("the permutation is \(x.type)") }
    let count = x.shape[0]
    let column = try expansion.unsqueeze(try expansion.cast(x, to: .int64), axes: [1])
    let places = try expansion.emit(
      .pointwise(Pointwise(.index(axis: 0), shape: [count])), [])
    let zeros = try expansion.emit(
      .pointwise(Pointwise(.constant(0, .int64), shape: [count])), [])
    let y = try expansion.emit(
      .scatter(Scatter(.coordinates, .replace)), [zeros, column, places])
    expansion.set(0, try expansion.cast(y, to: x.dataType))
  }
}

/// Rows of several tensors at places that are known. Source: TensorFlow `DynamicStitch`.
struct TensorFlowStitch: Operator {
  static let spellings = [
    Spelling.tensorflow("DynamicStitch"), .tensorflow("ParallelDynamicStitch"),
  ]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let count = expansion.inputCount / 2
    guard count > 0, expansion.inputCount == 2 * count else {
      throw OperatorError("expected as many tensors as lists of places")
    }
    var rows: [Operand] = []
    var places: [Int] = []
    for index in 0..<count {
      guard let list = try expansion.requiredIntegers(index, "indices") else { continue }
      let indexRank = try expansion.input(index).rank
      let data = try expansion.input(count + index)
      guard indexRank <= data.rank else { throw OperatorError("the data are \(data.type)") }
      let rest = data.shape.dimensions[indexRank...]
      rows.append(try expansion.reshape(data, Shape([Dimension(list.count)] + rest)))
      places += list
    }
    let extent = (places.max() ?? -1) + 1
    // The last row for a place wins.
    var source = [Int64?](repeating: nil, count: max(extent, 0))
    for (row, place) in places.enumerated() where place >= 0 { source[place] = Int64(row) }
    let order = source.compactMap { $0 }
    guard order.count == extent, extent > 0 else {
      throw OperatorError("the places do not cover 0 to \(extent - 1)")
    }
    let whole = try expansion.concatenate(rows, axis: 0)
    expansion.set(
      0, try expansion.emit(.gather(.slices(axis: 0)), [whole, expansion.constant(Tensor(order))]))
  }
}

/// How many elements of sorted rows lie before each value. Source: TensorFlow `LowerBound`, `UpperBound`.
struct TensorFlowBound: Operator {
  static let spellings = [Spelling.tensorflow("LowerBound"), .tensorflow("UpperBound")]

  private let function: BinaryFunction
  private let type: DataType

  init(_ attributes: AttributeReader) throws(OperatorError) {
    function = attributes.name == "LowerBound" ? .less : .lessOrEqual
    type = try attributes.dataType("out_type") ?? .int32
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (sorted, values) = (try expansion.input(0), try expansion.input(1))
    guard sorted.rank == 2, values.rank == 2 else {
      throw OperatorError("expected rows, found \(sorted.type) and \(values.type)")
    }
    let before = try expansion.pointwise(
      .cast(.binary(function, .operand(0), .operand(1)), type),
      [try expansion.unsqueeze(sorted, axes: [1]), try expansion.unsqueeze(values, axes: [2])])
    expansion.set(0, try expansion.reduce(.sum, before, axes: [2], keepsDimensions: false))
  }
}

/// The shape that two shapes broadcast to. Source: TensorFlow `BroadcastArgs`.
struct TensorFlowBroadcastArguments: Operator {
  static let spellings = [Spelling.tensorflow("BroadcastArgs")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let first = try expansion.input(0)
    guard let a = expansion.dimensions(first),
      let b = expansion.dimensions(try expansion.input(1))
    else { throw OperatorError("the shapes are not known before the model runs") }
    guard let result = ShapeMath.broadcast(Shape(a), Shape(b)) else {
      throw OperatorError("shapes \(Shape(a)) and \(Shape(b)) do not broadcast")
    }
    expansion.set(0, expansion.shapeVector(result.dimensions, type: first.dataType))
  }
}

/// Vector products in space. Source: TensorFlow `Cross`.
struct TensorFlowCross: Operator {
  static let spellings = [Spelling.tensorflow("Cross")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    guard a.rank > 0, a.shape[a.rank - 1].constant == 3 else {
      throw OperatorError("expected vectors of 3 numbers, found \(a.type)")
    }
    let axis = a.rank - 1
    func turned(_ x: Operand, _ shift: Int, _ expansion: inout Expansion) throws(OperatorError)
      -> Operand
    {
      try expansion.permuted(
        x, axis: axis, count: 3,
        .binary(.moduloFloor, .index(axis: 0) + .integer64(shift), .operand(0)))
    }
    let parts = [
      try turned(a, 1, &expansion), try turned(b, 2, &expansion),
      try turned(a, 2, &expansion), try turned(b, 1, &expansion),
    ]
    expansion.set(
      0,
      try expansion.pointwise(
        .operand(0) * .operand(1) - .operand(2) * .operand(3), parts))
  }
}

import GraphModel
import KernelModel
import TensorModel

/// What shapes say. Source: TensorFlow `Shape`, `ShapeN`, `Size`, `Rank`.
struct TensorFlowShape: Operator {
  static let spellings = [
    Spelling.tensorflow("Shape"), .tensorflow("ShapeN"), .tensorflow("Size"), .tensorflow("Rank"),
  ]

  private let name: String
  private let type: DataType

  init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    type = try attributes.dataType("out_type") ?? .int32
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    for (index, x) in try expansion.allInputs().enumerated() {
      switch name {
      case "Size":
        expansion.set(
          index, expansion.symbolic([x.shape.elementCount], TensorType(type, [Int]())))
      case "Rank":
        expansion.set(index, expansion.symbolic([Dimension(x.rank)], TensorType(type, [Int]())))
      default:
        expansion.set(index, expansion.shapeVector(x.shape.dimensions, type: type))
      }
    }
  }
}

/// The same elements in another shape. Source: TensorFlow `Reshape`.
struct TensorFlowReshape: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("Reshape")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let target = try expansion.input(1)
    guard var dimensions = expansion.dimensions(target) else {
      let shape = try expansion.unknownShape(describedBy: target)
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    let open = dimensions.indices.filter { dimensions[$0] == -1 }
    guard open.count <= 1 else { throw OperatorError("several extents are -1") }
    if let axis = open.first {
      dimensions[axis] = 1
      let rest = Dimension.product(dimensions)
      dimensions[axis] =
        x.shape.elementCount.dividedExactly(by: rest)
        ?? x.shape.elementCount.floorDivided(by: rest)
    }
    expansion.set(0, try expansion.reshape(x, Shape(dimensions)))
  }
}

/// Axes of extent 1 added or taken away. Source: TensorFlow `ExpandDims`, `Squeeze`.
struct TensorFlowUnitAxes: Operator {
  static let spellings = [Spelling.tensorflow("ExpandDims"), .tensorflow("Squeeze")]

  private let squeezes: Bool
  private let axes: [Int]

  init(_ attributes: AttributeReader) throws(OperatorError) {
    squeezes = attributes.name == "Squeeze"
    let (older, newer) = (try attributes.ints("squeeze_dims"), try attributes.ints("axis"))
    axes = older ?? newer ?? []
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard squeezes else {
      guard let list = try expansion.requiredIntegers(1, "axis"), list.count == 1 else {
        throw OperatorError("expected one axis")
      }
      let axis = try expansion.axis(list[0], rank: x.rank + 1)
      return expansion.set(0, try expansion.unsqueeze(x, axes: [axis]))
    }
    let removed =
      axes.isEmpty
      ? (0..<x.rank).filter { x.shape[$0] == 1 } : try expansion.axes(axes, rank: x.rank)
    for axis in removed where x.shape[axis].constant ?? 1 != 1 {
      throw OperatorError("axis \(axis) of shape \(x.shape) is not of extent 1")
    }
    let kept = (0..<x.rank).filter { !removed.contains($0) }.map { x.shape[$0] }
    expansion.set(0, try expansion.reshape(x, Shape(kept)))
  }
}

/// One value in every element of a shape. Source: TensorFlow `Fill`.
struct TensorFlowFill: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("Fill")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (target, value) = (try expansion.input(0), try expansion.input(1))
    guard let dimensions = expansion.dimensions(target) else {
      let shape = try expansion.unknownShape(describedBy: target)
      return try emitHostOrFold(&expansion, outputs: [TensorType(value.dataType, shape)])
    }
    var operands: [Operand] = []
    let term = try expansion.scalarTerm(value, appendingTo: &operands)
    let filled = Pointwise(term, shape: Shape(dimensions))
    expansion.set(0, try expansion.emit(.pointwise(filled), operands))
  }
}

/// A tensor repeated along axes of extent 1. Source: TensorFlow `BroadcastTo`.
struct TensorFlowBroadcast: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("BroadcastTo")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, target) = (try expansion.input(0), try expansion.input(1))
    guard let dimensions = expansion.dimensions(target) else {
      let shape = try expansion.unknownShape(describedBy: target)
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    expansion.set(0, try expansion.expand(x, to: Shape(dimensions)))
  }
}

/// A tensor repeated whole. Source: TensorFlow `Tile`.
struct TensorFlowTile: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("Tile")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, counts) = (try expansion.input(0), try expansion.input(1))
    guard let repeats = expansion.dimensions(counts) else {
      let shape = expansion.unknownShape(rank: x.rank)
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    guard repeats.count == x.rank else {
      throw OperatorError("\(repeats.count) counts for a tensor of rank \(x.rank)")
    }
    expansion.set(0, try expansion.emit(.copy(.tile(repeats)), [x]))
  }
}

/// Numbers from a start to a limit. Source: TensorFlow `Range`.
struct TensorFlowRange: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("Range")]

  private let range: RangeOperator

  init(_ attributes: AttributeReader) throws(OperatorError) {
    range = try RangeOperator(attributes)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) { try range.expand(&expansion) }
}

/// Indices as rows of zeros with a one. Source: TensorFlow `OneHot`.
struct TensorFlowOneHot: Operator {
  static let spellings = [Spelling.tensorflow("OneHot")]

  private let axis: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -1)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let indices = try expansion.input(0)
    guard let depth = expansion.dimensions(try expansion.input(1))?.first else {
      throw OperatorError("the depth is not known")
    }
    let place = try expansion.axis(axis, rank: indices.rank + 1)
    let column = try expansion.cast(
      try expansion.unsqueeze(indices, axes: [place]), to: .int64)
    var operands = [column]
    let on = try expansion.scalarTerm(try expansion.input(2), appendingTo: &operands)
    let off = try expansion.scalarTerm(try expansion.input(3), appendingTo: &operands)
    var shape = column.shape
    shape[place] = depth
    let formula = ScalarExpression.select(.equal(.index(axis: place), .operand(0)), on, off)
    expansion.set(0, try expansion.emit(.pointwise(Pointwise(formula, shape: shape)), operands))
  }
}

package import GraphModel
import KernelModel
import TensorModel

/// Elements of data at indices: slices of an axis, single elements, or coordinates.
package struct GatherOperator: Operator {
  package static let spellings = [
    Spelling.onnx("Gather"), .onnx("GatherElements"), .onnx("GatherND"),
  ]

  private let name: String
  private let axis: Int
  private let batchAxes: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    name = attributes.name
    axis = try attributes.int("axis", default: 0)
    batchAxes = try attributes.int("batch_dims", default: 0)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (data, indices) = (try expansion.input(0), try expansion.input(1))
    let problem: Gather
    switch name {
    case "Gather": problem = .slices(axis: try expansion.axis(axis, rank: data.rank))
    case "GatherElements": problem = .elements(axis: try expansion.axis(axis, rank: data.rank))
    default: problem = .coordinates(batchAxes: batchAxes)
    }
    expansion.set(0, try expansion.emit(.gather(problem), [data, indices]))
  }
}

/// Data with some elements replaced by updates, or combined with them.
package struct ScatterOperator: Operator {
  package static let spellings = [
    Spelling.onnx("Scatter"), .onnx("ScatterElements"), .onnx("ScatterND"),
  ]

  private let takesCoordinates: Bool
  private let axis: Int
  private let combination: Scatter.Combination

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    takesCoordinates = attributes.name == "ScatterND"
    axis = try attributes.int("axis", default: 0)
    combination = try attributes.choice(
      "reduction", default: "none",
      ["none": .replace, "add": .add, "mul": .multiply, "min": .minimum, "max": .maximum])
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let data = try expansion.input(0)
    let (indices, updates) = (try expansion.input(1), try expansion.input(2))
    let kind: Scatter.Kind =
      takesCoordinates
      ? .coordinates : .elements(axis: try expansion.axis(axis, rank: data.rank))
    expansion.set(
      0, try expansion.emit(.scatter(Scatter(kind, combination)), [data, indices, updates]))
  }
}

/// A cache with an update written into it along an axis, at a place of each sequence of the batch.
package struct TensorScatter: Operator {
  package static let spellings = [Spelling.onnx("TensorScatter")]

  private let axis: Int
  private let isCircular: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: -2)
    isCircular = try attributes.choice(
      "mode", default: "linear", ["linear": false, "circular": true])
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (cache, update) = (try expansion.input(0), try expansion.input(1))
    let axis = try expansion.axis(axis, rank: cache.rank)
    guard axis > 0, update.rank == cache.rank else {
      throw OperatorError("axis \(axis) of cache \(cache.shape) and update \(update.shape)")
    }
    var operands: [Operand] = []
    var position = ScalarExpression.index(axis: axis)
    if let begins = expansion.optionalInput(2) {
      guard begins.rank == 1 else {
        throw OperatorError("write indices have shape \(begins.shape), expected one axis")
      }
      let column = try expansion.unsqueeze(begins, axes: Array(1..<cache.rank))
      operands.append(try expansion.cast(column, to: .int64))
      position = position + .operand(0)
    }
    if isCircular {
      let extent = expansion.symbolic([cache.shape[axis]], TensorType(.int64, [Int]()))
      let term = try expansion.scalarTerm(extent, appendingTo: &operands)
      position = .binary(.moduloFloor, position, term)
    }
    let indices = try expansion.emit(
      .pointwise(Pointwise(position, shape: update.shape)), operands)
    expansion.set(
      0,
      try expansion.emit(
        .scatter(Scatter(.elements(axis: axis), .replace)), [cache, indices, update]))
  }
}

/// Values put back where a maximum pooling found them, zeros elsewhere.
package struct MaxUnpool: DataDependentOperator {
  package static let spellings = [Spelling.onnx("MaxUnpool")]

  private let kernel: [Int]
  private let strides: [Int]?
  private let pads: [Int]?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let kernel = try attributes.ints("kernel_shape") else {
      throw OperatorError("attribute 'kernel_shape' is missing")
    }
    self.kernel = kernel
    strides = try attributes.ints("strides")
    pads = try attributes.ints("pads")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, indices) = (try expansion.input(0), try expansion.input(1))
    let spatial = x.rank - 2
    let strides = strides ?? kernel.map { _ in 1 }
    let pads = pads ?? [Int](repeating: 0, count: 2 * kernel.count)
    guard spatial > 0, kernel.count == spatial, strides.count == spatial,
      pads.count == 2 * spatial
    else { throw OperatorError("kernel \(kernel) for an input of shape \(x.shape)") }
    var dimensions = [x.shape[0], x.shape[1]]
    for axis in 0..<spatial {
      dimensions.append(
        (x.shape[axis + 2] - 1) * Dimension(strides[axis]) + Dimension(kernel[axis])
          - Dimension(pads[axis]) - Dimension(pads[axis + spatial]))
    }
    let target = expansion.optionalInput(2)
    let wanted = target.flatMap { expansion.dimensions($0) }
    guard target == nil || wanted != nil else {
      let shape = expansion.unknownShape(rank: x.rank)
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    let total = Dimension.product(dimensions)
    let zeros = try expansion.emit(
      .pointwise(Pointwise(.constant(0, x.dataType), shape: [total])), [])
    let flat: Shape = [x.shape.elementCount]
    let filled = try expansion.emit(
      .scatter(Scatter(.elements(axis: 0), .replace)),
      [zeros, try expansion.reshape(indices, flat), try expansion.reshape(x, flat)])
    var result = try expansion.reshape(filled, Shape(dimensions))
    if let wanted, wanted != dimensions {
      guard wanted.count == x.rank else {
        throw OperatorError("output shape \(Shape(wanted)) for an input of shape \(x.shape)")
      }
      let zeros = [Dimension](repeating: 0, count: x.rank)
      let after = zip(wanted, dimensions).map { $0 - $1 }
      result = try expansion.emit(
        .copy(.pad(.constant(0), before: zeros, after: after)), [result])
    }
    expansion.set(0, result)
  }
}

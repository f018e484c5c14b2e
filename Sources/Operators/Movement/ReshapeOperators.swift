package import GraphModel
import KernelModel
import TensorModel

/// The same elements with other extents; 0 copies an extent and -1 stands for what is left.
package struct Reshape: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Reshape")]

  /// Before version 5 the shape is an attribute.
  private let shape: [Int]?
  private let allowsZero: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    shape = attributes.version < 5 ? try attributes.ints("shape") : nil
    allowsZero = try attributes.bool("allowzero", default: false)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let target: [Dimension]
    if let shape {
      target = shape.map { Dimension($0) }
    } else {
      let operand = try expansion.input(1)
      guard let known = expansion.dimensions(operand) else {
        let unknown = try expansion.unknownShape(describedBy: operand)
        return expansion.emitHost(outputs: [TensorType(x.dataType, unknown)])
      }
      target = known
    }
    expansion.set(0, try expansion.reshape(x, try resolved(target, of: x.shape)))
  }

  private func resolved(_ target: [Dimension], of shape: Shape) throws(OperatorError) -> Shape {
    var result = target
    var open: Int?
    var copied: Set<Int> = []
    for (axis, extent) in target.enumerated() {
      if extent == 0, !allowsZero {
        guard axis < shape.rank else {
          throw OperatorError("extent 0 at axis \(axis) copies nothing of shape \(shape)")
        }
        copied.insert(axis)
        result[axis] = shape[axis]
      } else if extent == -1 {
        guard open == nil else { throw OperatorError("shape \(Shape(target)) has two extents -1") }
        open = axis
      }
    }
    guard let open else { return Shape(result) }
    // Copied extents cancel, so that an empty one does not hide the rest.
    let total = Dimension.product(
      shape.dimensions.indices.filter { !copied.contains($0) }.map { shape[$0] })
    let known = Dimension.product(
      result.indices.filter { $0 != open && !copied.contains($0) }.map { result[$0] })
    if known == 0 {
      // The missing extent cannot be told: NumPy refuses it, and 0 keeps the count of elements.
      guard total == 0 else {
        throw OperatorError("shape \(shape) does not reshape to \(Shape(target))")
      }
      result[open] = 0
      return Shape(result)
    }
    if let a = total.constant, let b = known.constant, a % b != 0 {
      throw OperatorError("shape \(shape) does not reshape to \(Shape(target))")
    }
    result[open] = total.floorDivided(by: known)
    return Shape(result)
  }
}

/// Two axes: the product of the extents before `axis` and that of the others.
package struct Flatten: Operator {
  package static let spellings = [Spelling.onnx("Flatten")]

  private let axis: Int

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis", default: 1)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let split = axis < 0 ? axis + x.rank : axis
    guard (0...x.rank).contains(split) else {
      throw OperatorError("axis \(axis) is not in 0...\(x.rank)")
    }
    let dimensions = x.shape.dimensions
    expansion.set(
      0,
      try expansion.reshape(
        x, [.product(dimensions[..<split]), .product(dimensions[split...])]))
  }
}

/// Axes that are an attribute before version 13 and an input afterwards.
package struct AxesOperand: Sendable {
  private let attribute: [Int]?
  private let input: Int?

  package init(
    _ attributes: AttributeReader, input: Int, since version: Int
  ) throws(OperatorError) {
    attribute = try attributes.ints("axes")
    self.input = attributes.version >= version ? input : nil
  }

  package enum Known: Equatable {
    /// Neither an attribute nor an input.
    case absent
    case axes([Int])
    /// An input that is data, of so many elements where that is known.
    case data(count: Int?)
  }

  package func resolve(_ expansion: Expansion) -> Known {
    guard let input, let operand = expansion.optionalInput(input) else {
      return attribute.map { .axes($0) } ?? .absent
    }
    if let axes = expansion.integers(operand) { return .axes(axes) }
    return .data(count: operand.rank == 0 ? 1 : operand.shape[0].constant)
  }
}

/// Removes axes of extent 1. Where no axes are given, an extent that is still symbolic is taken for more
/// than 1.
package struct Squeeze: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Squeeze")]

  private let axes: AxesOperand

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axes = try AxesOperand(attributes, input: 1, since: 13)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let removed: [Int]
    switch axes.resolve(expansion) {
    case .absent: removed = (0..<x.rank).filter { x.shape[$0] == 1 }
    case .axes(let list): removed = try expansion.axes(list, rank: x.rank)
    case .data(let count):
      guard let count, count <= x.rank else {
        throw OperatorError("the count of the axes is not known, nor is the result's rank")
      }
      let shape = expansion.unknownShape(rank: x.rank - count)
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    for axis in removed where x.shape[axis].constant ?? 1 != 1 {
      throw OperatorError("axis \(axis) of shape \(x.shape) is not of extent 1")
    }
    let kept = (0..<x.rank).filter { !removed.contains($0) }.map { x.shape[$0] }
    expansion.set(0, try expansion.reshape(x, Shape(kept)))
  }
}

/// Inserts axes of extent 1.
package struct Unsqueeze: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Unsqueeze")]

  private let axes: AxesOperand

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axes = try AxesOperand(attributes, input: 1, since: 13)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    switch axes.resolve(expansion) {
    case .absent: throw OperatorError("the axes are missing")
    case .axes(let list):
      guard list.count <= Limits().rank else { throw OperatorError("\(list.count) axes") }
      let resolved = try expansion.axes(list, rank: x.rank + list.count)
      expansion.set(0, try expansion.unsqueeze(x, axes: resolved))
    case .data(let count):
      guard let count, count <= Limits().rank else {
        throw OperatorError("the count of the axes is not known, nor is the result's rank")
      }
      let shape = expansion.unknownShape(rank: x.rank + count)
      expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
  }
}

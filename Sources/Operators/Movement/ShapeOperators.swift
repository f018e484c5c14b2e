package import GraphModel
import KernelModel
package import TensorModel

/// The extents of the input from `start` to `end`.
package struct ShapeOperator: Operator {
  package static let spellings = [Spelling.onnx("Shape")]

  private let start: Int
  private let end: Int?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    start = try attributes.int("start", default: 0)
    end = try attributes.int("end")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    func clamped(_ position: Int) -> Int {
      min(max(position < 0 ? position + x.rank : position, 0), x.rank)
    }
    let first = clamped(start)
    let last = max(clamped(end ?? x.rank), first)
    expansion.set(0, expansion.shapeVector(Array(x.shape.dimensions[first..<last])))
  }
}

/// The number of elements of the input.
package struct Size: Operator {
  package static let spellings = [Spelling.onnx("Size")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    expansion.set(0, expansion.symbolic([x.shape.elementCount], TensorType(.int64, [Int]())))
  }
}

/// A tensor that the model holds.
package struct Constant: Operator {
  package static let spellings = [Spelling.onnx("Constant")]

  private let tensor: Tensor

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    if let value = try attributes.tensor("value") {
      tensor = value
    } else if let value = try attributes.int("value_int") {
      tensor = Tensor(scalar: Int64(value))
    } else if let values = try attributes.ints("value_ints") {
      tensor = Tensor(values.map { Int64($0) })
    } else if let value = try attributes.float("value_float") {
      tensor = Tensor(scalar: Float(value))
    } else if let values = try attributes.floats("value_floats") {
      tensor = Tensor(values.map { Float($0) })
    } else if attributes.has("value_string") {
      tensor = try HostInputs.strings([attributes.string("value_string", default: "")], [])
    } else if let values = try attributes.strings("value_strings") {
      tensor = try HostInputs.strings(values, [values.count])
    } else if let value = try attributes.tensor("sparse_value") {
      tensor = value
    } else {
      throw OperatorError("none of the attributes that hold a value is present")
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    expansion.set(0, expansion.constant(tensor))
  }
}

/// One value in every element of a shape.
package struct ConstantOfShape: DataDependentOperator {
  package static let spellings = [Spelling.onnx("ConstantOfShape")]

  private let value: ScalarExpression
  private let type: DataType

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    let tensor = try attributes.tensor("value") ?? Tensor(scalar: Float(0))
    guard let literal = ScalarExpression.literal(tensor) else {
      throw OperatorError("the value is \(tensor.type), expected one number")
    }
    value = literal
    type = tensor.dataType
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let target = try expansion.input(0)
    guard let dimensions = expansion.dimensions(target) else {
      let shape = try expansion.unknownShape(describedBy: target)
      return expansion.emitHost(outputs: [TensorType(type, shape)])
    }
    let filled = Pointwise(value, shape: Shape(dimensions))
    expansion.set(0, try expansion.emit(.pointwise(filled), []))
  }
}

extension Expansion {
  /// A shape of unknown extents with the rank that a vector of extents has elements.
  package mutating func unknownShape(describedBy vector: Operand) throws(OperatorError) -> Shape {
    guard vector.dataType.isInteger else {
      throw OperatorError("a shape is given by \(vector.type), expected integers")
    }
    guard vector.rank == 1, let rank = vector.shape[0].constant, rank <= Limits().rank else {
      throw OperatorError("a shape given by \(vector.type) leaves the result's rank unknown")
    }
    return unknownShape(rank: rank)
  }
}

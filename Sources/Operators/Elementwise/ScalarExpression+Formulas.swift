package import GraphModel
package import KernelModel
package import TensorModel

/// Words for writing scalar formulas. Numbers are `float32` until the formula is `adapted` to a type.
extension ScalarExpression {
  package static func less(_ a: Self, _ b: Self) -> Self { .binary(.less, a, b) }
  package static func lessOrEqual(_ a: Self, _ b: Self) -> Self { .binary(.lessOrEqual, a, b) }
  package static func greater(_ a: Self, _ b: Self) -> Self { .binary(.greater, a, b) }
  package static func greaterOrEqual(_ a: Self, _ b: Self) -> Self {
    .binary(.greaterOrEqual, a, b)
  }
  package static func equal(_ a: Self, _ b: Self) -> Self { .binary(.equal, a, b) }
  package static func and(_ a: Self, _ b: Self) -> Self { .binary(.logicalAnd, a, b) }

  /// An integer constant, exact whatever its size.
  package static func integer64(_ value: Int) -> Self { .whole(Int64(value), .int64) }

  /// A constant of an integer type, in the form that keeps it exact.
  package static func whole(_ value: Int64, _ type: DataType) -> Self {
    value.magnitude <= 1 << 53 ? .constant(Double(value), type) : .integer(value, type)
  }

  /// The only element of a tensor; nil for a tensor of another size, of strings or complex numbers.
  package static func literal(_ tensor: Tensor) -> Self? {
    guard tensor.elementCount == 1 else { return nil }
    if let value = tensor.integers()?.first { return .whole(value, tensor.dataType) }
    return tensor.numbers()?.first.map { .constant($0, tensor.dataType) }
  }

  /// A formula whose operands and numbers are `float32`, for operands of another type.
  ///
  /// `float64` is computed as such; smaller floating-point types are computed in `float32` and rounded
  /// once, integers in `float64`. A single function needs no detour.
  package func adapted(to type: DataType) -> Self {
    func retyped(_ target: DataType) -> Self {
      rewritten { node in
        guard case .constant(let value, .float32) = node else { return node }
        return .constant(value, target)
      }
    }
    if type == .float32 { return self }
    if type == .float64 || operationCount <= 1 { return retyped(type) }
    let wide: DataType = type.isFloatingPoint ? .float32 : .float64
    let formula = retyped(wide).rewritten { node in
      guard case .operand = node else { return node }
      return .cast(node, wide)
    }
    return .cast(formula, type)
  }
}

extension Expansion {
  /// A value of one element as part of a formula: a literal where it is constant, an operand otherwise.
  package mutating func scalarTerm(
    _ x: Operand, appendingTo operands: inout [Operand]
  ) throws(OperatorError) -> ScalarExpression {
    if let count = x.shape.elementCount.constant, count != 1 {
      throw OperatorError("expected one element, found \(x.type)")
    }
    if let tensor = constant(x), let literal = ScalarExpression.literal(tensor) { return literal }
    operands.append(try reshape(x, []))
    return .operand(operands.count - 1)
  }
}

package import GraphModel
import KernelModel
import TensorModel

/// The windows of signal processing, as functions of the position.
package struct WindowFunction: DataDependentOperator {
  /// Coefficients of `a0 - a1 * cos(2 pi n / N) + a2 * cos(4 pi n / N)`.
  private static let coefficients: [(name: String, a: [Double])] = [
    ("HannWindow", [0.5, 0.5, 0]),
    ("HammingWindow", [25.0 / 46, 21.0 / 46, 0]),
    ("BlackmanWindow", [0.42, 0.5, 0.08]),
  ]

  package static let spellings = coefficients.map { Spelling.onnx($0.name) }

  private let a: [Double]
  private let isPeriodic: Bool
  private let type: DataType

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let row = Self.coefficients.first(where: { $0.name == attributes.name }) else {
      throw OperatorError("'\(attributes.name)' is not a window")
    }
    a = row.a
    isPeriodic = try attributes.bool("periodic", default: true)
    type = try attributes.dataType("output_datatype") ?? .float32
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let size = try expansion.input(0)
    guard let extent = expansion.dimensions(size)?.first else {
      let unknown = expansion.freshSymbol("size")
      return expansion.emitHost(outputs: [TensorType(type, [unknown])])
    }
    var operands: [Operand] = []
    let count = try expansion.scalarTerm(size, appendingTo: &operands)
    let wide = DataType.float64
    let length =
      isPeriodic
      ? ScalarExpression.cast(count, wide) : .cast(count, wide) - .constant(1, wide)
    let phase =
      .constant(2 * Double.pi, wide) * .cast(.index(axis: 0), wide) / length
    var formula =
      ScalarExpression.constant(a[0], wide)
      - .constant(a[1], wide) * .unary(.cosine, phase)
    if a[2] != 0 {
      formula =
        formula + .constant(a[2], wide) * .unary(.cosine, .constant(2, wide) * phase)
    }
    let window = Pointwise(type == wide ? formula : .cast(formula, type), shape: [extent])
    expansion.set(0, try expansion.emit(.pointwise(window), operands))
  }
}

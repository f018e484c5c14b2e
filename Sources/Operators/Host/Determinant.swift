package import GraphModel
package import TensorModel

/// The determinants of square matrices, by elimination with pivots.
package struct Determinant: HostOperator {
  package static let spellings = [
    Spelling.onnx("Det"), .tensorflow("MatrixDeterminant"),
  ]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2, x.dataType.isFloatingPoint else {
      throw OperatorError("input is \(x.type), expected square matrices")
    }
    if let rows = x.shape[x.rank - 2].constant, let columns = x.shape[x.rank - 1].constant,
      rows != columns
    {
      throw OperatorError("matrices of \(rows) rows and \(columns) columns are not square")
    }
    let batch = Shape(Array(x.shape.dimensions.dropLast(2)))
    try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, batch)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    guard x.shape.count >= 2, let extent = x.shape.last, x.shape[x.shape.count - 2] == extent else {
      throw OperatorError("shape \(x.shape) is not that of square matrices")
    }
    let values = try HostInputs.numbers(inputs, 0)
    let batch = Array(x.shape.dropLast(2))
    let results = (0..<batch.reduce(1, *)).map { index in
      determinant(Array(values[(index * extent * extent)...].prefix(extent * extent)), extent)
    }
    return [try HostInputs.numbers(results, x.dataType, batch)]
  }

  private func determinant(_ matrix: [Double], _ extent: Int) -> Double {
    var a = matrix
    var result = 1.0
    for column in 0..<extent {
      var pivot = column
      for row in column..<extent
      where a[row * extent + column].magnitude > a[pivot * extent + column].magnitude {
        pivot = row
      }
      let value = a[pivot * extent + column]
      result *= value
      if value == 0 { return 0 }
      if pivot != column {
        result = -result
        for k in column..<extent { a.swapAt(pivot * extent + k, column * extent + k) }
      }
      for row in (column + 1)..<max(extent, column + 1) {
        let factor = a[row * extent + column] / value
        for k in column..<extent { a[row * extent + k] -= factor * a[column * extent + k] }
      }
    }
    return result
  }
}

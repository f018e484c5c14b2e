import GraphModel
import KernelModel
import TensorModel

/// Matrices without what is far from the diagonal. Source: TensorFlow `MatrixBandPart`.
struct TensorFlowBandPart: Operator {
  static let spellings = [Spelling.tensorflow("MatrixBandPart")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2 else { throw OperatorError("expected matrices, found \(x.type)") }
    let (row, column) = (
      ScalarExpression.index(axis: x.rank - 2), ScalarExpression.index(axis: x.rank - 1)
    )
    var operands = [x]
    func reaches(
      _ index: Int, _ distance: ScalarExpression, _ expansion: inout Expansion
    ) throws(OperatorError) -> ScalarExpression {
      let bound = try expansion.cast(try expansion.input(index), to: .int64)
      let term = try expansion.scalarTerm(bound, appendingTo: &operands)
      return .binary(
        .logicalOr, .less(term, .integer64(0)), .lessOrEqual(distance, term))
    }
    let lower = try reaches(1, row - column, &expansion)
    let upper = try reaches(2, column - row, &expansion)
    let formula = ScalarExpression.select(
      .and(lower, upper), .operand(0), .constant(0, x.dataType))
    expansion.set(
      0, try expansion.emit(.pointwise(Pointwise(formula, shape: x.shape)), operands))
  }
}

/// Diagonals as matrices, out of matrices and into matrices. Source: TensorFlow `MatrixDiag`,
/// `MatrixDiagPart`, `MatrixSetDiag` and their versions, for one diagonal.
struct TensorFlowDiagonal: Operator {
  static let spellings = [
    "MatrixDiag", "MatrixDiagV2", "MatrixDiagV3", "MatrixDiagPart", "MatrixDiagPartV2",
    "MatrixDiagPartV3", "MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3",
  ].map { Spelling.tensorflow($0) }

  private enum Kind { case make, take, set }

  private let kind: Kind

  init(_ attributes: AttributeReader) throws(OperatorError) {
    kind =
      attributes.name.hasPrefix("MatrixSet")
      ? .set : attributes.name.hasPrefix("MatrixDiagPart") ? .take : .make
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    switch kind {
    case .make: try make(&expansion)
    case .take: try take(&expansion)
    case .set: try set(&expansion)
    }
  }

  /// Which diagonal: above the main one where positive.
  private func offset(_ index: Int, _ expansion: Expansion) throws(OperatorError) -> Int {
    guard let list = try expansion.requiredIntegers(index, "k") else { return 0 }
    guard let first = list.first, Set(list).count == 1, first.magnitude < 1 << 31 else {
      throw OperatorError("several diagonals, \(list), are not supported")
    }
    return first
  }

  /// Whether an element lies on the diagonal.
  private func isOn(_ offset: Int, rank: Int) -> ScalarExpression {
    .equal(.index(axis: rank - 1) - .index(axis: rank - 2), .integer64(offset))
  }

  /// The diagonal spread over rows (above the main one) or columns, with zeros after its end.
  private func spread(
    _ diagonal: Operand, _ offset: Int, _ matrix: Shape, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    let axis = diagonal.rank - 1
    let along = matrix[offset >= 0 ? matrix.rank - 2 : matrix.rank - 1]
    let missing = along - diagonal.shape[axis]
    var pads = [Dimension](repeating: 0, count: diagonal.rank)
    pads[axis] = missing
    let none = [Dimension](repeating: 0, count: diagonal.rank)
    let whole =
      missing == 0
      ? diagonal
      : try expansion.emit(.copy(.pad(.constant(0), before: none, after: pads)), [diagonal])
    return try expansion.unsqueeze(whole, axes: [offset >= 0 ? axis + 1 : axis])
  }

  private func make(_ expansion: inout Expansion) throws(OperatorError) {
    let diagonal = try expansion.input(0)
    guard diagonal.rank > 0 else { throw OperatorError("expected diagonals, found a scalar") }
    let offset = try offset(1, expansion)
    let length = diagonal.shape[diagonal.rank - 1]
    func extent(_ index: Int) throws(OperatorError) -> Dimension? {
      guard let operand = expansion.optionalInput(index) else { return nil }
      guard let given = expansion.dimensions(operand)?.first else {
        throw OperatorError("the count of rows or columns is not known before the model runs")
      }
      return given == -1 ? nil : given
    }
    let given = (rows: try extent(2), columns: try extent(3))
    // Where neither is given, the matrix is square.
    let isSquare = given.rows == nil && given.columns == nil
    let square = length + Dimension(abs(offset))
    let rows = isSquare ? square : given.rows ?? length + Dimension(max(-offset, 0))
    let columns = isSquare ? square : given.columns ?? length + Dimension(max(offset, 0))
    let shape = Shape(diagonal.shape.dimensions.dropLast() + [rows, columns])
    let padding = try expansion.requiredNumbers(4, "padding_value")?.first ?? 0
    let spread = try spread(diagonal, offset, shape, &expansion)
    let formula = ScalarExpression.select(
      isOn(offset, rank: shape.rank), .operand(0), .constant(padding, diagonal.dataType))
    expansion.set(
      0, try expansion.emit(.pointwise(Pointwise(formula, shape: shape)), [spread]))
  }

  private func take(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2 else { throw OperatorError("expected matrices, found \(x.type)") }
    let offset = try offset(1, expansion)
    let rows = x.shape[x.rank - 2], columns = x.shape[x.rank - 1]
    let length = Dimension.minimum(
      rows - Dimension(max(-offset, 0)), columns - Dimension(max(offset, 0)))
    let formula = ScalarExpression.select(
      isOn(offset, rank: x.rank), .operand(0), .constant(0, x.dataType))
    let kept = try expansion.emit(.pointwise(Pointwise(formula, shape: x.shape)), [x])
    let axis = offset >= 0 ? x.rank - 1 : x.rank - 2
    let line = try expansion.reduce(.sum, kept, axes: [axis], keepsDimensions: false)
    expansion.set(
      0, try expansion.slice(line, axis: line.rank - 1, start: 0, count: length))
  }

  private func set(_ expansion: inout Expansion) throws(OperatorError) {
    let (x, diagonal) = (try expansion.input(0), try expansion.input(1))
    guard x.rank >= 2, diagonal.rank == x.rank - 1 else {
      throw OperatorError("diagonals \(diagonal.type) do not fit matrices \(x.type)")
    }
    let offset = try offset(2, expansion)
    let spread = try spread(diagonal, offset, x.shape, &expansion)
    let formula = ScalarExpression.select(
      isOn(offset, rank: x.rank), .operand(1), .operand(0))
    expansion.set(
      0, try expansion.emit(.pointwise(Pointwise(formula, shape: x.shape)), [x, spread]))
  }
}

/// Inverses of square matrices, by elimination with pivots. Source: TensorFlow `MatrixInverse`.
struct TensorFlowInverse: HostOperator {
  static let spellings = [Spelling.tensorflow("MatrixInverse")]

  private let isAdjoint: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isAdjoint = try attributes.bool("adjoint", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank >= 2, x.dataType.isFloatingPoint else {
      throw OperatorError("expected square matrices, found \(x.type)")
    }
    try emitHostOrFold(&expansion, outputs: [x.type])
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    guard x.shape.count >= 2, let n = x.shape.last, x.shape[x.shape.count - 2] == n else {
      throw OperatorError("shape \(x.shape) is not that of square matrices")
    }
    let values = try HostInputs.numbers(inputs, 0)
    var results: [Double] = []
    results.reserveCapacity(values.count)
    for index in 0..<(n == 0 ? 0 : values.count / (n * n)) {
      results += try inverse(Array(values[(index * n * n)...].prefix(n * n)), n)
    }
    return [try HostInputs.numbers(results, x.dataType, x.shape)]
  }

  private func inverse(_ matrix: [Double], _ n: Int) throws(OperatorError) -> [Double] {
    var a = matrix
    var b = (0..<(n * n)).map { $0 / n == $0 % n ? 1.0 : 0.0 }
    for column in 0..<n {
      let pivot =
        (column..<n).max { a[$0 * n + column].magnitude < a[$1 * n + column].magnitude } ?? column
      let value = a[pivot * n + column]
      guard value != 0 else { throw OperatorError("a matrix has no inverse") }
      for k in 0..<n where pivot != column {
        a.swapAt(pivot * n + k, column * n + k)
        b.swapAt(pivot * n + k, column * n + k)
      }
      for k in 0..<n {
        a[column * n + k] /= value
        b[column * n + k] /= value
      }
      for row in 0..<n where row != column {
        let factor = a[row * n + column]
        for k in 0..<n {
          a[row * n + k] -= factor * a[column * n + k]
          b[row * n + k] -= factor * b[column * n + k]
        }
      }
    }
    guard isAdjoint else { return b }
    return (0..<(n * n)).map { b[$0 % n * n + $0 / n] }
  }
}

import KernelModel
import TensorModel

/// A matrix product in single precision that a library computes: `output = a * b + residual + bias`, all
/// matrices row by row.
package struct LibraryProduct: Hashable, Sendable {
  package struct Matrix: Hashable, Sendable {
    package var argument: KernelLaunch.Argument
    /// Elements from one line to the next.
    package var leading: Int
    /// Whether lines are columns.
    package var isTransposed = false
  }

  package var rows: Int
  package var columns: Int
  package var depth: Int
  package var a: Matrix
  package var b: Matrix
  package var output: Matrix
  /// One number for each column.
  package var bias: KernelLaunch.Argument?
  /// Lies as the output does.
  package var residual: KernelLaunch.Argument?
  package var workspace: KernelLaunch.Argument
  package var workspaceBytes: Int
  /// Which of the library's suggestions, from 0.
  package var choice: Int

  package var arguments: [KernelLaunch.Argument] {
    [a.argument, b.argument, output.argument] + [bias, residual].compactMap { $0 }
  }
}

extension LibraryProduct {
  /// Nil where the library cannot do it.
  static func of(
    _ contraction: Contraction, workspaceBytes: Int
  ) -> (LibraryProduct, ScalarExpression?)? {
    let epilogue = contraction.epilogue
    guard contraction.window == nil, contraction.batchCount == 1, !contraction.isEmpty,
      contraction.a.channels.extent == contraction.b.channels.extent,
      epilogue.output.type == .float32, epilogue.output.columnStride == 1,
      contraction.columns % 4 == 0, epilogue.output.offset % 4 == 0,
      let (terms, rest) = SumEpilogue.divide(epilogue.expression),
      let (bias, residual) = roles(epilogue, terms)
    else { return nil }
    var views = [contraction.a.rowStrides(nil), epilogue.output.rowStrides]
    if let residual { views.append(residual.rowStrides) }
    let space = IndexSpace(shape: contraction.rows, strides: views)
    guard space.extents.count == 1, let a = matrix(contraction.a, line: space.strides[0][0]),
      let b = matrix(contraction.b, line: contraction.b.lines[0].stride)
    else { return nil }
    let leading = max(space.strides[1][0], contraction.rowCount == 1 ? contraction.columns : 0)
    guard leading >= contraction.columns, leading % 4 == 0,
      residual == nil || space.strides[2][0] == space.strides[1][0]
    else { return nil }
    var columns = b
    columns.isTransposed.toggle()
    let product = LibraryProduct(
      rows: contraction.rowCount, columns: contraction.columns,
      depth: contraction.a.channels.extent, a: a, b: columns,
      output: Matrix(argument: epilogue.output.argument, leading: leading), bias: bias?.argument,
      residual: residual?.argument, workspace: .workspace(0), workspaceBytes: workspaceBytes,
      choice: 0)
    return (product, rest)
  }

  /// A matrix of lines with the depth along them, or, transposed, of lines along the depth.
  private static func matrix(_ operand: ContractionOperand, line: Int) -> Matrix? {
    let depth = operand.channels.stride
    guard operand.offset % 4 == 0 else { return nil }
    if depth == 1, line >= operand.channels.extent, line % 4 == 0 {
      return Matrix(argument: operand.argument, leading: line)
    }
    guard line == 1, depth >= operand.lines.reduce(1, { $0 * $1.extent }), depth % 4 == 0 else {
      return nil
    }
    return Matrix(argument: operand.argument, leading: depth, isTransposed: true)
  }

  private typealias Place = ContractionEpilogue.Place

  /// Which operand is the bias and which the residual.
  private static func roles(
    _ epilogue: ContractionEpilogue, _ terms: [Int]
  ) -> (bias: Place?, residual: Place?)? {
    var bias: Place?
    var residual: Place?
    for term in terms where term > 0 {
      guard epilogue.operands.indices.contains(term - 1) else { return nil }
      let place = epilogue.operands[term - 1]
      guard place.type == .float32, place.columnStride == 1, place.offset % 4 == 0 else {
        return nil
      }
      if place.rowStrides.allSatisfy({ $0 == 0 }) {
        guard bias == nil else { return nil }
        bias = place
      } else {
        guard residual == nil else { return nil }
        residual = place
      }
    }
    return (bias, residual)
  }
}

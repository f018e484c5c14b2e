package import KernelModel
package import TensorModel

/// The kernel problems that operators use most, spelled short.
extension Expansion {
  package mutating func pointwise(
    _ expression: ScalarExpression, _ inputs: [Operand]
  ) throws(OperatorError) -> Operand {
    try emit(.pointwise(Pointwise(expression)), inputs)
  }

  package mutating func scalar(_ value: Double, _ type: DataType) throws(OperatorError) -> Operand {
    try pointwise(.constant(value, type), [])
  }

  package mutating func cast(_ x: Operand, to type: DataType) throws(OperatorError) -> Operand {
    x.dataType == type ? x : try pointwise(.cast(.operand(0), type), [x])
  }

  package mutating func reshape(_ x: Operand, _ shape: Shape) throws(OperatorError) -> Operand {
    x.shape == shape ? x : try emit(.copy(.reshape(shape)), [x])
  }

  package mutating func transpose(_ x: Operand, _ permutation: [Int]) throws(OperatorError)
    -> Operand
  {
    permutation == Array(0..<x.rank) ? x : try emit(.copy(.transpose(permutation)), [x])
  }

  package mutating func expand(_ x: Operand, to shape: Shape) throws(OperatorError) -> Operand {
    x.shape == shape ? x : try emit(.copy(.expand(shape)), [x])
  }

  package mutating func concatenate(_ inputs: [Operand], axis: Int) throws(OperatorError) -> Operand
  {
    inputs.count == 1 ? inputs[0] : try emit(.copy(.concatenate(axis: axis)), inputs)
  }

  /// `count` elements of one axis from `start`, in steps of `step`.
  package mutating func slice(
    _ x: Operand, axis: Int, start: Dimension, count: Dimension, step: Int = 1
  ) throws(OperatorError) -> Operand {
    var starts = [Dimension](repeating: 0, count: x.rank)
    var sizes = x.shape.dimensions
    var steps = [Int](repeating: 1, count: x.rank)
    starts[axis] = start
    sizes[axis] = count
    steps[axis] = step
    return try emit(.copy(.slice(starts: starts, sizes: sizes, steps: steps)), [x])
  }

  package mutating func matmul(
    _ a: Operand, _ b: Operand, transposesA: Bool = false, transposesB: Bool = false
  ) throws(OperatorError) -> Operand {
    try emit(.matmul(MatrixProduct(transposesA: transposesA, transposesB: transposesB)), [a, b])
  }

  package mutating func reduce(
    _ function: Reduction.Function, _ x: Operand, axes: [Int], keepsDimensions: Bool
  ) throws(OperatorError) -> Operand {
    try emit(
      .reduction(Reduction(function, axes: axes.sorted(), keepsDimensions: keepsDimensions)), [x])
  }

  /// Inserts axes of extent 1 at the given places of the result.
  package mutating func unsqueeze(_ x: Operand, axes: [Int]) throws(OperatorError) -> Operand {
    let rank = x.rank + axes.count
    var dimensions: [Dimension] = []
    var source = x.shape.dimensions.makeIterator()
    for axis in 0..<rank {
      dimensions.append(axes.contains(axis) ? 1 : source.next() ?? 1)
    }
    return try reshape(x, Shape(dimensions))
  }

  /// An axis as files write it, negative from the end, in `0 ..< rank`.
  package func axis(_ axis: Int, rank: Int) throws(OperatorError) -> Int {
    let resolved = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(resolved) else {
      throw OperatorError("axis \(axis) is not one of a tensor of rank \(rank)")
    }
    return resolved
  }

  package func axes(_ axes: [Int], rank: Int) throws(OperatorError) -> [Int] {
    var result: [Int] = []
    for item in axes { result.append(try axis(item, rank: rank)) }
    guard Set(result).count == result.count else { throw OperatorError("axes \(axes) repeat") }
    return result.sorted()
  }

  /// The largest common type is not guessed: ONNX wants equal types.
  package func sameType(_ operands: [Operand]) throws(OperatorError) {
    for operand in operands.dropFirst() where operand.dataType != operands[0].dataType {
      throw OperatorError(
        "inputs have types \(operands[0].dataType) and \(operand.dataType), expected the same")
    }
  }
}

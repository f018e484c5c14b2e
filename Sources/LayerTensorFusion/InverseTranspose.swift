import GraphModel
import KernelModel
import TensorModel

/// What an operand looks like before a transpose.
struct InverseTranspose {
  let permutation: [Int]

  init(_ permutation: [Int]) { self.permutation = permutation }

  func applied<T>(to axes: [T]) -> [T] {
    var result = axes
    for (index, axis) in permutation.enumerated() { result[axis] = axes[index] }
    return result
  }

  func applied(to shape: Shape) -> Shape { Shape(applied(to: shape.dimensions)) }

  /// An operand that broadcasts to the transposed result, in the axes before it; nil where that
  /// would take a transpose of much data.
  func operand(
    _ value: ValueID, _ graph: IndexedGraph, _ node: Node, _ patch: inout GraphPatch
  ) -> ValueID? {
    guard let shape = graph.type(value)?.shape, shape.rank <= permutation.count else { return nil }
    let extended =
      [Dimension](repeating: 1, count: permutation.count - shape.rank) + shape.dimensions
    let wide = extended.count { $0 != 1 }
    if wide == 0 { return value }
    let target = Shape(applied(to: extended))
    if wide == 1 { return MovementFusion.reshaped(graph, value, trimmed(target), node, &patch) }
    guard let tensor = graph.constant(value), let extents = Shape(extended).constants,
      let source = try? tensor.reshaped(extents),
      let moved = source.transposed(applied(to: Array(extents.indices)))
    else { return nil }
    return patch.addConstant(name: graph[value].name, moved)
  }

  private func trimmed(_ shape: Shape) -> Shape {
    Shape(Array(shape.dimensions.drop { $0 == 1 }))
  }
}

extension Tensor {
  private static let transposedBytes = 1 << 24

  /// The elements in another order of axes; nil for strings and for large tensors.
  fileprivate func transposed(_ permutation: [Int]) -> Tensor? {
    let width = dataType.byteCount
    guard width > 0, byteCount <= Self.transposedBytes else { return nil }
    let extents = permutation.map { shape[$0] }
    let sourceStrides = ShapeMath.rowMajorStrides(shape)
    let strides = permutation.map { sourceStrides[$0] }
    guard var result = try? Tensor(uninitialized: dataType, shape: extents) else { return nil }
    result.withUnsafeMutableBytes { target in
      withUnsafeBytes { source in
        var position = [Int](repeating: 0, count: extents.count)
        var offset = 0
        for element in 0..<elementCount {
          for byte in 0..<width { target[element * width + byte] = source[offset * width + byte] }
          for axis in extents.indices.reversed() {
            position[axis] += 1
            offset += strides[axis]
            if position[axis] < extents[axis] { break }
            offset -= strides[axis] * extents[axis]
            position[axis] = 0
          }
        }
      }
    }
    return result
  }
}

package import TensorModel

/// The name of a buffer inside one program.
package struct BufferID: Hashable, Sendable, Comparable, Codable {
  package let index: Int
  package init(_ index: Int) { self.index = index }
  package static func < (a: BufferID, b: BufferID) -> Bool { a.index < b.index }
}

/// Where the elements of a tensor lie: any strides over a buffer, in elements.
package struct View: Hashable, Sendable, Codable {
  package var buffer: BufferID
  /// Elements before the first.
  package var offset: Int
  package var dataType: DataType
  package var shape: [Int]
  /// Elements between neighbours along each axis; 0 repeats one element.
  package var strides: [Int]

  package init(buffer: BufferID, offset: Int, dataType: DataType, shape: [Int], strides: [Int]) {
    self.buffer = buffer
    self.offset = offset
    self.dataType = dataType
    self.shape = shape
    self.strides = strides
  }

  /// A dense view whose axes lie in memory in the given order, outermost first.
  package init(dense buffer: BufferID, dataType: DataType, shape: [Int], order: [Int]) {
    self.init(
      buffer: buffer, offset: 0, dataType: dataType, shape: shape,
      strides: View.strides(shape: shape, order: order))
  }

  package static func strides(shape: [Int], order: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for axis in order.reversed() {
      strides[axis] = stride
      stride *= max(shape[axis], 1)
    }
    return strides
  }

  package var rank: Int { shape.count }
  package var elementCount: Int { shape.reduce(1, *) }
  package var byteOffset: Int { offset * dataType.byteCount }
  package var type: TensorType { TensorType(dataType, shape) }

  /// Whether the elements lie one after the other in row-major order.
  package var isRowMajor: Bool {
    var expected = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  /// Whether neighbours along `axis` lie side by side; an axis of extent 1 always does.
  package func isContiguous(along axis: Int) -> Bool { shape[axis] == 1 || strides[axis] == 1 }

  /// Axes by their distance in memory, outermost first; axes of extent 1 keep their place.
  package var order: [Int] {
    shape.indices.sorted { a, b in
      if shape[a] == 1 || shape[b] == 1 || strides[a] == strides[b] { return a < b }
      return strides[a] > strides[b]
    }
  }

  /// Whether two views name the same elements in the same places.
  package func isSamePlace(as other: View) -> Bool {
    guard buffer == other.buffer, offset == other.offset, shape == other.shape,
      dataType.byteCount == other.dataType.byteCount
    else { return false }
    return hasSameStrides(as: other)
  }

  package func hasSameStrides(as other: View) -> Bool {
    zip(shape, zip(strides, other.strides)).allSatisfy { extent, pair in
      extent == 1 || pair.0 == pair.1
    }
  }
}

// MARK: - Views of views

extension View {
  package func transposed(_ permutation: [Int]) -> View {
    var view = self
    view.shape = permutation.map { shape[$0] }
    view.strides = permutation.map { strides[$0] }
    return view
  }

  package func sliced(starts: [Int], sizes: [Int], steps: [Int]) -> View {
    var view = self
    for axis in shape.indices {
      if sizes[axis] > 0 { view.offset += starts[axis] * strides[axis] }
      view.strides[axis] = strides[axis] * steps[axis]
    }
    view.shape = sizes
    return view
  }

  /// NumPy's broadcasting.
  package func expanded(to target: [Int]) -> View {
    var view = self
    let added = target.count - rank
    view.shape = target
    view.strides = target.indices.map { axis in
      let own = axis - added
      return own < 0 || (shape[own] == 1 && target[axis] != 1) ? 0 : strides[own]
    }
    return view
  }

  /// The same elements, in row-major order of both shapes, without moving them; nil where strides do not
  /// allow it.
  package func reshaped(_ target: [Int]) -> View? {
    var view = self
    view.shape = target
    if elementCount == 0 {
      view.strides = ShapeMath.rowMajorStrides(target)
      return view
    }
    // Runs of axes that are one contiguous axis, outermost first.
    var runs: [(extent: Int, stride: Int)] = []
    for axis in shape.indices where shape[axis] != 1 {
      if let last = runs.last, last.stride == strides[axis] * shape[axis] {
        runs[runs.count - 1] = (last.extent * shape[axis], strides[axis])
      } else {
        runs.append((shape[axis], strides[axis]))
      }
    }
    var result = [Int](repeating: 1, count: target.count)
    var run = runs.count - 1
    var used = 1
    for axis in target.indices.reversed() where target[axis] != 1 {
      guard run >= 0 else { return nil }
      result[axis] = runs[run].stride * used
      used *= target[axis]
      guard runs[run].extent % used == 0 else { return nil }
      if used == runs[run].extent {
        run -= 1
        used = 1
      }
    }
    guard run < 0 else { return nil }
    view.strides = result
    return view
  }
}

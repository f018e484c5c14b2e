import TensorModel

/// The row-major positions of a shape, each with an offset that grows by one stride per axis.
struct StridedIndex {
  private(set) var extents: [Int]
  private(set) var strides: [Int]

  /// Axes that can be walked as one are merged.
  init(shape: [Int], strides: [Int]) {
    extents = []
    self.strides = []
    for (extent, stride) in zip(shape, strides) where extent != 1 {
      if let last = extents.last, let previous = self.strides.last, previous == stride * extent {
        extents[extents.count - 1] = last * extent
        self.strides[self.strides.count - 1] = stride
      } else {
        extents.append(extent)
        self.strides.append(stride)
      }
    }
    if extents.isEmpty {
      extents = [1]
      self.strides = [0]
    }
  }

  /// The offsets of a dense tensor's elements broadcast to a shape.
  init(broadcasting source: [Int], to shape: [Int]) {
    let dense = ShapeMath.rowMajorStrides(source)
    let missing = shape.count - source.count
    self.init(
      shape: shape,
      strides: shape.indices.map { axis in
        axis < missing || source[axis - missing] == 1 ? 0 : dense[axis - missing]
      })
  }

  var innerStride: Int { strides[strides.count - 1] }

  /// Whether offset and position are the same.
  var isDense: Bool { extents.count == 1 && (strides[0] == 1 || extents[0] == 1) }

  /// Calls `body` for runs of positions along the innermost axis; inside a run the offset grows by
  /// `innerStride`. Positions begin at 0 for `start`.
  @inline(__always)
  func forEachRun(
    from start: Int, count: Int, _ body: (_ position: Int, _ offset: Int, _ length: Int) -> Void
  ) {
    guard count > 0 else { return }
    if extents.count == 1 {
      body(0, start * strides[0], count)
      return
    }
    let last = extents.count - 1
    var coordinates = [Int](repeating: 0, count: extents.count)
    var rest = start
    var row = 0
    for axis in extents.indices.reversed() {
      coordinates[axis] = rest % extents[axis]
      rest /= extents[axis]
      if axis < last { row += coordinates[axis] * strides[axis] }
    }
    var position = 0
    while true {
      let length = min(extents[last] - coordinates[last], count - position)
      body(position, row + coordinates[last] * strides[last], length)
      position += length
      if position == count { return }
      coordinates[last] = 0
      var axis = last - 1
      while axis >= 0 {
        coordinates[axis] += 1
        row += strides[axis]
        if coordinates[axis] < extents[axis] { break }
        row -= coordinates[axis] * strides[axis]
        coordinates[axis] = 0
        axis -= 1
      }
    }
  }
}

/// All coordinates of a shape in row-major order.
struct Coordinates: Sequence, IteratorProtocol {
  private let shape: [Int]
  private var current: [Int]
  private var remaining: Int

  init(_ shape: [Int]) {
    self.shape = shape
    current = [Int](repeating: 0, count: shape.count)
    remaining = shape.reduce(1, *)
  }

  mutating func next() -> [Int]? {
    guard remaining > 0 else { return nil }
    let result = current
    remaining -= 1
    for axis in shape.indices.reversed() {
      current[axis] += 1
      if current[axis] < shape[axis] { break }
      current[axis] = 0
    }
    return result
  }
}

/// A shape split at an axis: the extents before it, its own, and those after it.
struct AxisSplit {
  var outer: Int
  var extent: Int
  var inner: Int

  init(_ shape: [Int], axis: Int) {
    outer = shape[..<axis].reduce(1, *)
    extent = shape[axis]
    inner = shape[(axis + 1)...].reduce(1, *)
  }
}

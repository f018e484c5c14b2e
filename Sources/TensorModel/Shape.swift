/// The extents of a tensor, outermost first; any may be symbolic.
package struct Shape: Hashable, Sendable, Codable {
  package var dimensions: [Dimension]

  package init(_ dimensions: [Dimension]) { self.dimensions = dimensions }
  package init(_ dimensions: [Int]) { self.dimensions = dimensions.map { Dimension($0) } }

  package var rank: Int { dimensions.count }
  package subscript(axis: Int) -> Dimension {
    get { dimensions[axis] }
    set { dimensions[axis] = newValue }
  }

  /// The extents as integers, where none is symbolic.
  package var constants: [Int]? {
    var result: [Int] = []
    for dimension in dimensions {
      guard let value = dimension.constant else { return nil }
      result.append(value)
    }
    return result
  }

  package var elementCount: Dimension { .product(dimensions) }
  package var symbols: Set<String> { dimensions.reduce(into: []) { $0.formUnion($1.symbols) } }

  package func substituting(_ values: [String: Int]) -> Shape {
    Shape(dimensions.map { $0.substituting(values) })
  }
}

extension Shape: ExpressibleByArrayLiteral {
  package init(arrayLiteral elements: Dimension...) { dimensions = elements }
}

extension Shape: CustomStringConvertible {
  package var description: String {
    dimensions.isEmpty ? "scalar" : dimensions.map(\.description).joined(separator: "x")
  }
}

/// The element type and the shape of a value.
package struct TensorType: Hashable, Sendable, Codable {
  package var dataType: DataType
  package var shape: Shape

  package init(_ dataType: DataType, _ shape: Shape) {
    self.dataType = dataType
    self.shape = shape
  }

  package init(_ dataType: DataType, _ shape: [Int]) { self.init(dataType, Shape(shape)) }

  package var rank: Int { shape.rank }

  package func substituting(_ values: [String: Int]) -> TensorType {
    TensorType(dataType, shape.substituting(values))
  }
}

extension TensorType: CustomStringConvertible {
  package var description: String { "\(dataType) \(shape)" }
}

/// Shape arithmetic shared by operators and kernels.
package enum ShapeMath {
  /// The number of elements, or nil where an extent is negative or the count leaves `Int`.
  package static func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    var overflowed = false
    for extent in shape {
      guard extent >= 0 else { return nil }
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      overflowed = overflowed || overflow
      count = overflow ? 1 : product
    }
    if shape.contains(0) { return 0 }
    return overflowed ? nil : count
  }

  /// Distances in elements between neighbours along each axis of a dense row-major tensor.
  package static func rowMajorStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for axis in shape.indices.reversed() {
      strides[axis] = stride
      stride *= max(shape[axis], 1)
    }
    return strides
  }

  /// NumPy's broadcasting of two shapes; nil where two extents cannot match.
  package static func broadcast(_ a: Shape, _ b: Shape) -> Shape? {
    var result: [Dimension] = []
    for index in 0..<max(a.rank, b.rank) {
      let x = index < a.rank ? a[a.rank - 1 - index] : 1
      let y = index < b.rank ? b[b.rank - 1 - index] : 1
      if x == y || y == 1 {
        result.append(x)
      } else if x == 1 {
        result.append(y)
      } else if x.constant == nil, y.constant != nil {
        result.append(y)
      } else if y.constant == nil {
        result.append(x)
      } else {
        return nil
      }
    }
    return Shape(Array(result.reversed()))
  }
}

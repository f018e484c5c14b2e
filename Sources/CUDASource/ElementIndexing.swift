package import ProgramModel

/// The axes over which several views advance together, merged where all of them allow it.
///
/// Kernels walk elements by one number; this turns the number into an offset for each view with as few
/// divisions as possible. Axes keep their order; reorder the views' axes before (`ordered(by:)`).
package struct IndexSpace: Hashable, Sendable {
  /// Merged extents, outermost first; never empty, none is 1 unless it is the only one.
  package private(set) var extents: [Int]
  /// For each view the stride along each merged axis, in elements.
  package private(set) var strides: [[Int]]

  /// - Parameters:
  ///   - shape: the extents that all views have.
  ///   - strides: for each view the stride along each axis; 0 where it repeats.
  package init(shape: [Int], strides views: [[Int]]) {
    var extents: [Int] = []
    var merged: [[Int]] = views.map { _ in [] }
    for axis in shape.indices where shape[axis] != 1 {
      let joins =
        !extents.isEmpty
        && views.indices.allSatisfy {
          merged[$0][extents.count - 1] == views[$0][axis] * shape[axis]
        }
      if joins {
        extents[extents.count - 1] *= shape[axis]
        for view in views.indices { merged[view][extents.count - 1] = views[view][axis] }
      } else {
        extents.append(shape[axis])
        for view in views.indices { merged[view].append(views[view][axis]) }
      }
    }
    if extents.isEmpty {
      extents = [1]
      merged = views.map { _ in [0] }
    }
    self.extents = extents
    strides = merged
  }

  /// Views broadcast to a shape, with axes taken in the given order, outermost first.
  package init(_ views: [View], shape: [Int], order: [Int]) {
    self.init(
      shape: order.map { shape[$0] },
      strides: views.map { view in
        let expanded = view.expanded(to: shape)
        return order.map { expanded.strides[$0] }
      })
  }

  package var elementCount: Int { extents.reduce(1, *) }

  /// Statements that turn the number of an element, in row-major order of the merged axes, into
  /// coordinates `prefix0`, `prefix1`, ...
  package func coordinates(of number: String, prefix: String) -> [String] {
    var lines: [String] = []
    var rest = number
    for axis in extents.indices.reversed() {
      if axis == 0 {
        lines.append("const int \(prefix)0 = \(rest);")
      } else {
        lines.append("const int \(prefix)\(axis) = \(rest) % \(extents[axis]);")
        lines.append("const unsigned \(prefix)r\(axis) = \(rest) / \(extents[axis]);")
        rest = "\(prefix)r\(axis)"
      }
    }
    return lines
  }

  /// The offset of a view's element at coordinates named by `coordinates(of:prefix:)`.
  package func offset(view: Int, prefix: String) -> String {
    IndexText.sum(
      extents.indices.map { (text: "\(prefix)\($0)", factor: strides[view][$0]) })
  }
}

/// Arithmetic on indices as text.
package enum IndexText {
  /// `a * 3 + b`, without the terms that are zero.
  package static func sum(_ terms: [(text: String, factor: Int)], plus constant: Int = 0) -> String
  {
    var parts: [String] = []
    for (text, factor) in terms where factor != 0 {
      parts.append(factor == 1 ? text : "\(text) * \(factor)")
    }
    if constant != 0 || parts.isEmpty { parts.append("\(constant)") }
    return parts.joined(separator: " + ")
  }
}

// MARK: - Vectors

extension IndexSpace {
  /// The space of runs of `width` elements along the innermost axis, whose extent `width` divides.
  package func divided(by width: Int) -> IndexSpace {
    var result = self
    let last = extents.count - 1
    result.extents[last] /= width
    for view in strides.indices { result.strides[view][last] *= width }
    return result
  }
}

/// A view that takes part in a walk: strides along the axes of the output, and what else its
/// elements' addresses are made of.
package struct Lane: Sendable {
  /// Elements along each axis of the output.
  package var strides: [Int]
  /// Elements before the first; nil: not in memory, the offset itself is what is wanted.
  package var offset: Int?
  /// Strides that are multiplied by numbers known only in the kernel.
  package var steps: [Int]

  /// A view in memory, broadcast to the output's shape.
  package init(_ view: View, shape: [Int]) {
    strides = view.expanded(to: shape).strides
    offset = view.offset
    steps = []
  }

  package init(strides: [Int], offset: Int?, steps: [Int] = []) {
    self.strides = strides
    self.offset = offset
    self.steps = steps
  }

  /// The output's coordinate along an axis.
  package static func coordinate(_ axis: Int, rank: Int) -> Lane {
    Lane(strides: (0..<rank).map { $0 == axis ? 1 : 0 }, offset: nil)
  }

  fileprivate func isAligned(_ width: Int) -> Bool {
    guard let offset else { return false }
    return offset % width == 0 && steps.allSatisfy { $0 % width == 0 }
  }
}

/// How several views are walked `width` elements of the first at a time, in the order in which these lie
/// in memory.
package struct VectorWalk: Sendable {
  /// How the elements of one view that belong to a vector are reached.
  package enum Access: Hashable, Sendable {
    /// They are a vector themselves.
    case vector
    /// They are all the same element.
    case uniform
    /// They lie that far from each other.
    case strided(Int)
    /// By the coordinates of each.
    case single
  }

  package let width: Int
  /// Numbers vectors.
  package let vectors: IndexSpace
  /// Numbers elements; the first of vector `i` is `i * width`.
  package let elements: IndexSpace
  /// For each lane.
  package let access: [Access]
  /// Elements of the output.
  package let count: Int

  package var vectorCount: Int { ceilingQuotient(count, width) }
  /// Whether the last vector is not full.
  package var hasTail: Bool { count % width != 0 }

  /// - Parameters:
  ///   - shape: the output's extents, none of them 0.
  ///   - order: its axes, outermost in memory first.
  ///   - lanes: the output, then the views that are read.
  /// - Returns: nil where the output cannot be written in vectors of this width.
  package init?(shape: [Int], order: [Int], lanes: [Lane], width: Int) {
    let extents = order.map { shape[$0] }
    let strides = lanes.map { lane in order.map { lane.strides[$0] } }
    let elements = IndexSpace(shape: extents, strides: strides)
    self.elements = elements
    count = elements.elementCount
    self.width = width
    let last = elements.extents.count - 1
    if elements.extents[last] % width == 0 {
      access = lanes.indices.map { lane in
        let outer = elements.strides[lane].dropLast().allSatisfy { $0 % width == 0 }
        return switch elements.strides[lane][last] {
        case 0: .uniform
        case 1 where outer && lanes[lane].isAligned(width): .vector
        case let stride: .strided(stride)
        }
      }
      vectors = elements.divided(by: width)
      guard access[0] == .vector || width == 1 else { return nil }
      return
    }
    // The output is one run; views that are not are reached element by element.
    let access: [Access] = lanes.indices.map { lane in
      let pair = IndexSpace(shape: extents, strides: [strides[0], strides[lane]])
      guard pair.extents.count == 1, pair.strides[0][0] == 1 else { return .single }
      return switch pair.strides[1][0] {
      case 0: .uniform
      case 1 where lanes[lane].isAligned(width): .vector
      default: .single
      }
    }
    guard access[0] == .vector else { return nil }
    self.access = access
    vectors = IndexSpace(
      shape: [ceilingQuotient(count, width)],
      strides: access.map { $0 == .vector ? [width] : [0] })
  }
}

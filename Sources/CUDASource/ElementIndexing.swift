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
        lines.append("const int \(prefix)r\(axis) = \(rest) / \(extents[axis]);")
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

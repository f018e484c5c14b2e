package import GraphModel
import KernelModel
package import TensorModel

/// Ranges of elements along axes. Bounds are attributes before version 10, then inputs.
package struct SliceOperator: DataDependentOperator {
  package static let spellings = [Spelling.onnx("Slice")]

  private let starts: [Int]?
  private let ends: [Int]?
  private let axes: [Int]?
  private let readsInputs: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    readsInputs = attributes.version >= 10
    starts = try attributes.ints("starts")
    ends = try attributes.ints("ends")
    axes = try attributes.ints("axes")
  }

  /// The bounds as the node gives them; nil where they are data.
  private struct Bounds {
    var starts: [Dimension]?
    var ends: [Dimension]?
    var axes: [Int]?
    var steps: [Int]?
    var count: Int?
  }

  private func bounds(_ expansion: Expansion) throws(OperatorError) -> Bounds {
    guard readsInputs else {
      guard let starts, let ends else { throw OperatorError("starts or ends are missing") }
      return Bounds(
        starts: starts.map { Dimension($0) }, ends: ends.map { Dimension($0) },
        axes: axes ?? Array(starts.indices), steps: starts.map { _ in 1 }, count: starts.count)
    }
    let (first, last) = (try expansion.input(1), try expansion.input(2))
    let count = first.rank == 0 ? 1 : first.shape[0].constant
    let defaultAxes = count.map { Array(0..<$0) }
    let defaultSteps = count.map { [Int](repeating: 1, count: $0) }
    return Bounds(
      starts: expansion.dimensions(first), ends: expansion.dimensions(last),
      axes: expansion.optionalInput(3).map { expansion.integers($0) } ?? defaultAxes,
      steps: expansion.optionalInput(4).map { expansion.integers($0) } ?? defaultSteps,
      count: count)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let bounds = try bounds(expansion)
    guard let starts = bounds.starts, let ends = bounds.ends, let axes = bounds.axes,
      let steps = bounds.steps
    else { return try emitUnknown(x, axes: bounds.axes, &expansion) }
    guard starts.count == ends.count, starts.count == axes.count, starts.count == steps.count,
      !steps.contains(0)
    else {
      throw OperatorError(
        "\(starts.count) starts, \(ends.count) ends, \(axes.count) axes and steps \(steps)")
    }
    var begins = [Dimension](repeating: 0, count: x.rank)
    var sizes = x.shape.dimensions
    var strides = [Int](repeating: 1, count: x.rank)
    _ = try expansion.axes(axes, rank: x.rank)
    for (index, item) in axes.enumerated() {
      let axis = try expansion.axis(item, rank: x.rank)
      let range = SliceRange(
        start: starts[index], end: ends[index], step: steps[index], extent: x.shape[axis])
      begins[axis] = range.start
      sizes[axis] = range.size
      // A step beyond the extent reads one element, whatever it is.
      strides[axis] = range.size.constant.map { $0 <= 1 } ?? false ? 1 : steps[index]
    }
    guard sizes != x.shape.dimensions || strides.contains(where: { $0 != 1 }) else {
      return expansion.set(0, x)
    }
    expansion.set(
      0,
      try expansion.emit(.copy(.slice(starts: begins, sizes: sizes, steps: strides)), [x]))
  }

  private func emitUnknown(
    _ x: Operand, axes: [Int]?, _ expansion: inout Expansion
  ) throws(OperatorError) {
    var shape = x.shape
    let sliced = try axes.map { (list) throws(OperatorError) in
      try expansion.axes(list, rank: x.rank)
    }
    for axis in sliced ?? Array(0..<x.rank) {
      shape[axis] = expansion.freshSymbol("extent\(axis)")
    }
    expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
  }
}

/// The elements that a start, an end and a step choose of an axis, by NumPy's rules.
package struct SliceRange: Equatable {
  package let start: Dimension
  package let size: Dimension

  /// Bounds from here on mean the end of the axis, as exporters write it in 32 or 64 bits.
  private static let far = Int(Int32.max)

  package init(start: Dimension, end: Dimension, step: Int, extent: Dimension) {
    guard extent != 0 else {
      self.start = 0
      size = 0
      return
    }
    let stride = Dimension(step.magnitude > UInt(Int.max) ? Int.max : Int(step.magnitude))
    let (first, last, length): (Dimension, Dimension, Dimension)
    if step > 0 {
      if let count = start.constant, count < 0, count > -Self.far, step == 1,
        let bound = end.constant, bound >= Self.far
      {
        // The last elements.
        let taken = Dimension.smaller(extent, Dimension(0) - start)
        self.start = extent - taken
        size = taken
        return
      }
      first = Self.clamped(start, low: 0, high: extent, extent)
      last = Self.clamped(end, low: 0, high: extent, extent)
      length = last - first
    } else {
      let high = extent - 1
      first = Self.clamped(start, low: 0, high: high, extent)
      last = Self.clamped(end, low: -1, high: high, extent)
      length = first - last
    }
    let reachesEnd = last == (step > 0 ? extent : -1) || first == (step > 0 ? 0 : extent - 1)
    let count = length.ceilingDivided(by: stride)
    let isSafe = reachesEnd && extent.constant == nil
    size = isSafe ? count : .larger(count, 0)
    self.start = size == 0 ? 0 : first
  }

  /// A bound counted from the start of the axis, between two limits.
  private static func clamped(
    _ bound: Dimension, low: Dimension, high: Dimension, _ extent: Dimension
  ) -> Dimension {
    if let constant = bound.constant {
      if constant >= far, extent.constant == nil { return high }
      if constant <= -far, extent.constant == nil { return low }
    }
    return .larger(.smaller(fromStart(bound, extent), high), low)
  }

  private static func fromStart(_ bound: Dimension, _ extent: Dimension) -> Dimension {
    if let constant = bound.constant { return constant < 0 ? bound + extent : bound }
    if bound.isNonNegative { return bound }
    if (Dimension(-1) - bound).isNonNegative { return bound + extent }
    // The sign is not known: 1 where the bound is negative, else 0.
    let isNegative = Dimension.minimum(.maximum(Dimension(0) - bound, 0), 1)
    return bound + extent * isNegative
  }
}

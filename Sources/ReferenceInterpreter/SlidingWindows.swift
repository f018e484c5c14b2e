import KernelModel

/// How windows lie over elements: window `w` and tap `k` of an axis meet at element
/// `w * stride + k * dilation - pad`, where that is inside.
struct SlidingWindows {
  var windows: [Int]
  var elements: [Int]
  var kernel: [Int]
  var strides: [Int]
  var dilations: [Int]
  var pads: [Int]

  /// `count` windows from `window` on, which meet elements from `element` on in steps of the last stride.
  struct Row {
    var window: Int
    var element: Int
    var count: Int
  }

  /// The windows of an axis for which a tap is inside.
  func windowRange(_ axis: Int, tap: Int) -> Range<Int> {
    let shift = tap * dilations[axis] - pads[axis]
    let first = max(ceilingDivide(-shift, strides[axis]), 0)
    let end = min(
      floorDivide(elements[axis] - 1 - shift, strides[axis]) + 1, windows[axis])
    return first..<max(first, end)
  }

  /// The taps of an axis that are inside for a window.
  func tapRange(_ axis: Int, window: Int) -> Range<Int> {
    let start = window * strides[axis] - pads[axis]
    let first = max(ceilingDivide(-start, dilations[axis]), 0)
    let end = min(floorDivide(elements[axis] - 1 - start, dilations[axis]) + 1, kernel[axis])
    return first..<max(first, end)
  }

  /// Everything that one tap meets; neighbouring rows without a gap are one.
  func rows(tap: [Int]) -> [Row] {
    let last = windows.count - 1
    let ranges = windows.indices.map { windowRange($0, tap: tap[$0]) }
    var rows: [Row] = []
    for outer in Coordinates(ranges.dropLast().map(\.count)) {
      var window = 0, element = 0
      for axis in 0..<windows.count {
        let w = ranges[axis].lowerBound + (axis < last ? outer[axis] : 0)
        window = window * windows[axis] + w
        element =
          element * elements[axis]
          + w * strides[axis] + tap[axis] * dilations[axis] - pads[axis]
      }
      let row = Row(window: window, element: element, count: ranges[last].count)
      if row.count == 0 { return [] }
      if strides[last] == 1, let previous = rows.last,
        previous.window + previous.count == row.window,
        previous.element + previous.count == row.element
      {
        rows[rows.count - 1].count += row.count
      } else {
        rows.append(row)
      }
    }
    return rows
  }
}

import GraphModel
import KernelModel
import TensorModel

/// NumPy's slicing with an entry for each axis, some of which are left out, new or dropped.
/// Source: TensorFlow `StridedSlice`.
struct TensorFlowStridedSlice: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("StridedSlice")]

  private let beginMask: Int
  private let endMask: Int
  private let ellipsisMask: Int
  private let newAxisMask: Int
  private let shrinkMask: Int

  init(_ attributes: AttributeReader) throws(OperatorError) {
    beginMask = try attributes.int("begin_mask", default: 0)
    endMask = try attributes.int("end_mask", default: 0)
    ellipsisMask = try attributes.int("ellipsis_mask", default: 0)
    newAxisMask = try attributes.int("new_axis_mask", default: 0)
    shrinkMask = try attributes.int("shrink_axis_mask", default: 0)
  }

  private static func has(_ mask: Int, _ entry: Int) -> Bool { mask >> entry & 1 == 1 }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let begin = try expansion.input(1)
    guard begin.rank == 1, let count = begin.shape[0].constant, (0...Limits().rank).contains(count)
    else { throw OperatorError("the count of slices is not known") }
    let begins = expansion.dimensions(begin)
    let ends = expansion.dimensions(try expansion.input(2))
    let steps = try expansion.requiredIntegers(3, "strides") ?? []
    guard steps.count == count, begins?.count ?? count == count, ends?.count ?? count == count
    else {
      throw OperatorError("begin, end and strides differ in length")
    }
    let given = (0..<count).filter {
      !Self.has(newAxisMask, $0) && !Self.has(ellipsisMask, $0)
    }.count
    guard given <= x.rank else { throw OperatorError("\(given) slices of shape \(x.shape)") }
    if let shape = unknownShape(x, count, begins, ends, given, &expansion) {
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    var result = x
    // Where the next entry applies, and where it does in the result.
    var axis = 0
    var sawEllipsis = false
    for entry in 0..<count {
      if Self.has(ellipsisMask, entry) {
        guard !sawEllipsis else { throw OperatorError("it has two ellipses") }
        sawEllipsis = true
        let rest = (entry + 1..<count).filter { !Self.has(newAxisMask, $0) }.count
        axis = max(axis, result.rank - rest)
      } else if Self.has(newAxisMask, entry) {
        result = try expansion.unsqueeze(result, axes: [min(axis, result.rank)])
        axis += 1
      } else if axis >= result.rank {
        throw OperatorError("there are more slices than axes in shape \(x.shape)")
      } else if Self.has(shrinkMask, entry) {
        let index = begins.map { $0[entry] }
        result = try single(result, axis: axis, index: index, entry, &expansion)
      } else {
        result = try range(
          result, axis: axis, entry, begins?[entry], ends?[entry], steps[entry], &expansion)
        axis += 1
      }
    }
    expansion.set(0, result)
  }

  /// What is known of the result where data bound a slice; nil where none does.
  private func unknownShape(
    _ x: Operand, _ count: Int, _ begins: [Dimension]?, _ ends: [Dimension]?, _ given: Int,
    _ expansion: inout Expansion
  ) -> Shape? {
    var axis = 0
    var extents: [Dimension] = []
    var isUnknown = false
    for entry in 0..<count {
      if Self.has(ellipsisMask, entry) {
        let kept = x.rank - given
        extents += x.shape.dimensions[axis..<min(axis + kept, x.rank)]
        axis += kept
      } else if Self.has(newAxisMask, entry) {
        extents.append(1)
      } else if Self.has(shrinkMask, entry) {
        axis += 1
      } else {
        let knowsBegin = Self.has(beginMask, entry) || begins != nil
        let knowsEnd = Self.has(endMask, entry) || ends != nil
        isUnknown = isUnknown || !knowsBegin || !knowsEnd
        extents.append(expansion.freshSymbol("extent\(extents.count)"))
        axis += 1
      }
    }
    extents += x.shape.dimensions[min(axis, x.rank)...]
    return isUnknown ? Shape(extents) : nil
  }

  /// One element of an axis, which is dropped; where only a run knows which, it is gathered.
  private func single(
    _ x: Operand, axis: Int, index: Dimension?, _ entry: Int, _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    guard let index else {
      let entries = try expansion.input(1)
      let position = try expansion.reshape(
        try expansion.slice(entries, axis: 0, start: Dimension(entry), count: 1), [])
      return try expansion.emit(
        .gather(.slices(axis: axis)), [x, try expansion.cast(position, to: .int64)])
    }
    var start = index
    if let number = index.constant {
      if number < 0 { start = x.shape[axis] + index }
      if let extent = x.shape[axis].constant, !(0..<extent).contains(start.constant ?? 0) {
        throw OperatorError("index \(number) is outside axis \(axis) of shape \(x.shape)")
      }
    }
    let part = try expansion.slice(x, axis: axis, start: start, count: 1)
    var kept = part.shape.dimensions
    kept.remove(at: axis)
    return try expansion.reshape(part, Shape(kept))
  }

  private func range(
    _ x: Operand, axis: Int, _ entry: Int, _ begin: Dimension?, _ end: Dimension?, _ step: Int,
    _ expansion: inout Expansion
  ) throws(OperatorError) -> Operand {
    guard step != 0, step != Int.min else { throw OperatorError("a stride is \(step)") }
    let isWhole = Self.has(beginMask, entry) && Self.has(endMask, entry)
    if isWhole, step == 1 { return x }
    let far = Dimension(Int(Int32.max)), near = Dimension(-Int(Int32.max))
    let first = Self.has(beginMask, entry) ? (step > 0 ? 0 : far) : begin
    let last = Self.has(endMask, entry) ? (step > 0 ? far : near) : end
    guard let first, let last else {
      throw OperatorError("the bounds of axis \(axis) are not known before the model runs")
    }
    let range = SliceRange(start: first, end: last, step: step, extent: x.shape[axis])
    let isSingle = range.size.constant.map { $0 <= 1 } ?? false
    return try expansion.slice(
      x, axis: axis, start: range.start, count: range.size, step: isSingle ? 1 : step)
  }
}

/// A box of a tensor. Source: TensorFlow `Slice`.
struct TensorFlowSlice: DataDependentOperator {
  static let spellings = [Spelling.tensorflow("Slice")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let known = expansion.dimensions(try expansion.input(2))
    guard let starts = expansion.dimensions(try expansion.input(1)), var sizes = known else {
      var shape = expansion.unknownShape(rank: x.rank)
      for (axis, size) in (known ?? []).enumerated() where axis < x.rank && size != -1 {
        shape[axis] = size
      }
      return try emitHostOrFold(&expansion, outputs: [TensorType(x.dataType, shape)])
    }
    guard starts.count == x.rank, sizes.count == x.rank else {
      throw OperatorError("begin and size do not fit \(x.type)")
    }
    for axis in 0..<x.rank where sizes[axis] == -1 { sizes[axis] = x.shape[axis] - starts[axis] }
    let steps = [Int](repeating: 1, count: x.rank)
    expansion.set(
      0, try expansion.emit(.copy(.slice(starts: starts, sizes: sizes, steps: steps)), [x]))
  }
}

package import GraphModel
import KernelModel
package import TensorModel

/// The coordinates of the elements that are not zero, one column each.
package struct NonZero: HostOperator {
  package static let spellings = [Spelling.onnx("NonZero")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let count = expansion.freshSymbol("count")
    try emitHostOrFold(
      &expansion, outputs: [TensorType(.int64, [Dimension(x.rank), count])])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let found: [Int]
    if let integers = x.integers() {
      found = integers.indices.filter { integers[$0] != 0 }
    } else {
      let numbers = try HostInputs.numbers(inputs, 0)
      found = numbers.indices.filter { numbers[$0] != 0 }
    }
    let strides = ShapeMath.rowMajorStrides(x.shape)
    var result: [Int64] = []
    result.reserveCapacity(found.count * x.shape.count)
    for axis in x.shape.indices {
      for position in found { result.append(Int64(position / strides[axis] % x.shape[axis])) }
    }
    return [try HostInputs.integers(result, .int64, [x.shape.count, found.count])]
  }
}

/// The slices of an axis, or of the flattened input, that a condition chooses.
package struct Compress: HostOperator {
  package static let spellings = [Spelling.onnx("Compress")]

  private let axis: Int?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    var x = try expansion.input(0)
    let condition = try expansion.input(1)
    guard condition.dataType == .bool else {
      throw OperatorError("the condition is \(condition.dataType), expected bool")
    }
    let axis = try self.axis.map { (item) throws(OperatorError) in
      try expansion.axis(item, rank: x.rank)
    }
    guard let chosen = expansion.constant(condition)?.integers() else {
      var shape: Shape = axis == nil ? [1] : x.shape
      shape[axis ?? 0] = expansion.freshSymbol("count")
      return expansion.emitHost(outputs: [TensorType(x.dataType, shape)])
    }
    if axis == nil { x = try expansion.reshape(x, [x.shape.elementCount]) }
    let extent = x.shape[axis ?? 0].constant ?? chosen.count
    let positions = chosen.indices.filter { chosen[$0] != 0 && $0 < extent }.map { Int64($0) }
    let indices = expansion.constant(Tensor(positions))
    expansion.set(
      0, try expansion.emit(.gather(.slices(axis: axis ?? 0)), [x, indices]))
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    try HostEvaluation.expandAndRun(self, inputs, outputCount: 1)
  }
}

/// The distinct elements, or slices of an axis, of a tensor; where each is found first, which one each
/// element is, and how often each occurs.
package struct Unique: HostOperator {
  package static let spellings = [Spelling.onnx("Unique")]

  private let axis: Int?
  private let sorts: Bool

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    axis = try attributes.int("axis")
    sorts = try attributes.bool("sorted", default: true)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let count = expansion.freshSymbol("count")
    var shape: Shape = [count]
    var total = x.shape.elementCount
    if let axis {
      let resolved = try expansion.axis(axis, rank: x.rank)
      shape = x.shape
      total = shape[resolved]
      shape[resolved] = count
    }
    let types = [
      TensorType(x.dataType, shape), TensorType(.int64, [count]), TensorType(.int64, [total]),
      TensorType(.int64, [count]),
    ]
    try emitHostOrFold(&expansion, outputs: types.prefixed(expansion.outputCount))
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let groups: [[Int]]
    var shape: [Int]
    var resolved = 0
    if let axis {
      resolved = axis < 0 ? axis + x.shape.count : axis
      guard x.shape.indices.contains(resolved) else {
        throw OperatorError("axis \(axis) is not one of a tensor of rank \(x.shape.count)")
      }
      shape = x.shape
      groups = Self.slices(of: x.shape, axis: resolved)
    } else {
      shape = [x.elementCount]
      groups = (0..<x.elementCount).map { [$0] }
    }
    let ranks = try Self.ranks(x)
    let (first, inverse, counts) = distinct(groups.map { $0.map { ranks[$0] } })
    shape[resolved] = first.count
    let kept = Self.slices(of: shape, axis: resolved)
    var positions = [Int](repeating: 0, count: kept.reduce(0) { $0 + $1.count })
    for (index, source) in first.enumerated() {
      for (target, position) in zip(kept[index], groups[source]) { positions[target] = position }
    }
    return [
      try HostInputs.elements(of: x, at: positions, shape: shape),
      try HostInputs.integers(first.map { Int64($0) }, .int64, [first.count]),
      try HostInputs.integers(inverse.map { Int64($0) }, .int64, [inverse.count]),
      try HostInputs.integers(counts.map { Int64($0) }, .int64, [counts.count]),
    ]
  }

  /// The positions of the elements of each slice of an axis, in row-major order.
  private static func slices(of shape: [Int], axis: Int) -> [[Int]] {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let outer = shape[..<axis].reduce(1, *)
    return (0..<shape[axis]).map { index in
      (0..<outer).flatMap { block in
        (0..<inner).map { (block * shape[axis] + index) * inner + $0 }
      }
    }
  }

  /// For each element a number that orders it among the others: equal elements have equal ranks.
  private static func ranks(_ x: Tensor) throws(OperatorError) -> [Int] {
    func ranked<T>(_ values: [T], _ precedes: (T, T) -> Bool) -> [Int] {
      let order = values.indices.sorted {
        precedes(values[$0], values[$1]) || (!precedes(values[$1], values[$0]) && $0 < $1)
      }
      var result = [Int](repeating: 0, count: values.count)
      var rank = 0
      for (place, index) in order.enumerated() {
        if place > 0, precedes(values[order[place - 1]], values[index]) { rank += 1 }
        result[index] = rank
      }
      return result
    }
    if x.dataType == .string { return ranked(x.strings, <) }
    if let integers = x.integers() {
      return x.dataType == .uint64
        ? ranked(integers.map { UInt64(bitPattern: $0) }, <) : ranked(integers, <)
    }
    guard let numbers = x.numbers() else {
      throw OperatorError("elements of type \(x.dataType) have no order")
    }
    // NaN follows every number.
    return ranked(numbers) { $0 < $1 || (!$0.isNaN && $1.isNaN) }
  }

  private func distinct(_ keys: [[Int]]) -> (first: [Int], inverse: [Int], counts: [Int]) {
    var place: [[Int]: Int] = [:]
    var first: [Int] = []
    var counts: [Int] = []
    var inverse: [Int] = []
    for (index, key) in keys.enumerated() {
      let found = place[key] ?? first.count
      if found == first.count {
        place[key] = found
        first.append(index)
        counts.append(0)
      }
      counts[found] += 1
      inverse.append(found)
    }
    guard sorts else { return (first, inverse, counts) }
    let order = first.indices.sorted { keys[first[$0]].lexicographicallyPrecedes(keys[first[$1]]) }
    var moved = [Int](repeating: 0, count: order.count)
    for (target, source) in order.enumerated() { moved[source] = target }
    return (order.map { first[$0] }, inverse.map { moved[$0] }, order.map { counts[$0] })
  }
}

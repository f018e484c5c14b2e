import Dispatch
package import TensorModel

/// Rounds weights to a narrower format so that the errors of each row add up to nearly zero.
///
/// What rounding does to a result is the sum of its weights' errors, each times an input. Inputs behind a ReLU or GELU
/// have means above zero: the mean times the sum of the errors shifts the result for every input. So of each row some
/// weights are given to their other neighbour: those first that add least squared error for what they take from the
/// sum. Few are needed, since errors of K weights add up to about 0.3 times the root of K steps. All inputs
/// of a row are taken to have the same mean.
///
/// Afterwards, the sum of a row's errors is at most half the largest step between neighbours in it.
package struct WeightRounding: Sendable {
  private let format: NarrowFormat
  private let rows: WeightRows

  package init(_ format: NarrowFormat, _ rows: WeightRows) {
    self.format = format
    self.rows = rows
  }

  /// - Parameter weights: `float32`.
  /// - Returns: `float32`, each number one of the two neighbours in the format; what is exact, not finite or too large
  ///   is as it was.
  package func rounded(_ weights: Tensor) throws(TensorError) -> Tensor {
    guard weights.dataType == .float32 else {
      throw .wrongType(expected: .float32, found: weights.dataType)
    }
    var result = try Tensor(uninitialized: .float32, shape: weights.shape)
    result.withUnsafeMutableBytes { target in
      weights.withUnsafeBytes { source in
        guard let y = target.baseAddress?.assumingMemoryBound(to: Float.self),
          let x = source.baseAddress?.assumingMemoryBound(to: Float.self)
        else { return }
        round(x, y)
      }
    }
    return result
  }

  /// Rows have nothing to do with each other: parts of them run in parallel.
  private func round(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>) {
    nonisolated(unsafe) let (x, y) = (x, y)
    let partSize = max(16, 0x40000 / max(rows.depth, 1) / 16 * 16)
    let parts = (rows.rows + partSize - 1) / partSize
    DispatchQueue.concurrentPerform(iterations: rows.outer * parts) { part in
      let first = part % parts * partSize
      for taps in rows.phases {
        RowBalance(format, rows, taps).run(
          x, y, outer: part / parts, first..<min(first + partSize, rows.rows))
      }
    }
  }
}

/// Gives weights of one phase's rows to their other neighbour.
private struct RowBalance: ~Copyable {
  private let format: NarrowFormat
  private let rows: WeightRows
  private let taps: [Int]
  /// Elements of a row.
  private let count: Int
  /// Rows at a time: neighbours in memory are read together.
  private let width: Int
  /// From row to row in the buffers; no multiple of a cache's extent.
  private let pitch: Int
  /// Of the elements of `width` rows: nearest number - weight.
  private let errors: UnsafeMutablePointer<Float>
  /// What the other neighbour adds in squared error over the step to it; infinite where there is none to go to.
  private let costs: UnsafeMutablePointer<Float>
  /// Least costs of one row as bit patterns: node `i` is the lesser of `2 * i` and `2 * i + 1`, and element `i` is
  /// node `count + i`.
  private let tree: UnsafeMutablePointer<UInt32>

  init(_ format: NarrowFormat, _ rows: WeightRows, _ taps: [Int]) {
    self.format = format
    self.rows = rows
    self.taps = taps
    count = rows.depth * taps.count
    width = rows.rowStride == 1 ? min(rows.rows, 16) : 1
    pitch = count + 16
    errors = .allocate(capacity: pitch * width)
    costs = .allocate(capacity: pitch * width)
    tree = .allocate(capacity: 2 * count)
  }

  deinit {
    errors.deallocate()
    costs.deallocate()
    tree.deallocate()
  }

  func run(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, outer: Int, _ part: Range<Int>
  ) {
    guard count > 0, width > 0 else { return }
    for first in stride(from: part.lowerBound, to: part.upperBound, by: width) {
      let base = outer * rows.outerStride + first * rows.rowStride
      let found = min(width, part.upperBound - first)
      readRows(x + base, y + base, found)
      for row in 0..<found { balance(row * pitch, x + base + row, y + base + row) }
    }
  }

  /// Rounds rows to nearest.
  private func readRows(
    _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ found: Int
  ) {
    if rows.depthStride == 1 && taps.count == 1 && found == 1 {
      for place in 0..<count { y[place] = read(x[place], place) }
      return
    }
    for depth in 0..<rows.depth {
      for number in taps.indices {
        let offset = depth * rows.depthStride + taps[number]
        let place = depth * taps.count + number
        for row in 0..<found { y[offset + row] = read(x[offset + row], row * pitch + place) }
      }
    }
  }

  @inline(__always)
  private func read(_ weight: Float, _ place: Int) -> Float {
    let nearest = format.nearest(weight)
    let isFinite = weight.bitPattern & 0x7F80_0000 != 0x7F80_0000
    let error = isFinite ? nearest - weight : 0
    // One of the neighbours of a weight beyond the largest number is infinite.
    let hasOther = error != 0 && abs(weight) < format.largest
    errors[place] = error
    costs[place] = hasOther ? format.step(weight) - 2 * abs(error) : .infinity
    return nearest
  }

  private func balance(
    _ start: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) {
    let errors = errors + start
    var sum = 0.0
    for place in 0..<count { sum += Double(errors[place]) }
    guard sum != 0 else { return }
    let sign: Float = sum > 0 ? 1 : -1
    var excess = abs(sum)
    plantTree(errors, costs + start, sign)
    while excess > 0, let (place, cost) = takeCheapest(), Double(cost) < 2 * excess {
      let step = cost + 2 * abs(errors[place])
      guard Double(step) < 2 * excess else { continue }
      excess -= Double(step)
      let offset = place / taps.count * rows.depthStride + taps[place % taps.count]
      y[offset] = Float(signOf: x[offset], magnitudeOf: y[offset] - sign * step)
    }
  }

  /// Of a row's elements, those whose other neighbour lessens a sum of the given sign.
  private func plantTree(
    _ errors: UnsafePointer<Float>, _ costs: UnsafePointer<Float>, _ sign: Float
  ) {
    let leaves = tree + count
    for place in 0..<count {
      // All ones where the signs differ; no pattern with this exponent is a cost.
      let differs = UInt32(
        bitPattern: Int32(bitPattern: errors[place].bitPattern ^ sign.bitPattern) &>> 31)
      leaves[place] = costs[place].bitPattern | differs & Float.infinity.bitPattern
    }
    for node in stride(from: count - 1, to: 0, by: -1) {
      tree[node] = min(tree[2 * node], tree[2 * node + 1])
    }
  }

  private func takeCheapest() -> (place: Int, cost: Float)? {
    let least = tree[1]
    guard least < Float.infinity.bitPattern else { return nil }
    var node = 1
    while node < count { node = tree[2 * node] == least ? 2 * node : 2 * node + 1 }
    let place = node - count
    tree[node] = Float.infinity.bitPattern
    while node > 1 {
      node /= 2
      tree[node] = min(tree[2 * node], tree[2 * node + 1])
    }
    return (place, Float(bitPattern: least))
  }
}

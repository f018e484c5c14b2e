import KernelModel
import TensorModel

extension Interpreter {
  // MARK: - Sort

  static func sort(
    _ problem: Sort, _ inputs: Operands, _ outputs: [Output]
  ) throws(ProblemError) -> [Tensor] {
    let x = try inputs[required: 0]
    let split = AxisSplit(x.shape, axis: problem.axis)
    let count = outputs[0].shape[problem.axis]
    let indices: [Int]
    switch try Numbers(x) {
    case .floating(let values):
      // NaN comes after every number in ascending order.
      indices = order(values, split, count, descending: problem.descending) {
        $0 < $1 || $1.isNaN && !$0.isNaN
      }
    case .integer(let values):
      let order = x.dataType.orderMask
      indices = self.order(values, split, count, descending: problem.descending) {
        $0 ^ order < $1 ^ order
      }
    }
    let offsets = indices.enumerated().map { position, index in
      let outer = position / (count * split.inner)
      return (outer * split.extent + index) * split.inner + position % split.inner
    }
    return [
      try move(GatherMovement(offsets: offsets, count: 1), [x], outputs[0]),
      try Numbers.integer(indices.map { Int64($0) }).tensor(outputs[1]),
    ]
  }

  /// The indices along the axis of the first `count` elements of each lane.
  private static func order<Value>(
    _ values: [Value], _ split: AxisSplit, _ count: Int, descending: Bool,
    _ isLess: (Value, Value) -> Bool
  ) -> [Int] {
    var result = [Int](repeating: 0, count: split.outer * count * split.inner)
    for outer in 0..<split.outer {
      for inner in 0..<split.inner {
        let start = outer * split.extent * split.inner + inner
        let sorted = (0..<split.extent).sorted { a, b in
          let x = values[start + a * split.inner], y = values[start + b * split.inner]
          if descending ? isLess(y, x) : isLess(x, y) { return true }
          if descending ? isLess(x, y) : isLess(y, x) { return false }
          return a < b
        }
        for k in 0..<count { result[(outer * count + k) * split.inner + inner] = sorted[k] }
      }
    }
    return result
  }

  // MARK: - Scan

  static func scan(
    _ problem: Scan, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    let split = AxisSplit(x.shape, axis: problem.axis)
    let isSum = problem.function == .sum
    switch try Numbers(x) {
    case .floating(let values):
      let result =
        isSum
        ? running(values, split, problem, from: 0, +) : running(values, split, problem, from: 1, *)
      return try Numbers.floating(result).tensor(output)
    case .integer(let values):
      let result =
        isSum
        ? running(values, split, problem, from: 0, &+)
        : running(values, split, problem, from: 1, &*)
      return try Numbers.integer(result).tensor(output)
    }
  }

  private static func running<Value>(
    _ values: [Value], _ split: AxisSplit, _ problem: Scan, from neutral: Value,
    _ combine: (Value, Value) -> Value
  ) -> [Value] {
    var result = values
    for outer in 0..<split.outer {
      for inner in 0..<split.inner {
        var accumulator = neutral
        for step in 0..<split.extent {
          let k = problem.isReversed ? split.extent - 1 - step : step
          let position = (outer * split.extent + k) * split.inner + inner
          let next = combine(accumulator, values[position])
          result[position] = problem.isExclusive ? accumulator : next
          accumulator = next
        }
      }
    }
    return result
  }
}

import TensorModel

/// Sums of squares over many tensors.
struct ErrorSum {
  private var difference = 0.0
  private var norm = 0.0

  mutating func add(_ found: Tensor, _ expected: Tensor) {
    guard found.shape == expected.shape, let a = found.numbers(), let b = expected.numbers() else {
      if !found.isIdentical(to: expected) { difference = .infinity }
      return
    }
    for (x, y) in zip(a, b) {
      if y.isFinite { norm += y * y }
      if x == y || (x.isNaN && y.isNaN) { continue }
      difference += x.isFinite && y.isFinite ? (x - y) * (x - y) : .infinity
    }
  }

  var relative: Double {
    difference == 0 ? 0 : norm == 0 ? .infinity : (difference / norm).squareRoot()
  }
}

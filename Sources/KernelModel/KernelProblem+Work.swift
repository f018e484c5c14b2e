extension KernelProblem {
  /// Multiply-adds of the problem, for cost models; zero for those that mostly move data, and for shapes that do not
  /// fit it.
  ///
  /// - Parameters:
  ///   - inputs: shapes of the operands, nil for those that are absent.
  ///   - output: the shape of the first result.
  package func multiplyAdds(inputs: [[Int]?], output: [Int]) -> Double {
    func count(_ shape: some Sequence<Int>) -> Double { shape.reduce(1) { $0 * Double($1) } }
    func shape(_ index: Int) -> [Int]? { index < inputs.count ? inputs[index] : nil }
    switch self {
    case .convolution(let p):
      guard let x = shape(0), let weights = shape(1), weights.count > 1 else { return 0 }
      return count(p.isTransposed ? x : output) * count(weights.dropFirst())
    case .matmul(let p):
      guard let a = shape(0), a.count >= 2 else { return 0 }
      return count(output) * Double(a[p.transposesA ? a.count - 2 : a.count - 1])
    case .attention:
      guard let query = shape(0), let key = shape(1), query.count == 4, key.count == 4 else {
        return 0
      }
      return 2 * count(query) * Double(key[2])
    case .window(let p): return count(output) * count(p.kernel)
    case .recurrence(let p):
      guard let x = shape(0), x.count == 3 else { return 0 }
      let gates = Double(p.gateCount) * Double(p.hiddenSize) * Double(p.directionCount)
      return Double(x[0]) * Double(x[1]) * gates * (Double(x[2]) + Double(p.hiddenSize))
    default: return 0
    }
  }
}

import KernelModel
import TensorModel

extension Interpreter {
  static func matrixProduct(
    _ problem: MatrixProduct, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let a = try inputs[required: 0]
    let b = try inputs[required: 1]
    let rank = a.shape.count
    let k = a.shape[problem.transposesA ? rank - 2 : rank - 1]
    let loops = MatrixLoops(
      m: output.shape[output.shape.count - 2], n: output.shape[output.shape.count - 1], k: k,
      transposesA: problem.transposesA, transposesB: problem.transposesB)
    let batch = Array(output.shape.dropLast(2))
    let batchA = StridedIndex(broadcasting: Array(a.shape.dropLast(2)), to: batch).offsets
    let batchB = StridedIndex(broadcasting: Array(b.shape.dropLast(2)), to: batch).offsets
    let values: Numbers =
      switch (try Numbers(a), try Numbers(b)) {
      case (.floating(let x), .floating(let y)): .floating(loops.run(x, y, batchA, batchB))
      case (.integer(let x), .integer(let y)): .integer(loops.run(x, y, batchA, batchB))
      default: throw ProblemError("a is \(a.dataType) and b is \(b.dataType)")
      }
    let sum = a.dataType.sumOfProducts(with: b.dataType) ?? a.dataType
    return try finish(values, sum, problem.epilogue, inputs, own: 2, output)
  }
}

extension StridedIndex {
  /// The offset of every position.
  var offsets: [Int] {
    var result: [Int] = []
    let stride = innerStride
    forEachRun(from: 0, count: extents.reduce(1, *)) { _, offset, length in
      for i in 0..<length { result.append(offset + i * stride) }
    }
    return result
  }
}

private struct MatrixLoops {
  var m: Int
  var n: Int
  var k: Int
  var transposesA: Bool
  var transposesB: Bool

  /// - Parameters:
  ///   - batchA: which matrix of `a` each product takes, in order.
  func run<Value: Accumulator>(
    _ a: [Value], _ b: [Value], _ batchA: [Int], _ batchB: [Int]
  ) -> [Value] {
    var result = [Value](repeating: .zero, count: batchA.count * m * n)
    let b = transposesB ? transposed(b) : b
    result.withUnsafeMutableBufferPointer { y in
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          guard let y = y.baseAddress, let a = a.baseAddress, let b = b.baseAddress else { return }
          for batch in batchA.indices {
            product(a + batchA[batch] * m * k, b + batchB[batch] * k * n, y + batch * m * n)
          }
        }
      }
    }
    return result
  }

  private func product<Value: Accumulator>(
    _ a: UnsafePointer<Value>, _ b: UnsafePointer<Value>, _ y: UnsafeMutablePointer<Value>
  ) {
    for row in 0..<m {
      for inner in 0..<k {
        let factor = transposesA ? a[inner * m + row] : a[row * k + inner]
        accumulate(factor, b + inner * n, 1, into: y + row * n, 1, count: n)
      }
    }
  }

  /// Matrices `[N, K]` as `[K, N]`.
  private func transposed<Value: Accumulator>(_ matrices: [Value]) -> [Value] {
    let size = n * k
    guard size > 0 else { return matrices }
    var result = [Value](repeating: .zero, count: matrices.count)
    for start in stride(from: 0, to: matrices.count, by: size) {
      for column in 0..<n {
        for inner in 0..<k {
          result[start + inner * n + column] = matrices[start + column * k + inner]
        }
      }
    }
    return result
  }
}

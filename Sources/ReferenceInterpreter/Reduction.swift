import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Interpreter {
  static func reduction(
    _ problem: Reduction, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    if problem.prologue.usesIndex { throw ProblemError("a prologue cannot use coordinates") }
    let sweep = try ReductionSweep(problem, x)
    let type = sweep.evaluator.resultType
    switch problem.function {
    case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum:
      let indices = try sweep.extremumIndices(problem.function, axis: problem.axes[0])
      return try finish(.integer(indices), .int64, problem.epilogue, inputs, own: 1, output)
    default:
      let values =
        type.isFloatingPoint
        ? Numbers.floating(sweep.real(problem.function)) : sweep.integer(problem.function, type)
      return try finish(values, type, problem.epilogue, inputs, own: 1, output)
    }
  }
}

/// One pass over x in its own order, in which every element meets the result that it belongs to.
private struct ReductionSweep {
  let evaluator: ExpressionEvaluator
  private let shape: [Int]
  private let count: Int
  /// From positions in x to results.
  private let results: StridedIndex
  private let resultCount: Int
  /// Elements of x for each result.
  private let groupCount: Int

  init(_ problem: Reduction, _ x: Tensor) throws(ProblemError) {
    let shape = x.shape
    self.shape = shape
    count = x.elementCount
    evaluator = try ExpressionEvaluator(problem.prologue, [.tensor(x)], shape: shape)
    let kept = shape.indices.map { problem.axes.contains($0) ? 1 : shape[$0] }
    results = StridedIndex(broadcasting: kept, to: shape)
    resultCount = kept.reduce(1, *)
    groupCount = problem.axes.reduce(1) { $0 * shape[$1] }
  }

  /// The accumulators after every element, transformed, has been combined with its own.
  private func fold<Value: BitwiseCopyable>(
    _ initial: Value, _ combine: (_ accumulator: Value, _ value: Value, _ result: Int) -> Value
  ) -> [Value] {
    var accumulators = [Value](repeating: initial, count: resultCount)
    accumulators.withUnsafeMutableBufferPointer { buffer in
      guard let accumulator = buffer.baseAddress else { return }
      let stride = results.innerStride
      var start = 0
      while start < count {
        let length = min(ExpressionEvaluator.blockLength, count - start)
        let block = evaluator.evaluate(start: start, count: length)
          .assumingMemoryBound(to: Value.self)
        results.forEachRun(from: start, count: length) { position, result, length in
          if stride == 0 {
            var value = accumulator[result]
            for i in position..<position + length { value = combine(value, block[i], result) }
            accumulator[result] = value
          } else {
            for i in 0..<length {
              let target = result + i * stride
              accumulator[target] = combine(accumulator[target], block[position + i], target)
            }
          }
        }
        start += length
      }
    }
    return accumulators
  }

  func real(_ function: Reduction.Function) -> [Double] {
    let size = Double(groupCount)
    switch function {
    case .sum: return fold(0.0) { a, x, _ in a + x }
    case .mean: return fold(0.0) { a, x, _ in a + x }.map { $0 / size }
    case .product: return fold(1.0) { a, x, _ in a * x }
    case .minimum: return fold(Double.infinity) { a, x, _ in a.isNaN || a < x ? a : x }
    case .maximum: return fold(-Double.infinity) { a, x, _ in a.isNaN || a > x ? a : x }
    case .sumOfSquares: return fold(0.0) { a, x, _ in a + x * x }
    case .l1Norm: return fold(0.0) { a, x, _ in a + abs(x) }
    case .l2Norm: return fold(0.0) { a, x, _ in a + x * x }.map { $0.squareRoot() }
    case .logSum: return fold(0.0) { a, x, _ in a + x }.map { log($0) }
    case .logSumExp:
      // Subtracting an infinite maximum would give NaN.
      let shifts = real(.maximum).map { $0.isFinite ? $0 : 0 }
      let sums = fold(0.0) { a, x, result in a + exp(x - shifts[result]) }
      return zip(sums, shifts).map { log($0) + $1 }
    case .firstMaximum, .lastMaximum, .firstMinimum, .lastMinimum: return []
    }
  }

  func integer(_ function: Reduction.Function, _ type: DataType) -> Numbers {
    let order = type.orderMask
    func isLess(_ a: Int64, _ b: Int64) -> Bool { a ^ order < b ^ order }
    func magnitude(_ x: Int64) -> Int64 { x < 0 && order == 0 ? 0 &- x : x }
    // Of `uint64`, whose pattern of the largest number is -1.
    let smallest = type.integerRange?.lowerBound ?? 0
    let largest = type.integerRange?.upperBound ?? -1
    let size = groupCount
    switch function {
    case .product: return .integer(fold(Int64(1)) { a, x, _ in a &* x })
    case .minimum: return .integer(fold(largest) { a, x, _ in isLess(a, x) ? a : x })
    case .maximum: return .integer(fold(smallest) { a, x, _ in isLess(x, a) ? a : x })
    case .sumOfSquares: return .integer(fold(Int64(0)) { a, x, _ in a &+ x &* x })
    case .l1Norm: return .integer(fold(Int64(0)) { a, x, _ in a &+ magnitude(x) })
    case .mean:
      let sums = fold(Int64(0)) { a, x, _ in a &+ x }
      guard size > 0 else { return .integer(sums) }
      return .integer(
        order == 0
          ? sums.map { $0 / Int64(size) }
          : sums.map { Int64(bitPattern: UInt64(bitPattern: $0) / UInt64(size)) })
    case .l2Norm: return root(fold(Int64(0)) { a, x, _ in a &+ x &* x }, type) { $0.squareRoot() }
    case .logSum: return root(fold(Int64(0)) { a, x, _ in a &+ x }, type) { log($0) }
    case .logSumExp:
      // Exact enough: the result is an integer.
      let reals = foldExponentials(type)
      return .integer(reals.map { Conversion.integer($0, type) })
    default: return .integer(fold(Int64(0)) { a, x, _ in a &+ x })
    }
  }

  private func root(
    _ sums: [Int64], _ type: DataType, _ function: (Double) -> Double
  ) -> Numbers {
    let values = Numbers.integer(sums).doubles(type)
    return .integer(values.map { Conversion.integer(function($0), type) })
  }

  /// `log(sum(exp(x)))` of integers.
  private func foldExponentials(_ type: DataType) -> [Double] {
    guard case .integer(let largest) = integer(.maximum, type) else { return [] }
    let shifts = Numbers.integer(largest).doubles(type)
    let isUnsigned = type == .uint64
    // Accumulators are bit patterns of real sums.
    let sums = fold(Int64(0)) { a, x, result in
      let value = isUnsigned ? Double(UInt64(bitPattern: x)) : Double(x)
      let sum = Double(bitPattern: UInt64(bitPattern: a)) + exp(value - shifts[result])
      return Int64(bitPattern: sum.bitPattern)
    }
    return zip(sums, shifts).map { log(Double(bitPattern: UInt64(bitPattern: $0))) + $1 }
  }

  // MARK: - Indices of extrema

  /// NaN counts as the extremum, as in NumPy.
  func extremumIndices(_ function: Reduction.Function, axis: Int) throws(ProblemError) -> [Int64] {
    let split = AxisSplit(shape, axis: axis)
    var best = [Int64](repeating: 0, count: resultCount)
    let seeksMaximum = function == .firstMaximum || function == .lastMaximum
    let takesLast = function == .lastMaximum || function == .lastMinimum
    let order = evaluator.resultType.orderMask
    let isReal = evaluator.resultType.isFloatingPoint
    var reals = [Double](repeating: 0, count: isReal ? resultCount : 0)
    var integers = [Int64](repeating: 0, count: isReal ? 0 : resultCount)
    /// Whether a value later in the axis takes the place of the best so far.
    func replaces<T: Comparable>(_ value: T, _ old: T) -> Bool {
      if value == old { return takesLast }
      return seeksMaximum ? value > old : value < old
    }
    var start = 0
    while start < count {
      let length = min(ExpressionEvaluator.blockLength, count - start)
      let block = evaluator.evaluate(start: start, count: length)
      for i in 0..<length {
        let coordinate = (start + i) / split.inner % split.extent
        let result =
          (start + i) / (split.inner * split.extent) * split.inner
          + (start + i) % split.inner
        if isReal {
          let value = block.assumingMemoryBound(to: Double.self)[i]
          let old = reals[result]
          let wins = value.isNaN ? takesLast || !old.isNaN : !old.isNaN && replaces(value, old)
          if coordinate == 0 || wins {
            reals[result] = value
            best[result] = Int64(coordinate)
          }
        } else {
          let value = block.assumingMemoryBound(to: Int64.self)[i] ^ order
          if coordinate == 0 || replaces(value, integers[result]) {
            integers[result] = value
            best[result] = Int64(coordinate)
          }
        }
      }
      start += length
    }
    return best
  }
}

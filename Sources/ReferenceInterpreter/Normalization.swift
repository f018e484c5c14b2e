import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Interpreter {
  static func normalization(
    _ problem: Normalization, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    var values = try x.doubles()
    switch problem.kind {
    case .softmax(let axis): softmax(&values, AxisSplit(x.shape, axis: axis), isLogarithm: false)
    case .logSoftmax(let axis): softmax(&values, AxisSplit(x.shape, axis: axis), isLogarithm: true)
    case .layer(let axis, let epsilon):
      let size = x.shape[axis...].reduce(1, *)
      standardize(&values, size: size, epsilon: epsilon, centers: true)
      try scale(&values, x.shape, inputs[1], inputs[2])
    case .rootMeanSquare(let axis, let epsilon):
      let size = x.shape[axis...].reduce(1, *)
      standardize(&values, size: size, epsilon: epsilon, centers: false)
      try scale(&values, x.shape, inputs[1], inputs[2])
    case .group(let groups, let epsilon):
      guard let groups = groups.constant, groups > 0, x.shape[1] % groups == 0 else {
        throw ProblemError("\(x.shape[1]) channels do not divide into \(groups) groups")
      }
      let spatial = x.shape[2...].reduce(1, *)
      standardize(
        &values, size: x.shape[1] / groups * spatial, epsilon: epsilon, centers: true)
      let ones = [Int](repeating: 1, count: x.shape.count - 2)
      try scale(
        &values, x.shape, try channels(inputs[1], ones), try channels(inputs[2], ones))
    case .localResponse(let size, let alpha, let beta, let bias):
      values = localResponse(
        values, AxisSplit(x.shape, axis: 1), size: size, alpha: alpha, beta: beta, bias: bias)
    }
    return try finish(
      .floating(values), x.dataType, problem.epilogue, inputs, own: 3, output)
  }

  private static func softmax(_ values: inout [Double], _ split: AxisSplit, isLogarithm: Bool) {
    values.withUnsafeMutableBufferPointer { values in
      for outer in 0..<split.outer {
        for inner in 0..<split.inner {
          let start = outer * split.extent * split.inner + inner
          let end = start + split.extent * split.inner
          let lane = stride(from: start, to: end, by: split.inner)
          let largest = lane.reduce(-Double.infinity) { max($0, values[$1]) }
          var sum = 0.0
          for i in lane { sum += exp(values[i] - largest) }
          for i in lane {
            let shifted = values[i] - largest
            values[i] = isLogarithm ? shifted - log(sum) : exp(shifted) / sum
          }
        }
      }
    }
  }

  /// Makes consecutive groups of elements have variance 1 (mean square 1 without `centers`).
  private static func standardize(
    _ values: inout [Double], size: Int, epsilon: Double, centers: Bool
  ) {
    guard size > 0 else { return }
    values.withUnsafeMutableBufferPointer { values in
      for start in stride(from: 0, to: values.count, by: size) {
        let group = start..<start + size
        var mean = 0.0
        if centers {
          for i in group { mean += values[i] }
          mean /= Double(size)
        }
        var variance = 0.0
        for i in group { variance += (values[i] - mean) * (values[i] - mean) }
        let factor = 1 / (variance / Double(size) + epsilon).squareRoot()
        for i in group { values[i] = (values[i] - mean) * factor }
      }
    }
  }

  private static func scale(
    _ values: inout [Double], _ shape: [Int], _ scale: Tensor?, _ bias: Tensor?
  ) throws(ProblemError) {
    if let scale { try combine(&values, shape, scale) { $0 * $1 } }
    if let bias { try combine(&values, shape, bias) { $0 + $1 } }
  }

  private static func combine(
    _ values: inout [Double], _ shape: [Int], _ operand: Tensor,
    _ function: (Double, Double) -> Double
  ) throws(ProblemError) {
    let others = try operand.doubles()
    let index = StridedIndex(broadcasting: operand.shape, to: shape)
    let stride = index.innerStride
    values.withUnsafeMutableBufferPointer { values in
      index.forEachRun(from: 0, count: values.count) { position, offset, length in
        for i in 0..<length {
          values[position + i] = function(values[position + i], others[offset + i * stride])
        }
      }
    }
  }

  /// A vector of channels as `[C, 1, ...]`.
  private static func channels(_ vector: Tensor?, _ ones: [Int]) throws(ProblemError) -> Tensor? {
    guard let vector else { return nil }
    do { return try vector.reshaped(vector.shape + ones) } catch {
      throw ProblemError("\(error)")
    }
  }

  private static func localResponse(
    _ x: [Double], _ split: AxisSplit, size: Int, alpha: Double, beta: Double, bias: Double
  ) -> [Double] {
    var result = x
    for outer in 0..<split.outer {
      for channel in 0..<split.extent {
        let first = channel - min((size - 1) / 2, channel)
        let last = channel + min(size / 2, split.extent - 1 - channel)
        for inner in 0..<split.inner {
          var sum = 0.0
          for other in first...last {
            let value = x[(outer * split.extent + other) * split.inner + inner]
            sum += value * value
          }
          let position = (outer * split.extent + channel) * split.inner + inner
          result[position] = x[position] / pow(bias + alpha / Double(size) * sum, beta)
        }
      }
    }
    return result
  }
}

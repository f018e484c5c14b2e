package import KernelModel
package import TensorModel

/// Where the numbers of a contraction's weights lie: output `o` of all, input `i` of its group, tap `t`.
package struct WeightGrid: Sendable, Hashable {
  var outputs: Int
  var inputs: Int
  var taps: Int
  var groups: Int
  private var outputStride: Int
  private var inputStride: Int

  /// Nil for weights of a kind that is not multiplied in integers.
  package init?(_ problem: KernelProblem, _ weights: Tensor) {
    let shape = weights.shape
    switch problem {
    case .convolution(let convolution):
      guard !convolution.isTransposed, (3...4).contains(shape.count), convolution.groups > 0,
        shape[0] % convolution.groups == 0
      else { return nil }
      groups = convolution.groups
      (outputs, inputs) = (shape[0], shape[1])
      taps = shape.dropFirst(2).reduce(1, *)
      (outputStride, inputStride) = (inputs * taps, taps)
    case .matmul(let product):
      guard !product.transposesA, shape.count >= 2, shape.dropLast(2).allSatisfy({ $0 == 1 }) else {
        return nil
      }
      let (rows, columns) = (shape[shape.count - 2], shape[shape.count - 1])
      (outputs, inputs) = product.transposesB ? (rows, columns) : (columns, rows)
      (outputStride, inputStride) = product.transposesB ? (columns, 1) : (1, columns)
      (groups, taps) = (1, 1)
    default: return nil
    }
    guard outputs > 0, inputs > 0, taps > 0 else { return nil }
  }

  var depth: Int { inputs * taps }
  /// Channels that are read in all.
  var channels: Int { inputs * groups }
  /// Whether each output reads one channel of its own.
  var isDepthwise: Bool { groups > 1 && inputs == 1 }

  /// The channel that an output's first input is.
  func firstChannel(_ output: Int) -> Int { output / (outputs / groups) * inputs }
  func offset(_ output: Int, _ input: Int) -> Int {
    output * outputStride + input * inputStride
  }
}

/// Weights as signed integers of 8 bits, symmetric, with a scale for each output.
package struct QuantizedWeights {
  /// `int8`, of the weights' shape.
  package let integers: Tensor
  package let scales: [Float]
  /// For each output the sum of its integers.
  package let sums: [Int64]
  /// For each output what rounding the weights takes from it on average.
  package let corrections: [Double]

  /// - Parameters:
  ///   - factors: for each input channel what its weights are multiplied by before they are rounded.
  ///   - means: for each input channel its mean.
  package init(
    _ grid: WeightGrid, _ weights: Tensor, factors: [Float], means: [Double]
  ) throws(TensorError) {
    var integers = try Tensor(uninitialized: .int8, shape: weights.shape)
    var scales = [Float](repeating: 1, count: grid.outputs)
    var sums = [Int64](repeating: 0, count: grid.outputs)
    var corrections = [Double](repeating: 0, count: grid.outputs)
    integers.withUnsafeMutableBytes { target in
      weights.withUnsafeBytes { source in
        guard let q = target.baseAddress?.assumingMemoryBound(to: Int8.self),
          let w = source.baseAddress?.assumingMemoryBound(to: Float.self)
        else { return }
        for output in 0..<grid.outputs {
          let first = grid.firstChannel(output)
          let largest = Self.largest(grid, w, output, factors)
          let scale = largest > 0 ? largest / 127 : 1
          scales[output] = scale
          for input in 0..<grid.inputs {
            let factor = factors[first + input]
            let offset = grid.offset(output, input)
            var error = 0.0
            for tap in 0..<grid.taps {
              let exact = w[offset + tap] * factor
              let level = (exact / scale).rounded(.toNearestOrEven)
              q[offset + tap] = Int8(min(max(level, -127), 127))
              sums[output] += Int64(q[offset + tap])
              error += Double(exact) - Double(scale) * Double(q[offset + tap])
            }
            corrections[output] += error * means[first + input] / Double(factor)
          }
        }
      }
    }
    self.integers = integers
    self.scales = scales
    self.sums = sums
    self.corrections = corrections
  }

  private static func largest(
    _ grid: WeightGrid, _ w: UnsafePointer<Float>, _ output: Int, _ factors: [Float]
  ) -> Float {
    let first = grid.firstChannel(output)
    var largest: Float = 0
    for input in 0..<grid.inputs {
      let offset = grid.offset(output, input)
      for tap in 0..<grid.taps {
        largest = max(largest, abs(w[offset + tap] * factors[first + input]))
      }
    }
    return largest
  }

  /// For each input channel its largest weight.
  static func channelMaxima(_ grid: WeightGrid, _ weights: Tensor) -> [Float] {
    var result = [Float](repeating: 0, count: grid.channels)
    forEach(grid, weights) { _, channel, weight in
      result[channel] = max(result[channel], abs(weight))
    }
    return result
  }

  /// The expected squared error of all outputs, of rounding inputs and weights.
  ///
  /// - Parameters:
  ///   - scales: of each input channel, without its factor.
  ///   - powers: for each input channel the mean of its squares.
  static func expectedError(
    _ grid: WeightGrid, _ weights: Tensor, scale: Float, factors: [Float], powers: [Double]
  ) -> Double {
    var largest = [Float](repeating: 0, count: grid.outputs)
    var error = 0.0
    forEach(grid, weights) { output, channel, weight in
      largest[output] = max(largest[output], abs(weight * factors[channel]))
      let step = Double(scale * factors[channel] * weight)
      error += step * step
    }
    for output in 0..<grid.outputs {
      let first = grid.firstChannel(output)
      let step = Double(largest[output]) / 127
      for input in 0..<grid.inputs {
        let factor = Double(factors[first + input])
        error += powers[first + input] * step * step / (factor * factor) * Double(grid.taps)
      }
    }
    return error / 12
  }

  private static func forEach(
    _ grid: WeightGrid, _ weights: Tensor, _ body: (Int, Int, Float) -> Void
  ) {
    weights.withUnsafeBytes { bytes in
      guard let w = bytes.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
      for output in 0..<grid.outputs {
        let first = grid.firstChannel(output)
        for input in 0..<grid.inputs {
          let offset = grid.offset(output, input)
          for tap in 0..<grid.taps { body(output, first + input, w[offset + tap]) }
        }
      }
    }
  }
}

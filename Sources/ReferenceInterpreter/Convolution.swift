import KernelModel
import TensorModel

extension Interpreter {
  static func convolution(
    _ problem: Convolution, _ inputs: Operands, _ output: Output
  ) throws(ProblemError) -> Tensor {
    let x = try inputs[required: 0]
    let weights = try inputs[required: 1]
    let spatial = Array(x.shape.dropFirst(2)), results = Array(output.shape.dropFirst(2))
    let loops = ConvolutionLoops(
      windows: SlidingWindows(
        windows: problem.isTransposed ? spatial : results,
        elements: problem.isTransposed ? results : spatial,
        kernel: Array(weights.shape.dropFirst(2)), strides: try moderate(problem.strides),
        dilations: try moderate(problem.dilations), pads: try constants(problem.padsBefore)),
      isTransposed: problem.isTransposed, batch: x.shape[0], groups: problem.groups,
      inputChannels: x.shape[1] / problem.groups,
      outputChannels: output.shape[1] / problem.groups)
    guard output.shape[1] % problem.groups == 0, x.shape[1] % problem.groups == 0 else {
      throw ProblemError("channels of \(x.type) do not divide into \(problem.groups) groups")
    }
    let values: Numbers =
      switch (try Numbers(x), try Numbers(weights)) {
      case (.floating(let a), .floating(let w)):
        .floating(loops.run(a, w, count: output.elementCount))
      case (.integer(let a), .integer(let w)):
        .integer(loops.run(a, w, count: output.elementCount, padValue: Int64(problem.padValue)))
      default: throw ProblemError("x is \(x.dataType), the weights are \(weights.dataType)")
      }
    let sum = x.dataType.sumOfProducts(with: weights.dataType) ?? x.dataType
    return try finish(values, sum, problem.epilogue, inputs, own: 2, output)
  }
}

private struct ConvolutionLoops {
  /// Windows are the results, or, transposed, the elements of x.
  var windows: SlidingWindows
  var isTransposed: Bool
  var batch: Int
  var groups: Int
  /// Channels of each group.
  var inputChannels: Int
  var outputChannels: Int

  /// With x padded by a number: what is less by it is padded by zero, and the number's own products are added.
  func run(_ x: [Int64], _ weights: [Int64], count: Int, padValue: Int64) -> [Int64] {
    guard padValue != 0 else { return run(x, weights, count: count) }
    var result = run(x.map { $0 &- padValue }, weights, count: count)
    let channels = groups * outputChannels
    guard channels > 0 else { return result }
    let depth = weights.count / channels
    let pixels = windows.windows.reduce(1, *)
    for m in 0..<channels {
      let sum = weights[m * depth..<(m + 1) * depth].reduce(0, &+)
      for n in 0..<batch {
        for pixel in 0..<pixels { result[(n * channels + m) * pixels + pixel] &+= padValue &* sum }
      }
    }
    return result
  }

  func run<Value: Accumulator>(_ x: [Value], _ weights: [Value], count: Int) -> [Value] {
    var result = [Value](repeating: .zero, count: count)
    result.withUnsafeMutableBufferPointer { y in
      x.withUnsafeBufferPointer { x in
        weights.withUnsafeBufferPointer { w in
          guard let y = y.baseAddress, let x = x.baseAddress, let w = w.baseAddress else { return }
          for (index, tap) in Coordinates(windows.kernel).enumerated() {
            let rows = windows.rows(tap: tap)
            if !rows.isEmpty { addTap(index, rows, x, w, y) }
          }
        }
      }
    }
    return result
  }

  private func addTap<Value: Accumulator>(
    _ tap: Int, _ rows: [SlidingWindows.Row], _ x: UnsafePointer<Value>,
    _ weights: UnsafePointer<Value>, _ y: UnsafeMutablePointer<Value>
  ) {
    let taps = windows.kernel.reduce(1, *)
    let windowCount = windows.windows.reduce(1, *)
    let elementCount = windows.elements.reduce(1, *)
    let inputSize = isTransposed ? windowCount : elementCount
    let outputSize = isTransposed ? elementCount : windowCount
    let stride = windows.strides[windows.strides.count - 1]
    for n in 0..<batch {
      for group in 0..<groups {
        for m in 0..<outputChannels {
          let target = y + ((n * groups + group) * outputChannels + m) * outputSize
          for c in 0..<inputChannels {
            let source = x + ((n * groups + group) * inputChannels + c) * inputSize
            let filter =
              isTransposed
              ? (group * inputChannels + c) * outputChannels + m
              : (group * outputChannels + m) * inputChannels + c
            let weight = weights[filter * taps + tap]
            for row in rows {
              if isTransposed {
                accumulate(
                  weight, source + row.window, 1, into: target + row.element, stride,
                  count: row.count)
              } else {
                accumulate(
                  weight, source + row.element, stride, into: target + row.window, 1,
                  count: row.count)
              }
            }
          }
        }
      }
    }
  }
}

import TensorModel

/// Weights as `int8` from -127 to 127, with a scale for each output channel.
struct QuantizedChannels {
  let shape: [Int]
  let integers: [Int8]
  let scales: [Float]

  /// - Parameter numbers: finite, in row-major order.
  init(_ numbers: [Double], shape: [Int], axis: Int) {
    self.shape = shape
    let inner = shape[(axis + 1)...].reduce(1, *)
    let channels = shape[axis]
    var magnitudes = [Double](repeating: 0, count: channels)
    for (index, number) in numbers.enumerated() {
      let channel = index / inner % channels
      magnitudes[channel] = max(magnitudes[channel], abs(number))
    }
    let scales = magnitudes.map { magnitude in
      let scale = Float(magnitude / 127)
      // Where all weights are zero, or next to it, any scale will do.
      return scale > Float.leastNormalMagnitude ? scale : 1
    }
    integers = numbers.enumerated().map { index, number in
      let scale = Double(scales[index / inner % channels])
      return Int8(min(max((number / scale).rounded(.toNearestOrEven), -127), 127))
    }
    self.scales = scales
  }

  /// A bias in units of the products' scale; nil where it is not one number for each channel, or does not
  /// fit.
  func bias(_ tensor: Tensor, activationScale: Float) -> [Int32]? {
    guard tensor.dataType == .float32, tensor.shape == [scales.count],
      let numbers = tensor.numbers()
    else { return nil }
    var result: [Int32] = []
    for (number, scale) in zip(numbers, scales) {
      let exact = (number / Double(scale * activationScale)).rounded(.toNearestOrEven)
      // Products must find room beside it.
      guard abs(exact) < Double(Int32.max / 2) else { return nil }
      result.append(Int32(exact))
    }
    return result
  }
}

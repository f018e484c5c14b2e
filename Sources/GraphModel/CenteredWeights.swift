package import TensorModel

/// Constant weights of 8 bits as signed numbers around zero, and what is left of the zero points that
/// they had.
package struct CenteredWeights: Sendable {
  /// `int8`, of the shape of the weights.
  package let tensor: Tensor
  /// The sum of each channel's weights, each less its zero point.
  package let sums: [Int64]
  /// What each channel's weights less their zero point are more than `tensor`.
  package let rest: [Int64]
  /// The weights of one channel: how many products a sum is made of.
  package let depth: Int

  /// Whether `tensor` is all that is left.
  package var isExact: Bool { rest.allSatisfy { $0 == 0 } }

  /// Whether sums of products with 8-bit numbers, zero points taken off, stay within `int32`.
  package var fitsSums: Bool { depth <= Int(Int32.max) / (256 * 256) }

  /// - Parameters:
  ///   - weights: of `int8` or `uint8`.
  ///   - zeroPoints: one for all, or one for each channel.
  package init?(_ weights: Tensor, zeroPoints: [Int64], channelAxis axis: Int) {
    guard weights.dataType == .int8 || weights.dataType == .uint8,
      weights.shape.indices.contains(axis), weights.elementCount > 0
    else { return nil }
    let channels = weights.shape[axis]
    guard zeroPoints.count == 1 || zeroPoints.count == channels,
      zeroPoints.allSatisfy({ (-128...255).contains($0) })
    else { return nil }
    let inner = weights.shape[(axis + 1)...].reduce(1, *)
    let numbers = SignedNumbers(weights)
    var lowest = [Int](repeating: .max, count: channels)
    var highest = [Int](repeating: .min, count: channels)
    var sums = [Int](repeating: 0, count: channels)
    numbers.forEach(channels, inner) { channel, number in
      lowest[channel] = min(lowest[channel], number)
      highest[channel] = max(highest[channel], number)
      sums[channel] += number
    }
    let zeros = (0..<channels).map { Int(zeroPoints[zeroPoints.count == 1 ? 0 : $0]) }
    let depth = weights.elementCount / channels
    // Where the range is too wide, the middle of the type becomes zero.
    let middle = weights.dataType == .uint8 ? 128 : 0
    let shifts = (0..<channels).map { channel in
      let fits =
        lowest[channel] - zeros[channel] >= -128 && highest[channel] - zeros[channel] <= 127
      return fits ? zeros[channel] : middle
    }
    rest = (0..<channels).map { Int64(shifts[$0] - zeros[$0]) }
    self.sums = (0..<channels).map { Int64(sums[$0]) - Int64(depth) * Int64(zeros[$0]) }
    var shifted: [Int8] = []
    shifted.reserveCapacity(weights.elementCount)
    numbers.forEach(channels, inner) { channel, number in
      shifted.append(Int8(truncatingIfNeeded: number - shifts[channel]))
    }
    guard let tensor = try? Tensor(shifted, shape: weights.shape) else { return nil }
    self.tensor = tensor
    self.depth = depth
  }
}

/// The elements of a tensor of 8-bit integers.
private struct SignedNumbers {
  private let tensor: Tensor

  init(_ tensor: Tensor) { self.tensor = tensor }

  /// Calls `body` with the channel and the number of every element, in order.
  func forEach(_ channels: Int, _ inner: Int, _ body: (Int, Int) -> Void) {
    let isSigned = tensor.dataType == .int8
    tensor.withUnsafeBytes { bytes in
      var index = 0
      while index < bytes.count {
        for channel in 0..<channels {
          for offset in 0..<inner {
            let byte = bytes[index + offset]
            body(channel, isSigned ? Int(Int8(bitPattern: byte)) : Int(byte))
          }
          index += inner
        }
      }
    }
  }
}

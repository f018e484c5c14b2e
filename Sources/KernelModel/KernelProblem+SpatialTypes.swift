package import TensorModel

extension Convolution {
  package func outputType(x: TensorType, weights: TensorType) throws(ProblemError) -> TensorType {
    let spatial = x.rank - 2
    guard spatial >= 1, weights.rank == x.rank, strides.count == spatial,
      dilations.count == spatial, padsBefore.count == spatial, padsAfter.count == spatial,
      outputPadding.count == spatial
    else {
      throw ProblemError(
        "convolution of x \(x.shape) with weights \(weights.shape), \(strides.count) strides, "
          + "\(dilations.count) dilations and \(padsBefore.count) pads")
    }
    guard strides.allSatisfy({ $0 > 0 }), dilations.allSatisfy({ $0 > 0 }), groups > 0 else {
      throw ProblemError(
        "strides \(strides), dilations \(dilations) and groups \(groups) must be positive")
    }
    guard let sum = x.dataType.sumOfProducts(with: weights.dataType) else {
      throw ProblemError("x is \(x.dataType) and the weights are \(weights.dataType)")
    }
    guard padValue == 0 || sum != x.dataType && !isTransposed,
      x.dataType.integerRange?.contains(Int64(padValue)) ?? (padValue == 0)
    else {
      throw ProblemError("x of \(x.dataType) cannot be padded with \(padValue)")
    }
    let perGroup = isTransposed ? weights.shape[0] : weights.shape[1] * Dimension(groups)
    guard Normalization.agree(perGroup, x.shape[1]) else {
      throw ProblemError(
        "x \(x.shape) has \(x.shape[1]) channels, weights \(weights.shape) in \(groups) groups need \(perGroup)"
      )
    }
    let outputChannels = isTransposed ? weights.shape[1] * Dimension(groups) : weights.shape[0]
    if let channels = outputChannels.constant, channels % groups != 0 {
      throw ProblemError("\(channels) output channels do not divide into \(groups) groups")
    }
    var dimensions = [x.shape[0], outputChannels]
    for axis in 0..<spatial { dimensions.append(outputExtent(axis, x: x, weights: weights)) }
    return TensorType(sum, Shape(dimensions))
  }

  private func outputExtent(_ axis: Int, x: TensorType, weights: TensorType) -> Dimension {
    let extent = x.shape[axis + 2]
    let reach = (weights.shape[axis + 2] - 1) * Dimension(dilations[axis]) + 1
    let pads = padsBefore[axis] + padsAfter[axis]
    if isTransposed {
      return (extent - 1) * Dimension(strides[axis]) + Dimension(outputPadding[axis]) + reach - pads
    }
    return (extent + pads - reach).floorDivided(by: Dimension(strides[axis])) + 1
  }
}

extension DataType {
  /// Whether numbers of the type are 8-bit integers.
  package var isByte: Bool { self == .int8 || self == .uint8 }

  /// The type that products with numbers of another type are summed in: `int32` for 8-bit integers, for
  /// all others their common type.
  package func sumOfProducts(with other: DataType) -> DataType? {
    if isByte, other.isByte { return .int32 }
    return self == other ? self : nil
  }
}

extension MatrixProduct {
  package func outputType(a: TensorType, b: TensorType) throws(ProblemError) -> TensorType {
    guard a.rank >= 2, b.rank >= 2 else {
      throw ProblemError("matrix product of ranks \(a.rank) and \(b.rank)")
    }
    guard let sum = a.dataType.sumOfProducts(with: b.dataType) else {
      throw ProblemError("a is \(a.dataType) and b is \(b.dataType)")
    }
    let (m, k) =
      transposesA
      ? (a.shape[a.rank - 1], a.shape[a.rank - 2]) : (a.shape[a.rank - 2], a.shape[a.rank - 1])
    let (l, n) =
      transposesB
      ? (b.shape[b.rank - 1], b.shape[b.rank - 2]) : (b.shape[b.rank - 2], b.shape[b.rank - 1])
    guard Normalization.agree(k, l) else {
      throw ProblemError("the inner extents of \(a.shape) and \(b.shape) differ: \(k) and \(l)")
    }
    guard
      let batch = ShapeMath.broadcast(
        Shape(Array(a.shape.dimensions.dropLast(2))), Shape(Array(b.shape.dimensions.dropLast(2))))
    else { throw ProblemError("the batch extents of \(a.shape) and \(b.shape) do not broadcast") }
    return TensorType(sum, Shape(batch.dimensions + [m, n]))
  }
}

extension Window {
  package func outputTypes(of x: TensorType) throws(ProblemError) -> [TensorType] {
    let spatial = x.rank - 2
    guard spatial >= 1, kernel.count == spatial, strides.count == spatial,
      dilations.count == spatial, padsBefore.count == spatial, padsAfter.count == spatial
    else {
      throw ProblemError("a window of \(kernel) with \(strides.count) strides over x \(x.shape)")
    }
    guard (kernel + strides + dilations).allSatisfy({ $0 > 0 }) else {
      throw ProblemError(
        "kernel \(kernel), strides \(strides) and dilations \(dilations) must be positive")
    }
    var shape = x.shape
    for axis in 0..<spatial {
      let (reach, overflow) = (kernel[axis] - 1).multipliedReportingOverflow(by: dilations[axis])
      guard !overflow, reach < Int.max else {
        throw ProblemError("a window of \(kernel) is too large")
      }
      shape[axis + 2] = outputExtent(axis, extent: x.shape[axis + 2], reach: Dimension(reach + 1))
    }
    let values = TensorType(x.dataType, shape)
    return indices == .none ? [values] : [values, TensorType(.int64, shape)]
  }

  private func outputExtent(_ axis: Int, extent: Dimension, reach: Dimension) -> Dimension {
    let stride = Dimension(strides[axis])
    let span = extent + padsBefore[axis] + padsAfter[axis] - reach
    guard roundsUp else { return span.floorDivided(by: stride) + 1 }
    let count = span.ceilingDivided(by: stride) + 1
    // A window that would begin beyond x and its leading pad does not count.
    return .minimum(count, (extent + padsBefore[axis]).ceilingDivided(by: stride))
  }
}

extension Recurrence {
  package func outputTypes(of inputs: [TensorType?]) throws(ProblemError) -> [TensorType] {
    guard inputs.count >= 3, inputs.count <= 8, let x = inputs[0], let w = inputs[1],
      let r = inputs[2],
      x.rank == 3, w.rank == 3, r.rank == 3
    else { throw ProblemError("a recurrent layer needs x, w and r of rank 3") }
    let hidden = Dimension(hiddenSize), directions = Dimension(directionCount)
    let gates = Dimension(gateCount) * hidden
    let batch = x.shape[1]
    let expected: [Shape?] = [
      nil, [directions, gates, x.shape[2]], [directions, gates, hidden],
      [directions, 2 * gates], [batch], [directions, batch, hidden], [directions, batch, hidden],
      [directions, 3 * hidden],
    ]
    let names = [
      "x", "w", "r", "the bias", "lengths", "the initial h", "the initial c", "the peepholes",
    ]
    for (index, input) in inputs.enumerated() {
      guard let input, let shape = expected[index] else { continue }
      let fits =
        input.rank == shape.rank
        && zip(input.shape.dimensions, shape.dimensions).allSatisfy { Normalization.agree($0, $1) }
      guard fits else {
        throw ProblemError("\(names[index]) has shape \(input.shape), expected \(shape)")
      }
    }
    let activationCount = directionCount * (cell == .lstm ? 3 : cell == .gru ? 2 : 1)
    guard hiddenSize > 0, activations.count == activationCount else {
      throw ProblemError("\(activations.count) activations given, \(activationCount) needed")
    }
    let last = TensorType(x.dataType, [directions, batch, hidden])
    let all = TensorType(x.dataType, [x.shape[0], directions, batch, hidden])
    return cell == .lstm ? [all, last, last] : [all, last]
  }
}

package import TensorModel

/// What a kernel computes: the closed language that every device implements.
///
/// A problem holds no shapes of its operands; those come with the operands. Extents inside a problem
/// (a reshape's target, pads) may be symbolic. The inputs of a problem are its own operands, in the order
/// documented at each case, followed by the operands of its epilogue; an absent optional operand is nil.
///
/// An epilogue is a `ScalarExpression` in which operand 0 is the value that the kernel would store and
/// operand `k` is input `ownOperandCount + k - 1`, broadcast to the output's shape by NumPy's rules.
package enum KernelProblem: Hashable, Sendable, Codable {
  /// Inputs: all operands of the expression, broadcast against each other. One output.
  case pointwise(Pointwise)
  /// Input: x. One output.
  case reduction(Reduction)
  /// Inputs: x `[N, C, spatial...]`, weights `[M, C / groups, kernel...]` (transposed:
  /// `[C, M / groups, kernel...]`). Output `[N, M, spatial...]`. Factors of 8-bit integers, signed or not,
  /// are summed in `int32`.
  case convolution(Convolution)
  /// Inputs: a `[..., M, K]`, b `[..., K, N]`, batch extents broadcast. Output `[..., M, N]`. Factors of
  /// 8-bit integers, signed or not, are summed in `int32`.
  case matmul(MatrixProduct)
  /// Pooling. Input: x `[N, C, spatial...]`. Output likewise, and the indices where asked for.
  case window(Window)
  /// Inputs: x, scale?, bias?. One output of x's shape.
  case normalization(Normalization)
  /// Inputs: query `[B, H, S, D]`, key `[B, G, T, D]`, value `[B, G, T, V]`, mask? broadcast to
  /// `[B, H, S, T]` (`bool`: false excludes; otherwise added). Output `[B, H, S, V]`.
  case attention(Attention)
  /// Inputs: x `[T, B, I]`, w `[D, G*H, I]`, r `[D, G*H, H]`, bias `[D, 2*G*H]`?, lengths `[B]`?,
  /// initial h `[D, B, H]`?, initial c?, peepholes `[D, 3*H]`?. Outputs: y `[T, D, B, H]`, last h `[D, B, H]`
  /// and, for LSTM, last c.
  case recurrence(Recurrence)
  /// Inputs: data, indices. One output.
  case gather(Gather)
  /// Inputs: data, indices, updates. One output of data's shape.
  case scatter(Scatter)
  /// Input: x (concatenation: all inputs). One output.
  case copy(Copy)
  /// Input: x. One output.
  case resample(Resample)
  /// Input: x. Outputs: values and `int64` indices.
  case sort(Sort)
  /// Input: x. One output of x's shape.
  case scan(Scan)
}

/// `output = expression(operands)`, for every element.
package struct Pointwise: Hashable, Sendable, Codable {
  package var expression: ScalarExpression
  /// The output's shape where it is not that of the operands broadcast together.
  package var shape: Shape?

  package init(_ expression: ScalarExpression, shape: Shape? = nil) {
    self.expression = expression
    self.shape = shape
  }
}

/// A function over whole axes.
package struct Reduction: Hashable, Sendable, Codable {
  package enum Function: String, Hashable, Sendable, Codable, CaseIterable {
    case sum, mean, product, minimum, maximum
    case sumOfSquares, l1Norm, l2Norm, logSum, logSumExp
    /// The `int64` index of the first or last extremum; exactly one axis.
    case firstMaximum, lastMaximum, firstMinimum, lastMinimum
  }

  package var function: Function
  /// Ascending, without repetition, each in `0 ..< rank`.
  package var axes: [Int]
  package var keepsDimensions: Bool
  /// Applied to each element of x (operand 0) before it is reduced.
  package var prologue: ScalarExpression
  package var epilogue: ScalarExpression

  package init(
    _ function: Function, axes: [Int], keepsDimensions: Bool,
    prologue: ScalarExpression = .operand(0), epilogue: ScalarExpression = .operand(0)
  ) {
    self.function = function
    self.axes = axes
    self.keepsDimensions = keepsDimensions
    self.prologue = prologue
    self.epilogue = epilogue
  }
}

/// Cross-correlation over any number of spatial axes, or its transpose.
package struct Convolution: Hashable, Sendable {
  package var strides: [Int]
  package var dilations: [Int]
  package var padsBefore: [Dimension]
  package var padsAfter: [Dimension]
  package var groups: Int
  package var isTransposed: Bool
  /// Transposed only: extents added at the end of each spatial axis.
  package var outputPadding: [Int]
  /// 8-bit integers only: what x is taken to hold outside of its extent, the zero point of its numbers.
  package var padValue: Int
  package var epilogue: ScalarExpression

  package init(
    strides: [Int], dilations: [Int], padsBefore: [Dimension], padsAfter: [Dimension],
    groups: Int = 1, isTransposed: Bool = false, outputPadding: [Int] = [], padValue: Int = 0,
    epilogue: ScalarExpression = .operand(0)
  ) {
    self.strides = strides
    self.dilations = dilations
    self.padsBefore = padsBefore
    self.padsAfter = padsAfter
    self.groups = groups
    self.isTransposed = isTransposed
    self.outputPadding = outputPadding.isEmpty ? strides.map { _ in 0 } : outputPadding
    self.padValue = padValue
    self.epilogue = epilogue
  }
}

package struct MatrixProduct: Hashable, Sendable, Codable {
  /// Whether a is stored `[..., K, M]`.
  package var transposesA: Bool
  /// Whether b is stored `[..., N, K]`.
  package var transposesB: Bool
  package var epilogue: ScalarExpression

  package init(
    transposesA: Bool = false, transposesB: Bool = false,
    epilogue: ScalarExpression = .operand(0)
  ) {
    self.transposesA = transposesA
    self.transposesB = transposesB
    self.epilogue = epilogue
  }
}

/// A function over a sliding window of the spatial axes.
package struct Window: Hashable, Sendable, Codable {
  package enum Function: Hashable, Sendable, Codable {
    case maximum
    /// `countsPadding`: the divisor is the whole window, not only the elements inside x.
    case average(countsPadding: Bool)
    case norm(p: Int)
  }

  package var function: Function
  package var kernel: [Int]
  package var strides: [Int]
  package var dilations: [Int]
  package var padsBefore: [Dimension]
  package var padsAfter: [Dimension]
  /// Whether a last, partial window counts.
  package var roundsUp: Bool
  /// Maximum only: a second output of `int64` positions in the flattened x;
  /// `columnMajor` counts spatial axes in reverse order.
  package var indices: Indices
  package var epilogue: ScalarExpression

  package enum Indices: String, Hashable, Sendable, Codable { case none, rowMajor, columnMajor }

  package init(
    _ function: Function, kernel: [Int], strides: [Int], dilations: [Int],
    padsBefore: [Dimension], padsAfter: [Dimension], roundsUp: Bool = false,
    indices: Indices = .none, epilogue: ScalarExpression = .operand(0)
  ) {
    self.function = function
    self.kernel = kernel
    self.strides = strides
    self.dilations = dilations
    self.padsBefore = padsBefore
    self.padsAfter = padsAfter
    self.roundsUp = roundsUp
    self.indices = indices
    self.epilogue = epilogue
  }
}

package struct Normalization: Hashable, Sendable, Codable {
  package enum Kind: Hashable, Sendable, Codable {
    case softmax(axis: Int)
    case logSoftmax(axis: Int)
    /// `(x - mean) / sqrt(variance + epsilon) * scale + bias` over the axes from `axis` to the last;
    /// scale and bias broadcast against x.
    case layer(axis: Int, epsilon: Double)
    /// `x / sqrt(mean(x * x) + epsilon) * scale` over the axes from `axis` to the last.
    case rootMeanSquare(axis: Int, epsilon: Double)
    /// Over groups of channels and all spatial axes; x `[N, C, ...]`, scale and bias `[C]`.
    case group(groups: Dimension, epsilon: Double)
    /// Local response normalisation across channels of x `[N, C, ...]`.
    case localResponse(size: Int, alpha: Double, beta: Double, bias: Double)
  }

  package var kind: Kind
  package var epilogue: ScalarExpression

  package init(_ kind: Kind, epilogue: ScalarExpression = .operand(0)) {
    self.kind = kind
    self.epilogue = epilogue
  }
}

/// `softmax(scale * query * transpose(key) + mask) * value`.
package struct Attention: Hashable, Sendable, Codable {
  package var scale: Double
  /// Whether query `s` sees only keys `t <= s + offset`, with `offset` the count of earlier keys (T - S
  /// where `alignsEnds`, else 0).
  package var isCausal: Bool
  package var alignsEnds: Bool
  /// Scores become `softCap * tanh(score / softCap)`; 0 for none.
  package var softCap: Double
  package var epilogue: ScalarExpression

  package init(
    scale: Double, isCausal: Bool = false, alignsEnds: Bool = false, softCap: Double = 0,
    epilogue: ScalarExpression = .operand(0)
  ) {
    self.scale = scale
    self.isCausal = isCausal
    self.alignsEnds = alignsEnds
    self.softCap = softCap
    self.epilogue = epilogue
  }
}

/// ONNX's recurrent layers. Gate orders: LSTM i, o, f, c; GRU z, r, h.
package struct Recurrence: Hashable, Sendable, Codable {
  package enum Cell: String, Hashable, Sendable, Codable { case rnn, gru, lstm }
  package enum Direction: String, Hashable, Sendable, Codable {
    case forward, reverse, bidirectional
  }

  package var cell: Cell
  package var direction: Direction
  package var hiddenSize: Int
  /// One function of operand 0 for each activation of each direction, in ONNX's order (f, g, h).
  package var activations: [ScalarExpression]
  /// Pre-activations are clamped to ±clip; 0 for no bound.
  package var clip: Double
  /// GRU: the linear transformation is applied before the reset gate multiplies.
  package var resetsAfterLinear: Bool
  /// LSTM: forget gate = 1 - input gate.
  package var couplesInputAndForget: Bool

  package init(
    cell: Cell, direction: Direction, hiddenSize: Int, activations: [ScalarExpression],
    clip: Double = 0, resetsAfterLinear: Bool = false, couplesInputAndForget: Bool = false
  ) {
    self.cell = cell
    self.direction = direction
    self.hiddenSize = hiddenSize
    self.activations = activations
    self.clip = clip
    self.resetsAfterLinear = resetsAfterLinear
    self.couplesInputAndForget = couplesInputAndForget
  }

  package var directionCount: Int { direction == .bidirectional ? 2 : 1 }
  package var gateCount: Int {
    switch cell {
    case .rnn: 1
    case .gru: 3
    case .lstm: 4
    }
  }
}

/// Negative indices count from the end; an index out of range is clamped, never read.
package enum Gather: Hashable, Sendable, Codable {
  /// Whole slices along an axis: output `data[:axis] + indices + data[axis+1:]`.
  case slices(axis: Int)
  /// One element per index; indices have data's rank.
  case elements(axis: Int)
  /// The last axis of indices holds coordinates, after `batchAxes` shared axes.
  case coordinates(batchAxes: Int)
}

/// Negative indices count from the end; an index out of range writes nothing.
package struct Scatter: Hashable, Sendable, Codable {
  package enum Kind: Hashable, Sendable, Codable {
    case elements(axis: Int)
    case coordinates
  }
  package enum Combination: String, Hashable, Sendable, Codable {
    case replace, add, multiply, minimum, maximum
  }

  package var kind: Kind
  package var combination: Combination

  package init(_ kind: Kind, _ combination: Combination) {
    self.kind = kind
    self.combination = combination
  }
}

/// Movement of elements without arithmetic.
package enum Copy: Hashable, Sendable, Codable {
  case reshape(Shape)
  /// Output axis `i` is input axis `permutation[i]`.
  case transpose([Int])
  /// NumPy's broadcasting to a shape.
  case expand(Shape)
  /// For each axis, `sizes` elements from `starts` in `steps` (never 0, may be negative).
  case slice(starts: [Dimension], sizes: [Dimension], steps: [Int])
  /// Negative pads crop.
  case pad(PadMode, before: [Dimension], after: [Dimension])
  case concatenate(axis: Int)
  case tile([Dimension])

  package enum PadMode: Hashable, Sendable, Codable {
    case constant(Double)
    case reflect, edge, wrap
  }
}

package struct Resample: Hashable, Sendable, Codable {
  package enum Interpolation: Hashable, Sendable, Codable {
    case nearest(Rounding)
    case linear(antialias: Bool)
    case cubic(coefficient: Double, antialias: Bool)
  }
  package enum Rounding: String, Hashable, Sendable, Codable {
    case preferFloor, preferCeiling, floor, ceiling
  }
  package enum Coordinates: String, Hashable, Sendable, Codable {
    case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric
    case cropAndResize
  }

  package var interpolation: Interpolation
  package var coordinates: Coordinates
  package var shape: Shape
  /// For each axis the scale in use; nil: output extent over input extent.
  package var scales: [Double]?
  /// `cropAndResize`: starts then ends, for each axis.
  package var regionOfInterest: [Double]
  /// `cropAndResize`: the value outside x.
  package var extrapolation: Double
  /// Weights of taps outside x are zero and the others rescaled.
  package var excludesOutside: Bool
  package var epilogue: ScalarExpression

  package init(
    _ interpolation: Interpolation, coordinates: Coordinates, shape: Shape, scales: [Double]? = nil,
    regionOfInterest: [Double] = [], extrapolation: Double = 0, excludesOutside: Bool = false,
    epilogue: ScalarExpression = .operand(0)
  ) {
    self.interpolation = interpolation
    self.coordinates = coordinates
    self.shape = shape
    self.scales = scales
    self.regionOfInterest = regionOfInterest
    self.extrapolation = extrapolation
    self.excludesOutside = excludesOutside
    self.epilogue = epilogue
  }
}

/// The `count` first elements of an axis by order; equal elements keep the order of their indices.
package struct Sort: Hashable, Sendable, Codable {
  package var axis: Int
  package var count: Dimension
  package var descending: Bool

  package init(axis: Int, count: Dimension, descending: Bool) {
    self.axis = axis
    self.count = count
    self.descending = descending
  }
}

/// Running results along an axis.
package struct Scan: Hashable, Sendable, Codable {
  package enum Function: String, Hashable, Sendable, Codable { case sum, product }

  package var function: Function
  package var axis: Int
  package var isExclusive: Bool
  package var isReversed: Bool

  package init(_ function: Function, axis: Int, isExclusive: Bool, isReversed: Bool) {
    self.function = function
    self.axis = axis
    self.isExclusive = isExclusive
    self.isReversed = isReversed
  }
}

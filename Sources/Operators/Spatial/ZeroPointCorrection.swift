import GraphModel
import KernelModel
import TensorModel

/// Sums of products of 8-bit numbers with constant weights, as a kernel forms them, and what makes up for
/// the zero points of both: `sum((x - zx) * (w - zw))` in terms of `sum(x * v)`, exact in `int32`.
struct ZeroPointCorrection {
  /// The weights `v`, of `int8`.
  let weights: Operand
  /// The corrected sum: operand 0 is the kernel's sum, the others are `inputs`.
  let sum: ScalarExpression
  let inputs: [Operand]

  /// How the operands of the corrected sum lie in the result.
  struct Layout {
    /// The axis of the weights that counts channels.
    var weightAxis: Int
    /// How many axes of the result come after its channels.
    var trailing: Int
  }

  /// Nil where the weights are no constants of 8 bits, or sums might leave `int32`.
  ///
  /// - Parameters:
  ///   - zeroPoint: of x, one number.
  ///   - bias: `int32`, added to the sums; in the shape that broadcasts to the result.
  ///   - inputSums: emits the sums of x alone under each kernel, given ones of the weights' shape.
  init?(
    _ expansion: inout Expansion, x: Operand, zeroPoint: Operand?, weights: Operand,
    weightZeroPoint: Operand?, bias: Operand?, layout: Layout,
    inputSums: (inout Expansion) throws(OperatorError) -> Operand?
  ) throws(OperatorError) {
    guard x.dataType.isByte, zeroPoint.map({ $0.shape.elementCount.constant == 1 }) ?? true,
      let tensor = expansion.constant(weights),
      let zeros = Self.zeroPoints(expansion, weightZeroPoint),
      let centered = CenteredWeights(tensor, zeroPoints: zeros, channelAxis: layout.weightAxis),
      centered.fitsSums
    else { return nil }
    // Modulo 2^32, as kernels add.
    func vector(_ numbers: [Int64]) throws(OperatorError) -> Operand? {
      let extents = [numbers.count] + [Int](repeating: 1, count: layout.trailing)
      let wrapped = numbers.map { Int32(truncatingIfNeeded: $0) }
      return (try? Tensor(wrapped, shape: extents)).map { expansion.constant($0) }
    }
    var sum = ScalarExpression.operand(0)
    var inputs: [Operand] = []
    func next(_ operand: Operand) -> ScalarExpression {
      inputs.append(operand)
      return .operand(inputs.count)
    }
    let zero = zeroPoint.map { expansion.constant($0)?.integers()?.first } ?? 0
    var offsets = centered.sums.map { -(zero ?? 0) * $0 }
    var bias = bias
    if let known = bias.flatMap({ expansion.constant($0)?.integers() }),
      known.count == offsets.count
    {
      offsets = zip(offsets, known).map { $0 + $1 }
      bias = nil
    }
    if offsets.contains(where: { $0 != 0 }) {
      guard let correction = try vector(offsets) else { return nil }
      sum = sum + next(correction)
    }
    if let bias { sum = sum + next(bias) }
    if zero == nil, let zeroPoint {
      guard let sums = try vector(centered.sums) else { return nil }
      sum = sum - .cast(next(try expansion.asScalar(zeroPoint)), .int32) * next(sums)
    }
    if !centered.isExact {
      guard let ones = try inputSums(&expansion), let rest = try vector(centered.rest) else {
        return nil
      }
      sum = sum + next(ones) * next(rest)
    }
    self.weights = expansion.constant(centered.tensor)
    self.sum = sum
    self.inputs = inputs
  }

  /// One zero point for all channels or one for each; nil where they are not constants.
  private static func zeroPoints(_ expansion: Expansion, _ operand: Operand?) -> [Int64]? {
    guard let operand else { return [0] }
    return expansion.constant(operand)?.integers()
  }
}

/// What turns sums of products of quantised numbers into numbers, or quantises them again.
struct Requantization {
  /// In terms of operand 0, which is the sum in `int32` or `float32`, and `inputs`.
  let epilogue: ScalarExpression
  let inputs: [Operand]

  /// - Parameters:
  ///   - scales: the scales of both factors.
  ///   - sum: the sum in terms of operand 0 and `sumInputs`.
  ///   - outputScale: nil leaves the result in `float32`.
  init(
    _ expansion: inout Expansion, scales: [Operand], sum: ScalarExpression,
    sumInputs: [Operand], outputScale: Operand?, zeroPoint: Operand?, type: DataType
  ) throws(OperatorError) {
    func wide(_ index: Int, _ operand: Operand) -> ScalarExpression {
      operand.dataType == .float32 ? .operand(index) : .cast(.operand(index), .float32)
    }
    // Each step is rounded, as ONNX Runtime does: where a sum is half-way, the last bit decides.
    var factor = scales[0]
    for scale in scales.dropFirst() {
      factor = try expansion.pointwise(wide(0, factor) * wide(1, scale), [factor, scale])
    }
    if let outputScale {
      factor = try expansion.pointwise(
        wide(0, factor) / wide(1, outputScale), [factor, outputScale])
    }
    if factor.dataType != .float32 { factor = try expansion.cast(factor, to: .float32) }
    var inputs = sumInputs + [factor]
    let scaled = ScalarExpression.cast(sum, .float32) * .operand(inputs.count)
    guard outputScale != nil else {
      epilogue = scaled
      self.inputs = inputs
      return
    }
    var shift: ScalarExpression?
    if let zeroPoint, !expansion.isZero(zeroPoint) {
      inputs.append(zeroPoint)
      shift = .cast(.operand(inputs.count), .float32)
    }
    epilogue = try .requantized(scaled, zeroPoint: shift, to: type)
    self.inputs = inputs
  }
}

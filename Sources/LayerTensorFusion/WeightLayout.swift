import KernelModel
import TensorModel

/// Where the channels of a contraction lie in its weights: `[blocks][groups][rows][columns][taps]`,
/// rows being the outputs of a group and columns its inputs, or the other way round. Channel `c` of
/// group `g` is channel `g * count + c` of all.
///
/// Weights may take hundreds of megabytes: the loops run over contiguous single precision.
struct WeightLayout {
  private var groups: Int
  private var blocks: Int
  private var outputs: Int
  private var inputs: Int
  private var taps: Int
  /// Whether the rows are outputs.
  private var outputsFirst: Bool
  private var isValid: Bool

  init(_ problem: KernelProblem, _ weights: Tensor) {
    let shape = weights.shape
    groups = 1
    blocks = 1
    taps = 1
    outputs = 0
    inputs = 0
    outputsFirst = true
    isValid = shape.count >= 2
    guard isValid else { return }
    switch problem {
    case .convolution(let convolution):
      groups = convolution.groups
      taps = shape.dropFirst(2).reduce(1, *)
      isValid = groups > 0 && shape[0] % max(groups, 1) == 0
      guard isValid else { return }
      outputsFirst = !convolution.isTransposed
      outputs = convolution.isTransposed ? shape[1] : shape[0] / groups
      inputs = convolution.isTransposed ? shape[0] / groups : shape[1]
    case .matmul(let product):
      blocks = shape.dropLast(2).reduce(1, *)
      outputsFirst = product.transposesB
      outputs = shape[shape.count - (product.transposesB ? 2 : 1)]
      inputs = shape[shape.count - (product.transposesB ? 1 : 2)]
    default: isValid = false
    }
  }

  /// How many channels the contraction reads.
  var inputCount: Int? { isValid ? inputs * groups : nil }

  /// The weights with each output's multiplied by its factor.
  func scalingOutputs(_ weights: Tensor, _ factors: ChannelVector) -> Tensor? {
    scaled(weights, (0..<(groups * outputs)).map { Float(factors[$0]) }, alongOutputs: true)
  }

  /// The weights with each input's multiplied by its factor.
  func scalingInputs(_ weights: Tensor, _ factors: ChannelVector) -> Tensor? {
    scaled(weights, (0..<(groups * inputs)).map { Float(factors[$0]) }, alongOutputs: false)
  }

  private func scaled(_ weights: Tensor, _ factors: [Float], alongOutputs: Bool) -> Tensor? {
    guard isValid, weights.dataType == .float32,
      var result = try? Tensor(uninitialized: .float32, shape: weights.shape)
    else { return nil }
    let rows = outputsFirst ? outputs : inputs
    let columns = outputsFirst ? inputs : outputs
    result.withUnsafeMutableBytes { target in
      weights.withUnsafeBytes { source in
        let source = source.bindMemory(to: Float.self)
        let target = target.bindMemory(to: Float.self)
        if alongOutputs == outputsFirst {
          scaleRows(source, target, factors, rows: rows, length: columns * taps)
        } else {
          scaleColumns(source, target, factors, rows: rows, columns: columns)
        }
      }
    }
    return result
  }

  /// One factor for each contiguous row.
  private func scaleRows(
    _ source: UnsafeBufferPointer<Float>, _ target: UnsafeMutableBufferPointer<Float>,
    _ factors: [Float], rows: Int, length: Int
  ) {
    var index = 0
    for _ in 0..<blocks {
      for row in 0..<(groups * rows) {
        let factor = factors[row]
        for element in index..<(index + length) { target[element] = source[element] * factor }
        index += length
      }
    }
  }

  /// The same factors for the columns of every row of a group.
  private func scaleColumns(
    _ source: UnsafeBufferPointer<Float>, _ target: UnsafeMutableBufferPointer<Float>,
    _ factors: [Float], rows: Int, columns: Int
  ) {
    var index = 0
    for _ in 0..<blocks {
      for group in 0..<groups {
        let row = factors[(group * columns)..<((group + 1) * columns)].flatMap {
          repeatElement($0, count: taps)
        }
        for _ in 0..<rows {
          for element in row.indices {
            target[index + element] = source[index + element] * row[element]
          }
          index += row.count
        }
      }
    }
  }

  /// For each output the sum of its weights times their inputs' numbers; nil for batched weights,
  /// whose outputs have several.
  func summingInputs(_ weights: Tensor, _ numbers: ChannelVector) -> [Double]? {
    guard isValid, weights.dataType == .float32, blocks == 1 else { return nil }
    var sums = [Double](repeating: 0, count: groups * outputs)
    let rows = outputsFirst ? outputs : inputs
    let columns = outputsFirst ? inputs : outputs
    weights.withUnsafeBytes { bytes in
      let source = bytes.bindMemory(to: Float.self)
      var index = 0
      for group in 0..<groups {
        for first in 0..<rows {
          for second in 0..<columns {
            let (output, input) = outputsFirst ? (first, second) : (second, first)
            var sum = 0.0
            for tap in index..<(index + taps) { sum += Double(source[tap]) }
            sums[group * outputs + output] += sum * numbers[group * inputs + input]
            index += taps
          }
        }
      }
    }
    return sums
  }
}

import GraphModel
import KernelModel
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The matrix that sums the bins of a spectrum into bands of the mel scale. Source: ONNX `MelWeightMatrix`.
struct MelWeightMatrixOperator: HostOperator {
  static let spellings = [Spelling.onnx("MelWeightMatrix")]

  private let type: DataType

  /// Larger matrices than this are refused.
  private static let maximumCount = 1 << 26

  init(_ attributes: AttributeReader) throws(OperatorError) {
    type = try attributes.optionalType("output_datatype") ?? .float32
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    try emitHostOrFold(
      &expansion,
      outputs: [
        TensorType(type, [expansion.freshSymbol("bins"), expansion.freshSymbol("bands")])
      ])
  }

  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    var numbers: [Double] = []
    for index in 0..<5 {
      guard let number = try HostInputs.numbers(inputs, index).first, number.isFinite else {
        throw OperatorError("input \(index) is not a number")
      }
      numbers.append(number)
    }
    guard let bands = Int(exactly: numbers[0]), let length = Int(exactly: numbers[1]), bands > 0,
      length > 0, numbers[2] > 0, bands <= Self.maximumCount / (length / 2 + 1)
    else {
      throw OperatorError(
        "\(numbers[0]) bands of a spectrum of length \(numbers[1]) at rate \(numbers[2])")
    }
    let edges = try self.edges(
      bands: bands, length: length, rate: numbers[2], low: numbers[3], high: numbers[4])
    var weights = [Double](repeating: 0, count: (length / 2 + 1) * bands)
    for band in 0..<bands {
      let (left, center, right) = (edges[band], edges[band + 1], edges[band + 2])
      if left == center { weights[center * bands + band] = 1 }
      for bin in left..<center {
        weights[bin * bands + band] = Double(bin - left) / Double(center - left)
      }
      if left < center { weights[center * bands + band] = 1 }
      for bin in center..<right {
        weights[bin * bands + band] = Double(right - bin) / Double(right - center)
      }
    }
    return [try HostInputs.numbers(weights, type, [length / 2 + 1, bands])]
  }

  /// The bins where bands begin, reach their middle and end.
  private func edges(
    bands: Int, length: Int, rate: Double, low: Double, high: Double
  ) throws(OperatorError) -> [Int] {
    let lowest = 2595 * log10(1 + low / 700), highest = 2595 * log10(1 + high / 700)
    let step = (highest - lowest) / Double(bands + 2)
    var edges: [Int] = []
    for index in 0..<(bands + 2) {
      let frequency = 700 * (pow(10, (Double(index) * step + lowest) / 2595) - 1)
      let bin = (Double(length + 1) * frequency / rate).rounded(.down)
      // The last edge is not part of a band.
      let last = index == bands + 1 ? length / 2 + 1 : length / 2
      guard let bin = Int(exactly: bin), bin >= edges.last ?? 0, bin <= last else {
        throw OperatorError(
          "frequencies from \(low) to \(high) are not in a spectrum at rate \(rate)")
      }
      edges.append(bin)
    }
    return edges
  }
}

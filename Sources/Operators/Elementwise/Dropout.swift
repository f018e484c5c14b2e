package import GraphModel
import KernelModel
package import TensorModel

/// The identity, as inference sees it; from version 12 on a graph may ask for training by an operand.
package struct Dropout: HostOperator {
  package static let spellings = [Spelling.onnx("Dropout")]

  private let version: Int
  private let seed: UInt64

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    version = attributes.version
    seed = try RandomStream.seed(attributes)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let maskType: DataType = version >= 10 ? .bool : x.dataType
    if version >= 12, let training = expansion.optionalInput(2) {
      let isIdentity =
        expansion.integers(training) == [0]
        || expansion.optionalInput(1).map { expansion.numbers($0) == [0] } ?? false
      guard isIdentity else {
        return expansion.emitHost(
          outputs: [x.type, TensorType(maskType, x.shape)].prefixed(expansion.outputCount))
      }
    }
    expansion.set(0, x)
    if expansion.outputCount > 1 {
      let mask = Pointwise(.constant(1, maskType), shape: x.shape)
      expansion.set(1, try expansion.emit(.pointwise(mask), []))
    }
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let isTraining = try HostInputs.optionalIntegers(inputs, 2)?.first ?? 0 != 0
    let ratio = try HostInputs.optionalNumbers(inputs, 1)?.first ?? 0.5
    guard isTraining, ratio > 0 else {
      let mask = [Int64](repeating: 1, count: x.elementCount)
      return [x, try HostInputs.integers(mask, .bool, x.shape)]
    }
    let values = try HostInputs.numbers(inputs, 0)
    let stream = RandomStream(seed: seed)
    let kept = values.indices.map { stream.uniform($0) >= ratio }
    let scaled = zip(values, kept).map { $1 ? $0 / (1 - ratio) : 0 }
    return [
      try HostInputs.numbers(scaled, x.dataType, x.shape),
      try HostInputs.integers(kept.map { $0 ? 1 : 0 }, .bool, x.shape),
    ]
  }
}

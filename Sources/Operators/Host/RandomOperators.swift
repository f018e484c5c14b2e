package import GraphModel
package import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Random numbers as a function of a seed and a position, so that results do not depend on the order in
/// which they are computed: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
/// Generators", 2014).
package struct RandomStream: Sendable {
  private let seed: UInt64

  package init(seed: UInt64) { self.seed = Self.mixed(seed) }

  /// The seed that a node gives, as bits; the same one for all nodes that give none.
  package static func seed(_ attributes: AttributeReader) throws(OperatorError) -> UInt64 {
    // Version 12 of Dropout has an integer.
    if case .int(let value)? = attributes.record.attributes["seed"] {
      return UInt64(bitPattern: value)
    }
    return try attributes.float("seed")?.bitPattern ?? 0
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  private func bits(_ index: Int) -> UInt64 {
    Self.mixed(seed &+ UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9_7F4A_7C15)
  }

  /// A number in `0 ..< 1`.
  package func uniform(_ index: Int) -> Double { Double(bits(index) >> 11) * 0x1p-53 }

  /// A number of the standard normal distribution, by Box and Muller's method.
  package func normal(_ index: Int) -> Double {
    let radius = (-2 * log(1 - uniform(2 &* index))).squareRoot()
    return radius * cos(2 * Double.pi * uniform(2 &* index &+ 1))
  }
}

extension AttributeReader {
  /// A type of real numbers or `bool`.
  fileprivate func numericType(_ name: String) throws(OperatorError) -> DataType? {
    guard let type = try dataType(name) else { return nil }
    guard type.isInteger || type.isFloatingPoint || type == .bool else {
      throw OperatorError("attribute '\(name)' is \(type), expected a type of numbers")
    }
    return type
  }
}

/// Tensors of random numbers, of a shape that is an attribute or that of the input.
package struct RandomOperator: HostOperator {
  package static let spellings = [
    Spelling.onnx("RandomNormal"), .onnx("RandomNormalLike"), .onnx("RandomUniform"),
    .onnx("RandomUniformLike"),
  ]

  private let isNormal: Bool
  private let offset: Double
  private let scale: Double
  private let type: DataType?
  private let shape: [Int]?
  private let seed: UInt64

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    isNormal = attributes.name.hasPrefix("RandomNormal")
    if isNormal {
      offset = try attributes.float("mean", default: 0)
      scale = try attributes.float("scale", default: 1)
    } else {
      offset = try attributes.float("low", default: 0)
      scale = try attributes.float("high", default: 1) - offset
    }
    type = try attributes.numericType("dtype")
    seed = try RandomStream.seed(attributes)
    if attributes.name.hasSuffix("Like") {
      shape = nil
    } else {
      guard let shape = try attributes.ints("shape") else {
        throw OperatorError("attribute 'shape' is missing")
      }
      guard let count = ShapeMath.elementCount(shape), count <= 1 << 28 else {
        throw OperatorError("shape \(shape) is not that of a tensor")
      }
      self.shape = shape
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    if let shape {
      return expansion.emitHost(outputs: [TensorType(type ?? .float32, shape)])
    }
    let x = try expansion.input(0)
    expansion.emitHost(outputs: [TensorType(type ?? x.dataType, x.shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let like = HostInputs.optional(inputs, 0)
    let target = shape ?? like?.shape ?? []
    guard let count = ShapeMath.elementCount(target) else {
      throw OperatorError("shape \(target) is not that of a tensor")
    }
    let stream = RandomStream(seed: seed)
    let values = (0..<count).map { index in
      offset + scale * (isNormal ? stream.normal(index) : stream.uniform(index))
    }
    return [try HostInputs.numbers(values, type ?? like?.dataType ?? .float32, target)]
  }
}

/// One with the probability that each element gives, else zero.
package struct Bernoulli: HostOperator {
  package static let spellings = [Spelling.onnx("Bernoulli")]

  private let type: DataType?
  private let seed: UInt64

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    type = try attributes.numericType("dtype")
    seed = try RandomStream.seed(attributes)
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    expansion.emitHost(outputs: [TensorType(type ?? x.dataType, x.shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let stream = RandomStream(seed: seed)
    let values = try HostInputs.numbers(inputs, 0).enumerated().map { index, probability in
      stream.uniform(index) < probability ? 1.0 : 0
    }
    return [try HostInputs.numbers(values, type ?? x.dataType, x.shape)]
  }
}

/// Categories drawn by logarithms of their probabilities, `[batch, categories]`.
package struct Multinomial: HostOperator {
  package static let spellings = [Spelling.onnx("Multinomial")]

  private let type: DataType
  private let count: Int
  private let seed: UInt64

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    type = try attributes.numericType("dtype") ?? .int32
    count = try attributes.int("sample_size", default: 1)
    seed = try RandomStream.seed(attributes)
    guard (0...(1 << 24)).contains(count) else {
      throw OperatorError("sample_size is \(count), expected a count")
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank == 2 else { throw OperatorError("input has rank \(x.rank), expected 2") }
    expansion.emitHost(outputs: [TensorType(type, [x.shape[0], Dimension(count)])])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    guard x.shape.count == 2, x.shape[1] > 0 else {
      throw OperatorError("input has shape \(x.shape), expected batches of categories")
    }
    let logarithms = try HostInputs.numbers(inputs, 0)
    let stream = RandomStream(seed: seed)
    var result: [Int64] = []
    for batch in 0..<x.shape[0] {
      let row = logarithms[(batch * x.shape[1])...].prefix(x.shape[1])
      let largest = row.max() ?? 0
      let weights = row.map { exp($0 - largest) }
      let total = weights.reduce(0, +)
      for sample in 0..<count {
        var rest = stream.uniform(batch &* count &+ sample) * total
        var chosen = 0
        while chosen < weights.count - 1, rest >= weights[chosen] {
          rest -= weights[chosen]
          chosen += 1
        }
        result.append(Int64(chosen))
      }
    }
    return [try HostInputs.integers(result, type, [x.shape[0], count])]
  }
}

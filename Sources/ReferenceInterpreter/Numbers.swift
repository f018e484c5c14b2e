import KernelModel
import TensorModel

/// Elements of a real type as 64-bit numbers; `uint64` keeps its bits.
enum Numbers {
  case floating([Double])
  case integer([Int64])

  /// The elements of a tensor.
  init(_ tensor: Tensor) throws(ProblemError) {
    if tensor.dataType.isFloatingPoint {
      self = .floating(try tensor.doubles())
    } else {
      self = .integer(try tensor.wideIntegers())
    }
  }

  /// As many zeros, for elements of a type.
  init(zeros count: Int, _ dataType: DataType) {
    self =
      dataType.isFloatingPoint
      ? .floating([Double](repeating: 0, count: count))
      : .integer([Int64](repeating: 0, count: count))
  }

  /// The numbers stored as a type.
  func tensor(_ output: Output) throws(ProblemError) -> Tensor {
    var result = try output.allocate()
    switch self {
    case .floating(let values):
      guard output.dataType.isFloatingPoint, values.count == result.elementCount else {
        throw ProblemError("\(values.count) real numbers are no \(output.dataType) \(output.shape)")
      }
      result.withUnsafeMutableBytes { bytes in
        values.withUnsafeBufferPointer {
          guard let target = bytes.baseAddress, let source = $0.baseAddress else { return }
          ElementAccess.write(source, count: $0.count, to: target, output.dataType, at: 0)
        }
      }
    case .integer(let values):
      guard output.dataType.isInteger || output.dataType == .bool,
        values.count == result.elementCount
      else {
        throw ProblemError("\(values.count) integers are no \(output.dataType) \(output.shape)")
      }
      result.withUnsafeMutableBytes { bytes in
        values.withUnsafeBufferPointer {
          guard let target = bytes.baseAddress, let source = $0.baseAddress else { return }
          ElementAccess.write(source, count: $0.count, to: target, output.dataType, at: 0)
        }
      }
    }
    return result
  }

  /// The numbers as `Double`.
  func doubles(_ dataType: DataType) -> [Double] {
    switch self {
    case .floating(let values): values
    case .integer(let values):
      dataType == .uint64
        ? values.map { Double(UInt64(bitPattern: $0)) } : values.map { Double($0) }
    }
  }

  /// Real numbers as elements of a type: rounded towards zero where it is an integer type.
  static func of(_ values: [Double], as dataType: DataType) -> Numbers {
    dataType.isFloatingPoint
      ? .floating(values) : .integer(values.map { Conversion.integer($0, dataType) })
  }
}

extension Tensor {
  /// Floating-point, integer or `bool` elements as `Double`.
  func doubles() throws(ProblemError) -> [Double] {
    guard dataType.isFloatingPoint else {
      return Numbers.integer(try wideIntegers()).doubles(dataType)
    }
    return withUnsafeBytes { bytes in
      [Double](unsafeUninitializedCapacity: elementCount) { target, count in
        if let base = bytes.baseAddress, let start = target.baseAddress {
          ElementAccess.read(
            base, dataType, offset: 0, stride: 1, count: elementCount, into: start)
        }
        count = elementCount
      }
    }
  }

  /// Integer or `bool` elements.
  func wideIntegers() throws(ProblemError) -> [Int64] {
    guard dataType.isInteger || dataType == .bool else {
      throw ProblemError("\(dataType) elements are not numbers that can be computed with")
    }
    return withUnsafeBytes { bytes in
      [Int64](unsafeUninitializedCapacity: elementCount) { target, count in
        if let base = bytes.baseAddress, let start = target.baseAddress {
          ElementAccess.read(
            base, dataType, offset: 0, stride: 1, count: elementCount, into: start)
        }
        count = elementCount
      }
    }
  }

  /// The tensor with its elements at a multiple of their size.
  func aligned() throws(ProblemError) -> Tensor {
    let alignment = max(dataType.byteCount, 1)
    guard Int(bitPattern: storage.base + byteOffset) % alignment != 0 else { return self }
    var copy = try Output(dataType: dataType, shape: shape, elementCount: elementCount).allocate()
    withUnsafeBytes { source in copy.withUnsafeMutableBytes { $0.copyMemory(from: source) } }
    return copy
  }
}

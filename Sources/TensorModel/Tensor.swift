/// A dense, row-major array of elements in host memory.
///
/// A tensor is a value: copies share their bytes until one of them is written.
public struct Tensor: Sendable {
  /// The type of each element.
  public let dataType: DataType
  /// The extents, outermost first; empty for a scalar.
  public let shape: [Int]
  package let elementCount: Int
  package private(set) var storage: TensorStorage
  /// Where the elements begin in `storage`, in bytes.
  package private(set) var byteOffset: Int
  /// The elements of a tensor of strings; empty for any other type.
  public private(set) var strings: [String]

  /// The bytes that the elements take.
  public var byteCount: Int { elementCount * dataType.byteCount }

  /// A tensor whose elements are not yet written.
  ///
  /// - Throws: `TensorError.invalidShape` for a negative extent or a size beyond memory.
  package init(uninitialized dataType: DataType, shape: [Int]) throws(TensorError) {
    guard let count = ShapeMath.elementCount(shape),
      case (let bytes, false) = count.multipliedReportingOverflow(by: dataType.byteCount),
      let storage = TensorStorage(byteCount: bytes)
    else { throw .invalidShape(shape) }
    self.init(dataType: dataType, shape: shape, count: count, storage: storage, byteOffset: 0)
    if dataType == .string { strings = [String](repeating: "", count: count) }
  }

  /// A tensor of zeros.
  ///
  /// - Throws: `TensorError.invalidShape` for a negative extent or a size beyond memory.
  public init(zeros dataType: DataType, shape: [Int]) throws(TensorError) {
    try self.init(uninitialized: dataType, shape: shape)
    storage.base.initializeMemory(as: UInt8.self, repeating: 0, count: storage.byteCount)
  }

  /// A tensor over bytes that exist already.
  package init(
    dataType: DataType, shape: [Int], storage: TensorStorage, byteOffset: Int
  ) throws(TensorError) {
    guard let count = ShapeMath.elementCount(shape),
      case (let bytes, false) = count.multipliedReportingOverflow(by: dataType.byteCount),
      byteOffset >= 0, bytes <= storage.byteCount - byteOffset, dataType != .string
    else { throw .invalidShape(shape) }
    self.init(
      dataType: dataType, shape: shape, count: count, storage: storage, byteOffset: byteOffset)
  }

  /// A tensor of strings.
  package init(strings: [String], shape: [Int]) throws(TensorError) {
    try self.init(uninitialized: .string, shape: shape)
    guard strings.count == elementCount else {
      throw .wrongCount(expected: elementCount, found: strings.count)
    }
    self.strings = strings
  }

  /// A tensor of the given elements, in row-major order.
  ///
  /// - Throws: `TensorError` where the count of the elements is not the shape's.
  public init<Element: TensorElement>(_ elements: [Element], shape: [Int]) throws(TensorError) {
    try self.init(uninitialized: Element.dataType, shape: shape)
    guard elements.count == elementCount else {
      throw .wrongCount(expected: elementCount, found: elements.count)
    }
    let target = storage.base
    elements.withUnsafeBytes {
      target.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: $0.count)
    }
  }

  /// A scalar.
  package init<Element: TensorElement>(scalar: Element) {
    self.init([scalar])
    self = reshapedUnchecked([])
  }

  /// A vector.
  package init<Element: TensorElement>(_ elements: [Element]) {
    guard let tensor = try? Tensor(elements, shape: [elements.count]) else {
      preconditionFailure("no memory for \(elements.count) elements")
    }
    self = tensor
  }

  private init(
    dataType: DataType, shape: [Int], count: Int, storage: TensorStorage, byteOffset: Int
  ) {
    self.dataType = dataType
    self.shape = shape
    self.elementCount = count
    self.storage = storage
    self.byteOffset = byteOffset
    self.strings = []
  }

  private func reshapedUnchecked(_ shape: [Int]) -> Tensor {
    var result = Tensor(
      dataType: dataType, shape: shape, count: elementCount, storage: storage,
      byteOffset: byteOffset)
    result.strings = strings
    return result
  }

  /// The same elements with other extents of the same product.
  public func reshaped(_ shape: [Int]) throws(TensorError) -> Tensor {
    guard ShapeMath.elementCount(shape) == elementCount else { throw .invalidShape(shape) }
    return reshapedUnchecked(shape)
  }

  package var type: TensorType { TensorType(dataType, shape) }

  /// Where the elements are; valid while the tensor, or a copy of it, is.
  package var address: UnsafeMutableRawPointer { storage.base + byteOffset }
}

/// What can be wrong with a tensor's shape, type or bytes.
public enum TensorError: Error, Sendable, Equatable {
  /// An extent is negative, or the size is beyond what memory holds.
  case invalidShape([Int])
  /// The number of elements given is not the product of the extents.
  case wrongCount(expected: Int, found: Int)
  /// Elements were asked for as another type than they have.
  case wrongType(expected: DataType, found: DataType)
}

extension TensorError: CustomStringConvertible {
  /// One line: what was expected and what was found.
  public var description: String {
    switch self {
    case .invalidShape(let shape):
      "shape \(shape) is not that of a tensor: an extent is negative or the size is out of range"
    case .wrongCount(let expected, let found): "expected \(expected) elements, found \(found)"
    case .wrongType(let expected, let found):
      "expected elements of type \(expected), found \(found)"
    }
  }
}

// MARK: - Access

extension Tensor {
  /// Calls `body` with the bytes of the elements, in the machine's byte order.
  public func withUnsafeBytes<R, E: Error>(
    _ body: (UnsafeRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    let bytes = UnsafeRawBufferPointer(start: storage.base + byteOffset, count: byteCount)
    let result = try body(bytes)
    withExtendedLifetime(storage) {}
    return result
  }

  /// Calls `body` with bytes that may be written; they are copied first where they are shared.
  public mutating func withUnsafeMutableBytes<R, E: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
  ) throws(E) -> R {
    if !storage.isWritable || !isKnownUniquelyReferenced(&storage) {
      guard let copy = TensorStorage(byteCount: byteCount) else {
        preconditionFailure("no memory for \(byteCount) bytes")
      }
      copy.base.copyMemory(from: storage.base + byteOffset, byteCount: byteCount)
      storage = copy
      byteOffset = 0
    }
    let result = try body(
      UnsafeMutableRawBufferPointer(start: storage.base + byteOffset, count: byteCount))
    withExtendedLifetime(storage) {}
    return result
  }

  /// The elements in row-major order.
  ///
  /// - Throws: `TensorError.wrongType` where the tensor holds another type.
  public func elements<Element: TensorElement>(as type: Element.Type = Element.self)
    throws(TensorError) -> [Element]
  {
    guard dataType == Element.dataType else {
      throw .wrongType(expected: Element.dataType, found: dataType)
    }
    return withUnsafeBytes { bytes in
      [Element](unsafeUninitializedCapacity: elementCount) { target, count in
        if let base = bytes.baseAddress, let start = target.baseAddress {
          UnsafeMutableRawPointer(start).copyMemory(from: base, byteCount: bytes.count)
        }
        count = elementCount
      }
    }
  }

  /// Whether type, shape and every byte are equal.
  package func isIdentical(to other: Tensor) -> Bool {
    guard dataType == other.dataType, shape == other.shape, strings == other.strings else {
      return false
    }
    if storage === other.storage, byteOffset == other.byteOffset { return true }
    return withUnsafeBytes { a in other.withUnsafeBytes { b in a.elementsEqual(b) } }
  }
}

/// A Swift type that is the element of a tensor.
public protocol TensorElement: BitwiseCopyable, Sendable {
  /// The tensor type whose elements have this representation.
  static var dataType: DataType { get }
}

extension Float: TensorElement {
  /// `float32`.
  public static var dataType: DataType { .float32 }
}
extension Double: TensorElement {
  /// `float64`.
  public static var dataType: DataType { .float64 }
}
extension Int64: TensorElement {
  /// `int64`.
  public static var dataType: DataType { .int64 }
}
extension Int32: TensorElement {
  /// `int32`.
  public static var dataType: DataType { .int32 }
}
extension Int16: TensorElement {
  /// `int16`.
  public static var dataType: DataType { .int16 }
}
extension Int8: TensorElement {
  /// `int8`.
  public static var dataType: DataType { .int8 }
}
extension UInt64: TensorElement {
  /// `uint64`.
  public static var dataType: DataType { .uint64 }
}
extension UInt32: TensorElement {
  /// `uint32`.
  public static var dataType: DataType { .uint32 }
}
extension UInt16: TensorElement {
  /// `uint16`.
  public static var dataType: DataType { .uint16 }
}
extension UInt8: TensorElement {
  /// `uint8`.
  public static var dataType: DataType { .uint8 }
}
extension Bool: TensorElement {
  /// `bool`.
  public static var dataType: DataType { .bool }
}
#if !(os(macOS) && arch(x86_64))
  extension Float16: TensorElement {
    /// `float16`.
    public static var dataType: DataType { .float16 }
  }
#endif

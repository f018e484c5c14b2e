import ONNXFormat
import TensorModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Turns ONNX's tensors into ours, whichever of their fields holds the elements.
struct TensorDecoder {
  let limits: Limits
  let external: ExternalData

  /// - Parameter fallbackName: what messages call a tensor that has no name.
  func tensor(
    _ proto: Onnx_TensorProto, fallbackName: String = ""
  ) throws(ImportError) -> Tensor {
    let name = proto.name.isEmpty ? fallbackName : proto.name
    guard let type = ModelFormat.dataType(Int(proto.dataType)) else {
      throw .invalidTensor(name: name, reason: "its element type \(proto.dataType) is not known")
    }
    guard !proto.hasSegment else {
      throw .invalidTensor(name: name, reason: "it is a segment of a tensor, expected a whole one")
    }
    let layout = try Layout(name: name, type: type, dims: proto.dims, limits: limits)
    if proto.dataLocation == .external { return try externalTensor(proto, layout) }
    if type == .string { return try strings(proto, layout) }
    if proto.hasRawData { return try rawTensor(proto.rawData, layout) }
    return try typedTensor(proto, layout)
  }

  /// The dense tensor that a sparse one stands for.
  func tensor(_ proto: Onnx_SparseTensorProto) throws(ImportError) -> Tensor {
    let name = proto.values.name
    let values = try tensor(proto.values)
    let indices = try tensor(proto.indices, fallbackName: "\(name) indices")
    let layout = try Layout(name: name, type: values.dataType, dims: proto.dims, limits: limits)
    guard values.shape.count == 1, indices.dataType == .int64, layout.type != .string,
      let positions = indices.integers()
    else {
      throw layout.error("a sparse tensor needs a list of values and int64 indices")
    }
    let rank = layout.shape.count
    let isLinear = indices.shape == [values.elementCount]
    guard isLinear || indices.shape == [values.elementCount, rank] else {
      throw layout.error("its indices have shape \(indices.shape) for \(values.shape) values")
    }
    let strides = ShapeMath.rowMajorStrides(layout.shape)
    var targets: [Int] = []
    for item in 0..<values.elementCount {
      var target = 0
      if isLinear {
        target = Int(positions[item])
      } else {
        for axis in 0..<rank {
          let index = Int(positions[item * rank + axis])
          guard (0..<layout.shape[axis]).contains(index) else {
            throw layout.error("index \(index) is outside axis \(axis)")
          }
          target += index * strides[axis]
        }
      }
      guard (0..<layout.count).contains(target) else {
        throw layout.error("index \(target) is outside its \(layout.count) elements")
      }
      targets.append(target)
    }
    var result = try layout.make { () throws(TensorError) in
      try Tensor(zeros: layout.type, shape: layout.shape)
    }
    let width = layout.type.byteCount
    result.withUnsafeMutableBytes { target in
      values.withUnsafeBytes { source in
        for (item, place) in targets.enumerated() {
          target[(place * width)..<((place + 1) * width)]
            .copyBytes(from: source[(item * width)..<((item + 1) * width)])
        }
      }
    }
    return result
  }
}

/// The name, type and extents of a tensor whose elements are to be read.
struct Layout {
  var name: String
  var type: DataType
  var shape: [Int]
  var count: Int

  init(name: String, type: DataType, dims: [Int64], limits: Limits) throws(ImportError) {
    self.name = name
    self.type = type
    guard dims.count <= limits.rank else {
      throw .exceedsLimit(what: "rank of tensor '\(name)'", found: dims.count, limit: limits.rank)
    }
    shape = dims.map { Int($0) }
    let width = type == .string ? MemoryLayout<String>.stride : type.byteCount
    guard let count = ShapeMath.elementCount(shape),
      case (let bytes, false) = count.multipliedReportingOverflow(by: width)
    else { throw .invalidTensor(name: name, reason: "its shape \(dims) is not that of a tensor") }
    guard bytes <= limits.tensorBytes else {
      throw .exceedsLimit(
        what: "bytes of tensor '\(name)'", found: bytes, limit: limits.tensorBytes)
    }
    self.count = count
  }

  /// Bytes of the elements as files pack them.
  var packedByteCount: Int {
    let perByte = isPacked ? 8 / type.bitCount : 1
    return isPacked ? count / perByte + (count % perByte == 0 ? 0 : 1) : count * type.byteCount
  }

  /// Whether files keep several elements in a byte.
  var isPacked: Bool { type != .string && type.bitCount < 8 }

  func error(_ reason: String) -> ImportError { .invalidTensor(name: name, reason: reason) }

  func wrongCount(expected: Int, found: Int, of unit: String) -> ImportError {
    error("\(type) \(Shape(shape)) needs \(expected) \(unit), found \(found)")
  }

  /// Runs what makes the tensor; what is wrong with it is said under the tensor's name.
  func make(_ body: () throws(TensorError) -> Tensor) throws(ImportError) -> Tensor {
    do { return try body() } catch { throw self.error(error.description) }
  }
}

// MARK: - Bytes

extension TensorDecoder {
  /// Smaller tensors are copied; larger ones keep the decoded message's bytes.
  private static let sharedByteCount = 4096

  private func rawTensor(_ data: Data, _ layout: Layout) throws(ImportError) -> Tensor {
    guard data.count == layout.packedByteCount else {
      throw layout.wrongCount(expected: layout.packedByteCount, found: data.count, of: "bytes")
    }
    if data.count >= Self.sharedByteCount, let storage = Self.storage(sharing: data) {
      return try tensor(Extent(storage: storage, offset: 0), layout)
    }
    let result = data.withUnsafeBytes { bytes in
      Result { () throws(ImportError) in try copied(bytes, layout) }
    }
    return try result.get()
  }

  private func externalTensor(
    _ proto: Onnx_TensorProto, _ layout: Layout
  ) throws(ImportError) -> Tensor {
    guard layout.type != .string else {
      throw layout.error("strings cannot be kept in a file of their own")
    }
    let extent = try external.extent(
      of: proto, named: layout.name, byteCount: layout.packedByteCount)
    return try tensor(extent, layout)
  }

  private typealias Extent = ExternalData.Extent

  /// A tensor over bytes that exist, where their alignment and representation allow it.
  private func tensor(_ extent: Extent, _ layout: Layout) throws(ImportError) -> Tensor {
    let start = extent.storage.base + extent.offset
    let alignment = min(max(layout.type.byteCount, 1), 8)
    if !layout.isPacked, layout.type != .bool, Int(bitPattern: start) % alignment == 0 {
      return try layout.make { () throws(TensorError) in
        try Tensor(
          dataType: layout.type, shape: layout.shape, storage: extent.storage,
          byteOffset: extent.offset)
      }
    }
    defer { withExtendedLifetime(extent.storage) {} }
    return try copied(UnsafeRawBufferPointer(start: start, count: layout.packedByteCount), layout)
  }

  /// A copy of the elements in `bytes`, one per byte where the file packs several.
  private func copied(
    _ bytes: UnsafeRawBufferPointer, _ layout: Layout
  ) throws(ImportError) -> Tensor {
    var result = try layout.make { () throws(TensorError) in
      try Tensor(uninitialized: layout.type, shape: layout.shape)
    }
    result.withUnsafeMutableBytes { target in
      if layout.isPacked {
        Self.unpack(bytes, into: target, layout.type)
      } else if layout.type == .bool {
        for index in target.indices { target[index] = bytes[index] == 0 ? 0 : 1 }
      } else {
        target.copyBytes(from: bytes)
      }
    }
    return result
  }

  /// Elements of four or two bits, the first in the lowest bits.
  private static func unpack(
    _ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer, _ type: DataType
  ) {
    let width = type.bitCount
    let perByte = 8 / width
    for index in target.indices {
      let shifted = bytes[index / perByte] >> UInt8(index % perByte * width)
      let bits = shifted & (1 << UInt8(width) - 1)
      let isNegative = type.isSignedInteger && bits >> UInt8(width - 1) == 1
      target[index] = isNegative ? bits | (0xFF << UInt8(width)) : bits
    }
  }

  /// The bytes of a decoded field as the storage of a tensor.
  ///
  /// Data of this size keeps its bytes on the heap, at one address, for as long as a copy of the value
  /// exists; the storage holds one, and nobody writes to it.
  private static func storage(sharing data: Data) -> TensorStorage? {
    data.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      return TensorStorage(
        base: UnsafeMutableRawPointer(mutating: base), byteCount: bytes.count, isWritable: false,
        release: { withExtendedLifetime(data) {} })
    }
  }
}

// MARK: - Typed fields

extension TensorDecoder {
  private func typedTensor(
    _ proto: Onnx_TensorProto, _ layout: Layout
  ) throws(ImportError) -> Tensor {
    switch layout.type {
    case .float32: try elements(proto.floatData, layout)
    case .complex64: try elements(proto.floatData, layout, perElement: 2)
    case .float64: try elements(proto.doubleData, layout)
    case .complex128: try elements(proto.doubleData, layout, perElement: 2)
    case .int64: try elements(proto.int64Data, layout)
    case .uint64: try elements(proto.uint64Data, layout)
    case .uint32: try elements(narrowed(proto.uint64Data, to: UInt32.self), layout)
    case .int32: try elements(proto.int32Data, layout)
    case .int16, .uint16, .float16, .bfloat16:
      try elements(narrowed(proto.int32Data, to: UInt16.self), layout)
    case .int8, .uint8, .float8E4M3FN, .float8E4M3FNUZ, .float8E5M2, .float8E5M2FNUZ,
      .float8E8M0, .int4, .uint4, .float4E2M1, .int2, .uint2:
      try elements(narrowed(proto.int32Data, to: UInt8.self), layout)
    case .bool: try elements(proto.int32Data.map { $0 == 0 ? 0 : 1 as UInt8 }, layout)
    case .string: try strings(proto, layout)
    }
  }

  private func narrowed<Wide: BinaryInteger, Narrow: FixedWidthInteger>(
    _ values: [Wide], to type: Narrow.Type
  ) -> [Narrow] {
    values.map { Narrow(truncatingIfNeeded: $0) }
  }

  private func elements<Element: BitwiseCopyable>(
    _ values: [Element], _ layout: Layout, perElement: Int = 1
  ) throws(ImportError) -> Tensor {
    let expected = layout.isPacked ? layout.packedByteCount : layout.count * perElement
    guard values.count == expected else {
      throw layout.wrongCount(expected: expected, found: values.count, of: "numbers")
    }
    let result = values.withUnsafeBytes { bytes in
      Result { () throws(ImportError) in try copied(bytes, layout) }
    }
    return try result.get()
  }

  private func strings(_ proto: Onnx_TensorProto, _ layout: Layout) throws(ImportError) -> Tensor {
    guard proto.stringData.count == layout.count else {
      throw layout.wrongCount(
        expected: layout.count, found: proto.stringData.count, of: "strings")
    }
    var texts: [String] = []
    for data in proto.stringData {
      guard let text = String(validating: data, as: UTF8.self) else {
        throw layout.error("string \(texts.count) is not UTF-8")
      }
      texts.append(text)
    }
    return try layout.make { () throws(TensorError) in
      try Tensor(strings: texts, shape: layout.shape)
    }
  }
}

import TensorFlowFormat
import TensorModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Turns TensorFlow's tensors into ours, whichever of their fields holds the elements.
struct TensorDecoder {
  let limits: Limits

  func tensor(
    _ proto: Tensorflow_TensorProto, named name: String
  ) throws(TensorFlowImportError) -> Tensor {
    guard let type = proto.dtype.dataType else {
      throw .tensor(name: name, reason: "its type \(proto.dtype.name) is not supported")
    }
    guard let shape = try proto.tensorShape.extents(of: name, limits: limits),
      let count = ShapeMath.elementCount(shape),
      case (let size, false) = count.multipliedReportingOverflow(
        by: type == .string ? MemoryLayout<String>.stride : type.byteCount)
    else { throw .tensor(name: name, reason: "its shape is not that of a tensor") }
    guard size <= limits.tensorBytes else {
      throw .exceedsLimit(what: "bytes of tensor '\(name)'", found: size, limit: limits.tensorBytes)
    }
    do {
      if type == .string { return try strings(proto, shape, count) }
      if !proto.tensorContent.isEmpty { return try raw(proto.tensorContent, type, shape) }
      return try typed(proto, type, shape, count)
    } catch { throw .tensor(name: name, reason: error.description) }
  }

  private func raw(
    _ content: Data, _ type: TensorModel.DataType, _ shape: [Int]
  ) throws(TensorError) -> Tensor {
    var result = try Tensor(uninitialized: type, shape: shape)
    guard content.count == result.byteCount else {
      throw .wrongCount(
        expected: result.elementCount, found: content.count / max(type.byteCount, 1))
    }
    result.withUnsafeMutableBytes { target in
      content.copyBytes(to: target)
      if type == .bool { for index in target.indices where target[index] > 1 { target[index] = 1 } }
    }
    return result
  }

  private func typed(
    _ proto: Tensorflow_TensorProto, _ type: TensorModel.DataType, _ shape: [Int], _ count: Int
  ) throws(TensorError) -> Tensor {
    switch type {
    case .float32: try filled(proto.floatVal, type, shape, count)
    case .float64: try filled(proto.doubleVal, type, shape, count)
    case .int64: try filled(proto.int64Val, type, shape, count)
    case .uint64: try filled(proto.uint64Val, type, shape, count)
    case .uint32: try filled(proto.uint32Val, type, shape, count)
    case .int32: try filled(proto.intVal, type, shape, count)
    case .int16, .uint16:
      try filled(proto.intVal.map { UInt16(truncatingIfNeeded: $0) }, type, shape, count)
    case .int8, .uint8:
      try filled(proto.intVal.map { UInt8(truncatingIfNeeded: $0) }, type, shape, count)
    case .float16, .bfloat16:
      try filled(proto.halfVal.map { UInt16(truncatingIfNeeded: $0) }, type, shape, count)
    case .bool: try filled(proto.boolVal.map { $0 ? 1 : 0 as UInt8 }, type, shape, count)
    default: throw .wrongType(expected: .float32, found: type)
    }
  }

  /// The values given, the last of them again and again; zeros where none is given.
  private func filled<Element: BitwiseCopyable>(
    _ values: [Element], _ type: TensorModel.DataType, _ shape: [Int], _ count: Int
  ) throws(TensorError) -> Tensor {
    guard values.count <= count else {
      throw .wrongCount(expected: count, found: values.count)
    }
    var result = try Tensor(zeros: type, shape: shape)
    guard let last = values.last else { return result }
    result.withUnsafeMutableBytes { target in
      let elements = target.bindMemory(to: Element.self)
      for index in elements.indices {
        elements[index] = index < values.count ? values[index] : last
      }
    }
    return result
  }

  private func strings(
    _ proto: Tensorflow_TensorProto, _ shape: [Int], _ count: Int
  ) throws(TensorError) -> Tensor {
    guard proto.stringVal.count <= count else {
      throw .wrongCount(expected: count, found: proto.stringVal.count)
    }
    var texts = proto.stringVal.map { String(decoding: $0, as: UTF8.self) }
    let last = texts.last ?? ""
    while texts.count < count { texts.append(last) }
    return try Tensor(strings: texts, shape: shape)
  }
}

import TensorFlowFormat
import TensorModel

extension Tensorflow_DataType {
  /// The element type that it means; nil for resources, variants and types that are not supported.
  var dataType: TensorModel.DataType? {
    switch self {
    case .dtFloat: .float32
    case .dtDouble: .float64
    case .dtInt32: .int32
    case .dtUint8: .uint8
    case .dtInt16: .int16
    case .dtInt8: .int8
    case .dtString: .string
    case .dtInt64: .int64
    case .dtBool: .bool
    case .dtBfloat16: .bfloat16
    case .dtUint16: .uint16
    case .dtHalf: .float16
    case .dtUint32: .uint32
    case .dtUint64: .uint64
    case .dtComplex64: .complex64
    case .dtComplex128: .complex128
    default: nil
    }
  }

  /// The name as messages write it.
  var name: String {
    if let type = dataType { return type.rawValue }
    switch self {
    case .dtResource: return "resource"
    case .dtVariant: return "variant"
    default: return "TensorFlow type \(rawValue)"
    }
  }
}

extension Tensorflow_TensorShapeProto {
  /// The extents, -1 for those that are not known; nil where not even their count is.
  func extents(
    of name: String, limits: Limits
  ) throws(TensorFlowImportError) -> [Int]? {
    guard !unknownRank else { return nil }
    guard dim.count <= limits.rank else {
      throw .exceedsLimit(what: "rank of tensor '\(name)'", found: dim.count, limit: limits.rank)
    }
    var result: [Int] = []
    for item in dim {
      guard item.size >= -1, let extent = Int(exactly: item.size) else {
        throw .tensor(name: name, reason: "an extent is \(item.size)")
      }
      result.append(extent)
    }
    return result
  }
}

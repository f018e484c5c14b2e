import GraphModel
import ONNXFormat
package import TensorModel

/// What the versions and numbers of the ONNX format mean.
package enum ModelFormat {
  /// The name that the catalogue gives to ONNX's default domain.
  static let defaultDomain = "onnx"
  static let supportedFormats: ClosedRange<Int64> = 1...14
  static let newestOperatorSet: Int64 = 28
  /// The oldest operator set whose semantics are those that operators follow throughout.
  static let oldestOperatorSet: Int64 = 7

  static func domain(_ name: String) -> String {
    name.isEmpty || name == "ai.onnx" ? defaultDomain : name
  }

  /// The element type of a number of `TensorProto.DataType`; nil for one that tensors here cannot hold.
  package static func dataType(_ number: Int) -> DataType? {
    switch number {
    case 1: .float32
    case 2: .uint8
    case 3: .int8
    case 4: .uint16
    case 5: .int16
    case 6: .int32
    case 7: .int64
    case 8: .string
    case 9: .bool
    case 10: .float16
    case 11: .float64
    case 12: .uint32
    case 13: .uint64
    case 14: .complex64
    case 15: .complex128
    case 16: .bfloat16
    case 17: .float8E4M3FN
    case 18: .float8E4M3FNUZ
    case 19: .float8E5M2
    case 20: .float8E5M2FNUZ
    case 21: .uint4
    case 22: .int4
    case 23: .float4E2M1
    case 24: .float8E8M0
    case 25: .uint2
    case 26: .int2
    default: nil
    }
  }

  /// Names of attributes that hold a number of `TensorProto.DataType`, in every operator that has them.
  static let typeAttributes: Set<String> = [
    "to", "dtype", "output_dtype", "output_datatype", "precision", "softmax_precision",
    "stash_type",
  ]

  /// The type of a value, nil where its rank or its element type is not given.
  ///
  /// - Parameter symbols: names of extents that are not named by the file are made unique in it.
  static func tensorType(
    of value: Onnx_ValueInfoProto, limits: Limits, symbols: inout NameTable
  ) throws(ImportError) -> TensorType? {
    guard let kind = value.type.value else { return nil }
    guard case .tensorType(let tensor) = kind else {
      throw .unsupportedType(value: value.name, type: name(of: kind))
    }
    guard tensor.elemType != 0 else { return nil }
    guard let dataType = dataType(Int(tensor.elemType)) else {
      throw .unsupportedType(value: value.name, type: "tensor of element type \(tensor.elemType)")
    }
    guard tensor.hasShape else { return nil }
    let extents = tensor.shape.dim
    guard extents.count <= limits.rank else {
      throw .exceedsLimit(what: "rank of '\(value.name)'", found: extents.count, limit: limits.rank)
    }
    var dimensions: [Dimension] = []
    for (axis, extent) in extents.enumerated() {
      switch extent.value {
      case .dimValue(let number):
        guard number >= 0, let integer = Int(exactly: number) else {
          throw .invalidInput(
            name: value.name, reason: "axis \(axis) has extent \(number), expected 0 or more")
        }
        dimensions.append(Dimension(integer))
      case .dimParam(let name) where !name.isEmpty && Dimension.symbol(name) != .overflow:
        dimensions.append(.symbol(name))
      default:
        dimensions.append(.symbol(symbols.unique("\(value.name)_\(axis)")))
      }
    }
    return TensorType(dataType, Shape(dimensions))
  }

  private static func name(of kind: Onnx_TypeProto.OneOf_Value) -> String {
    switch kind {
    case .tensorType: "tensor"
    case .sequenceType: "sequence"
    case .mapType: "map"
    case .optionalType: "optional"
    case .sparseTensorType: "sparse tensor"
    case .opaqueType: "opaque"
    }
  }

  /// The names of extents that the file itself gives.
  static func symbols(of values: [Onnx_ValueInfoProto]) -> Set<String> {
    var result: Set<String> = []
    for value in values {
      for extent in value.type.tensorType.shape.dim where !extent.dimParam.isEmpty {
        result.insert(extent.dimParam)
      }
    }
    return result
  }
}

/// Names in use, and new ones that differ from them.
struct NameTable {
  private var used: Set<String>
  private var suffixes: [String: Int] = [:]

  init(_ used: Set<String> = []) { self.used = used }

  /// `base`, or `base` with a number that makes it new.
  mutating func unique(_ base: String) -> String {
    if used.insert(base).inserted { return base }
    var suffix = suffixes[base] ?? 1
    var name: String
    repeat {
      suffix += 1
      name = "\(base)_\(suffix)"
    } while !used.insert(name).inserted
    suffixes[base] = suffix
    return name
  }
}

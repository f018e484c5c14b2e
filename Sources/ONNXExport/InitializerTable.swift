import ONNXFormat
import ONNXImport
import TensorModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The constants of a graph: initialisers, and nodes that hold one.
struct InitializerTable {
  private let initializers: [Onnx_TensorProto]
  private var protos: [String: Onnx_TensorProto] = [:]
  private let directory: String?

  init(_ graph: Onnx_GraphProto, directory: String?) throws(ImportError) {
    initializers = graph.initializer
    self.directory = directory
    for tensor in graph.initializer { protos[tensor.name] = tensor }
    for node in graph.node where node.opType == "Constant" && node.domain.isEmpty {
      guard let output = node.output.first,
        let value = node.attribute.first(where: { $0.name == "value" })
      else { continue }
      protos[output] = value.t
    }
  }

  func tensor(_ name: String) throws(ImportError) -> Tensor? {
    guard let proto = protos[name] else { return nil }
    return try ONNXImporter.tensor(proto, name: name, directory: directory)
  }

  /// Initialisers that neither nodes nor outputs read; bodies of control flow may read any.
  func unused(by nodes: [Onnx_NodeProto], _ graph: Onnx_GraphProto) -> Set<String> {
    var used: Set<String> = Set(graph.output.map(\.name))
    func add(_ nodes: [Onnx_NodeProto]) {
      for node in nodes {
        used.formUnion(node.input)
        for attribute in node.attribute {
          if attribute.hasG {
            add(attribute.g.node); used.formUnion(attribute.g.output.map(\.name))
          }
          for body in attribute.graphs { add(body.node) }
        }
      }
    }
    add(nodes)
    return Set(initializers.map(\.name)).subtracting(used)
  }

  /// The initialisers with all elements inside.
  func embedded(except unused: Set<String>) throws(ImportError) -> [Onnx_TensorProto] {
    var result: [Onnx_TensorProto] = []
    for var proto in initializers where !unused.contains(proto.name) {
      if proto.dataLocation == .external {
        let tensor = try ONNXImporter.tensor(proto, name: proto.name, directory: directory)
        proto.externalData = []
        proto.dataLocation = .default
        proto.rawData = tensor.withUnsafeBytes { Data($0) }
      }
      result.append(proto)
    }
    return result
  }
}

/// Tensors as ONNX writes them.
enum ONNXTensor {
  static func floats(_ numbers: [Float], shape: [Int]) -> Onnx_TensorProto {
    tensor(.float, shape, numbers.flatMap { bytes($0.bitPattern) })
  }

  static func integers(_ numbers: [Int32]) -> Onnx_TensorProto {
    tensor(.int32, [numbers.count], numbers.flatMap { bytes(UInt32(bitPattern: $0)) })
  }

  /// One number.
  static func bytes(_ numbers: [UInt8]) -> Onnx_TensorProto { tensor(.uint8, [], numbers) }

  static func signedBytes(_ numbers: [Int8], shape: [Int]) -> Onnx_TensorProto {
    tensor(.int8, shape, numbers.map { UInt8(bitPattern: $0) })
  }

  private static func bytes(_ pattern: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: pattern >> (8 * UInt32($0))) }
  }

  private static func tensor(
    _ type: Onnx_TensorProto.DataType, _ shape: [Int], _ bytes: [UInt8]
  ) -> Onnx_TensorProto {
    var proto = Onnx_TensorProto()
    proto.dataType = Int32(type.rawValue)
    proto.dims = shape.map { Int64($0) }
    proto.rawData = Data(bytes)
    return proto
  }
}

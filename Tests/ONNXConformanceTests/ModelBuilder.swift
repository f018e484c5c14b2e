import Foundation
import ONNXFormat
import SwiftProtobuf

/// Short spellings of the parts of a model file.
enum Proto {
  static func tensor(
    _ name: String, _ type: Onnx_TensorProto.DataType, _ dims: [Int64],
    _ fill: (inout Onnx_TensorProto) -> Void = { _ in }
  ) -> Onnx_TensorProto {
    var tensor = Onnx_TensorProto()
    tensor.name = name
    tensor.dataType = Int32(type.rawValue)
    tensor.dims = dims
    fill(&tensor)
    return tensor
  }

  static func floats(_ name: String, _ values: [Float]) -> Onnx_TensorProto {
    tensor(name, .float, [Int64(values.count)]) { $0.floatData = values }
  }

  enum Extent {
    case number(Int64)
    case name(String)
    case unknown
  }

  static func value(
    _ name: String, _ type: Onnx_TensorProto.DataType = .float, _ extents: [Extent]? = nil
  ) -> Onnx_ValueInfoProto {
    var value = Onnx_ValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = Int32(type.rawValue)
    if let extents {
      value.type.tensorType.shape.dim = extents.map { extent in
        var dimension = Onnx_TensorShapeProto.Dimension()
        switch extent {
        case .number(let number): dimension.dimValue = number
        case .name(let name): dimension.dimParam = name
        case .unknown: break
        }
        return dimension
      }
    }
    return value
  }

  static func node(
    _ type: String, _ inputs: [String], _ outputs: [String], domain: String = "",
    _ attributes: [Onnx_AttributeProto] = []
  ) -> Onnx_NodeProto {
    var node = Onnx_NodeProto()
    node.opType = type
    node.domain = domain
    node.input = inputs
    node.output = outputs
    node.attribute = attributes
    return node
  }

  static func attribute(
    _ name: String, _ type: Onnx_AttributeProto.AttributeType,
    _ fill: (inout Onnx_AttributeProto) -> Void
  ) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto()
    attribute.name = name
    attribute.type = type
    fill(&attribute)
    return attribute
  }

  static func graph(
    inputs: [Onnx_ValueInfoProto] = [], initializers: [Onnx_TensorProto] = [],
    nodes: [Onnx_NodeProto] = [], outputs: [String]
  ) -> Onnx_GraphProto {
    var graph = Onnx_GraphProto()
    graph.name = "graph"
    graph.input = inputs
    graph.initializer = initializers
    graph.node = nodes
    graph.output = outputs.map { value($0) }
    return graph
  }

  static func operatorSet(_ version: Int64, domain: String = "") -> Onnx_OperatorSetIdProto {
    var set = Onnx_OperatorSetIdProto()
    set.domain = domain
    set.version = version
    return set
  }

  static func model(_ graph: Onnx_GraphProto, opset: Int64 = 17) -> Onnx_ModelProto {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    model.opsetImport = [operatorSet(opset)]
    model.graph = graph
    return model
  }

  /// `y = Relu(x)`, to be changed by tests.
  static var small: Onnx_ModelProto {
    model(
      graph(
        inputs: [value("x", .float, [.name("batch"), .number(3)])],
        nodes: [node("Relu", ["x"], ["y"])], outputs: ["y"]))
  }

  static func bytes(_ message: some Message) throws -> [UInt8] { try message.serializedBytes() }
}

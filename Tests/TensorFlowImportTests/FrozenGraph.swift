import Foundation
import Needletail
import SwiftProtobuf
import TensorFlowFormat
import TensorFlowImport
import TensorModel

/// A frozen graph that is written node by node, and run.
struct FrozenGraph {
  private var graph = Tensorflow_GraphDef()

  mutating func node(
    _ name: String, _ operation: String, _ inputs: [String] = [],
    _ attributes: [String: Tensorflow_AttrValue.OneOf_Value] = [:]
  ) {
    var node = Tensorflow_NodeDef()
    node.name = name
    node.op = operation
    node.input = inputs
    for (key, value) in attributes {
      var attribute = Tensorflow_AttrValue()
      attribute.value = value
      node.attr[key] = attribute
    }
    graph.node.append(node)
  }

  mutating func placeholder(_ name: String, _ shape: [Int], _ type: Tensorflow_DataType = .dtFloat)
  {
    node(name, "Placeholder", [], ["dtype": .type(type), "shape": .shape(Self.shape(shape))])
  }

  mutating func constant(_ name: String, _ numbers: [Int], _ shape: [Int]) {
    var tensor = Tensorflow_TensorProto()
    tensor.dtype = .dtInt32
    tensor.tensorShape = Self.shape(shape)
    tensor.intVal = numbers.map { Int32($0) }
    node(name, "Const", [], ["value": .tensor(tensor), "dtype": .type(.dtInt32)])
  }

  /// A function, whose nodes are those of another graph.
  mutating func function(
    _ name: String, arguments: [String], results: [String: String], _ body: FrozenGraph
  ) {
    var function = Tensorflow_FunctionDef()
    function.signature.name = name
    for argument in arguments {
      var definition = Tensorflow_OpDef.ArgDef()
      definition.name = argument
      function.signature.inputArg.append(definition)
    }
    for result in results.keys.sorted() {
      var definition = Tensorflow_OpDef.ArgDef()
      definition.name = result
      function.signature.outputArg.append(definition)
    }
    function.ret = results
    function.nodeDef = body.graph.node
    graph.library.function.append(function)
  }

  static func functions(_ names: [String]) -> Tensorflow_AttrValue.OneOf_Value {
    var list = Tensorflow_AttrValue.ListValue()
    list.func = names.map {
      var function = Tensorflow_NameAttrList()
      function.name = $0
      return function
    }
    return .list(list)
  }

  static func function(_ name: String) -> Tensorflow_AttrValue.OneOf_Value {
    var function = Tensorflow_NameAttrList()
    function.name = name
    return .func(function)
  }

  private static func shape(_ extents: [Int]) -> Tensorflow_TensorShapeProto {
    var shape = Tensorflow_TensorShapeProto()
    shape.dim = extents.map {
      var dimension = Tensorflow_TensorShapeProto.Dim()
      dimension.size = Int64($0)
      return dimension
    }
    return shape
  }

  func model() throws -> Model {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-\(UUID().uuidString).pb")
    defer { try? FileManager.default.removeItem(at: file) }
    let bytes: Data = try graph.serializedBytes()
    try bytes.write(to: file)
    return try Model(contentsOf: file)
  }

  func run(
    _ inputs: [String: Tensor], _ configure: (inout Builder) -> Void = { _ in }
  ) async throws -> [String: Tensor] {
    var builder = Builder()
    builder.tuning = 0
    configure(&builder)
    return try await builder.build(try model()).run(inputs)
  }
}

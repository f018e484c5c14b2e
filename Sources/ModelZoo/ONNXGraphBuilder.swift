package import ONNXFormat

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Writes an ONNX graph node by node.
///
/// Values are known by their names. Nodes, values and weights are named after the scope in which
/// they are made, as PyTorch's exporter names them: `/layer1.0/conv1/Conv_output_0`,
/// `layer1.0.conv1.weight`.
package struct ONNXGraphBuilder {
  package static let opsetVersion: Int64 = 17
  package static let irVersion: Int64 = 8

  private var graph = Onnx_GraphProto()
  private let seed: UInt64
  private var path: [String] = []
  private var uses: [String: Int] = [:]
  /// Where channels of variance one have their mean before an activation. Of negative means the results have
  /// ever longer tails from layer to layer; of large ones they have common parts beside which they vary little.
  package var activationMean: Float = 0.5

  /// - Parameter seed: what, together with its name, decides the elements of each weight.
  package init(name: String, seed: UInt64) {
    graph.name = name
    self.seed = seed
  }

  /// The finished model.
  package consuming func model() -> Onnx_ModelProto {
    var opset = Onnx_OperatorSetIdProto()
    opset.domain = ""
    opset.version = Self.opsetVersion
    var model = Onnx_ModelProto()
    model.irVersion = Self.irVersion
    model.producerName = "needletail"
    model.opsetImport = [opset]
    model.graph = graph
    return model
  }

  /// Runs `body` with `name` appended to the scope.
  package mutating func scope<Result>(
    _ name: String, _ body: (inout ONNXGraphBuilder) -> Result
  ) -> Result {
    path.append(name)
    let result = body(&self)
    path.removeLast()
    return result
  }
}

// MARK: - Inputs, outputs, nodes

extension ONNXGraphBuilder {
  /// An extent of a graph input or output.
  package enum Extent: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case fixed(Int)
    case symbol(String)

    package init(integerLiteral value: Int) { self = .fixed(value) }
    package init(stringLiteral value: String) { self = .symbol(value) }
  }

  /// Declares a graph input and returns its name.
  @discardableResult
  package mutating func input(
    _ name: String, _ extents: [Extent], type: Onnx_TensorProto.DataType = .float
  ) -> String {
    graph.input.append(Self.valueInfo(name, type, extents))
    return name
  }

  /// Declares a graph output: `value`, which is called `name` from then on.
  package mutating func output(
    _ name: String, of value: String, _ extents: [Extent],
    type: Onnx_TensorProto.DataType = .float
  ) {
    for index in graph.node.indices {
      for position in graph.node[index].input.indices
      where graph.node[index].input[position] == value {
        graph.node[index].input[position] = name
      }
      for position in graph.node[index].output.indices
      where graph.node[index].output[position] == value {
        graph.node[index].output[position] = name
      }
    }
    graph.output.append(Self.valueInfo(name, type, extents))
  }

  /// Appends a node of one result and returns the result's name.
  package mutating func node(
    _ operation: String, _ inputs: [String], _ attributes: [Onnx_AttributeProto] = []
  ) -> String {
    let name = unique("/" + (path + [operation]).joined(separator: "/"))
    var node = Onnx_NodeProto()
    node.opType = operation
    node.name = name
    node.input = inputs
    node.output = [name + "_output_0"]
    node.attribute = attributes
    graph.node.append(node)
    return name + "_output_0"
  }

  private mutating func unique(_ name: String) -> String {
    let count = uses[name, default: 0]
    uses[name] = count + 1
    return count == 0 ? name : "\(name)_\(count)"
  }

  private static func valueInfo(
    _ name: String, _ type: Onnx_TensorProto.DataType, _ extents: [Extent]
  ) -> Onnx_ValueInfoProto {
    var info = Onnx_ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = Int32(type.rawValue)
    info.type.tensorType.shape.dim = extents.map { extent in
      var dimension = Onnx_TensorShapeProto.Dimension()
      switch extent {
      case .fixed(let value): dimension.dimValue = Int64(value)
      case .symbol(let symbol): dimension.dimParam = symbol
      }
      return dimension
    }
    return info
  }
}

// MARK: - Constants and weights

extension ONNXGraphBuilder {
  /// A node that holds integers; a scalar where `shape` is empty.
  package mutating func constant(integers: [Int64], shape: [Int]) -> String {
    node("Constant", [], [.tensor("value", .int64(integers, shape: shape))])
  }

  package mutating func constant(integer: Int) -> String {
    constant(integers: [Int64(integer)], shape: [])
  }

  package mutating func constant(vector: [Int]) -> String {
    constant(integers: vector.map(Int64.init), shape: [vector.count])
  }

  /// A node that holds one number without extents.
  package mutating func constant(number: Float) -> String {
    node("Constant", [], [.tensor("value", .float32([number], shape: []))])
  }

  /// Appends an initializer called `suffix` within the scope and returns its name.
  package mutating func initializer(_ suffix: String, _ tensor: Onnx_TensorProto) -> String {
    var tensor = tensor
    tensor.name = (path + [suffix]).joined(separator: ".")
    graph.initializer.append(tensor)
    return tensor.name
  }

  /// Appends an initializer of given elements.
  package mutating func weight(_ suffix: String, _ values: [Float], shape: [Int]) -> String {
    initializer(suffix, .float32(values, shape: shape))
  }

  /// Appends an initializer of normally distributed elements.
  package mutating func randomWeight(
    _ suffix: String, shape: [Int], mean: Float = 0, standardDeviation: Float
  ) -> String {
    let count = shape.reduce(1, *)
    let values = random(suffix, count: count, mean: mean, standardDeviation: standardDeviation)
    return weight(suffix, values, shape: shape)
  }

  /// The elements that the weight called `suffix` within the scope gets.
  package func random(
    _ suffix: String, count: Int, mean: Float = 0, standardDeviation: Float
  ) -> [Float] {
    WeightGenerator(seed: seed, name: (path + [suffix]).joined(separator: "."))
      .normal(count: count, mean: mean, standardDeviation: standardDeviation)
  }
}

// MARK: - Protobuf values

extension Onnx_TensorProto {
  package static func float32(_ values: [Float], shape: [Int]) -> Onnx_TensorProto {
    Onnx_TensorProto(.float, shape: shape, bytes: values.withUnsafeBytes { Data($0) })
  }

  package static func int64(_ values: [Int64], shape: [Int]) -> Onnx_TensorProto {
    Onnx_TensorProto(.int64, shape: shape, bytes: values.withUnsafeBytes { Data($0) })
  }

  private init(_ type: DataType, shape: [Int], bytes: Data) {
    self.init()
    dataType = Int32(type.rawValue)
    dims = shape.map(Int64.init)
    rawData = bytes
  }
}

extension Onnx_AttributeProto {
  package static func integer(_ name: String, _ value: Int) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto(name: name, type: .int)
    attribute.i = Int64(value)
    return attribute
  }

  package static func integers(_ name: String, _ values: [Int]) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto(name: name, type: .ints)
    attribute.ints = values.map(Int64.init)
    return attribute
  }

  package static func number(_ name: String, _ value: Float) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto(name: name, type: .float)
    attribute.f = value
    return attribute
  }

  package static func tensor(
    _ name: String, _ value: Onnx_TensorProto
  ) -> Onnx_AttributeProto {
    var attribute = Onnx_AttributeProto(name: name, type: .tensor)
    attribute.t = value
    return attribute
  }

  private init(name: String, type: AttributeType) {
    self.init()
    self.name = name
    self.type = type
  }
}

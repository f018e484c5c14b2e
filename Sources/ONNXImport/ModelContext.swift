import GraphModel
import ONNXFormat
import TensorModel

/// What all graphs of one model share while they are assembled.
final class ModelContext {
  let decoder: TensorDecoder
  let limits: Limits
  /// The operator sets that the model imports, by domain.
  let operatorSets: [String: Int]
  private let functions: [FunctionKey: Onnx_FunctionProto]
  private var nodeNames = NameTable()
  private var nodeCount = 0

  struct FunctionKey: Hashable {
    var domain: String
    var name: String
    var overload: String
  }

  init(_ model: Onnx_ModelProto, decoder: TensorDecoder, limits: Limits) {
    self.decoder = decoder
    self.limits = limits
    // Files older than operator sets mean the first one.
    operatorSets =
      model.opsetImport.isEmpty
      ? [ModelFormat.defaultDomain: 1] : Self.operatorSets(model.opsetImport)
    var functions: [FunctionKey: Onnx_FunctionProto] = [:]
    for function in model.functions {
      let key = FunctionKey(
        domain: ModelFormat.domain(function.domain), name: function.name,
        overload: function.overload)
      functions[key] = function
    }
    self.functions = functions
  }

  static func operatorSets(_ imports: [Onnx_OperatorSetIdProto]) -> [String: Int] {
    var result: [String: Int] = [:]
    for set in imports {
      result[ModelFormat.domain(set.domain)] = Int(set.version)
    }
    return result
  }

  /// The operator sets that a function's nodes are read under: those that it imports, then the model's.
  func operatorSets(of function: Onnx_FunctionProto) -> [String: Int] {
    operatorSets.merging(Self.operatorSets(function.opsetImport)) { _, own in own }
  }

  func functionKey(_ node: Onnx_NodeProto) -> FunctionKey {
    FunctionKey(
      domain: ModelFormat.domain(node.domain), name: node.opType, overload: node.overload)
  }

  /// The model's own definition of a node's operator.
  func function(_ node: Onnx_NodeProto) -> Onnx_FunctionProto? {
    functions.isEmpty ? nil : functions[functionKey(node)]
  }

  /// Counts a node against the limit and gives it a name that no other has.
  func admit(_ node: Onnx_NodeProto, prefix: String) throws(ImportError) -> String {
    nodeCount += 1
    guard nodeCount <= limits.nodes else {
      throw .exceedsLimit(what: "nodes of the model", found: nodeCount, limit: limits.nodes)
    }
    let name = node.name.isEmpty ? "\(node.opType)_\(nodeCount)" : node.name
    return nodeNames.unique(prefix + name)
  }
}

/// What the nodes of one graph or function are read under.
struct CallContext {
  /// The version of each domain's operator set.
  var operatorSets: [String: Int]
  /// The attributes of the function that the nodes belong to; nil outside functions.
  var attributes: [String: Onnx_AttributeProto]?
  /// What the names of nodes and values begin with.
  var prefix: String
  /// How many graphs and functions lie around the nodes.
  var depth: Int

  /// The version that a node's operator has; 1 for a domain that the model does not import.
  func version(of node: Onnx_NodeProto) -> Int {
    operatorSets[ModelFormat.domain(node.domain)] ?? 1
  }

  /// The node's attributes, those of the function in the place of references to them.
  func attributes(of node: Onnx_NodeProto) -> [Onnx_AttributeProto] {
    guard let attributes else { return node.attribute }
    return node.attribute.compactMap { attribute in
      guard !attribute.refAttrName.isEmpty else { return attribute }
      guard var actual = attributes[attribute.refAttrName] else { return nil }
      actual.name = attribute.name
      return actual
    }
  }

  /// What the nodes of `function` are read under where `node` calls it.
  func call(
    _ function: Onnx_FunctionProto, by node: Onnx_NodeProto, named name: String,
    operatorSets: [String: Int]
  ) -> CallContext {
    var actual: [String: Onnx_AttributeProto] = [:]
    for attribute in function.attributeProto { actual[attribute.name] = attribute }
    for attribute in attributes(of: node) { actual[attribute.name] = attribute }
    return CallContext(
      operatorSets: operatorSets, attributes: actual, prefix: "\(name)/", depth: depth + 1)
  }
}

extension Onnx_NodeProto {
  /// What messages call the node: its name, or that of its first output.
  var label: String { name.isEmpty ? output.first ?? "" : name }
}

import GraphModel
import TensorFlowFormat
import TensorModel

/// A value while a graph is built.
enum FlowValue {
  case tensor(ValueID)
  /// A variable, by the node of the main graph that holds it.
  case variable(String)
}

/// What all graphs of a model share while they are built.
final class ModelContext {
  let limits: Limits
  let decoder: TensorDecoder
  let variables: Variables
  private let functions: [String: Tensorflow_FunctionDef]
  /// The nodes of the main graph.
  let nodes: [String: Tensorflow_NodeDef]
  private var nodeCount = 0
  /// The nodes of functions, by the functions' names.
  private var tables: [String: [String: Tensorflow_NodeDef]] = [:]
  private var constants: [String: Tensor] = [:]

  init(
    _ graph: Tensorflow_GraphDef, variables: Variables, limits: Limits
  ) throws(TensorFlowImportError) {
    self.limits = limits
    self.variables = variables
    decoder = TensorDecoder(limits: limits)
    functions = Dictionary(
      graph.library.function.map { ($0.signature.name, $0) },
      uniquingKeysWith: { first, _ in first })
    nodes = try Self.table(graph.node, graph: "main graph")
  }

  static func table(
    _ nodes: [Tensorflow_NodeDef], graph: String
  ) throws(TensorFlowImportError) -> [String: Tensorflow_NodeDef] {
    var table: [String: Tensorflow_NodeDef] = [:]
    for node in nodes {
      guard table.updateValue(node, forKey: node.name) == nil else {
        throw .node(
          name: node.name, operatorName: node.op, reason: "\(graph) has two nodes of this name")
      }
    }
    return table
  }

  func hasFunction(_ name: String) -> Bool { functions[name] != nil }

  func function(_ name: String) throws(TensorFlowImportError) -> Tensorflow_FunctionDef {
    guard let function = functions[name] else {
      throw .function(name: name, reason: "the model calls it and does not have it")
    }
    return function
  }

  /// The nodes of a function by their names.
  func nodes(
    of function: Tensorflow_FunctionDef
  ) throws(TensorFlowImportError) -> [String: Tensorflow_NodeDef] {
    let name = function.signature.name
    if let known = tables[name] { return known }
    let table = try Self.table(function.nodeDef, graph: "function '\(name)'")
    tables[name] = table
    return table
  }

  /// Counts a node of the graph that is built.
  func admit(_ node: Tensorflow_NodeDef) throws(TensorFlowImportError) {
    nodeCount += 1
    guard nodeCount <= limits.nodes else {
      throw .exceedsLimit(
        what: "nodes, functions inlined, at '\(node.name)'", found: nodeCount, limit: limits.nodes)
    }
  }

  /// The elements of a variable, decoded once.
  func variable(_ name: String) throws(TensorFlowImportError) -> Tensor {
    if let known = constants[name] { return known }
    guard let node = nodes[name] else {
      throw .variable(name: name, reason: "the graph does not have it")
    }
    let tensor = try variables.tensor(node)
    constants[name] = tensor
    return tensor
  }
}

extension Tensorflow_NodeDef {
  /// The function that an attribute names.
  func function(_ attribute: String) throws(TensorFlowImportError) -> String {
    guard case .func(let function)? = attr[attribute]?.value else {
      throw .node(
        name: name, operatorName: op, reason: "attribute '\(attribute)' names no function")
    }
    return function.name
  }

  /// The operands that are data, not order.
  var operands: [String] { input.filter { !$0.hasPrefix("^") } }

  /// The functions that the node may call.
  var calledFunctions: [String] {
    attr.sorted { $0.key < $1.key }.flatMap { attribute -> [String] in
      switch attribute.value.value {
      case .func(let function): [function.name]
      case .list(let list): list.func.map(\.name)
      default: []
      }
    }
  }

  /// How many outputs the node has.
  func outputCount() throws(TensorFlowImportError) -> Int {
    if let names = OutputNames.table[op] { return names.count }
    guard let attribute = OutputNames.counts[op] else { return 1 }
    guard case .i(let number)? = attr[attribute]?.value, let count = Int(exactly: number),
      (0...65536).contains(count)
    else {
      throw .node(name: name, operatorName: op, reason: "attribute '\(attribute)' is no count")
    }
    return count
  }
}

/// Operators with several outputs.
enum OutputNames {
  private static let statistics = [
    "y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3",
  ]

  /// The names of outputs where there are several names.
  static let table: [String: [String]] = [
    "FusedBatchNorm": statistics, "FusedBatchNormV2": statistics, "FusedBatchNormV3": statistics,
    "TopKV2": ["values", "indices"], "Unique": ["y", "idx"], "UniqueV2": ["y", "idx"],
    "UniqueWithCounts": ["y", "idx", "count"], "UniqueWithCountsV2": ["y", "idx", "count"],
    "NonMaxSuppressionV4": ["selected_indices", "valid_outputs"],
    "NonMaxSuppressionV5": ["selected_indices", "selected_scores", "valid_outputs"],
    "CombinedNonMaxSuppression": [
      "nmsed_boxes", "nmsed_scores", "nmsed_classes", "valid_detections",
    ],
    "MaxPoolWithArgmax": ["output", "argmax"],
    "SparseSoftmaxCrossEntropyWithLogits": ["loss", "backprop"],
    "SoftmaxCrossEntropyWithLogits": ["loss", "backprop"],
    "TensorListConcat": ["tensor", "lengths"], "TensorListConcatV2": ["tensor", "lengths"],
    "TensorListPopBack": ["output_handle", "tensor"],
  ]

  /// The attributes that count outputs of one name.
  static let counts = ["Split": "num_split", "SplitV": "num_split", "Unpack": "num", "ShapeN": "N"]
}

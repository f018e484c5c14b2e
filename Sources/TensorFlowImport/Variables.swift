import SwiftProtobuf
import TensorFlowFormat
import TensorModel

/// Finds the elements of variables: which entry of the checkpoint a `VarHandleOp` of the graph means.
final class Variables {
  /// Nil where the model has no checkpoint.
  let bundle: TensorBundle?
  private let meta: Tensorflow_MetaGraphDef
  /// Names of nodes of the main graph, with the object of the saved model that each is.
  private var objects: [String: Int] = [:]
  /// Objects of the saved model, with their keys in the checkpoint.
  private var keys: [Int: String] = [:]
  /// Keys by the full names that the checkpoint keeps; nil where several variables have a name.
  private var named: [String: String?] = [:]

  private static let objectGraph = "_CHECKPOINTABLE_OBJECT_GRAPH"
  private static let valueName = "VARIABLE_VALUE"

  init(
    _ meta: Tensorflow_MetaGraphDef, bundle: TensorBundle?
  ) throws(TensorFlowImportError) {
    self.meta = meta
    self.bundle = bundle
    bindObjects()
    guard let text = try bundle?.text(Self.objectGraph) else { return }
    let graph: Tensorflow_TrackableObjectGraph
    do { graph = try Tensorflow_TrackableObjectGraph(serializedBytes: text) } catch {
      throw .variable(name: Self.objectGraph, reason: "it is no protocol buffer")
    }
    matchKeys(graph)
  }

  /// The last operands of a call are what its function captured, in the order of the saved objects.
  private func bindObjects() {
    let functions = meta.objectGraphDef.concreteFunctions
    for node in meta.graphDef.node {
      guard case .func(let function)? = node.attr["f"]?.value,
        let bound = functions[function.name]?.boundInputs
      else { continue }
      let operands = node.input.filter { !$0.hasPrefix("^") }
      guard bound.count <= operands.count else { continue }
      for (operand, object) in zip(operands.suffix(bound.count), bound) {
        objects[NodeReference(operand).node] = Int(object)
      }
    }
  }

  /// Walks the object graphs of model and checkpoint side by side.
  private func matchKeys(_ checkpoint: Tensorflow_TrackableObjectGraph) {
    for object in checkpoint.nodes {
      for attribute in object.attributes where attribute.name == Self.valueName {
        let isKnown = named[attribute.fullName] != nil
        named.updateValue(isKnown ? nil : attribute.checkpointKey, forKey: attribute.fullName)
      }
    }
    let saved = meta.objectGraphDef.nodes
    guard !saved.isEmpty, !checkpoint.nodes.isEmpty else { return }
    var pending = [(0, 0)]
    var visited: Set<Int> = [0]
    while let (model, stored) = pending.popLast() {
      let object = checkpoint.nodes[stored]
      if let value = object.attributes.first(where: { $0.name == Self.valueName }) {
        keys[model] = value.checkpointKey
      }
      let children = Dictionary(
        object.children.map { ($0.localName, Int($0.nodeID)) },
        uniquingKeysWith: { first, _ in first })
      for child in saved[model].children {
        guard let other = children[child.localName], checkpoint.nodes.indices.contains(other),
          saved.indices.contains(Int(child.nodeID)), visited.insert(Int(child.nodeID)).inserted
        else { continue }
        pending.append((Int(child.nodeID), other))
      }
    }
  }

  /// The elements of the variable that a node of the main graph holds.
  func tensor(_ node: Tensorflow_NodeDef) throws(TensorFlowImportError) -> Tensor {
    guard let bundle else {
      throw .variable(name: node.name, reason: "the model has no folder of variables")
    }
    if let key = objects[node.name].flatMap({ keys[$0] }) { return try bundle.tensor(key) }
    var names = [node.name]
    if case .s(let shared)? = node.attr["shared_name"]?.value, !shared.isEmpty {
      names.insert(String(decoding: shared, as: UTF8.self), at: 0)
    }
    for name in names {
      if case .some(.some(let key)) = named[name] { return try bundle.tensor(key) }
      if bundle.entries[name] != nil { return try bundle.tensor(name) }
    }
    throw .variable(name: node.name, reason: "the checkpoint has no elements for it")
  }

  /// How many variables the checkpoint has, and their bytes.
  var total: (count: Int, bytes: Int) {
    var (count, bytes) = (0, 0)
    for (key, entry) in bundle?.entries ?? [:] where key != Self.objectGraph {
      count += 1
      bytes = bytes.addingReportingOverflow(Int(clamping: entry.size)).partialValue
    }
    return (count, bytes)
  }
}

/// What names an output of a node: `node`, `node:1`, `node:output:1`.
struct NodeReference {
  var node: String
  /// The name of a list of outputs; nil where the graph counts through.
  var output: String?
  var index: Int

  init(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    node = String(parts[0])
    output = parts.count > 2 ? String(parts[1]) : nil
    index = parts.count > 1 ? Int(parts[parts.count - 1]) ?? -1 : 0
  }
}

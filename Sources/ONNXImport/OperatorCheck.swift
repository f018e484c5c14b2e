import GraphModel
import ONNXFormat
import Operators

/// Finds the operators of a model that the catalogue does not have, before anything is computed.
struct OperatorCheck {
  private let context: ModelContext
  private var missing: [Key: UnsupportedOperator] = [:]
  private var order: [Key] = []
  private var visited: Set<ModelContext.FunctionKey> = []
  private var pending: [Work] = []

  private struct Key: Hashable {
    var domain: String
    var name: String
    var version: Int
  }

  private struct Work {
    var nodes: [Onnx_NodeProto]
    var operatorSets: [String: Int]
  }

  static func run(_ model: Onnx_ModelProto, context: ModelContext) throws(ImportError) {
    var check = OperatorCheck(context: context)
    check.pending = [Work(nodes: model.graph.node, operatorSets: context.operatorSets)]
    while let work = check.pending.popLast() {
      for node in work.nodes { try check.visit(node, work.operatorSets) }
    }
    guard check.missing.isEmpty else {
      throw .unsupportedOperators(check.order.compactMap { check.missing[$0] })
    }
  }

  private init(context: ModelContext) { self.context = context }

  private mutating func visit(
    _ node: Onnx_NodeProto, _ operatorSets: [String: Int]
  ) throws(ImportError) {
    for attribute in node.attribute {
      if attribute.hasG {
        pending.append(Work(nodes: attribute.g.node, operatorSets: operatorSets))
      }
    }
    if let function = context.function(node) {
      if visited.insert(context.functionKey(node)).inserted {
        pending.append(
          Work(nodes: function.node, operatorSets: context.operatorSets(of: function)))
      }
      return
    }
    let domain = ModelFormat.domain(node.domain)
    guard !node.opType.isEmpty else {
      throw .invalidNode(node: node.label, operatorName: "", reason: "it names no operator")
    }
    guard let version = operatorSets[domain] ?? (domain == ModelFormat.defaultDomain ? nil : 1)
    else {
      throw .invalidNode(
        node: node.label, operatorName: node.opType,
        reason: "the model imports no version of the default operator set")
    }
    if Catalog.find(domain: domain, name: node.opType, version: version) != nil { return }
    let key = Key(domain: domain, name: node.opType, version: version)
    if missing[key] == nil {
      order.append(key)
      missing[key] = UnsupportedOperator(
        domain: domain, name: node.opType, version: version, node: node.label, count: 0,
        knownVersions: Catalog.knownVersions(domain: domain, name: node.opType))
    }
    missing[key]?.count += 1
  }
}

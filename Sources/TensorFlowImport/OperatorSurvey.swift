import Operators
import TensorFlowFormat

/// Counts the operators that outputs depend on, functions included, before anything is computed.
struct OperatorSurvey {
  private let context: ModelContext
  private(set) var counts: [String: Int] = [:]
  private var examples: [String: String] = [:]
  private var functions: Set<String> = []
  private var pending: [String] = []

  init(
    _ context: ModelContext, outputs: [String], feeding fed: Set<String>
  ) throws(TensorFlowImportError) {
    self.context = context
    visit(context.nodes, outputs, skipping: fed)
    while let name = pending.popLast() {
      let function = try context.function(name)
      let arguments = Set(function.signature.inputArg.map(\.name))
      visit(
        try context.nodes(of: function),
        try GraphBuilder.results(of: function), skipping: arguments)
    }
  }

  /// The operators that nothing knows, sorted by name.
  var unsupported: [UnsupportedNode] {
    counts.keys.sorted().filter { name in
      !GraphBuilder.resolved.contains(name) && !context.hasFunction(name)
        && Catalog.find(domain: "tensorflow", name: name, version: 1) == nil
    }.map { UnsupportedNode(operatorName: $0, node: examples[$0] ?? "", count: counts[$0] ?? 0) }
  }

  private mutating func visit(
    _ nodes: [String: Tensorflow_NodeDef], _ outputs: [String], skipping known: Set<String>
  ) {
    var stack = outputs.map { NodeReference($0).node }
    var visited = known
    while let name = stack.popLast() {
      guard visited.insert(name).inserted, let node = nodes[name] else { continue }
      counts[node.op, default: 0] += 1
      if examples[node.op] == nil { examples[node.op] = node.name }
      stack += node.operands.map { NodeReference($0).node }
      var called = node.calledFunctions
      if context.hasFunction(node.op) { called.append(node.op) }
      for function in called where functions.insert(function).inserted { pending.append(function) }
    }
  }
}

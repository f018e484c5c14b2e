import GraphModel
import KernelModel
import Operators
import TensorModel
import Testing

/// A graph of operators as an importer would write it, for tests.
struct ModelDraft {
  private(set) var graph: Graph
  private var nodeCount = 0

  init(_ name: String = "model") { graph = Graph(name: name) }

  mutating func input(_ name: String, _ type: TensorType? = nil) -> ValueID {
    graph.addInput(name: name, type: type)
  }

  mutating func constant(_ tensor: Tensor) -> ValueID {
    graph.addConstant(name: "constant", tensor)
  }

  /// Adds an operator and returns its outputs, named after it; nil stands for an output without a name.
  @discardableResult
  mutating func add(
    _ name: String, _ inputs: [ValueID?], outputs: [String?] = ["out"], version: Int = 20,
    captures: [ValueID] = [], domain: String = "onnx", _ attributes: [String: AttributeValue] = [:]
  ) -> [ValueID] {
    nodeCount += 1
    let record = OperatorRecord(
      domain: domain, name: name, version: version, attributes: attributes,
      captureCount: captures.count)
    let ids = outputs.map { output in
      graph.addValue(Value(name: output.map { "\(graph.name).\($0)\(nodeCount)" } ?? ""))
    }
    graph.addNode(
      Node(
        name: "\(name)\(nodeCount)", operation: .pending(record),
        inputs: inputs + captures.map { $0 }, outputs: ids, origins: []))
    return ids
  }

  mutating func output(_ name: String, _ value: ValueID) { graph.outputs.append((name, value)) }

  func expanded() throws -> Graph { try GraphExpansion.expand(graph) }
}

extension Graph {
  /// Nodes that run: control flow and kernels, by the words of messages.
  var families: [String] {
    liveNodes.map { _, node in
      switch node.operation {
      case .kernel(let problem): problem.family
      case .pending(let record): "pending \(record.name)"
      case .host(let record): "host \(record.name)"
      case .control(.branch): "branch"
      case .control(.loop): "loop"
      case .control(.scan): "scan"
      }
    }
  }

  func outputType(_ index: Int) -> TensorType? { self[outputs[index].value].type }

  /// The bodies of the only control flow in the graph.
  var bodies: [Graph] {
    liveNodes.flatMap { _, node in
      if case .control(let control) = node.operation { control.bodies } else { [Graph]() }
    }
  }
}

func floats(_ values: [Float], _ shape: [Int]) throws -> Tensor {
  try Tensor(values, shape: shape)
}

func run(_ graph: Graph, _ inputs: [String: Tensor]) throws -> [[Float]] {
  let results = try GraphInterpreter.run(graph, inputs: inputs)
  return try graph.outputs.map { output in
    try #require(results[output.name]).elements(as: Float.self)
  }
}

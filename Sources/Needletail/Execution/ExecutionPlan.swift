import DeviceInterface
import GraphModel
import KernelAutoTuning
import KernelModel
import ProgramModel
import Synchronization
import TensorModel

/// How a graph runs for one set of input types: a program of kernels, then what only the host can do, then
/// the rest of the graph, planned when its shapes are known.
final class ExecutionPlan: Sendable {
  /// The graph with the shapes of the plan.
  let graph: Graph
  private let pipeline: Pipeline
  let program: PlannedProgram?
  let hostNodes: [HostNode]
  let remainder: Remainder?

  struct PlannedProgram: Sendable {
    var compiled: CompiledProgram
    var contexts: ContextPool
    /// Values of the graph, in the order of the program's inputs and outputs.
    var inputs: [ValueID]
    var outputs: [ValueID]
    var outputTypes: [(dataType: DataType, shape: [Int])]
  }

  struct Remainder: Sendable {
    var executor: GraphExecutor
    var inputs: [ValueID]
  }

  /// The kernels' part as a device gets it that lets contractions take over what is added to them; nil where there is
  /// none.
  func programWithJoinedSums() throws(NeedletailError) -> Program? {
    let parts = GraphPartition(graph)
    guard !parts.kernels.isEmpty else { return nil }
    return try pipeline.lower(parts.programGraph().0, joinsSums: true)
  }

  /// Whether a run is nothing but the program.
  var isProgramOnly: Bool {
    guard let program else { return false }
    return hostNodes.isEmpty && remainder == nil && program.inputs == graph.inputs
      && program.outputs == graph.outputs.map(\.value)
  }

  init(_ graph: Graph, runtime: Runtime) throws(NeedletailError) {
    let parts = GraphPartition(graph)
    self.graph = graph
    pipeline = runtime.pipeline
    program = try Self.program(parts, graph, runtime)
    var hosts: [HostNode] = []
    for node in parts.barriers { hosts.append(try HostNode(node, graph: graph, runtime: runtime)) }
    hostNodes = hosts
    if !runtime.pipeline.allowsFallback, let first = hosts.first {
      throw SegmentReport.refusal(of: first.name, first.reason)
    }
    if parts.rest.isEmpty {
      remainder = nil
    } else {
      guard !parts.barriers.isEmpty else {
        throw NeedletailError(.build, "the shapes of '\(parts.rest[0].name)' cannot be told")
      }
      let (rest, inputs) = parts.remainderGraph()
      remainder = Remainder(executor: GraphExecutor(rest, runtime: runtime), inputs: inputs)
    }
  }

  private static func program(
    _ parts: GraphPartition, _ graph: Graph, _ runtime: Runtime
  ) throws(NeedletailError) -> PlannedProgram? {
    guard !parts.kernels.isEmpty else { return nil }
    let (kernelGraph, inputs, outputs) = parts.programGraph()
    let compiled = try runtime.pipeline.compile(
      kernelGraph, for: runtime.device, choosing: runtime.tactics)
    var types: [(DataType, [Int])] = []
    for view in compiled.tuned.program.outputs { types.append((view.dataType, view.shape)) }
    return PlannedProgram(
      compiled: compiled, contexts: ContextPool(compiled.executable), inputs: inputs,
      outputs: outputs, outputTypes: types.map { (dataType: $0.0, shape: $0.1) })
  }
}

/// What a graph executor needs besides its graph.
struct Runtime: Sendable {
  var pipeline: Pipeline
  var device: any Device
  var tactics: any TacticSource
  /// The engine's file, of which nothing needs to stay in memory once weights are packed.
  var mapping: TensorStorage?
}

/// Contexts that are not in use.
final class ContextPool: Sendable {
  private let executable: any Executable
  private let idle = Mutex<[any ExecutableContext]>([])

  init(_ executable: any Executable) { self.executable = executable }

  func take() throws(NeedletailError) -> any ExecutableContext {
    if let context = idle.withLock({ $0.popLast() }) { return context }
    do { return try executable.makeContext() } catch {
      throw NeedletailError(.device, error.description)
    }
  }

  func giveBack(_ context: any ExecutableContext) { idle.withLock { $0.append(context) } }
}

/// Divides a graph into kernels that can run at once, host nodes that follow them, and the rest.
struct GraphPartition {
  private let graph: Graph
  private(set) var kernels: [Node] = []
  private(set) var barriers: [Node] = []
  private(set) var rest: [Node] = []
  private var known: Set<ValueID>
  private var afterKernels: Set<ValueID> = []

  init(_ graph: Graph) {
    self.graph = graph
    known = Set(graph.inputs)
    for (index, value) in graph.values.enumerated() where value.constant != nil {
      known.insert(ValueID(index))
    }
    for (_, node) in graph.liveNodes {
      let isReady = node.inputs.allSatisfy { $0.map { known.contains($0) } ?? true }
      if case .kernel = node.operation, isReady, hasConcreteTypes(node), !hasStrings(node) {
        kernels.append(node)
        known.formUnion(node.outputs)
      } else if case .kernel = node.operation, !(isReady && hasStrings(node)) {
        rest.append(node)
      } else if isReady {
        barriers.append(node)
      } else {
        rest.append(node)
      }
    }
  }

  private func hasStrings(_ node: Node) -> Bool {
    (node.inputs.compactMap { $0 } + node.outputs).contains { graph[$0].type?.dataType == .string }
  }

  private func hasConcreteTypes(_ node: Node) -> Bool {
    (node.inputs.compactMap { $0 } + node.outputs).allSatisfy {
      graph[$0].type?.shape.constants != nil
    }
  }

  /// A graph of the kernels alone: the values that it takes and gives.
  func programGraph() -> (graph: Graph, inputs: [ValueID], outputs: [ValueID]) {
    let produced = Set(kernels.flatMap(\.outputs))
    var wanted: [ValueID] = []
    var seen: Set<ValueID> = []
    func want(_ id: ValueID) {
      if produced.contains(id), seen.insert(id).inserted { wanted.append(id) }
    }
    for (_, id) in graph.outputs { want(id) }
    for node in barriers + rest { for case let id? in node.inputs { want(id) } }
    let isWhole =
      barriers.isEmpty && rest.isEmpty && Set(graph.outputs.map(\.value)).isSubset(of: produced)
    let outputs = isWhole ? graph.outputs.map(\.value) : wanted
    return (subgraph(kernels, inputs: graph.inputs, outputs: outputs), graph.inputs, outputs)
  }

  /// A graph of the rest, whose inputs are what the first part and the host nodes have computed.
  func remainderGraph() -> (graph: Graph, inputs: [ValueID]) {
    let produced = Set(rest.flatMap(\.outputs))
    var inputs: [ValueID] = []
    var seen: Set<ValueID> = []
    for node in rest {
      for case let id? in node.inputs
      where !produced.contains(id) && graph[id].constant == nil && graph[id].symbolic == nil
        && seen.insert(id).inserted
      {
        inputs.append(id)
      }
    }
    let outputs = graph.outputs.map(\.value).filter { produced.contains($0) }
    return (subgraph(rest, inputs: inputs, outputs: outputs), inputs)
  }

  private func subgraph(_ nodes: [Node], inputs: [ValueID], outputs: [ValueID]) -> Graph {
    var result = Graph(name: graph.name)
    for value in graph.values { result.addValue(value) }
    for node in nodes { result.addNode(node) }
    result.inputs = inputs
    result.outputs = outputs.map { (graph[$0].name, $0) }
    return result.compacted()
  }
}

import DeviceInterface
import GraphModel
import KernelModel
import Synchronization
import TensorModel

/// Runs a graph for inputs of any shapes that it accepts; each new set of shapes gets a plan, kept for the
/// next call.
final class GraphExecutor: Sendable {
  let graph: Graph
  let runtime: Runtime
  private let plans = Mutex<[(types: [TensorType], plan: ExecutionPlan)]>([])

  /// Plans kept at once: each holds packed weights of its own.
  private static let maximumPlans = 16

  init(_ graph: Graph, runtime: Runtime) {
    self.graph = graph
    self.runtime = runtime
  }

  /// The plan for these types, made now where there is none yet.
  func plan(for types: [TensorType]) throws(NeedletailError) -> ExecutionPlan {
    let known = plans.withLock { plans -> ExecutionPlan? in
      guard let index = plans.firstIndex(where: { $0.types == types }) else { return nil }
      // Most recently used last.
      let entry = plans.remove(at: index)
      plans.append(entry)
      return entry.plan
    }
    if let known { return known }
    let plan = try makePlan(types)
    runtime.mapping?.discardPages()
    plans.withLock { plans in
      if plans.count >= Self.maximumPlans { plans.removeFirst() }
      plans.append((types, plan))
    }
    return plan
  }

  /// What the device has compiled for all plans so far.
  var code: [String: [UInt8]] {
    let plans = plans.withLock { $0.map(\.plan) }
    return plans.reduce(into: [:]) { code, plan in
      code.merge(plan.program?.compiled.executable.code ?? [:]) { $1 }
    }
  }

  private func makePlan(_ types: [TensorType]) throws(NeedletailError) -> ExecutionPlan {
    var specialized = try GraphSpecialization.specialize(graph, inputs: types)
    if specialized.hasUnexpandedNodes {
      specialized = try runtime.pipeline.optimize(specialized: specialized).graph
    }
    return try ExecutionPlan(specialized, runtime: runtime)
  }

  /// - Parameter hostTimes: told the name of each node that the host computes, and its seconds.
  func run(
    _ inputs: [Tensor], hostTimes: ((String, Double) -> Void)? = nil
  ) throws(NeedletailError) -> [Tensor] {
    let plan = try plan(for: inputs.map(\.type))
    var values: [ValueID: Tensor] = [:]
    for (id, tensor) in zip(plan.graph.inputs, inputs) { values[id] = tensor }
    if let program = plan.program {
      let outputs = try program.run(program.inputs.map { values[$0] })
      for (id, tensor) in zip(program.outputs, outputs) { values[id] = tensor }
    }
    for node in plan.hostNodes {
      let start = ContinuousClock.now
      let results = try node.run(
        node.inputs.map { $0.flatMap { values[$0] ?? plan.graph[$0].constant } })
      hostTimes?(node.name, start.duration(to: .now) / .seconds(1))
      for (id, tensor) in zip(node.outputs, results) { values[id] = tensor }
    }
    if let remainder = plan.remainder {
      let results = try remainder.executor.run(
        remainder.inputs.compactMap { values[$0] }, hostTimes: hostTimes)
      let produced = remainder.executor.graph.outputs
      let wanted = plan.graph.outputs.map(\.value).filter {
        values[$0] == nil && plan.graph[$0].constant == nil
      }
      for (id, tensor) in zip(wanted, results.prefix(produced.count)) { values[id] = tensor }
    }
    var outputs: [Tensor] = []
    for (name, id) in plan.graph.outputs {
      guard let tensor = values[id] ?? plan.graph[id].constant else {
        throw NeedletailError(.device, "output '\(name)' was not computed")
      }
      outputs.append(tensor)
    }
    return outputs
  }
}

extension Graph {
  /// Whether nodes are left that may become kernels once shapes are known.
  var hasUnexpandedNodes: Bool {
    liveNodes.contains { _, node in
      switch node.operation {
      case .pending, .control: true
      case .kernel, .host: false
      }
    }
  }
}

extension ExecutionPlan.PlannedProgram {
  /// Runs the program with a context from the pool; outputs are new tensors.
  func run(_ inputs: [Tensor?]) throws(NeedletailError) -> [Tensor] {
    var results: [Tensor] = []
    for type in outputTypes {
      do { results.append(try Tensor(uninitialized: type.dataType, shape: type.shape)) } catch {
        throw NeedletailError(.device, error.description)
      }
    }
    let context = try contexts.take()
    defer { contexts.giveBack(context) }
    let sources = inputs.compactMap { $0.map { UnsafeRawPointer($0.address) } }
    guard sources.count == inputs.count else {
      throw NeedletailError(.device, "an input of the program was not computed")
    }
    let targets = results.map(\.address)
    var failure: NeedletailError?
    sources.withUnsafeBufferPointer { sources in
      targets.withUnsafeBufferPointer { targets in
        do throws(DeviceError) {
          try context.run(inputs: sources, outputs: targets)
        } catch {
          failure = NeedletailError(.device, error.description)
        }
      }
    }
    withExtendedLifetime((inputs, results)) {}
    if let failure { throw failure }
    return results
  }
}

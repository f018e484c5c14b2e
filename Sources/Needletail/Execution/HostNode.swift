import GraphModel
import KernelModel
import Operators
import ReferenceInterpreter
import TensorModel

/// A node that the host computes: an operator with no kernel, a branch or a loop.
struct HostNode: Sendable {
  let name: String
  let inputs: [ValueID?]
  let outputs: [ValueID]
  private let work: Work

  private enum Work: Sendable {
    case host(any HostOperator)
    case branch(then: GraphExecutor, otherwise: GraphExecutor)
    case loop(body: GraphExecutor, carried: Int)
    case scan(body: GraphExecutor, Control.Scanning)
    /// A problem on strings, which devices do not have.
    case kernel(KernelProblem)
  }

  /// Why the host computes the node.
  var reason: String {
    switch work {
    case .host: "the shape of its result depends on data, or it is too rare for a kernel"
    case .branch, .loop, .scan: "the host decides what runs; the bodies run on the device's kernels"
    case .kernel: "devices have no strings"
    }
  }

  init(_ node: Node, graph: Graph, runtime: Runtime) throws(NeedletailError) {
    name = node.name
    inputs = node.inputs
    outputs = node.outputs
    switch node.operation {
    case .host(let record), .pending(let record):
      guard
        let type = Catalog.find(domain: record.domain, name: record.name, version: record.version),
        let host = type as? any HostOperator.Type
      else {
        throw NeedletailError(
          .build, "node '\(node.name)' (\(record.name)): the types of its inputs cannot be told")
      }
      do { work = .host(try host.init(AttributeReader(record))) } catch {
        throw NeedletailError(.build, "node '\(node.name)' (\(record.name)): \(error.description)")
      }
    case .control(.branch(let then, let otherwise)):
      work = .branch(
        then: GraphExecutor(then, runtime: runtime),
        otherwise: GraphExecutor(otherwise, runtime: runtime))
    case .control(.loop(let body, let carried)):
      work = .loop(body: GraphExecutor(body, runtime: runtime), carried: carried)
    case .control(.scan(let body, let scanning)):
      work = .scan(body: GraphExecutor(body, runtime: runtime), scanning)
    case .kernel(let problem): work = .kernel(problem)
    }
  }

  func run(_ inputs: [Tensor?]) throws(NeedletailError) -> [Tensor] {
    switch work {
    case .host(let host):
      do { return try host.evaluate(inputs) } catch {
        throw NeedletailError(.device, "node '\(name)': \(error.description)")
      }
    case .kernel(let problem):
      do { return try Interpreter.evaluate(problem, inputs) } catch {
        throw NeedletailError(.device, "node '\(name)': \(error.description)")
      }
    case .branch(let then, let otherwise):
      guard let condition = inputs.first??.integers()?.first else {
        throw NeedletailError(.device, "node '\(name)': the condition is missing")
      }
      return try (condition != 0 ? then : otherwise).run(present(inputs.dropFirst()))
    case .loop(let body, let carried):
      return try LoopExecution(name: name, body: body, carried: carried).run(inputs)
    case .scan(let body, let scanning):
      return try ScanExecution(name: name, body: body, scanning: scanning).run(inputs)
    }
  }

  private func present(_ inputs: some Sequence<Tensor?>) throws(NeedletailError) -> [Tensor] {
    var result: [Tensor] = []
    for input in inputs {
      guard let input else { throw NeedletailError(.device, "node '\(name)': an input is missing") }
      result.append(input)
    }
    return result
  }
}

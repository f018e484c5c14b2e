package import GraphModel
import KernelModel
import TensorModel

/// The precision of every layer of a graph, and why it has it.
package struct PrecisionAssignment: Sendable {
  /// What was decided for one node.
  package struct Entry: Sendable, Hashable {
    package var node: String
    package var operation: String
    /// Nil for a node without floating-point arithmetic.
    package var precision: Precision?
    package var reason: Reason
  }

  /// Why a node has its precision.
  package enum Reason: String, Sendable, Hashable, CaseIterable {
    /// The precision that was asked for.
    case requested = "as requested"
    /// The model's own type is another than the request is about.
    case typeOfModel = "the model's own type"
    case integers = "no floating-point arithmetic"
    case movement = "moves elements only"
    /// Bodies of control flow have assignments of their own.
    case control = "decided inside its bodies"
    case host = "runs on the host"
    /// The types are known only when the engine runs.
    case unknown = "types known at run time only"
  }

  package private(set) var requested: Precision
  package private(set) var entries: [Entry]

  /// How many nodes have each precision.
  package var counts: [(precision: Precision, count: Int)] {
    Precision.allCases.compactMap { precision in
      let count = entries.count { $0.precision == precision }
      return count == 0 ? nil : (precision, count)
    }
  }

  fileprivate init(requested: Precision, entries: [Entry]) {
    self.requested = requested
    self.entries = entries
  }
}

extension PrecisionAssignment: CustomStringConvertible {
  /// One line per node, then the counts.
  package var description: String {
    var lines = entries.map { entry in
      "'\(entry.node)' \(entry.operation): \(entry.precision?.rawValue ?? "-") (\(entry.reason.rawValue))"
    }
    let counts = counts.map { "\($0.count) in \($0.precision.rawValue)" }
    lines.append("\(entries.count) nodes: \(counts.joined(separator: ", "))")
    return lines.joined(separator: "\n") + "\n"
  }
}

/// The place where the precision of every layer is decided.
package enum PrecisionPolicy {
  /// - Throws: `PrecisionError.notImplemented` for a precision that engines cannot be built for.
  package static func assign(
    _ graph: Graph, _ precision: Precision
  ) throws(PrecisionError) -> PrecisionAssignment {
    guard precision.isImplemented else { throw .notImplemented(precision) }
    let entries = graph.liveNodes.map { _, node in entry(graph, node, precision) }
    return PrecisionAssignment(requested: precision, entries: entries)
  }

  private static func entry(
    _ graph: Graph, _ node: Node, _ precision: Precision
  ) -> PrecisionAssignment.Entry {
    let operation: String
    let decision: (Precision?, PrecisionAssignment.Reason)
    switch node.operation {
    case .kernel(let problem):
      operation = problem.family
      decision = decide(graph, node, problem, precision)
    case .host(let record):
      operation = record.name
      decision = (nil, .host)
    case .pending(let record):
      operation = record.name
      decision = (nil, .unknown)
    case .control:
      operation = node.operation.summary
      decision = (nil, .control)
    }
    return PrecisionAssignment.Entry(
      node: node.name, operation: operation, precision: decision.0, reason: decision.1)
  }

  private static func decide(
    _ graph: Graph, _ node: Node, _ problem: KernelProblem, _ precision: Precision
  ) -> (Precision?, PrecisionAssignment.Reason) {
    switch problem {
    case .copy, .gather, .scatter, .sort: return (nil, .movement)
    default: break
    }
    let types = graph.types(of: node.inputs + node.outputs).compactMap { $0?.dataType }
    guard types.count > 0 else { return (nil, .unknown) }
    let floating = types.filter(\.isFloatingPoint)
    guard let type = floating.first else { return (nil, .integers) }
    switch type {
    case .float32: return (precision, .requested)
    case .float16: return (.fp16, .typeOfModel)
    case .bfloat16: return (.bf16, .typeOfModel)
    case .float64: return (nil, .typeOfModel)
    default: return (.fp8, .typeOfModel)
    }
  }
}

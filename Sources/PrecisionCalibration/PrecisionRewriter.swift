package import GraphModel
import KernelModel
import TensorModel

/// Writes an assignment of precisions into a graph.
///
/// Under 16 bits, layers take and give 16-bit numbers; a value is cast at most once, and only where no
/// kernel that writes or reads it can do so itself. Inputs and outputs of the graph keep their types, and a
/// graph that has been rewritten stays as it is. Under TF32, contractions that have this precision are marked. Under
/// INT8, contractions multiply bytes, the values between them are stored as such, and what is left is as under FP32 or
/// 16 bits.
package enum PrecisionRewriter {
  /// - Parameters:
  ///   - assignment: what `PrecisionPolicy.assign` gave for this very graph.
  /// - Throws: `GraphError` where the assignment is that of another graph.
  package static func apply(
    _ graph: Graph, _ assignment: PrecisionAssignment
  ) throws(GraphError) -> Graph {
    let precision = assignment.requested
    let result = try rewritingBodies(graph, precision)
    if precision == .tf32 { return try markingContractions(result, assignment) }
    if let quantization = assignment.quantization {
      var writer = QuantizationWriter(result, quantization)
      let quantized = try writer.write()
      guard let sixteen = assignment.rest.storageType.flatMap(SixteenBits.init) else {
        return quantized
      }
      let analysis = StorageAnalysis(
        quantized, sixteen, ranges: assignment.ranges, isQuantized: true)
      var rest = StorageWriter(quantized, analysis)
      return try rest.write()
    }
    guard let analysis = assignment.analysis else { return result }
    guard analysis.decisions.count == graph.liveNodes.count else { throw mismatch(graph) }
    var writer = StorageWriter(result, analysis)
    return try writer.write()
  }

  private static func rewritingBodies(
    _ graph: Graph, _ precision: Precision
  ) throws(GraphError) -> Graph {
    var result = graph
    for (id, node) in graph.liveNodes {
      guard case .control(var control) = node.operation else { continue }
      var bodies: [Graph] = []
      for body in control.bodies {
        let assignment: PrecisionAssignment
        do {
          assignment = try PrecisionPolicy.assign(body, precision.whereNotCalibrated, isBody: true)
        } catch {
          throw GraphError(error.description)
        }
        bodies.append(try apply(body, assignment))
      }
      control.bodies = bodies
      result[id]?.operation = .control(control)
    }
    return result
  }

  private static func markingContractions(
    _ graph: Graph, _ assignment: PrecisionAssignment
  ) throws(GraphError) -> Graph {
    let nodes = graph.liveNodes
    guard assignment.entries.count == nodes.count else { throw mismatch(graph) }
    var result = graph
    for (entry, (id, _)) in zip(assignment.entries, nodes) where entry.precision == .tf32 {
      result[id]?.arithmetic = .tensorFloat32
    }
    return result
  }

  private static func mismatch(_ graph: Graph) -> GraphError {
    GraphError("the precisions were assigned to another graph than '\(graph.name)'")
  }
}

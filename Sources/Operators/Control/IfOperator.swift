import GraphModel
import KernelModel
import TensorModel

/// One of two graphs, as a condition says. Source: ONNX `If`.
struct IfOperator: Operator {
  static let spellings = [Spelling.onnx("If")]

  private let then: Graph
  private let otherwise: Graph

  init(_ attributes: AttributeReader) throws(OperatorError) {
    then = try attributes.graph("then_branch")
    otherwise = try attributes.graph("else_branch")
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let condition = try expansion.input(0)
    guard condition.dataType == .bool else {
      throw OperatorError("the condition is \(condition.dataType), expected bool")
    }
    let bodies = try BodyExpansion(expansion)
    for body in [then, otherwise] where body.outputs.count != expansion.outputCount {
      throw OperatorError(
        "a branch has \(body.outputs.count) outputs, the node has \(expansion.outputCount)")
    }
    if let known = expansion.integers(condition), known.count == 1 {
      let chosen = known[0] != 0 ? then : otherwise
      guard chosen.inputs.count == bodies.allInputs.count else {
        throw OperatorError("a branch has inputs of its own")
      }
      for (index, value) in expansion.inline(chosen, inputs: bodies.allInputs).enumerated() {
        expansion.setUntyped(index, value)
      }
      return
    }
    try emitBranch(&expansion, condition, bodies)
  }

  private func emitBranch(
    _ expansion: inout Expansion, _ condition: Operand, _ bodies: BodyExpansion
  ) throws(OperatorError) {
    var expanded: [Graph] = []
    var outputs: [[TensorType?]] = []
    for body in [then, otherwise] {
      do {
        let graph = try bodies.expand(body, own: [])
        expanded.append(graph)
        outputs.append(graph.types(of: graph.outputs.map(\.value)))
      } catch {
        // Exporters write branches that cannot work for the shapes at hand, and never take them.
        guard expanded.count == outputs.count, body.unsupportedOperator == nil,
          let described = try? bodies.described(body, own: [])
        else { throw OperatorError("in a branch, \(error)") }
        expanded.append(described)
      }
    }
    let types = (0..<expansion.outputCount).map { index in
      let joined =
        outputs.count == 1
        ? outputs[0][index] : bodies.join(outputs[0][index], outputs[1][index], "either\(index)")
      return bodies.outside(joined, "either\(index)")
    }
    expansion.emitControl(
      .branch(then: expanded[0], otherwise: expanded[1]), [condition.value] + bodies.inputs,
      outputs: types)
  }
}

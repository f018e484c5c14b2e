import GraphModel
import KernelModel
import TensorModel

/// Rules about reductions over axes with nothing to reduce, and about the axes that they leave.
enum ReductionRules {
  static let all: [Rule] = [overOnes, droppedAxes]

  static let overOnes = Rule("reduction over extents of one => pointwise") {
    graph, id, node, problem in
    guard case .reduction(let reduction) = problem, keepsSingleElements(reduction.function),
      let x = node.inputs[0], let type = graph.type(x),
      reduction.axes.allSatisfy({ type.shape[$0] == 1 }),
      let target = graph.type(node.outputs[0])
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    guard
      var value = patch.kernel(
        .pointwise(Pointwise(reduction.prologue)), [x], name: node.name, origins: node.origins,
        in: graph)?.first
    else { return nil }
    if target.shape != type.shape {
      guard
        let reshaped = patch.kernel(
          .copy(.reshape(target.shape)), [value], name: node.name, origins: node.origins,
          in: graph)?.first
      else { return nil }
      value = reshaped
    }
    let inputs: [ValueID?] = [value] + node.inputs.dropFirst()
    guard
      patch.replace(
        node.outputs[0], with: .pointwise(Pointwise(reduction.epilogue)), inputs,
        name: node.name, origins: node.origins, in: graph)
    else { return nil }
    return patch
  }

  /// Whether the reduction of one element is that element.
  private static func keepsSingleElements(_ function: Reduction.Function) -> Bool {
    switch function {
    case .sum, .mean, .product, .minimum, .maximum: true
    default: false
    }
  }

  static let droppedAxes = Rule("reduction + reshape without its axes => reduction") {
    graph, id, node, problem in
    guard case .copy(.reshape(let shape)) = problem, let value = node.inputs[0],
      graph.isReadOnly(value, by: id), let (source, main, inner) = graph.kernel(writing: value),
      case .reduction(var reduction) = inner, reduction.keepsDimensions, main.inputs.count == 1
    else { return nil }
    reduction.keepsDimensions = false
    var patch = GraphPatch(graph, removing: [source, id])
    guard
      let result = patch.kernel(
        .reduction(reduction), main.inputs, name: main.name,
        origins: graph.origins(of: [source, id]), in: graph)?.first,
      patch.type(result, in: graph)?.shape == shape
    else { return nil }
    patch.replace(node.outputs[0], with: result)
    return patch
  }
}

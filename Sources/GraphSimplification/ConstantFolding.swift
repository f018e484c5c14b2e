import GraphModel
import KernelModel
import ReferenceInterpreter
import TensorModel

/// Computes at build time what depends on constants only.
struct ConstantFolding {
  static let name = "constant operands => constant"

  let limits: Limits
  /// Whether numbers of 8 bits, and sums of 32 bits, are left as they are where an expression scales them.
  var keepsQuantized = false

  /// Results up to this size are kept even where they are much larger than what they are made of.
  private static let smallBytes = 1 << 20
  /// Multiplications that a contraction may take here; more are left to the engine.
  private static let maximumProducts = 1 << 28

  func folded(_ graph: Graph, report: inout RewriteReport) throws(GraphError) -> Graph {
    var indexed = IndexedGraph(graph)
    var isChanged = false
    for (id, node) in graph.liveNodes {
      guard case .kernel(let problem) = node.operation,
        let results = evaluate(indexed, problem, node)
      else { continue }
      for (output, tensor) in zip(node.outputs, results) { indexed.setConstant(output, tensor) }
      if indexed[id] == nil {
        report.record(Self.name)
        isChanged = true
      }
    }
    return isChanged ? try indexed.finish() : graph
  }

  private func evaluate(_ graph: IndexedGraph, _ problem: KernelProblem, _ node: Node) -> [Tensor]?
  {
    var tensors: [Tensor?] = []
    for input in node.inputs {
      guard let input else {
        tensors.append(nil)
        continue
      }
      guard let tensor = graph.constant(input) else { return nil }
      tensors.append(tensor)
    }
    let types = node.outputs.compactMap { graph.type($0) }
    guard types.count == node.outputs.count, isAllowed(problem, tensors, types),
      !keepsQuantized || !Self.scalesIntegers(problem, tensors, types)
    else { return nil }
    if case .copy(.reshape(let shape)) = problem, let extents = shape.constants,
      let tensor = tensors.first ?? nil
    {
      return (try? tensor.reshaped(extents)).map { [$0] }
    }
    return try? Interpreter.evaluate(problem, tensors, types)
  }

  /// Whether a node turns integers into multiples of a scale.
  private static func scalesIntegers(
    _ problem: KernelProblem, _ inputs: [Tensor?], _ outputs: [TensorType]
  ) -> Bool {
    guard case .pointwise = problem, let x = inputs.first ?? nil, x.elementCount > 1,
      x.dataType.isByte || x.dataType == .int32
    else { return false }
    return outputs.first?.dataType == .float32 && outputs.first?.shape == Shape(x.shape)
  }

  private func isAllowed(
    _ problem: KernelProblem, _ inputs: [Tensor?], _ outputs: [TensorType]
  ) -> Bool {
    let read = inputs.reduce(0) { $0 + ($1?.byteCount ?? 0) }
    var written = 0
    for type in outputs {
      guard let shape = type.shape.constants, let count = ShapeMath.elementCount(shape),
        case (let bytes, false) = count.multipliedReportingOverflow(by: type.dataType.byteCount),
        bytes <= limits.foldedBytes
      else { return false }
      written += bytes
    }
    guard written <= Self.smallBytes || written / 2 <= read else { return false }
    return products(problem, inputs, outputs) <= Self.maximumProducts
  }

  /// The multiplications of a contraction, as far as they decide; zero for everything else.
  private func products(
    _ problem: KernelProblem, _ inputs: [Tensor?], _ outputs: [TensorType]
  ) -> Int {
    guard inputs.count > 1, let a = inputs[0], let b = inputs[1],
      let count = outputs.first?.shape.constants.flatMap(ShapeMath.elementCount)
    else { return 0 }
    let depth: Int
    switch problem {
    case .matmul(let product):
      depth = a.shape.suffix(2).dropFirst(product.transposesA ? 0 : 1).first ?? 1
    case .convolution: depth = b.shape.dropFirst().reduce(1) { $0.saturatingProduct($1) }
    case .attention, .recurrence: depth = b.elementCount
    default: return 0
    }
    return count.saturatingProduct(depth)
  }
}

extension Int {
  fileprivate func saturatingProduct(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}

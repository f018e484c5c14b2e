import GraphModel
import KernelModel
import TensorModel

/// Rules about the scalar expressions of pointwise nodes and of epilogues.
enum ExpressionRules {
  static let all: [Rule] = [
    numbers, fills, expanded, operands, simpler, simplerPrologue, constantPart, identity, casts,
  ]

  /// Tensors of more elements are not looked through for a number that all share.
  private static let uniformCount = 1 << 16

  static let numbers = Rule("operand of one number => number in the expression") {
    graph, id, node, problem in
    guard let before = ValueExpression(of: node, problem), !before.operands.isEmpty else {
      return nil
    }
    var found: [ValueID: ScalarExpression] = [:]
    for operand in before.operands {
      if let tensor = graph.constant(operand), let number = uniform(tensor) {
        found[operand] = number
      }
    }
    guard !found.isEmpty else { return nil }
    return patch(graph, id, node, problem, before.substituting(found))
  }

  /// The number that all elements of a tensor are.
  private static func uniform(_ tensor: Tensor) -> ScalarExpression? {
    let width = tensor.dataType.byteCount
    guard width > 0, tensor.elementCount > 0, tensor.elementCount <= uniformCount else {
      return nil
    }
    let isUniform = tensor.withUnsafeBytes { bytes in
      (width..<max(bytes.count, width)).allSatisfy { bytes[$0] == bytes[$0 - width] }
    }
    return isUniform ? ScalarExpression(element: tensor) : nil
  }

  /// A tensor that is filled with a number at run time, because its extents are symbolic.
  static let fills = Rule("operand filled with a number => number in the expression") {
    graph, id, node, problem in
    guard let before = ValueExpression(of: node, problem), !before.operands.isEmpty else {
      return nil
    }
    var found: [ValueID: ScalarExpression] = [:]
    for operand in before.operands {
      if let (_, source, inner) = graph.kernel(writing: operand), source.inputs.isEmpty,
        case .pointwise(let fill) = inner, fill.expression.isConstant,
        !fill.expression.containsNaN
      {
        found[operand] = fill.expression
      }
    }
    guard !found.isEmpty else { return nil }
    return patch(graph, id, node, problem, before.substituting(found))
  }

  /// An operand that is only broadcast: the expression broadcasts by itself.
  static let expanded = Rule("operand of expand => operand") { graph, id, node, problem in
    guard var after = ValueExpression(of: node, problem) else { return nil }
    var isChanged = false
    for operand in after.operands {
      guard let (_, source, inner) = graph.kernel(writing: operand),
        case .copy(.expand) = inner, let x = source.inputs[0], graph.type(x) != nil
      else { continue }
      after = after.replacing(operand, with: x)
      isChanged = true
    }
    return isChanged ? patch(graph, id, node, problem, after) : nil
  }

  /// Operands that do not occur, or occur under two numbers.
  static let operands = Rule("operand that is not used => nothing") { graph, id, node, problem in
    guard let before = ValueExpression(of: node, problem) else { return nil }
    let after = before.compacted()
    let count: Int
    if let own = problem.ownOperandCount {
      count = max(node.inputs.count - own, 0)
    } else {
      count = node.inputs.count
    }
    guard after.operands.count < count else { return nil }
    return patch(graph, id, node, problem, after)
  }

  static let simpler = Rule("expression => simpler expression") { graph, id, node, problem in
    guard var after = ValueExpression(of: node, problem), !after.expression.containsNaN else {
      return nil
    }
    var types = after.operands.compactMap { graph.type($0)?.dataType }
    guard types.count == after.operands.count else { return nil }
    if after.base == 1 {
      guard let result = resultType(graph, node, problem) else { return nil }
      types.insert(result, at: 0)
    }
    let simplified = ExpressionSimplifier(operands: types).simplified(after.expression)
    guard simplified != after.expression else { return nil }
    after.expression = simplified
    return patch(graph, id, node, problem, after.compacted())
  }

  /// The type that a kernel stores before its epilogue.
  private static func resultType(_ graph: IndexedGraph, _ node: Node, _ problem: KernelProblem)
    -> DataType?
  {
    guard let own = problem.ownOperandCount else { return nil }
    var bare = problem
    bare.epilogue = .operand(0)
    let types = graph.graph.types(of: Array(node.inputs.prefix(own)))
    return (try? bare.outputTypes(of: types))?.first?.dataType
  }

  static let simplerPrologue = Rule("prologue => simpler prologue") { graph, id, node, problem in
    guard case .reduction(var reduction) = problem, reduction.prologue != .operand(0),
      !reduction.prologue.containsNaN, let type = graph.type(node.inputs[0])?.dataType
    else { return nil }
    let simplified = ExpressionSimplifier(operands: [type]).simplified(reduction.prologue)
    guard simplified != reduction.prologue else { return nil }
    reduction.prologue = simplified
    return exchanging(graph, id, node, .reduction(reduction), node.inputs)
  }

  // MARK: Parts of constants

  static let constantPart = Rule("part of constants => constant") { graph, id, node, problem in
    guard let before = ValueExpression(of: node, problem), before.operands.count > 0 else {
      return nil
    }
    let constants = Set(
      before.operands.indices.filter { graph.constant(before.operands[$0]) != nil })
    guard !constants.isEmpty, let part = constantPart(of: before, constants) else { return nil }
    var inputs: [ValueID] = []
    var replacements: [ScalarExpression] = (0..<(before.base + before.operands.count)).map {
      .operand($0)
    }
    for (index, old) in part.operands.enumerated() {
      inputs.append(before.operands[old - before.base])
      replacements[old] = .operand(index)
    }
    var patch = GraphPatch(graph, removing: [id])
    let pointwise = Pointwise(part.substituting(replacements))
    guard
      let value = patch.kernel(
        .pointwise(pointwise), inputs, name: node.name, origins: node.origins, in: graph)?.first,
      isNoLarger(patch.type(value, in: graph), than: inputs, graph),
      let (fused, operands) = exchangingPart(before, part, value, graph, node, problem),
      patch.replace(
        node.outputs[0], with: fused, operands, name: node.name, origins: node.origins, in: graph)
    else { return nil }
    return patch
  }

  /// The largest part with a function and with constant operands only, at least one.
  private static func constantPart(of value: ValueExpression, _ constants: Set<Int>)
    -> ScalarExpression?
  {
    var result: ScalarExpression?
    value.expression.visit { part in
      guard result == nil, part.operationCount > 0, !part.usesIndex else { return }
      let used = part.operands
      if !used.isEmpty, used.allSatisfy({ constants.contains($0 - value.base) }) { result = part }
    }
    return result == value.expression && value.base == 0 ? nil : result
  }

  private static func isNoLarger(
    _ type: TensorType?, than inputs: [ValueID], _ graph: IndexedGraph
  ) -> Bool {
    guard let count = type?.shape.constants.flatMap(ShapeMath.elementCount) else { return false }
    return inputs.contains { (graph.constant($0)?.elementCount ?? 0) >= count }
  }

  /// The node's problem with a new value in the place of a part.
  private static func exchangingPart(
    _ before: ValueExpression, _ part: ScalarExpression, _ value: ValueID, _ graph: IndexedGraph,
    _ node: Node, _ problem: KernelProblem
  ) -> (KernelProblem, [ValueID?])? {
    let count = before.operands.count
    let replaced = before.expression.replacing(part, with: .operand(before.base + count))
    var inputs: [ValueID?] = before.operands
    inputs.append(value)
    guard case .pointwise = problem else {
      var fused = problem
      fused.epilogue = replaced
      let own = problem.ownOperandCount ?? 0
      var all = Array(node.inputs.prefix(own))
      while all.count < own { all.append(nil) }
      return (fused, all + inputs)
    }
    return (
      .pointwise(Pointwise(replaced, shape: graph.type(node.outputs[0])?.shape)), inputs
    )
  }

  // MARK: Nothing to compute

  static let identity = Rule("pointwise that changes nothing => nothing") {
    graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem,
      case .operand(let index) = pointwise.expression, let x = node.inputs[index],
      let source = graph.type(x), let target = graph.type(node.outputs[0])
    else { return nil }
    var patch = GraphPatch(graph, removing: [id])
    if source == target {
      patch.replace(node.outputs[0], with: x)
      return patch
    }
    let isDone = patch.replace(
      node.outputs[0], with: .copy(.expand(target.shape)), [x], name: node.name,
      origins: node.origins, in: graph)
    return isDone ? patch : nil
  }

  static let casts = Rule("cast of cast => cast") { graph, id, node, problem in
    guard case .pointwise(let pointwise) = problem,
      case .cast(.operand(0), let target) = pointwise.expression, node.inputs.count == 1,
      let value = node.inputs[0], let (_, source, inner) = graph.kernel(writing: value),
      case .pointwise(let before) = inner, case .cast(.operand(0), let middle) = before.expression,
      source.inputs.count == 1, let x = source.inputs[0], let type = graph.type(x),
      type.shape == graph.type(node.outputs[0])?.shape,
      type.dataType.isPreserved(through: middle, to: target)
    else { return nil }
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: [x]))
    if type.dataType == target {
      patch.replace(node.outputs[0], with: x)
      return patch
    }
    let isDone = patch.replace(
      node.outputs[0], with: problem, [x], name: node.name, origins: node.origins, in: graph)
    return isDone ? patch : nil
  }
}

// MARK: - Patches

extension ExpressionRules {
  private static func patch(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem,
    _ after: ValueExpression
  ) -> GraphPatch? {
    guard let (changed, inputs) = after.problem(of: node, problem, in: graph) else { return nil }
    return exchanging(graph, id, node, changed, inputs)
  }

  /// A node with another problem that computes the same.
  static func exchanging(
    _ graph: IndexedGraph, _ id: NodeID, _ node: Node, _ problem: KernelProblem,
    _ inputs: [ValueID?]
  ) -> GraphPatch? {
    var patch = GraphPatch(graph, removing: graph.obsolete(without: [id], keeping: inputs))
    guard
      let outputs = patch.kernel(
        problem, inputs, name: node.name, origins: node.origins, in: graph),
      outputs.count == node.outputs.count
    else { return nil }
    for (old, new) in zip(node.outputs, outputs) {
      guard patch.type(new, in: graph) == graph.type(old) else { return nil }
      patch.replace(old, with: new)
    }
    return patch
  }
}

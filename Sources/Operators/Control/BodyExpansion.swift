import GraphModel
import KernelModel
import TensorModel

/// What a branch or a loop needs to know to expand its bodies: the values that they capture, and the
/// symbols that mean something outside of them.
struct BodyExpansion {
  /// The name of the node, which begins the names of the nodes in its bodies.
  private let name: String
  private let captures: [Value]
  /// Whether a captured value is known when the engine is built; then it is part of the bodies.
  private let isEmbedded: [Bool]
  /// The symbols of the node's inputs and of the captured values.
  private let scope: Set<String>
  /// The captured values that the emitted node takes as its last inputs.
  let inputs: [ValueID?]
  /// All captured values.
  let allInputs: [ValueID?]

  init(_ expansion: Expansion) throws(OperatorError) {
    name = expansion.node.name
    var captures: [Value] = []
    var ids: [ValueID?] = []
    for capture in expansion.captures {
      guard let capture else { throw OperatorError("a captured value is missing") }
      captures.append(expansion.graph[capture.value])
      ids.append(capture.value)
    }
    self.captures = captures
    isEmbedded = captures.map { $0.constant != nil || $0.symbolic != nil }
    allInputs = ids
    inputs = zip(ids, isEmbedded).compactMap { $1 ? nil : .some($0) }
    var scope: Set<String> = []
    for case let id? in expansion.node.inputs {
      scope.formUnion(expansion.graph[id].type?.shape.symbols ?? [])
      for value in expansion.graph[id].symbolic ?? [] { scope.formUnion(value.symbols) }
    }
    self.scope = scope
  }

  /// The body with the types of its inputs, and with what is known of the values that it captures.
  ///
  /// - Parameters:
  ///   - own: the values of the inputs before the captured ones; what is known of their elements holds
  ///     while the body is expanded, and is forgotten then.
  ///   - invariant: the indices of those inputs that are the same in every run.
  func expand(
    _ body: Graph, own: [Value], invariant: Set<Int> = []
  ) throws(ExpansionError) -> Graph {
    var expanded = try GraphExpansion.expand(try described(body, own: own), depth: 1)
    for (index, id) in expanded.inputs.prefix(own.count).enumerated()
    where !invariant.contains(index) {
      expanded[id].constant = nil
      expanded[id].symbolic = nil
    }
    return expanded
  }

  /// The body with what is known of its inputs, its nodes named after the node that it belongs to.
  func described(_ body: Graph, own: [Value]) throws(ExpansionError) -> Graph {
    guard body.inputs.count == own.count + captures.count else {
      throw ExpansionError(
        node: name, operatorName: "graph",
        reason: "a body has \(body.inputs.count - captures.count) inputs, expected \(own.count)")
    }
    var graph = body
    for (id, value) in zip(body.inputs, own + captures) {
      graph[id].type = value.type
      graph[id].constant = value.constant
      graph[id].symbolic = value.symbolic
    }
    let kept = zip(body.inputs.dropFirst(own.count), isEmbedded).filter { !$0.1 }.map(\.0)
    graph.inputs = body.inputs.prefix(own.count) + kept
    for (id, node) in graph.liveNodes {
      var renamed = node
      renamed.name = "\(name)/\(node.name)"
      graph[id] = renamed
    }
    return graph
  }

  /// A type that comes out of a body: extents that only the body knows become symbols of the node.
  func outside(_ type: TensorType?, _ hint: String) -> TensorType? {
    guard let type else { return nil }
    let extents = type.shape.dimensions.enumerated().map { axis, extent in
      extent.symbols.isSubset(of: scope) ? extent : symbol("\(hint)_\(axis)")
    }
    return TensorType(type.dataType, Shape(extents))
  }

  /// The most that is known of a value that may have either of two types; nil where they have different
  /// ranks or one of them is not known.
  func join(_ a: TensorType?, _ b: TensorType?, _ hint: String) -> TensorType? {
    guard let a, let b, a.dataType == b.dataType, a.rank == b.rank else { return nil }
    let extents = zip(a.shape.dimensions, b.shape.dimensions).enumerated().map { axis, pair in
      pair.0 == pair.1 ? pair.0 : symbol("\(hint)_\(axis)")
    }
    return TensorType(a.dataType, Shape(extents))
  }

  func symbol(_ hint: String) -> Dimension { .symbol("\(hint)@\(name)") }
}

// MARK: - Values that a body hands to its next run

extension BodyExpansion {
  /// A body whose carried inputs have types that hold in every run.
  struct Carrying {
    var body: Graph
    /// The types of the carried values, before and after each run.
    var types: [TensorType?]
    /// The carried values that every run hands on as they came.
    var invariant: Set<Int>
  }

  /// Expands a body that hands values to its next run, with types that its outputs keep.
  ///
  /// - Parameters:
  ///   - before: the values of the inputs before the carried ones.
  ///   - initial: the carried values before the first run.
  ///   - after: the values of the inputs after the carried ones.
  ///   - firstOutput: the output that is the first carried value.
  func carrying(
    _ body: Graph, before: [Value], initial: [Value], after: [Value], firstOutput: Int
  ) throws(OperatorError) -> Carrying {
    guard body.outputs.count >= firstOutput + initial.count,
      body.inputs.count >= before.count + initial.count
    else {
      throw OperatorError(
        "the body has \(body.inputs.count) inputs and \(body.outputs.count) outputs, too few for "
          + "\(initial.count) values that it carries")
    }
    let invariant = Set(
      initial.indices.filter {
        body.outputs[firstOutput + $0].value == body.inputs[before.count + $0]
      })
    func expand(_ types: [TensorType?]) throws(OperatorError) -> Graph {
      let carried = types.enumerated().map { index, type in
        invariant.contains(index) ? initial[index] : Value(name: "carried", type: type)
      }
      do {
        return try self.expand(
          body, own: before + carried + after, invariant: Set(invariant.map { $0 + before.count }))
      } catch {
        throw OperatorError("in its body, \(error)")
      }
    }
    var types = initial.map(\.type)
    // Bodies within bodies are expanded again each time, so that deep ones get fewer trials.
    let height = body.height(atMost: 4)
    for _ in 0..<(height < 4 ? 8 >> height : 0) {
      let expanded = try expand(types)
      let next = try nextTypes(types, expanded, firstOutput)
      if next == types { return Carrying(body: expanded, types: types, invariant: invariant) }
      types = next
    }
    types = initial.indices.map { invariant.contains($0) ? initial[$0].type : nil }
    return Carrying(body: try expand(types), types: types, invariant: invariant)
  }

  private func nextTypes(
    _ types: [TensorType?], _ expanded: Graph, _ firstOutput: Int
  ) throws(OperatorError) -> [TensorType?] {
    var next: [TensorType?] = []
    for (index, current) in types.enumerated() {
      let result = expanded[expanded.outputs[firstOutput + index].value].type
      if let current, let result, current.dataType != result.dataType {
        throw OperatorError(
          "value \(index) enters the body as \(current.dataType) and leaves it as "
            + "\(result.dataType), expected the same")
      }
      next.append(join(current, result, "next\(index)"))
    }
    return next
  }
}

package import GraphModel
import KernelModel
package import ProgramModel
import TensorModel

/// Why a graph cannot become a program.
package struct LoweringError: Error, Sendable, CustomStringConvertible {
  package var node: String
  package var reason: String
  package var description: String { "node '\(node)': \(reason)" }
}

package struct LoweringOptions: Sendable, Hashable {
  /// Concatenations are written in place by their producers.
  package var aliasesConcatenations = true
  /// Layouts are chosen for the whole graph; otherwise every value has the model's own, and a kernel that
  /// wants another converts its operands and its results.
  package var assignsLayouts = true
  /// Results take the place of operands that are not needed any more.
  package var worksInPlace = true
  /// Contractions take over what is added to their results where that keeps tensors out of memory.
  package var joinsSums = false
  package init() {}
}

/// Turns a graph of kernel problems with concrete shapes into a program: chooses layouts, turns moves that
/// need no work into views, and lets producers write where consumers read.
package struct GraphLowering {
  let indexed: IndexedGraph
  let layouts: LayoutAssignment
  let options: LoweringOptions
  var program: Program
  /// Where each value is.
  var views: [ValueID: View] = [:]
  /// Values that are written straight into a part of another value.
  var parts: [ValueID: ConcatenationPart] = [:]
  /// Relayouts already made, by the view they copy.
  var relayouts: [View: [[Int]: View]] = [:]

  /// - Parameter graph: only kernel nodes; every type known and concrete.
  package static func lower(
    _ graph: Graph, options: LoweringOptions = LoweringOptions()
  ) throws(LoweringError) -> Program {
    var lowering = try GraphLowering(graph, options)
    for (_, node) in graph.liveNodes { try lowering.lower(node) }
    try lowering.placeOutputs()
    if options.joinsSums {
      EpilogueJoining.apply(to: &lowering.program)
      ProjectionFolding.apply(to: &lowering.program)
    }
    if options.worksInPlace { InPlaceReuse.apply(to: &lowering.program) }
    return lowering.program.withoutUnusedBuffers()
  }

  private init(_ graph: Graph, _ options: LoweringOptions) throws(LoweringError) {
    for value in graph.values {
      if let type = value.type, type.shape.constants == nil {
        throw LoweringError(node: value.name, reason: "the shape \(type.shape) is not concrete")
      }
    }
    indexed = IndexedGraph(graph)
    layouts =
      options.assignsLayouts ? LayoutAssignment(indexed) { graph[$0].type } : LayoutAssignment()
    self.options = options
    program = Program(name: graph.name)
    for (index, input) in graph.inputs.enumerated() {
      let type = try Self.concrete(graph[input].type, graph[input].name)
      let buffer = program.addBuffer(.input(index), byteCount: type.bytes)
      let view = View(
        dense: buffer, dataType: type.dataType, shape: type.shape, order: Array(type.shape.indices))
      views[input] = view
      program.inputs.append(view)
    }
    if options.aliasesConcatenations { findParts() }
  }

  struct ConcreteType {
    var dataType: DataType
    var shape: [Int]
    var bytes: Int
  }

  static func concrete(_ type: TensorType?, _ name: String) throws(LoweringError) -> ConcreteType {
    guard let type, let shape = type.shape.constants, let count = ShapeMath.elementCount(shape),
      case (let bytes, false) = count.multipliedReportingOverflow(by: type.dataType.byteCount)
    else {
      throw LoweringError(
        node: name, reason: "the type \(type?.description ?? "unknown") is not concrete")
    }
    return ConcreteType(dataType: type.dataType, shape: shape, bytes: bytes)
  }

  // MARK: Values

  /// The place of a value that has been computed, or is a constant.
  mutating func view(_ value: ValueID) throws(LoweringError) -> View {
    if let known = views[value] { return known }
    let info = indexed[value]
    guard let tensor = info.constant else {
      throw LoweringError(node: info.name, reason: "the value is read before it is computed")
    }
    let buffer = program.addBuffer(.constant(tensor), byteCount: tensor.byteCount)
    let view = View(
      dense: buffer, dataType: tensor.dataType, shape: tensor.shape,
      order: Array(tensor.shape.indices))
    views[value] = view
    return view
  }

  /// A new place for a value that a step writes, inside a concatenation where possible.
  mutating func place(_ value: ValueID) throws(LoweringError) -> View {
    if let known = views[value] { return known }
    let info = indexed[value]
    let type = try Self.concrete(info.type, info.name)
    let view: View
    if let part = parts[value] {
      let whole = try place(part.whole)
      var starts = [Int](repeating: 0, count: whole.rank)
      starts[part.axis] = part.start
      view = whole.sliced(
        starts: starts, sizes: type.shape, steps: [Int](repeating: 1, count: whole.rank))
    } else {
      let buffer = program.addBuffer(.activation, byteCount: type.bytes)
      view = View(
        dense: buffer, dataType: type.dataType, shape: type.shape,
        order: layouts.order(value, rank: type.shape.count))
    }
    views[value] = view
    return view
  }

  // MARK: Nodes

  private mutating func lower(_ node: Node) throws(LoweringError) {
    guard case .kernel(let problem) = node.operation else {
      throw LoweringError(node: node.name, reason: "\(node.operation.summary) is not a kernel")
    }
    if case .copy(let copy) = problem, try lowerMove(copy, node) { return }
    var inputs: [View?] = []
    for (index, input) in node.inputs.enumerated() {
      guard let input else {
        inputs.append(nil)
        continue
      }
      inputs.append(try operand(view(input), index, problem, node))
    }
    var outputs: [View] = []
    var conversions: [Step] = []
    for output in node.outputs {
      let target = try place(output)
      let view = writable(target, problem)
      outputs.append(view)
      if view != target {
        conversions.append(
          Step(
            name: "\(node.name):layout", problem: .copy(.reshape(Shape(view.shape))),
            inputs: [view],
            outputs: [target], origins: node.origins))
      }
    }
    var step = Step(
      name: node.name, problem: problem, inputs: inputs, outputs: outputs, origins: node.origins)
    step.arithmetic = node.arithmetic
    program.steps.append(step)
    program.steps += conversions
  }

  /// The place itself, or a buffer in a layout that the problem's kernels write.
  private mutating func writable(_ view: View, _ problem: KernelProblem) -> View {
    switch problem {
    case .convolution, .window, .resample:
      guard view.rank >= 3, !view.isContiguous(along: 1) else { return view }
      let buffer = program.addBuffer(
        .activation, byteCount: view.elementCount * view.dataType.byteCount)
      return View(
        dense: buffer, dataType: view.dataType, shape: view.shape,
        order: LayoutAssignment.channelsLast(rank: view.rank))
    default: return view
    }
  }

  /// The operand in a layout that the problem's kernels read.
  private mutating func operand(
    _ view: View, _ index: Int, _ problem: KernelProblem, _ node: Node
  ) throws(LoweringError) -> View {
    switch problem {
    case .convolution, .window, .resample:
      guard index == 0, view.rank >= 3,
        !view.isContiguous(along: 1) || view.strides.contains(where: { $0 < 0 })
      else { return view }
      if case .convolution = problem, view.shape[1] <= Self.fewChannels,
        view.strides.allSatisfy({ $0 >= 0 })
      {
        return view
      }
      return relayout(view, order: LayoutAssignment.channelsLast(rank: view.rank), node)
    case .recurrence, .scatter, .sort, .scan: return relayoutRowMajor(view, node)
    case .gather: return index == 0 && view.isRowMajor ? view : relayoutRowMajor(view, node)
    case .pointwise, .reduction, .matmul, .normalization, .attention, .copy: return view
    }
  }

  /// Convolutions of fewer channels copy their input into a layout of their own anyway.
  private static let fewChannels = 4

  mutating func relayoutRowMajor(_ view: View, _ node: Node) -> View {
    view.isRowMajor ? view : relayout(view, order: Array(0..<view.rank), node)
  }

  /// A dense copy with axes in the given order.
  mutating func relayout(_ view: View, order: [Int], _ node: Node) -> View {
    if let known = relayouts[view]?[order] { return known }
    let buffer = program.addBuffer(
      .activation, byteCount: view.elementCount * view.dataType.byteCount)
    let target = View(dense: buffer, dataType: view.dataType, shape: view.shape, order: order)
    program.steps.append(
      Step(
        name: "\(node.name):layout", problem: .copy(.reshape(Shape(view.shape))), inputs: [view],
        outputs: [target], origins: node.origins))
    relayouts[view, default: [:]][order] = target
    return target
  }

  // MARK: Outputs

  private mutating func placeOutputs() throws(LoweringError) {
    var taken: Set<BufferID> = []
    for (index, (name, value)) in indexed.graph.outputs.enumerated() {
      let view = try view(value)
      let info = program[view.buffer]
      let isWhole =
        view.offset == 0 && view.elementCount * view.dataType.byteCount == info.byteCount
      if info.isActivation, isWhole, view.isRowMajor, taken.insert(view.buffer).inserted {
        program[view.buffer].role = .output(index)
        program.outputs.append(dense(view, in: view.buffer))
        continue
      }
      let buffer = program.addBuffer(
        .output(index), byteCount: view.elementCount * view.dataType.byteCount)
      let target = dense(view, in: buffer)
      program.steps.append(
        Step(
          name: "\(name):output", problem: .copy(.reshape(Shape(view.shape))), inputs: [view],
          outputs: [target], origins: []))
      program.outputs.append(target)
    }
  }

  private func dense(_ view: View, in buffer: BufferID) -> View {
    View(
      dense: buffer, dataType: view.dataType, shape: view.shape, order: Array(view.shape.indices))
  }
}

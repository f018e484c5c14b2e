import GraphModel
import KernelModel
import TensorModel

/// Writes a graph anew with contractions on 8-bit integers.
///
/// What writes a value that is stored as integers rounds it in its epilogue; what reads one in floating point
/// turns it back as it reads, where its kernel can. Everything else is a conversion of its own.
struct QuantizationWriter {
  private let source: Graph
  private let analysis: QuantizationAnalysis
  private var result: Graph
  /// Integers of values that are stored in floating point too.
  private var integers: [ValueID: ValueID] = [:]
  /// Floating-point numbers of values that are stored as integers.
  private var numbers: [ValueID: ValueID] = [:]
  private var vectors: [Vector: ValueID] = [:]

  private struct Vector: Hashable {
    var storage: QuantizedStorage
    var rank: Int
    var isInverse: Bool
  }

  /// - Parameter graph: the analysed graph.
  init(_ graph: Graph, _ analysis: QuantizationAnalysis) {
    source = graph
    self.analysis = analysis
    result = Graph(name: graph.name)
    for value in graph.values { result.addValue(value) }
    result.inputs = graph.inputs
  }

  mutating func write() throws(GraphError) -> Graph {
    for (id, node) in source.liveNodes { try write(id, node) }
    for (name, value) in source.outputs {
      result.outputs.append((name, isStored(value) ? try number(value) : value))
    }
    let written = result.compacted()
    try written.verify()
    return written
  }

  private func isStored(_ value: ValueID) -> Bool { analysis.stored.contains(value) }

  // MARK: Values

  private func message(_ node: String, _ error: some Error & CustomStringConvertible) -> GraphError
  {
    GraphError("node '\(node)': \(error.description)")
  }

  /// The scales, or their reciprocals, as an operand; nil where there is one scale.
  private mutating func scales(
    _ storage: QuantizedStorage, of value: ValueID, isInverse: Bool
  ) throws(GraphError) -> ValueID? {
    guard storage.axis != nil, let rank = source[value].type?.rank else { return nil }
    let key = Vector(storage: storage, rank: rank, isInverse: isInverse)
    if let known = vectors[key] { return known }
    let tensor: Tensor
    do {
      tensor = try storage.vector(
        isInverse ? storage.scales.map { 1 / $0 } : storage.scales, rank: rank)
    } catch { throw message(source[value].name, error) }
    let name = "\(source[value].name):\(isInverse ? "levels" : "scales")"
    let id = result.addConstant(name: name, tensor)
    vectors[key] = id
    return id
  }

  /// The value as integers.
  private mutating func integer(_ value: ValueID) throws(GraphError) -> ValueID {
    if isStored(value) { return value }
    if let known = integers[value] { return known }
    guard let storage = analysis.storage[value] else {
      throw GraphError("value '\(source[value].name)' has no scale")
    }
    let name = "\(source[value].name):uint8"
    let id: ValueID
    if let constant = source[value].constant {
      do { id = result.addConstant(name: name, try storage.quantized(constant)) } catch {
        throw message(name, error)
      }
    } else {
      let inverse = try scales(storage, of: value, isInverse: true)
      let expression = storage.quantizing(
        .operand(0), inverse: inverse == nil ? nil : .operand(1))
      id = conversion(value, name, expression, [value] + (inverse.map { [$0] } ?? []), .uint8)
    }
    integers[value] = id
    return id
  }

  /// The value in floating point.
  private mutating func number(_ value: ValueID) throws(GraphError) -> ValueID {
    guard isStored(value), let storage = analysis.storage[value] else { return value }
    if let known = numbers[value] { return known }
    let scale = try scales(storage, of: value, isInverse: false)
    let expression = storage.dequantizing(.operand(0), scale: scale == nil ? nil : .operand(1))
    let id = conversion(
      value, "\(source[value].name):float32", expression, [value] + (scale.map { [$0] } ?? []),
      .float32)
    numbers[value] = id
    return id
  }

  private mutating func conversion(
    _ value: ValueID, _ name: String, _ expression: ScalarExpression, _ inputs: [ValueID],
    _ type: DataType
  ) -> ValueID {
    let shape = source[value].type?.shape ?? []
    let id = result.addValue(Value(name: name, type: TensorType(type, shape)))
    result.addNode(
      Node(
        name: name, operation: .kernel(.pointwise(Pointwise(expression))), inputs: inputs,
        outputs: [id], origins: []))
    return id
  }

  // MARK: Nodes

  private mutating func write(_ id: NodeID, _ node: Node) throws(GraphError) {
    guard case .kernel(let problem) = node.operation else { return try keep(node) }
    if let layer = analysis.layers[id] { return try contract(node, problem, layer) }
    let linked = SharedStorage.linked(node)
    if let output = node.outputs.first, linked.contains(output), isStored(output),
      let storage = analysis.storage[output], storage.axis == nil,
      linked.allSatisfy({ analysis.storage[$0] == storage })
    {
      return try move(node, problem, linked, storage)
    }
    try compute(node, problem)
  }

  private mutating func keep(_ node: Node) throws(GraphError) {
    var copy = node
    copy.position = nil
    for (index, input) in node.inputs.enumerated() {
      if let input { copy.inputs[index] = try number(input) }
    }
    result.addNode(copy)
  }

  private mutating func move(
    _ node: Node, _ problem: KernelProblem, _ linked: [ValueID], _ storage: QuantizedStorage
  ) throws(GraphError) {
    var copy = node
    copy.position = nil
    for (index, input) in node.inputs.enumerated() {
      if let input, linked.contains(input) { copy.inputs[index] = try integer(input) }
    }
    var moved = problem
    if case .copy(.pad(.constant, let before, let after)) = problem {
      moved = .copy(.pad(.constant(Double(storage.zeroPoint)), before: before, after: after))
    }
    try add(copy, moved)
  }

  /// A layer in floating point, which may read and write integers.
  private mutating func compute(_ node: Node, _ problem: KernelProblem) throws(GraphError) {
    var copy = node
    copy.position = nil
    var body = QuantizedBody(problem, copy.inputs.count)
    for (index, input) in node.inputs.enumerated() {
      guard let input, isStored(input), let storage = analysis.storage[input] else { continue }
      guard body.converts(index, storage) else {
        copy.inputs[index] = try number(input)
        continue
      }
      let scale = try scales(storage, of: input, isInverse: false)
      body.dequantize(index, storage, addsScales: scale != nil)
      if let scale { Self.append(scale, to: &copy, problem) }
    }
    try finish(node, copy, body)
  }

  private mutating func contract(
    _ node: Node, _ problem: KernelProblem, _ layer: QuantizationAnalysis.Layer
  ) throws(GraphError) {
    guard let storage = analysis.storage[layer.x], let weights = source[layer.weights].constant,
      let rank = source[node.outputs[0]].type?.rank
    else { throw GraphError("node '\(node.name)': value '\(source[layer.x].name)' has no scale") }
    let channels = layer.grid.channels
    let factors =
      storage.axis == nil
      ? [Float](repeating: storage.scales[0], count: channels) : storage.scales
    var copy = node
    copy.position = nil
    copy.arithmetic = .exact
    let axis = if case .convolution = problem { 1 } else { rank - 1 }
    do {
      let quantized = try QuantizedWeights(
        layer.grid, weights, factors: factors,
        means: analysis.means[layer.x] ?? [Double](repeating: 0, count: channels))
      copy.inputs[1] = result.addConstant(
        name: "\(source[layer.weights].name):int8", quantized.integers)
      let shifts = quantized.scales.indices.map { output in
        Float(
          quantized.corrections[output] - Double(quantized.scales[output])
            * Double(storage.zeroPoint) * Double(quantized.sums[output]))
      }
      let vectors = QuantizedStorage(zeroPoint: 0, scales: quantized.scales, axis: axis)
      copy.inputs.append(
        result.addConstant(
          name: "\(node.name):scales", try vectors.vector(quantized.scales, rank: rank)))
      copy.inputs.append(
        result.addConstant(name: "\(node.name):shifts", try vectors.vector(shifts, rank: rank)))
    } catch { throw message(node.name, error) }
    copy.inputs[0] = try integer(layer.x)
    var product = problem
    if case .convolution(var convolution) = problem {
      convolution.padValue = storage.zeroPoint
      product = .convolution(convolution)
    }
    var body = QuantizedBody(product, copy.inputs.count - 2)
    body.scaleSums()
    for (index, input) in node.inputs.enumerated().dropFirst(2) {
      guard let input, isStored(input), let storage = analysis.storage[input] else { continue }
      let scale = try scales(storage, of: input, isInverse: false)
      body.dequantize(index, storage, addsScales: scale != nil)
      if let scale { Self.append(scale, to: &copy, problem) }
    }
    try finish(node, copy, body)
  }

  /// Whether a kernel multiplies matrices in floating point: these store what they sum.
  private func multipliesNumbers(_ node: Node, _ problem: KernelProblem) -> Bool {
    switch problem {
    case .convolution, .matmul: result.types(of: node.inputs).first??.dataType == .float32
    default: false
    }
  }

  /// Adds the node, its result rounded where it is stored as integers.
  private mutating func finish(
    _ node: Node, _ copy: Node, _ body: QuantizedBody
  ) throws(GraphError) {
    var copy = copy
    var body = body
    guard let output = node.outputs.first, isStored(output),
      let storage = analysis.storage[output]
    else { return try add(copy, body.problem) }
    guard node.outputs.count == 1, body.hasResult, !multipliesNumbers(copy, body.problem) else {
      // In floating point under another name, then rounded.
      let exact = result.addValue(
        Value(name: "\(source[output].name):float32", type: source[output].type))
      copy.outputs[0] = exact
      try add(copy, body.problem)
      let inverse = try scales(storage, of: output, isInverse: true)
      let expression = storage.quantizing(.operand(0), inverse: inverse == nil ? nil : .operand(1))
      var rounding = node
      rounding.name = "\(node.name):uint8"
      rounding.position = nil
      rounding.inputs = [exact] + (inverse.map { [$0] } ?? [])
      rounding.outputs = [output]
      return try add(rounding, .pointwise(Pointwise(expression)))
    }
    let inverse = try scales(storage, of: output, isInverse: true)
    body.quantize(storage, addsScales: inverse != nil)
    if let inverse { Self.append(inverse, to: &copy, body.problem) }
    try add(copy, body.problem)
  }

  /// Adds an operand of the problem's expression.
  private static func append(_ value: ValueID, to node: inout Node, _ problem: KernelProblem) {
    while node.inputs.count < problem.ownOperandCount ?? 0 { node.inputs.append(nil) }
    node.inputs.append(value)
  }

  private mutating func add(_ node: Node, _ problem: KernelProblem) throws(GraphError) {
    var node = node
    node.operation = .kernel(problem)
    let types: [TensorType]
    do { types = try problem.outputTypes(of: result.types(of: node.inputs)) } catch {
      throw GraphError("node '\(node.name)' (\(problem.family)): \(error.description)")
    }
    for (output, type) in zip(node.outputs, types) {
      guard let declared = result[output].type else { continue }
      result[output].type = TensorType(type.dataType, declared.shape)
    }
    result.addNode(node)
  }
}

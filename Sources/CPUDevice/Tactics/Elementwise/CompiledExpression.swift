import CPUKernelInterface
import KernelModel
import TensorModel

/// A scalar expression as a vector program, before it has its place in memory.
struct CompiledExpression {
  /// What an operand of the program is.
  enum Source: Hashable {
    case operand(Int)
    /// The coordinate of an element of the result along an axis.
    case coordinate(axis: Int)
  }

  var instructions: [VectorInstruction]
  var sources: [Source]
  var operandFormats: [ElementFormat]
  var registerCount: Int
  var resultFormat: ElementFormat
  var usesWideLanes: Bool

  var registerBytes: Int { VectorProgram.blockLength * (usesWideLanes ? 8 : 4) }

  var scratchBytes: Int {
    let tables =
      operandFormats.count * (MemoryLayout<BlockOperand>.stride + 8) + registerCount * 8
    return ((tables + 63) & ~63) + registerCount * registerBytes
  }

  /// Seconds that one element takes on one thread, roughly.
  func secondsPerElement(vectorWidth: Int) -> Double {
    let nanoseconds = instructions.reduce(0.0) { sum, instruction in
      let operation = instruction.operation.rawValue
      if operation <= VectorOperation.clamp.rawValue { return sum + 0.7 }
      if operation <= VectorOperation.truncate.rawValue { return sum + 8 }
      if operation <= VectorOperation.arcTangent2.rawValue { return sum + 10 * Double(vectorWidth) }
      return sum + 2
    }
    return nanoseconds * 1e-9 / Double(vectorWidth)
  }
}

extension ElementFormat {
  /// The format of a type that vector programs can read and write.
  init?(_ type: DataType) {
    switch type {
    case .float32: self = .float32
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .int64: self = .int64
    case .int32: self = .int32
    case .int16: self = .int16
    case .int8: self = .int8
    case .uint16: self = .uint16
    case .uint8: self = .uint8
    case .bool: self = .bool
    default: return nil
    }
  }
}

extension CompiledExpression {
  /// Whether operand 0 is the program's first even where it does not occur.
  enum FirstOperand {
    case whereItOccurs
    case always
    /// Always, and as lanes: numbers that are yet to be rounded to their type.
    case inLanes
  }

  /// - Parameters:
  ///   - types: of the expression's operands.
  /// - Returns: nil where the vector machine has no instruction for a part of the expression.
  init?(
    _ expression: ScalarExpression, types: [DataType], keepsFirst: FirstOperand = .whereItOccurs
  ) {
    var graph = InstructionGraph(types)
    graph.firstIsUnrounded = keepsFirst == .inLanes
    if keepsFirst != .whereItOccurs, graph.append(.operand(0)) == nil { return nil }
    guard let resultType = expression.dataType(operands: types),
      let format = ElementFormat(resultType), var root = graph.append(expression)
    else { return nil }
    // Storing rounds.
    let last = graph.nodes[root]
    if last.operand == nil, last.instruction.operation == .roundTo,
      last.instruction.function == format.rawValue
    {
      root = Int(last.instruction.a)
    }
    self = graph.fused(root).emitted(root, format)
    if graph.firstIsUnrounded, types[0].isSixteenBitReal { operandFormats[0] = .float32 }
  }
}

/// A node of an instruction graph; the instruction's operands are nodes.
struct InstructionNode: Hashable {
  var instruction: VectorInstruction
  var type: DataType
  /// Set where the node is an operand of the program.
  var operand: Int?
}

/// The instructions of an expression, each once, arguments first.
struct InstructionGraph {
  private(set) var nodes: [InstructionNode] = []
  private(set) var sources: [CompiledExpression.Source] = []
  private var known: [InstructionNode: Int] = [:]
  let types: [DataType]
  /// Whether operand 0 is yet to be rounded to its type.
  var firstIsUnrounded = false

  static let maximumNodes = 4096

  init(_ types: [DataType]) { self.types = types }

  mutating func node(_ node: InstructionNode) -> Int? {
    if let index = known[node] { return index }
    guard nodes.count < Self.maximumNodes else { return nil }
    known[node] = nodes.count
    nodes.append(node)
    return nodes.count - 1
  }

  mutating func source(_ source: CompiledExpression.Source, _ type: DataType) -> Int? {
    let index: Int
    if let old = sources.firstIndex(of: source) {
      index = old
    } else {
      guard ElementFormat(type) != nil else { return nil }
      index = sources.count
      sources.append(source)
    }
    return node(InstructionNode(instruction: VectorInstruction(.copy), type: type, operand: index))
  }

  private static func arguments(_ node: InstructionNode) -> [Int] {
    if node.operand != nil { return [] }
    let i = node.instruction
    return i.operation.arguments(i).map { Int($0) }
  }

  private func useCounts(_ root: Int) -> [Int] {
    var counts = [Int](repeating: 0, count: nodes.count)
    counts[root] = 1
    for index in stride(from: root, through: 0, by: -1) where counts[index] > 0 {
      for argument in Self.arguments(nodes[index]) { counts[argument] += 1 }
    }
    return counts
  }

  // MARK: - Fusion

  /// The graph with products and sums, and bounds of both sides, made one instruction each.
  func fused(_ root: Int) -> InstructionGraph {
    var graph = self
    let uses = useCounts(root)
    func product(_ node: UInt16, _ operation: VectorOperation) -> VectorInstruction? {
      let candidate = graph.nodes[Int(node)]
      guard candidate.operand == nil, candidate.instruction.operation == operation,
        uses[Int(node)] == 1
      else { return nil }
      return candidate.instruction
    }
    for index in graph.nodes.indices where uses[index] > 0 && graph.nodes[index].operand == nil {
      let old = graph.nodes[index].instruction
      if let replacement = Self.fused(old, product) {
        graph.nodes[index].instruction = replacement
      }
    }
    return graph
  }

  private static func fused(
    _ i: VectorInstruction, _ single: (UInt16, VectorOperation) -> VectorInstruction?
  ) -> VectorInstruction? {
    switch i.operation {
    case .add:
      for (product, other) in [(i.a, i.b), (i.b, i.a)] {
        if let p = single(product, .multiplyImmediate) {
          return .init(.scaleAdd, p.a, other, x: p.x)
        }
        if let p = single(product, .multiply) { return .init(.multiplyAdd, p.a, p.b, other) }
      }
    case .subtract:
      if let p = single(i.b, .multiplyImmediate) { return .init(.scaleAdd, p.a, i.a, x: -p.x) }
    case .addImmediate:
      if let p = single(i.a, .multiplyImmediate) {
        return .init(.scaleShift, p.a, x: p.x, y: i.x)
      }
      if let p = single(i.a, .multiply) { return .init(.multiplyShift, p.a, p.b, x: i.x) }
    case .subtractFrom:
      if let p = single(i.a, .multiplyImmediate) {
        return .init(.scaleShift, p.a, x: -p.x, y: i.x)
      }
    case .maximumImmediate:
      if let p = single(i.a, .minimumImmediate) { return .init(.clamp, p.a, x: i.x, y: p.x) }
    case .minimumImmediate:
      if let p = single(i.a, .maximumImmediate), p.x <= i.x {
        return .init(.clamp, p.a, x: p.x, y: i.x)
      }
    default: break
    }
    return nil
  }

  // MARK: - Emission

  /// The program that computes a node.
  func emitted(_ root: Int, _ format: ElementFormat) -> CompiledExpression {
    let uses = useCounts(root)
    var order = nodes.indices.filter { uses[$0] > 0 && nodes[$0].operand == nil }
    var lastUse = [Int](repeating: -1, count: nodes.count)
    for index in order {
      for argument in Self.arguments(nodes[index]) { lastUse[argument] = index }
    }
    var slot = [Int](repeating: 0, count: nodes.count)
    var formats: [ElementFormat] = []
    for (index, node) in nodes.enumerated() {
      guard let operand = node.operand else { continue }
      slot[index] = operand
      if operand == formats.count { formats.append(ElementFormat(node.type) ?? .float32) }
    }
    let isCopy = nodes[root].operand != nil
    if !isCopy { order.removeAll { $0 == root } }
    var registers = RegisterFile(first: sources.count)
    var instructions: [VectorInstruction] = []
    for index in order {
      var instruction = nodes[index].instruction.renamed(slot)
      let dying = Set(Self.arguments(nodes[index])).filter {
        lastUse[$0] == index && nodes[$0].operand == nil
      }
      // A register can be written where it is read, lane by lane, unless lanes become wider.
      let widens = nodes[index].isWide && dying.contains { !nodes[$0].isWide }
      if !widens { for argument in dying.sorted() { registers.release(slot[argument]) } }
      slot[index] = registers.take()
      if widens { for argument in dying.sorted() { registers.release(slot[argument]) } }
      instruction.target = UInt16(slot[index])
      instructions.append(instruction)
    }
    var last: VectorInstruction
    if isCopy {
      last = VectorInstruction(nodes[root].isWide ? .integer64 : .copy)
      last.function = IntegerFunction.or.rawValue
      last.a = UInt16(slot[root])
      last.b = last.a
    } else {
      last = nodes[root].instruction.renamed(slot)
    }
    last.target = UInt16(registers.end)
    instructions.append(last)
    return CompiledExpression(
      instructions: instructions, sources: sources, operandFormats: formats,
      registerCount: registers.end + 1, resultFormat: format,
      usesWideLanes: nodes.contains { $0.isWide })
  }
}

/// Registers handed out and taken back.
private struct RegisterFile {
  private(set) var end: Int
  private var free: [Int] = []

  init(first: Int) { end = first }

  mutating func take() -> Int {
    if let register = free.popLast() { return register }
    end += 1
    return end - 1
  }

  mutating func release(_ register: Int) { free.append(register) }
}

extension InstructionNode {
  fileprivate var isWide: Bool { type == .int64 }
}

extension VectorInstruction {
  init(
    _ operation: VectorOperation, _ a: UInt16 = 0, _ b: UInt16 = 0, _ c: UInt16 = 0, x: Float = 0,
    y: Float = 0
  ) {
    self.init(operation)
    self.a = a
    self.b = b
    self.c = c
    self.x = x
    self.y = y
  }

  fileprivate func renamed(_ slot: [Int]) -> VectorInstruction {
    var result = self
    let count = operation.arguments(self).count
    if count > 0 { result.a = UInt16(slot[Int(a)]) }
    if count > 1 { result.b = UInt16(slot[Int(b)]) }
    if count > 2 { result.c = UInt16(slot[Int(c)]) }
    return result
  }
}

extension VectorOperation {
  /// The registers that an instruction reads.
  fileprivate func arguments(_ i: VectorInstruction) -> [UInt16] {
    switch self {
    case .splat, .splat32, .splat64: []
    case .multiplyAdd, .select, .selectWide: [i.a, i.b, i.c]
    case .add, .subtract, .multiply, .divide, .scaleAdd, .multiplyShift, .minimum, .maximum,
      .power, .floorDivide, .moduloFloor, .moduloTruncate, .arcTangent2,
      .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
      .maskAnd, .maskOr, .maskXor:
      [i.a, i.b]
    case .integer32, .integer64:
      [IntegerFunction.negate, .absolute, .not].contains(IntegerFunction(rawValue: i.function))
        ? [i.a] : [i.a, i.b]
    default: [i.a]
    }
  }
}

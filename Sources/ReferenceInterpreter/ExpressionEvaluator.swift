import KernelModel
import TensorModel

/// Where an expression's operand comes from.
enum ExpressionOperand {
  /// A tensor, broadcast to the result's shape.
  case tensor(Tensor)
  /// Intermediate results of a type, one for each element of the result.
  case intermediate(UnsafeRawPointer, DataType)

  var dataType: DataType {
    switch self {
    case .tensor(let tensor): tensor.dataType
    case .intermediate(_, let type): type
    }
  }
}

/// Evaluates one expression for blocks of consecutive elements of a result.
///
/// A node's values are `Double` where its type is floating point and `Int64` else.
final class ExpressionEvaluator {
  static let blockLength = 512

  private enum Source {
    case elements(Tensor, StridedIndex)
    case intermediate(UnsafeRawPointer)
  }

  private let program: ExpressionProgram
  private let shape: [Int]
  private var sources: [Source] = []
  private let registers: UnsafeMutableRawPointer
  /// Steps whose values change from block to block.
  private var active: [Int] = []

  var resultType: DataType { program.nodes[program.nodes.count - 1].dataType }

  /// - Parameter shape: the extents of the result.
  init(
    _ expression: ScalarExpression, _ operands: [ExpressionOperand], shape: [Int]
  ) throws(ProblemError) {
    var exact: [Bool] = []
    for operand in operands {
      switch operand {
      case .tensor(let tensor):
        exact.append(true)
        sources.append(
          .elements(tensor, StridedIndex(broadcasting: tensor.shape, to: shape)))
      case .intermediate(let pointer, _):
        exact.append(false)
        sources.append(.intermediate(pointer))
      }
    }
    program = try ExpressionProgram(
      expression, operands: operands.map(\.dataType), exactOperands: exact)
    self.shape = shape
    for node in program.nodes {
      if case .index(let axis) = node.step, !shape.indices.contains(axis) {
        throw ProblemError("axis \(axis) of a result of rank \(shape.count)")
      }
    }
    registers = .allocate(byteCount: program.nodes.count * Self.blockLength * 8, alignment: 64)
    for (index, node) in program.nodes.enumerated() where !fillOnce(index, node) {
      active.append(index)
    }
  }

  deinit { registers.deallocate() }

  func doubles(_ node: Int) -> UnsafeMutablePointer<Double> {
    (registers + node * Self.blockLength * 8).assumingMemoryBound(to: Double.self)
  }

  func integers(_ node: Int) -> UnsafeMutablePointer<Int64> {
    (registers + node * Self.blockLength * 8).assumingMemoryBound(to: Int64.self)
  }

  func dataType(_ node: Int) -> DataType { program.nodes[node].dataType }

  /// The values of the elements from `start` on, valid until the next call.
  ///
  /// - Parameter count: at most `blockLength`.
  func evaluate(start: Int, count: Int) -> UnsafeMutableRawPointer {
    for index in active { run(index, start: start, count: count) }
    return registers + (program.nodes.count - 1) * Self.blockLength * 8
  }

  private func fillOnce(_ index: Int, _ node: ExpressionProgram.Node) -> Bool {
    switch node.step {
    case .real(let value):
      doubles(index).initialize(repeating: value, count: Self.blockLength)
      return true
    case .integer(let value):
      integers(index).initialize(repeating: value, count: Self.blockLength)
      return true
    case .operand(let operand):
      guard case .elements(let tensor, _) = sources[operand], tensor.elementCount == 1 else {
        return false
      }
      load(tensor, node.dataType, offset: 0, stride: 0, count: Self.blockLength, to: index, at: 0)
      return true
    default: return false
    }
  }

  private func load(
    _ tensor: Tensor, _ type: DataType, offset: Int, stride: Int, count: Int, to node: Int,
    at position: Int
  ) {
    let base = UnsafeRawPointer(tensor.storage.base + tensor.byteOffset)
    if type.isFloatingPoint {
      ElementAccess.read(
        base, type, offset: offset, stride: stride, count: count, into: doubles(node) + position)
    } else {
      ElementAccess.read(
        base, type, offset: offset, stride: stride, count: count, into: integers(node) + position)
    }
  }

  private func run(_ index: Int, start: Int, count: Int) {
    let node = program.nodes[index]
    switch node.step {
    case .real, .integer: break
    case .operand(let operand): loadOperand(operand, index, start: start, count: count)
    case .index(let axis): fillCoordinates(axis, index, start: start, count: count)
    case .unary(let function, let a): unary(function, a, into: index, count: count)
    case .binary(let function, let a, let b): binary(function, a, b, into: index, count: count)
    case .cast(let a): cast(a, into: index, count: count)
    case .round(let a):
      if node.dataType.isFloatingPoint {
        let source = doubles(a), target = doubles(index)
        for i in 0..<count { target[i] = Conversion.rounded(source[i], node.dataType) }
      } else {
        integers(index).update(from: integers(a), count: count)
      }
    case .select(let c, let a, let b):
      let condition = integers(c)
      let x = integers(a), y = integers(b), target = integers(index)
      for i in 0..<count { target[i] = condition[i] != 0 ? x[i] : y[i] }
    }
  }

  private func loadOperand(_ operand: Int, _ node: Int, start: Int, count: Int) {
    switch sources[operand] {
    case .intermediate(let pointer):
      (registers + node * Self.blockLength * 8).copyMemory(
        from: pointer + start * 8, byteCount: count * 8)
    case .elements(let tensor, let index):
      let type = program.nodes[node].dataType
      let stride = index.innerStride
      index.forEachRun(from: start, count: count) { position, offset, length in
        load(tensor, type, offset: offset, stride: stride, count: length, to: node, at: position)
      }
    }
  }

  private func fillCoordinates(_ axis: Int, _ node: Int, start: Int, count: Int) {
    let split = AxisSplit(shape, axis: axis)
    let target = integers(node)
    for i in 0..<count { target[i] = Int64((start + i) / split.inner % split.extent) }
  }
}

extension Interpreter {
  /// A tensor of an expression's values.
  static func map(
    _ expression: ScalarExpression, _ operands: [ExpressionOperand], _ output: Output
  ) throws(ProblemError) -> Tensor {
    let evaluator = try ExpressionEvaluator(expression, operands, shape: output.shape)
    guard evaluator.resultType == output.dataType else {
      throw ProblemError("\(expression) is \(evaluator.resultType), expected \(output.dataType)")
    }
    var result = try output.allocate()
    result.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      var start = 0
      while start < output.elementCount {
        let count = min(ExpressionEvaluator.blockLength, output.elementCount - start)
        let block = evaluator.evaluate(start: start, count: count)
        if output.dataType.isFloatingPoint {
          ElementAccess.write(
            block.assumingMemoryBound(to: Double.self), count: count, to: base, output.dataType,
            at: start)
        } else {
          ElementAccess.write(
            block.assumingMemoryBound(to: Int64.self), count: count, to: base, output.dataType,
            at: start)
        }
        start += count
      }
    }
    withExtendedLifetime(evaluator) {}
    return result
  }

  /// A problem's values of type `dataType` with its epilogue applied, whose operands are the inputs from
  /// `own` on.
  static func finish(
    _ values: Numbers, _ dataType: DataType, _ epilogue: ScalarExpression, _ inputs: Operands,
    own: Int, _ output: Output
  ) throws(ProblemError) -> Tensor {
    if epilogue == .operand(0) { return try values.tensor(output) }
    let others = try inputs.all(from: own).map { ExpressionOperand.tensor($0) }
    func apply(_ pointer: UnsafeRawPointer?) throws(ProblemError) -> Tensor {
      guard let pointer else { return try output.allocate() }
      return try map(epilogue, [.intermediate(pointer, dataType)] + others, output)
    }
    switch values {
    case .floating(let numbers):
      return try numbers.withUnsafeBufferPointer { buffer throws(ProblemError) in
        try apply(buffer.baseAddress.map { UnsafeRawPointer($0) })
      }
    case .integer(let numbers):
      let wrapped = numbers.map { Conversion.wrapped($0, dataType) }
      return try wrapped.withUnsafeBufferPointer { buffer throws(ProblemError) in
        try apply(buffer.baseAddress.map { UnsafeRawPointer($0) })
      }
    }
  }
}

import CPUKernelInterface
import KernelModel
import TensorModel

/// Scalar expressions as instructions. Every function gives nil where there is no instruction.
extension InstructionGraph {
  mutating func append(_ expression: ScalarExpression) -> Int? {
    switch expression {
    case .operand(let i):
      guard types.indices.contains(i) else { return nil }
      return source(.operand(i), types[i])
    case .index(let axis): return source(.coordinate(axis: axis), .int64)
    case .constant(let value, let type): return constant(value, type)
    case .integer(let value, let type):
      switch ElementFormat(type)?.lane {
      case .float: return constant(Double(value), type)
      case .int64: return wide(value)
      case .int32: return type == .int32 ? narrow(value, type) : nil
      default: return nil
      }
    case .unary(let function, let a):
      guard let x = append(a) else { return nil }
      return unary(function, x)
    case .binary(let function, let a, let b):
      if function == .multiply, let match = GeluPattern(expression, types: types) {
        guard let x = append(match.argument) else { return nil }
        return gelu(match, x)
      }
      if function == .multiply, let argument = Self.swishArgument(a, b),
        argument.dataType(operands: types) == .float32
      {
        return append(argument).flatMap { instruction(.swish, [$0], .float32) }
      }
      guard let x = append(a), let y = append(b) else { return nil }
      return binary(function, x, y)
    case .select(let condition, let a, let b):
      guard let c = append(condition), let x = append(a), let y = append(b) else { return nil }
      let type = nodes[x].type
      let operation: VectorOperation = type == .int64 ? .selectWide : .select
      return instruction(operation, [c, x, y], type)
    case .cast(let a, let type):
      guard let x = append(a) else { return nil }
      return cast(x, type)
    }
  }

  // MARK: - Parts

  mutating func instruction(
    _ operation: VectorOperation, _ arguments: [Int], _ type: DataType, x: Float = 0,
    function: UInt8 = 0
  ) -> Int? {
    var result = VectorInstruction(operation)
    if arguments.count > 0 { result.a = UInt16(arguments[0]) }
    if arguments.count > 1 { result.b = UInt16(arguments[1]) }
    if arguments.count > 2 { result.c = UInt16(arguments[2]) }
    result.x = x
    result.function = function
    return node(InstructionNode(instruction: result, type: type, operand: nil))
  }

  private mutating func constant(_ value: Double, _ type: DataType) -> Int? {
    switch ElementFormat(type)?.lane {
    case .float:
      return instruction(.splat, [], type, x: Float(type.rounded(value)))
    case .int64: return Int64(exactly: value).flatMap { wide($0) }
    case .int32: return Int64(exactly: value).flatMap { narrow($0, type) }
    case .mask: return narrow(value == 0 ? 0 : -1, .bool)
    case nil: return nil
    }
  }

  private mutating func wide(_ value: Int64) -> Int? {
    var result = VectorInstruction(.splat64)
    result.integer = value
    return node(InstructionNode(instruction: result, type: .int64, operand: nil))
  }

  private mutating func narrow(_ value: Int64, _ type: DataType) -> Int? {
    var result = VectorInstruction(.splat32)
    result.integer = value
    return node(InstructionNode(instruction: result, type: type, operand: nil))
  }

  /// The number that a node always is.
  private func number(_ node: Int) -> Float? {
    let i = nodes[node].instruction
    return nodes[node].operand == nil && i.operation == .splat ? i.x : nil
  }

  /// A node whose value is a number of its type, where that is narrower than a lane.
  private mutating func rounded(_ x: Int) -> Int? {
    let type = nodes[x].type
    guard type == .float16 || type == .bfloat16 else { return x }
    if let operand = nodes[x].operand, operand != 0 || !firstIsUnrounded { return x }
    let format: ElementFormat = type == .float16 ? .float16 : .bfloat16
    return instruction(.roundTo, [x], type, function: format.rawValue)
  }

  /// x of `x * sigmoid(x)`.
  private static func swishArgument(
    _ a: ScalarExpression, _ b: ScalarExpression
  ) -> ScalarExpression? {
    if case .unary(.sigmoid, let inner) = b, inner == a { return a }
    if case .unary(.sigmoid, let inner) = a, inner == b { return b }
    return nil
  }

  private mutating func gelu(_ match: GeluPattern, _ x: Int) -> Int? {
    guard let y = instruction(match.usesTanh ? .geluTanh : .gelu, [x], .float32) else { return nil }
    return match.factor == 1 ? y : instruction(.multiplyImmediate, [y], .float32, x: match.factor)
  }

  // MARK: - Unary

  private mutating func unary(_ function: UnaryFunction, _ x: Int) -> Int? {
    let type = nodes[x].type
    switch ElementFormat(type)?.lane {
    case .float:
      if let operation = Self.tests[function] {
        return rounded(x).flatMap { instruction(operation, [$0], .bool) }
      }
      if function == .reciprocal { return instruction(.divideInto, [x], type, x: 1) }
      guard let operation = Self.functions[function] else { return nil }
      if let value = number(x), function == .negate {
        return instruction(.splat, [], type, x: -value)
      }
      let rounds = [.floor, .ceiling, .round, .truncate].contains(function)
      return (rounds ? rounded(x) : x).flatMap { instruction(operation, [$0], type) }
    case .mask:
      return function == .logicalNot || function == .bitwiseNot
        ? instruction(.maskNot, [x], .bool) : nil
    case .int32, .int64:
      guard type == .int32 || type == .int64 else { return nil }
      switch function {
      case .floor, .ceiling, .round, .truncate: return x
      case .negate: return integer(.negate, [x], type)
      case .absolute: return integer(.absolute, [x], type)
      case .bitwiseNot: return integer(.not, [x], type)
      default: return nil
      }
    case nil: return nil
    }
  }

  private mutating func integer(
    _ function: IntegerFunction, _ arguments: [Int], _ type: DataType
  ) -> Int? {
    instruction(
      type == .int64 ? .integer64 : .integer32, arguments, function.isComparison ? .bool : type,
      function: function.rawValue)
  }

  private static let tests: [UnaryFunction: VectorOperation] = [
    .isNaN: .isNaN, .isInfinite: .isInfinite, .isPositiveInfinite: .isPositiveInfinite,
    .isNegativeInfinite: .isNegativeInfinite,
  ]

  private static let functions: [UnaryFunction: VectorOperation] = [
    .negate: .negate, .absolute: .absolute, .sign: .sign, .squareRoot: .squareRoot,
    .reciprocalSquareRoot: .reciprocalSquareRoot, .exponential: .exponential,
    .logarithm: .logarithm, .logarithm1p: .logarithm1p, .exponentialMinus1: .exponentialMinus1,
    .sine: .sine, .cosine: .cosine, .tangent: .tangent, .arcSine: .arcSine,
    .arcCosine: .arcCosine, .arcTangent: .arcTangent, .hyperbolicSine: .hyperbolicSine,
    .hyperbolicCosine: .hyperbolicCosine, .hyperbolicTangent: .hyperbolicTangent,
    .areaSine: .areaSine, .areaCosine: .areaCosine, .areaTangent: .areaTangent,
    .sigmoid: .sigmoid, .errorFunction: .errorFunction, .floor: .floor, .ceiling: .ceiling,
    .round: .round, .truncate: .truncate,
  ]

  // MARK: - Binary

  private mutating func binary(_ function: BinaryFunction, _ x: Int, _ y: Int) -> Int? {
    let type = nodes[x].type
    guard nodes[y].type == type else { return nil }
    switch ElementFormat(type)?.lane {
    case .float:
      if let test = Self.comparisons[function] {
        guard let a = rounded(x), let b = rounded(y) else { return nil }
        return comparison(test, a, b)
      }
      return real(function, x, y, type)
    case .mask:
      switch function {
      case .logicalAnd, .bitwiseAnd, .minimum: return instruction(.maskAnd, [x, y], .bool)
      case .logicalOr, .bitwiseOr, .maximum: return instruction(.maskOr, [x, y], .bool)
      case .logicalXor, .bitwiseXor, .notEqual: return instruction(.maskXor, [x, y], .bool)
      case .equal:
        return instruction(.maskXor, [x, y], .bool).flatMap { instruction(.maskNot, [$0], .bool) }
      default: return nil
      }
    case .int32, .int64:
      guard let kind = Self.integers[function] else { return nil }
      guard type == .int32 || type == .int64 || kind.isComparison else { return nil }
      return integer(kind, [x, y], type)
    case nil: return nil
    }
  }

  private mutating func real(
    _ function: BinaryFunction, _ x: Int, _ y: Int, _ type: DataType
  ) -> Int? {
    let left = number(x), right = number(y)
    func constantOf(_ value: Float) -> InstructionNode {
      InstructionNode(
        instruction: VectorInstruction(.splat, x: value), type: type, operand: nil)
    }
    switch function {
    case .add:
      if let right {
        return left.map { node(constantOf($0 + right)) }
          ?? instruction(.addImmediate, [x], type, x: right)
      }
      if let left { return instruction(.addImmediate, [y], type, x: left) }
      return instruction(.add, [x, y], type)
    case .subtract:
      if let right { return instruction(.addImmediate, [x], type, x: -right) }
      if let left { return instruction(.subtractFrom, [y], type, x: left) }
      return instruction(.subtract, [x, y], type)
    case .multiply:
      if let right {
        return left.map { node(constantOf($0 * right)) }
          ?? instruction(.multiplyImmediate, [x], type, x: right)
      }
      if let left { return instruction(.multiplyImmediate, [y], type, x: left) }
      return instruction(.multiply, [x, y], type)
    case .divide:
      if let right {
        let isPowerOfTwo = right.isNormal && right.significand == 1 && (1 / right).isNormal
        return isPowerOfTwo
          ? instruction(.multiplyImmediate, [x], type, x: 1 / right)
          : instruction(.divideImmediate, [x], type, x: right)
      }
      if let left { return instruction(.divideInto, [y], type, x: left) }
      return instruction(.divide, [x, y], type)
    case .minimum, .maximum: return bound(function, x, y, type)
    case .power: return power(x, y, type)
    case .floorDivide, .moduloFloor, .moduloTruncate:
      let operations: [BinaryFunction: VectorOperation] = [
        .floorDivide: .floorDivide, .moduloFloor: .moduloFloor, .moduloTruncate: .moduloTruncate,
      ]
      guard let operation = operations[function], let a = rounded(x), let b = rounded(y) else {
        return nil
      }
      return instruction(operation, [a, b], type)
    case .arcTangent2: return instruction(.arcTangent2, [x, y], type)
    default: return nil
    }
  }

  private mutating func bound(
    _ function: BinaryFunction, _ x: Int, _ y: Int, _ type: DataType
  ) -> Int? {
    let isMinimum = function == .minimum
    for (value, other) in [(number(y), x), (number(x), y)] {
      guard let value, !value.isNaN else { continue }
      return instruction(
        isMinimum ? .minimumImmediate : .maximumImmediate, [other], type, x: value)
    }
    return instruction(isMinimum ? .minimum : .maximum, [x, y], type)
  }

  private mutating func power(_ x: Int, _ y: Int, _ type: DataType) -> Int? {
    switch number(y) {
    case 1: return x
    case 2: return instruction(.multiply, [x, x], type)
    case 3:
      return instruction(.multiply, [x, x], type).flatMap { instruction(.multiply, [$0, x], type) }
    case 4:
      return instruction(.multiply, [x, x], type).flatMap {
        instruction(.multiply, [$0, $0], type)
      }
    case 0.5: return instruction(.squareRoot, [x], type)
    case -0.5: return instruction(.reciprocalSquareRoot, [x], type)
    case -1: return instruction(.divideInto, [x], type, x: 1)
    default: return instruction(.power, [x, y], type)
    }
  }

  private mutating func comparison(
    _ test: (registers: VectorOperation, immediate: VectorOperation, flipped: VectorOperation),
    _ x: Int, _ y: Int
  ) -> Int? {
    if let right = number(y) { return instruction(test.immediate, [x], .bool, x: right) }
    if let left = number(x) { return instruction(test.flipped, [y], .bool, x: left) }
    return instruction(test.registers, [x, y], .bool)
  }

  private static let comparisons:
    [BinaryFunction: (
      registers: VectorOperation, immediate: VectorOperation, flipped: VectorOperation
    )] = [
      .equal: (.equal, .equalImmediate, .equalImmediate),
      .notEqual: (.notEqual, .notEqualImmediate, .notEqualImmediate),
      .less: (.less, .lessImmediate, .greaterImmediate),
      .lessOrEqual: (.lessOrEqual, .lessOrEqualImmediate, .greaterOrEqualImmediate),
      .greater: (.greater, .greaterImmediate, .lessImmediate),
      .greaterOrEqual: (.greaterOrEqual, .greaterOrEqualImmediate, .lessOrEqualImmediate),
    ]

  private static let integers: [BinaryFunction: IntegerFunction] = [
    .add: .add, .subtract: .subtract, .multiply: .multiply, .minimum: .minimum,
    .maximum: .maximum, .bitwiseAnd: .and, .bitwiseOr: .or, .bitwiseXor: .xor,
    .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual,
    .greater: .greater, .greaterOrEqual: .greaterOrEqual,
  ]

  // MARK: - Casts

  private mutating func cast(_ x: Int, _ type: DataType) -> Int? {
    let source = nodes[x].type
    guard source != type else { return x }
    guard let from = ElementFormat(source), let to = ElementFormat(type) else { return nil }
    switch (from.lane, to.lane) {
    case (.float, .float): return narrowed(x, to, type)
    case (.float, .int32):
      return rounded(x).flatMap { instruction(.floatToInt32, [$0], .int32) }.flatMap {
        to == .int32 ? $0 : instruction(.saturate, [$0], type, function: to.rawValue)
      }
    case (.float, .int64): return rounded(x).flatMap { instruction(.floatToInt64, [$0], type) }
    case (.float, .mask): return rounded(x).flatMap { instruction(.floatToMask, [$0], type) }
    case (.int32, .float):
      return instruction(.int32ToFloat, [x], .float32).flatMap { narrowed($0, to, type) }
    case (.int32, .int32): return wrapped(x, to, type)
    case (.int32, .int64): return instruction(.int32ToInt64, [x], type)
    case (.int32, .mask): return instruction(.int32ToMask, [x], type)
    case (.int64, .float):
      return instruction(.int64ToFloat, [x], .float32).flatMap { narrowed($0, to, type) }
    case (.int64, .int32):
      return instruction(.int64ToInt32, [x], .int32).flatMap { wrapped($0, to, type) }
    case (.int64, .mask): return instruction(.int64ToMask, [x], type)
    case (.mask, .float): return instruction(.maskToFloat, [x], type)
    case (.mask, .int32): return instruction(.maskToInt32, [x], type)
    case (.mask, .int64): return instruction(.maskToInt64, [x], type)
    case (.int64, .int64), (.mask, .mask): return x
    }
  }

  private mutating func narrowed(_ x: Int, _ to: ElementFormat, _ type: DataType) -> Int? {
    if to != .float32 { return instruction(.roundTo, [x], type, function: to.rawValue) }
    // Lanes stay as they are.
    return node(
      InstructionNode(
        instruction: nodes[x].instruction, type: .float32, operand: nodes[x].operand))
  }

  private mutating func wrapped(_ x: Int, _ to: ElementFormat, _ type: DataType) -> Int? {
    if to == .int32 { return nodes[x].type == .int32 ? x : instruction(.copy, [x], .int32) }
    return instruction(.wrap, [x], type, function: to.rawValue)
  }
}

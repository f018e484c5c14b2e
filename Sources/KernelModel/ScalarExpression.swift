package import TensorModel

/// A scalar function of operands: what a pointwise kernel computes for each element, and what every
/// other kernel applies to its results before it stores them.
///
/// Every node has an element type (`dataType(operands:)`); floating-point nodes are computed in the
/// type of their operands, integers wrap.
package indirect enum ScalarExpression: Hashable, Sendable {
  /// The element of an operand.
  case operand(Int)
  /// A number of the given type.
  case constant(Double, DataType)
  /// An integer too large for `constant`'s exact range.
  case integer(Int64, DataType)
  /// The coordinate of the result along an axis, as `int64`. Only in pointwise kernels.
  case index(axis: Int)
  case unary(UnaryFunction, ScalarExpression)
  case binary(BinaryFunction, ScalarExpression, ScalarExpression)
  /// `select(condition, whenTrue, whenFalse)`.
  case select(ScalarExpression, ScalarExpression, ScalarExpression)
  case cast(ScalarExpression, DataType)
}

/// Functions of one argument, in the argument's type unless said otherwise.
package enum UnaryFunction: String, Hashable, Sendable, Codable, CaseIterable {
  case negate, absolute, sign, reciprocal, squareRoot, reciprocalSquareRoot
  case exponential, logarithm, logarithm1p, exponentialMinus1
  case sine, cosine, tangent, arcSine, arcCosine, arcTangent
  case hyperbolicSine, hyperbolicCosine, hyperbolicTangent
  case areaSine, areaCosine, areaTangent
  /// 1 / (1 + exp(-x)).
  case sigmoid
  case errorFunction
  case floor, ceiling
  /// To the nearest integer, ties to even.
  case round
  case truncate
  /// Of `bool`.
  case logicalNot
  case bitwiseNot
  /// To `bool`.
  case isNaN, isInfinite, isPositiveInfinite, isNegativeInfinite
}

/// Functions of two arguments of one type.
package enum BinaryFunction: String, Hashable, Sendable, Codable, CaseIterable {
  case add, subtract, multiply
  /// Integer division truncates towards zero; by zero it gives zero.
  case divide
  /// Integer division rounded towards minus infinity.
  case floorDivide
  /// The remainder with the sign of the divisor (Python's `%`).
  case moduloFloor
  /// The remainder with the sign of the dividend (C's `fmod`).
  case moduloTruncate
  case power
  /// NaN where either argument is NaN.
  case minimum, maximum
  case arcTangent2
  case bitwiseAnd, bitwiseOr, bitwiseXor, shiftLeft, shiftRight
  /// Of `bool`, to `bool`.
  case logicalAnd, logicalOr, logicalXor
  /// To `bool`.
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual

  package var isComparison: Bool {
    switch self {
    case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: true
    default: false
    }
  }
}

// MARK: - Equality

extension ScalarExpression {
  /// Constants are equal where their bits are, so that an expression with NaN equals itself.
  package static func == (a: ScalarExpression, b: ScalarExpression) -> Bool {
    switch (a, b) {
    case (.operand(let x), .operand(let y)), (.index(let x), .index(let y)): x == y
    case (.constant(let x, let s), .constant(let y, let t)): x.bitPattern == y.bitPattern && s == t
    case (.integer(let x, let s), .integer(let y, let t)): x == y && s == t
    case (.unary(let f, let x), .unary(let g, let y)): f == g && x == y
    case (.binary(let f, let x, let p), .binary(let g, let y, let q)): f == g && x == y && p == q
    case (.select(let x, let p, let u), .select(let y, let q, let v)): x == y && p == q && u == v
    case (.cast(let x, let s), .cast(let y, let t)): s == t && x == y
    default: false
    }
  }

  package func hash(into hasher: inout Hasher) {
    switch self {
    case .operand(let index), .index(let index): hasher.combine(index)
    case .constant(let value, let type):
      hasher.combine(value.bitPattern)
      hasher.combine(type)
    case .integer(let value, let type):
      hasher.combine(value)
      hasher.combine(type)
    case .unary(let function, _): hasher.combine(function)
    case .binary(let function, _, _): hasher.combine(function)
    case .select: hasher.combine(3)
    case .cast(_, let type): hasher.combine(type)
    }
    for child in children { child.hash(into: &hasher) }
  }
}

// MARK: - Spelling

extension ScalarExpression {
  package static func float(_ value: Double) -> ScalarExpression { .constant(value, .float32) }

  package static func + (a: Self, b: Self) -> Self { .binary(.add, a, b) }
  package static func - (a: Self, b: Self) -> Self { .binary(.subtract, a, b) }
  package static func * (a: Self, b: Self) -> Self { .binary(.multiply, a, b) }
  package static func / (a: Self, b: Self) -> Self { .binary(.divide, a, b) }
  package static prefix func - (a: Self) -> Self { .unary(.negate, a) }
  package static func maximum(_ a: Self, _ b: Self) -> Self { .binary(.maximum, a, b) }
  package static func minimum(_ a: Self, _ b: Self) -> Self { .binary(.minimum, a, b) }
}

// MARK: - Structure

extension ScalarExpression {
  package var children: [ScalarExpression] {
    switch self {
    case .operand, .constant, .integer, .index: []
    case .unary(_, let a), .cast(let a, _): [a]
    case .binary(_, let a, let b): [a, b]
    case .select(let a, let b, let c): [a, b, c]
    }
  }

  /// The expression with every child replaced, then itself.
  package func rewritten(_ transform: (ScalarExpression) -> ScalarExpression) -> ScalarExpression {
    switch self {
    case .operand, .constant, .integer, .index: transform(self)
    case .unary(let f, let a): transform(.unary(f, a.rewritten(transform)))
    case .binary(let f, let a, let b):
      transform(.binary(f, a.rewritten(transform), b.rewritten(transform)))
    case .select(let a, let b, let c):
      transform(.select(a.rewritten(transform), b.rewritten(transform), c.rewritten(transform)))
    case .cast(let a, let type): transform(.cast(a.rewritten(transform), type))
    }
  }

  /// The expression with operand `i` replaced by `replacements[i]`.
  package func substituting(_ replacements: [ScalarExpression]) -> ScalarExpression {
    rewritten { node in
      guard case .operand(let i) = node, replacements.indices.contains(i) else { return node }
      return replacements[i]
    }
  }

  /// The operands that occur, in ascending order.
  package var operands: [Int] {
    var found: Set<Int> = []
    visit { if case .operand(let i) = $0 { found.insert(i) } }
    return found.sorted()
  }

  package func visit(_ body: (ScalarExpression) -> Void) {
    body(self)
    for child in children { child.visit(body) }
  }

  /// Functions and casts to evaluate for one element.
  package var operationCount: Int {
    var count = 0
    visit {
      switch $0 {
      case .unary, .binary, .select, .cast: count += 1
      default: break
      }
    }
    return count
  }

  package var depth: Int { 1 + (children.map(\.depth).max() ?? 0) }

  package var usesIndex: Bool {
    var found = false
    visit { if case .index = $0 { found = true } }
    return found
  }

  /// The element type of the value; nil where types do not fit together.
  package func dataType(operands: [DataType]) -> DataType? {
    switch self {
    case .operand(let i): operands.indices.contains(i) ? operands[i] : nil
    case .constant(_, let type), .integer(_, let type): type
    case .index: .int64
    case .cast(let a, let type): a.dataType(operands: operands) == nil ? nil : type
    case .unary(let function, let a):
      switch function {
      case .isNaN, .isInfinite, .isPositiveInfinite, .isNegativeInfinite:
        a.dataType(operands: operands) == nil ? nil : .bool
      case .logicalNot: a.dataType(operands: operands) == .bool ? .bool : nil
      default: a.dataType(operands: operands)
      }
    case .binary(let function, let a, let b):
      Self.binaryType(function, a.dataType(operands: operands), b.dataType(operands: operands))
    case .select(let condition, let a, let b):
      condition.dataType(operands: operands) == .bool
        && a.dataType(operands: operands) == b.dataType(operands: operands)
        ? a.dataType(operands: operands) : nil
    }
  }

  private static func binaryType(
    _ function: BinaryFunction, _ a: DataType?, _ b: DataType?
  ) -> DataType? {
    guard let a, a == b else { return nil }
    if function.isComparison { return .bool }
    switch function {
    case .logicalAnd, .logicalOr, .logicalXor: return a == .bool ? .bool : nil
    default: return a
    }
  }
}

extension ScalarExpression: CustomStringConvertible {
  package var description: String {
    switch self {
    case .operand(let i): "x\(i)"
    case .constant(let value, let type):
      type.isFloatingPoint
        ? "\(value)" : type == .bool ? "\(value != 0)" : "\(Int64(exactly: value) ?? 0)"
    case .integer(let value, _): "\(value)"
    case .index(let axis): "index(\(axis))"
    case .unary(let function, let a): "\(function.rawValue)(\(a))"
    case .binary(let function, let a, let b):
      switch function {
      case .add: "(\(a) + \(b))"
      case .subtract: "(\(a) - \(b))"
      case .multiply: "(\(a) * \(b))"
      case .divide: "(\(a) / \(b))"
      default: "\(function.rawValue)(\(a), \(b))"
      }
    case .select(let c, let a, let b): "select(\(c), \(a), \(b))"
    case .cast(let a, let type): "\(type)(\(a))"
    }
  }
}

extension ScalarExpression: Codable {
  private enum Key: String, CodingKey {
    case operand, constant, integer, index, function, arguments, select, cast, type
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .operand(let i): try container.encode(i, forKey: .operand)
    case .constant(let value, let type):
      // Bit patterns: infinities and NaN have no JSON number.
      try container.encode(value.bitPattern, forKey: .constant)
      try container.encode(type, forKey: .type)
    case .integer(let value, let type):
      try container.encode(value, forKey: .integer)
      try container.encode(type, forKey: .type)
    case .index(let axis): try container.encode(axis, forKey: .index)
    case .unary(let function, let a):
      try container.encode(function.rawValue, forKey: .function)
      try container.encode([a], forKey: .arguments)
    case .binary(let function, let a, let b):
      try container.encode(function.rawValue, forKey: .function)
      try container.encode([a, b], forKey: .arguments)
    case .select(let a, let b, let c): try container.encode([a, b, c], forKey: .select)
    case .cast(let a, let type):
      try container.encode(a, forKey: .cast)
      try container.encode(type, forKey: .type)
    }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    func corrupted(_ key: Key) -> DecodingError {
      .dataCorruptedError(forKey: key, in: container, debugDescription: "not a scalar expression")
    }
    if let i = try container.decodeIfPresent(Int.self, forKey: .operand) {
      self = .operand(i)
    } else if let bits = try container.decodeIfPresent(UInt64.self, forKey: .constant) {
      self = .constant(Double(bitPattern: bits), try container.decode(DataType.self, forKey: .type))
    } else if let value = try container.decodeIfPresent(Int64.self, forKey: .integer) {
      self = .integer(value, try container.decode(DataType.self, forKey: .type))
    } else if let axis = try container.decodeIfPresent(Int.self, forKey: .index) {
      self = .index(axis: axis)
    } else if let name = try container.decodeIfPresent(String.self, forKey: .function) {
      let arguments = try container.decode([ScalarExpression].self, forKey: .arguments)
      if arguments.count == 1, let function = UnaryFunction(rawValue: name) {
        self = .unary(function, arguments[0])
      } else if arguments.count == 2, let function = BinaryFunction(rawValue: name) {
        self = .binary(function, arguments[0], arguments[1])
      } else {
        throw corrupted(.function)
      }
    } else if let parts = try container.decodeIfPresent([ScalarExpression].self, forKey: .select) {
      guard parts.count == 3 else { throw corrupted(.select) }
      self = .select(parts[0], parts[1], parts[2])
    } else {
      self = .cast(
        try container.decode(ScalarExpression.self, forKey: .cast),
        try container.decode(DataType.self, forKey: .type))
    }
  }
}

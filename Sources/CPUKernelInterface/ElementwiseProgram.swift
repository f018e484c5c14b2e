/// How elements lie in memory.
package enum ElementFormat: UInt8, BitwiseCopyable, Sendable {
  case float32, float16, bfloat16
  case int64, int32, int16, int8, uint16, uint8
  /// A byte, 0 or 1.
  case bool

  package var byteCount: Int {
    switch self {
    case .int64: 8
    case .float32, .int32: 4
    case .float16, .bfloat16, .int16, .uint16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// How the elements lie in a register.
  package var lane: VectorLane {
    switch self {
    case .float32, .float16, .bfloat16: .float
    case .int64: .int64
    case .int32, .int16, .int8, .uint16, .uint8: .int32
    case .bool: .mask
    }
  }

  /// Whether memory of this format can serve as a register.
  package var isLane: Bool { self == .float32 || self == .int32 || self == .int64 }
}

/// The lanes of a register.
package enum VectorLane: UInt8, BitwiseCopyable, Sendable {
  case float, int32, int64
  /// 32 bits, all ones or all zeros.
  case mask
}

/// What an instruction does to each lane. Operands are `a`, `b`, `c`; `x` and `y` are the immediates.
package enum VectorOperation: UInt8, BitwiseCopyable, Sendable {
  // float
  case splat
  case copy
  case add, addImmediate
  case subtract
  /// `x - a`.
  case subtractFrom
  case multiply, multiplyImmediate
  case divide, divideImmediate
  /// `x / a`.
  case divideInto
  /// `a * b + c`.
  case multiplyAdd
  /// `a * x + b`.
  case scaleAdd
  /// `a * b + x`.
  case multiplyShift
  /// `a * x + y`.
  case scaleShift
  case minimum, minimumImmediate, maximum, maximumImmediate
  /// `max(min(a, y), x)`.
  case clamp
  case negate, absolute, sign, squareRoot, reciprocalSquareRoot
  case exponential, logarithm, logarithm1p, exponentialMinus1
  case sigmoid, hyperbolicTangent, errorFunction, gelu, geluTanh
  /// `a * sigmoid(a)`.
  case swish
  case floor, ceiling, round, truncate
  // float, one lane after the other
  case sine, cosine, tangent, arcSine, arcCosine, arcTangent
  case hyperbolicSine, hyperbolicCosine, areaSine, areaCosine, areaTangent
  case power, floorDivide, moduloFloor, moduloTruncate, arcTangent2
  // float to mask
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
  case equalImmediate, notEqualImmediate, lessImmediate, lessOrEqualImmediate, greaterImmediate
  case greaterOrEqualImmediate
  case isNaN, isInfinite, isPositiveInfinite, isNegativeInfinite
  // mask
  case maskAnd, maskOr, maskXor, maskNot
  /// `a ? b : c`, of 32-bit lanes.
  case select
  /// Of 64-bit lanes.
  case selectWide
  /// An integer operation, whose kind is in `function`, of 32 or 64-bit lanes.
  case integer32, integer64
  case splat32, splat64
  // Conversions, named by source and target.
  case floatToInt32, floatToInt64, floatToMask
  case int32ToFloat, int64ToFloat, maskToFloat
  case int32ToInt64, int64ToInt32, maskToInt32, maskToInt64, int32ToMask, int64ToMask
  /// Of integers in 32-bit lanes, to a narrower type and back; `function` is an `ElementFormat`.
  case wrap
  /// Clamped to what a narrower type holds.
  case saturate
  /// Rounded to a narrower floating-point type; `function` is an `ElementFormat`.
  case roundTo
}

/// What integer instructions compute.
package enum IntegerFunction: UInt8, BitwiseCopyable, Sendable {
  case add, subtract, multiply, minimum, maximum, and, or, xor, negate, absolute, not
  // To a mask.
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual

  package var isComparison: Bool { rawValue >= IntegerFunction.equal.rawValue }
}

/// One operation on whole registers.
package struct VectorInstruction: BitwiseCopyable, Hashable, Sendable {
  package var operation: VectorOperation
  package var function: UInt8 = 0
  package var target: UInt16 = 0
  package var a: UInt16 = 0
  package var b: UInt16 = 0
  package var c: UInt16 = 0
  package var x: Float = 0
  package var y: Float = 0
  package var integer: Int64 = 0

  package init(_ operation: VectorOperation) { self.operation = operation }
}

/// A scalar expression as straight-line code over registers of `blockLength` lanes.
///
/// Registers `0 ..< operandCount` are the operands and the last is the result, which the last instruction
/// writes.
package struct VectorProgram: BitwiseCopyable, @unchecked Sendable {
  package var instructions: UnsafePointer<VectorInstruction>
  package var instructionCount: Int
  package var operandFormats: UnsafePointer<ElementFormat>
  package var operandCount: Int
  package var registerCount: Int
  package var resultFormat: ElementFormat
  /// A multiple of 64.
  package var registerBytes: Int

  /// Lanes of a register.
  package static let blockLength = 512

  package init(
    instructions: UnsafePointer<VectorInstruction>, instructionCount: Int,
    operandFormats: UnsafePointer<ElementFormat>, operandCount: Int, registerCount: Int,
    resultFormat: ElementFormat, registerBytes: Int
  ) {
    self.instructions = instructions
    self.instructionCount = instructionCount
    self.operandFormats = operandFormats
    self.operandCount = operandCount
    self.registerCount = registerCount
    self.resultFormat = resultFormat
    self.registerBytes = registerBytes
  }

  /// Bytes for the operands' views and states, and for the addresses of registers.
  package var tableBytes: Int {
    (operandCount * (MemoryLayout<BlockOperand>.stride + 8) + registerCount * 8 + 63) & ~63
  }

  /// Bytes that running the program takes.
  package var scratchBytes: Int { tableBytes + registerCount * registerBytes }
}

/// Rows and columns of elements anywhere in memory; strides are in elements.
package struct BlockOperand: BitwiseCopyable {
  package var address: UnsafeMutableRawPointer
  package var rowStride: Int
  package var columnStride: Int

  package init(_ address: UnsafeMutableRawPointer, rowStride: Int, columnStride: Int) {
    self.address = address
    self.rowStride = rowStride
    self.columnStride = columnStride
  }
}

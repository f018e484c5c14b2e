import CPUKernelInterface

extension VectorMachine {
  /// Runs every instruction on the first `count` lanes, a multiple of the vector width.
  func execute(_ count: Int) {
    for index in 0..<program.instructionCount {
      let instruction = program.instructions[index]
      if instruction.operation.rawValue <= VectorOperation.clamp.rawValue {
        arithmetic(instruction, count)
      } else if instruction.operation.rawValue <= VectorOperation.truncate.rawValue {
        function(instruction, count)
      } else if instruction.operation.rawValue <= VectorOperation.arcTangent2.rawValue {
        scalarFunction(instruction, count)
      } else if instruction.operation.rawValue <= VectorOperation.isNegativeInfinite.rawValue {
        comparison(instruction, count)
      } else {
        conversion(instruction, count)
      }
    }
  }

  @inline(__always)
  func each(
    _ i: VectorInstruction, _ count: Int, _ f: (FloatVector) -> FloatVector
  ) {
    let a = slots[Int(i.a)], target = slots[Int(i.target)]
    var offset = 0
    while offset < count * 4 {
      f(.load(a + offset)).store(target + offset)
      offset += MemoryLayout<FloatVector>.size
    }
  }

  @inline(__always)
  func each(
    _ i: VectorInstruction, _ count: Int, _ f: (FloatVector, FloatVector) -> FloatVector
  ) {
    let a = slots[Int(i.a)], b = slots[Int(i.b)], target = slots[Int(i.target)]
    var offset = 0
    while offset < count * 4 {
      f(.load(a + offset), .load(b + offset)).store(target + offset)
      offset += MemoryLayout<FloatVector>.size
    }
  }

  @inline(__always)
  func each(
    _ i: VectorInstruction, _ count: Int,
    _ f: (FloatVector, FloatVector, FloatVector) -> FloatVector
  ) {
    let a = slots[Int(i.a)], b = slots[Int(i.b)], c = slots[Int(i.c)]
    let target = slots[Int(i.target)]
    var offset = 0
    while offset < count * 4 {
      f(.load(a + offset), .load(b + offset), .load(c + offset)).store(target + offset)
      offset += MemoryLayout<FloatVector>.size
    }
  }

  private func arithmetic(_ i: VectorInstruction, _ count: Int) {
    let x = FloatVector(i.x), y = FloatVector(i.y)
    switch i.operation {
    case .splat: fill(i, count, FloatVector(i.x))
    case .copy: each(i, count) { a in a }
    case .add: each(i, count) { a, b in a + b }
    case .addImmediate: each(i, count) { a in a + x }
    case .subtract: each(i, count) { a, b in a - b }
    case .subtractFrom: each(i, count) { a in x - a }
    case .multiply: each(i, count) { a, b in a * b }
    case .multiplyImmediate: each(i, count) { a in a * x }
    case .divide: each(i, count) { a, b in a / b }
    case .divideImmediate: each(i, count) { a in a / x }
    case .divideInto: each(i, count) { a in x / a }
    case .multiplyAdd: each(i, count) { a, b, c in a.multiplyAdd(b, c) }
    case .scaleAdd: each(i, count) { a, b in a.multiplyAdd(x, b) }
    case .multiplyShift: each(i, count) { a, b in a.multiplyAdd(b, x) }
    case .scaleShift: each(i, count) { a in a.multiplyAdd(x, y) }
    case .minimum: each(i, count) { a, b in a.minimum(b) }
    case .minimumImmediate: each(i, count) { a in a.orLess(x) }
    case .maximum: each(i, count) { a, b in a.maximum(b) }
    case .maximumImmediate: each(i, count) { a in a.orGreater(x) }
    case .clamp: each(i, count) { a in a.orLess(y).orGreater(x) }
    default: break
    }
  }

  private func fill(_ i: VectorInstruction, _ count: Int, _ value: FloatVector) {
    let target = slots[Int(i.target)]
    var offset = 0
    while offset < count * 4 {
      value.store(target + offset)
      offset += MemoryLayout<FloatVector>.size
    }
  }

  private func function(_ i: VectorInstruction, _ count: Int) {
    switch i.operation {
    case .negate: each(i, count) { a in -a }
    case .absolute: each(i, count) { a in a.magnitude }
    case .sign: each(i, count) { a in VectorFunction.sign(a) }
    case .squareRoot: each(i, count) { a in a.squareRoot() }
    case .reciprocalSquareRoot: each(i, count) { a in FloatVector(1) / a.squareRoot() }
    case .exponential: each(i, count) { a in VectorFunction.exponential(a) }
    case .logarithm: each(i, count) { a in VectorFunction.logarithm(a) }
    case .logarithm1p: each(i, count) { a in VectorFunction.logarithm1p(a) }
    case .exponentialMinus1: each(i, count) { a in VectorFunction.exponentialMinus1(a) }
    case .sigmoid: each(i, count) { a in VectorFunction.sigmoid(a) }
    case .hyperbolicTangent: each(i, count) { a in VectorFunction.hyperbolicTangent(a) }
    case .errorFunction: each(i, count) { a in VectorFunction.errorFunction(a) }
    case .gelu: each(i, count) { a in VectorFunction.gelu(a) }
    case .geluTanh: each(i, count) { a in VectorFunction.geluTanh(a) }
    case .swish: each(i, count) { a in VectorFunction.swish(a) }
    case .floor: each(i, count) { a in VectorFunction.floor(a) }
    case .ceiling: each(i, count) { a in VectorFunction.ceiling(a) }
    case .round: each(i, count) { a in VectorFunction.round(a) }
    case .truncate: each(i, count) { a in VectorFunction.truncate(a) }
    default: break
    }
  }

  // MARK: - To masks

  @inline(__always)
  private func test(_ i: VectorInstruction, _ count: Int, _ f: (FloatVector) -> Mask) {
    each(i, count) { a in Self.lanes(f(a)) }
  }

  @inline(__always)
  private func test(_ i: VectorInstruction, _ count: Int, _ f: (FloatVector, FloatVector) -> Mask) {
    each(i, count) { a, b in Self.lanes(f(a, b)) }
  }

  @inline(__always)
  private static func lanes(_ mask: Mask) -> FloatVector {
    FloatVector(bits: IntVector.zero.replacing(with: IntVector(repeating: -1), where: mask))
  }

  private func comparison(_ i: VectorInstruction, _ count: Int) {
    let x = FloatVector(i.x)
    let infinity = FloatVector(Float.infinity)
    switch i.operation {
    case .equal: test(i, count) { a, b in a .== b }
    case .notEqual: test(i, count) { a, b in a .!= b }
    case .less: test(i, count) { a, b in a .< b }
    case .lessOrEqual: test(i, count) { a, b in a .<= b }
    case .greater: test(i, count) { a, b in a .> b }
    case .greaterOrEqual: test(i, count) { a, b in a .>= b }
    case .equalImmediate: test(i, count) { a in a .== x }
    case .notEqualImmediate: test(i, count) { a in a .!= x }
    case .lessImmediate: test(i, count) { a in a .< x }
    case .lessOrEqualImmediate: test(i, count) { a in a .<= x }
    case .greaterImmediate: test(i, count) { a in a .> x }
    case .greaterOrEqualImmediate: test(i, count) { a in a .>= x }
    case .isNaN: test(i, count) { a in a .!= a }
    case .isInfinite: test(i, count) { a in a.magnitude .== infinity }
    case .isPositiveInfinite: test(i, count) { a in a .== infinity }
    case .isNegativeInfinite: test(i, count) { a in a .== -infinity }
    default: break
    }
  }
}

package import KernelModel
package import TensorModel

/// Evaluates kernel problems by their definition.
///
/// Floating-point numbers are computed in `Double` and rounded to the output's type once, when they are
/// stored; casts round, and so does an argument of a discontinuous function (`floor`, comparisons, ...), so
/// that a fused expression makes the decisions that its parts would make one by one. Integers are computed
/// modulo 2^64 and wrapped to their type.
package enum Interpreter {
  /// Bytes of scratch and results that one problem may take.
  private static let maximumBytes = Limits().tensorBytes

  /// The outputs of a problem, whose types are those that `KernelProblem.outputTypes(of:)` gives.
  @Sendable package static func evaluate(
    _ problem: KernelProblem, _ inputs: [Tensor?], _ outputTypes: [TensorType]
  ) throws(ProblemError) -> [Tensor] {
    let types = try problem.outputTypes(of: inputs.map { $0?.type })
    guard types == outputTypes else {
      throw ProblemError("the outputs are \(types), expected \(outputTypes)")
    }
    return try evaluate(problem, inputs, checked: types)
  }

  /// The outputs of a problem.
  package static func evaluate(
    _ problem: KernelProblem, _ inputs: [Tensor?]
  ) throws(ProblemError) -> [Tensor] {
    try evaluate(problem, inputs, checked: try problem.outputTypes(of: inputs.map { $0?.type }))
  }

  private static func evaluate(
    _ problem: KernelProblem, _ inputs: [Tensor?], checked types: [TensorType]
  ) throws(ProblemError) -> [Tensor] {
    var outputs: [Output] = []
    for type in types {
      guard let shape = type.shape.constants, let count = ShapeMath.elementCount(shape) else {
        throw ProblemError("the output's shape \(type.shape) is not known")
      }
      guard count <= maximumBytes / max(type.dataType.byteCount, 8) else {
        throw ProblemError("the output \(type) is too large for the reference interpreter")
      }
      try checkStrides(shape)
      outputs.append(Output(dataType: type.dataType, shape: shape, elementCount: count))
    }
    if outputs.allSatisfy({ $0.elementCount == 0 }) {
      var empty: [Tensor] = []
      for output in outputs { empty.append(try output.allocate()) }
      return empty
    }
    var aligned: [Tensor?] = []
    for input in inputs {
      if let input { try checkStrides(input.shape) }
      aligned.append(try input?.aligned())
    }
    return try dispatch(problem, Operands(aligned), outputs)
  }

  /// An empty tensor may have extents whose product leaves `Int`.
  private static func checkStrides(_ shape: [Int]) throws(ProblemError) {
    guard ShapeMath.elementCount(shape.map { max($0, 1) }) != nil else {
      throw ProblemError("extents \(shape) are out of range")
    }
  }

  private static func dispatch(
    _ problem: KernelProblem, _ inputs: Operands, _ outputs: [Output]
  ) throws(ProblemError) -> [Tensor] {
    switch problem {
    case .pointwise(let p): [try pointwise(p, inputs, outputs[0])]
    case .reduction(let p): [try reduction(p, inputs, outputs[0])]
    case .convolution(let p): [try convolution(p, inputs, outputs[0])]
    case .matmul(let p): [try matrixProduct(p, inputs, outputs[0])]
    case .window(let p): try window(p, inputs, outputs)
    case .normalization(let p): [try normalization(p, inputs, outputs[0])]
    case .attention(let p): [try attention(p, inputs, outputs[0])]
    case .recurrence(let p): try recurrence(p, inputs, outputs)
    case .gather(let p): [try gather(p, inputs, outputs[0])]
    case .scatter(let p): [try scatter(p, inputs, outputs[0])]
    case .copy(let p): [try copy(p, inputs, outputs[0])]
    case .resample(let p): [try resample(p, inputs, outputs[0])]
    case .sort(let p): try sort(p, inputs, outputs)
    case .scan(let p): [try scan(p, inputs, outputs[0])]
    }
  }
}

/// Type and extents of a result.
struct Output {
  var dataType: DataType
  var shape: [Int]
  var elementCount: Int

  /// A tensor of this type whose elements are not yet written.
  func allocate() throws(ProblemError) -> Tensor {
    do { return try Tensor(uninitialized: dataType, shape: shape) } catch {
      throw ProblemError("\(error)")
    }
  }
}

/// The inputs of a problem.
struct Operands {
  let tensors: [Tensor?]

  init(_ tensors: [Tensor?]) { self.tensors = tensors }

  /// An operand that the problem cannot do without.
  subscript(required index: Int) -> Tensor {
    get throws(ProblemError) {
      guard let tensor = self[index] else { throw ProblemError("input \(index) is missing") }
      return tensor
    }
  }

  subscript(index: Int) -> Tensor? { index < tensors.count ? tensors[index] : nil }

  /// The operands from an index on, all of which must be there.
  func all(from index: Int) throws(ProblemError) -> [Tensor] {
    var result: [Tensor] = []
    for position in tensors.indices.dropFirst(index) {
      result.append(try self[required: position])
    }
    return result
  }
}

/// Integers of a problem, where none is symbolic and none so large that offsets could leave `Int`.
func constants(_ dimensions: [Dimension]) throws(ProblemError) -> [Int] {
  guard let values = Shape(dimensions).constants else {
    throw ProblemError("\(Shape(dimensions)) is not known")
  }
  return try moderate(values)
}

/// The values, where each is far from the bounds of `Int`.
func moderate(_ values: [Int]) throws(ProblemError) -> [Int] {
  guard values.allSatisfy({ $0.magnitude <= 1 << 48 }) else {
    throw ProblemError("\(values) are out of range")
  }
  return values
}

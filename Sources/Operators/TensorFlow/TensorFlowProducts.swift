import GraphModel
import KernelModel
import TensorModel

/// Products of matrices. Source: TensorFlow `MatMul`, `BatchMatMul` and its versions.
struct TensorFlowMatMul: Operator {
  static let spellings = [
    Spelling.tensorflow("MatMul"), .tensorflow("BatchMatMul"), .tensorflow("BatchMatMulV2"),
    .tensorflow("BatchMatMulV3"),
  ]

  private let transposesA: Bool
  private let transposesB: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    let isBatch = attributes.name != "MatMul"
    transposesA = try attributes.bool(isBatch ? "adj_x" : "transpose_a", default: false)
    transposesB = try attributes.bool(isBatch ? "adj_y" : "transpose_b", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    guard a.rank >= 2, b.rank >= 2 else {
      throw OperatorError("operands have shapes \(a.shape) and \(b.shape), expected matrices")
    }
    expansion.set(
      0, try expansion.matmul(a, b, transposesA: transposesA, transposesB: transposesB))
  }
}

/// Source: TensorFlow `Softmax`, `LogSoftmax`, over the last axis.
struct TensorFlowSoftmax: Operator {
  static let spellings = [Spelling.tensorflow("Softmax"), .tensorflow("LogSoftmax")]

  private let isLogarithm: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    isLogarithm = attributes.name == "LogSoftmax"
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank > 0 else { throw OperatorError("x is a scalar") }
    let kind: Normalization.Kind =
      isLogarithm ? .logSoftmax(axis: x.rank - 1) : .softmax(axis: x.rank - 1)
    expansion.set(0, try expansion.emit(.normalization(Normalization(kind)), [x]))
  }
}

/// Einstein summation. Source: TensorFlow `Einsum`.
struct TensorFlowEinsum: Operator {
  static let spellings = [Spelling.tensorflow("Einsum")]

  private let summation: EinsumOperator

  init(_ attributes: AttributeReader) throws(OperatorError) {
    summation = try EinsumOperator(attributes)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    try summation.expand(&expansion)
  }
}

/// A function over axes that the second input names. Source: TensorFlow `Mean`, `Sum`, `Max`, `Min`,
/// `Prod`, `All`, `Any`, `EuclideanNorm`.
struct TensorFlowReduction: Operator {
  private static let functions: [String: Reduction.Function] = [
    "Mean": .mean, "Sum": .sum, "Max": .maximum, "Min": .minimum, "Prod": .product,
    "All": .minimum, "Any": .maximum, "EuclideanNorm": .l2Norm,
  ]

  static let spellings = functions.keys.sorted().map { Spelling.tensorflow($0) }

  private let function: Reduction.Function
  private let keepsDimensions: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    guard let function = Self.functions[attributes.name] else {
      throw OperatorError("'\(attributes.name)' is not a reduction")
    }
    self.function = function
    keepsDimensions = try attributes.bool("keep_dims", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let list = try expansion.requiredIntegers(1, "axes") else {
      throw OperatorError("input 1 ('axes') is missing")
    }
    let axes = try expansion.axes(list, rank: x.rank)
    guard !axes.isEmpty else { return expansion.set(0, x) }
    var reduction = Reduction(function, axes: axes, keepsDimensions: keepsDimensions)
    if x.dataType == .bool {
      reduction.prologue = .cast(.operand(0), .uint8)
      reduction.epilogue = .cast(.operand(0), .bool)
    }
    expansion.set(0, try expansion.emit(.reduction(reduction), [x]))
  }
}

/// The position of an extremum. Source: TensorFlow `ArgMax`, `ArgMin`.
struct TensorFlowArgument: Operator {
  static let spellings = [Spelling.tensorflow("ArgMax"), .tensorflow("ArgMin")]

  private let function: Reduction.Function
  private let type: DataType

  init(_ attributes: AttributeReader) throws(OperatorError) {
    function = attributes.name == "ArgMax" ? .firstMaximum : .firstMinimum
    type = try attributes.dataType("output_type") ?? .int64
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    let list = try expansion.requiredIntegers(1, "dimension") ?? [0]
    guard list.count == 1 else { throw OperatorError("expected one axis, found \(list)") }
    let axis = try expansion.axis(list[0], rank: x.rank)
    let index = try expansion.reduce(function, x, axes: [axis], keepsDimensions: false)
    expansion.set(0, try expansion.cast(index, to: type))
  }
}

/// The largest elements of the last axis. Source: TensorFlow `TopKV2`.
struct TensorFlowTopK: Operator {
  static let spellings = [Spelling.tensorflow("TopKV2")]

  init(_ attributes: AttributeReader) throws(OperatorError) {}

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard x.rank > 0, let k = expansion.dimensions(try expansion.input(1))?.first else {
      throw OperatorError("the count of elements is not known")
    }
    let sorted = try expansion.emitAll(
      .sort(Sort(axis: x.rank - 1, count: k, descending: true)), [x])
    expansion.set(0, sorted[0])
    if sorted.count > 1 { expansion.set(1, try expansion.cast(sorted[1], to: .int32)) }
  }
}

/// Running sums and products. Source: TensorFlow `Cumsum`, `Cumprod`.
struct TensorFlowCumulation: Operator {
  static let spellings = [Spelling.tensorflow("Cumsum"), .tensorflow("Cumprod")]

  private let function: Scan.Function
  private let isExclusive: Bool
  private let isReversed: Bool

  init(_ attributes: AttributeReader) throws(OperatorError) {
    function = attributes.name == "Cumsum" ? .sum : .product
    isExclusive = try attributes.bool("exclusive", default: false)
    isReversed = try attributes.bool("reverse", default: false)
  }

  func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    guard let list = try expansion.requiredIntegers(1, "axis"), list.count == 1 else {
      throw OperatorError("expected one axis")
    }
    let scan = Scan(
      function, axis: try expansion.axis(list[0], rank: x.rank), isExclusive: isExclusive,
      isReversed: isReversed)
    expansion.set(0, try expansion.emit(.scan(scan), [x]))
  }
}

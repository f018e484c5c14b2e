import GraphModel
import KernelModel
import TensorModel

/// `scale * x + shift` with one number, or one for each channel, of each.
struct ChannelAffine {
  var scale: ChannelVector
  var shift: ChannelVector

  /// The affine function of operand 0 that an expression is, where `vectors` gives the constants
  /// that its other operands hold; nil where it is not affine.
  init?(_ expression: ScalarExpression, vectors: [Int: ChannelVector]) {
    guard let found = Self.parsed(expression, vectors), let scale = found.scale else { return nil }
    self.scale = scale
    shift = found.shift
    guard scale.isFinite, shift.isFinite else { return nil }
  }

  private init(scale: ChannelVector, shift: ChannelVector) {
    self.scale = scale
    self.shift = shift
  }

  /// A part of an expression; `scale` is nil where operand 0 does not occur.
  private struct Part {
    var scale: ChannelVector?
    var shift: ChannelVector
  }

  private static func parsed(_ expression: ScalarExpression, _ vectors: [Int: ChannelVector])
    -> Part?
  {
    switch expression {
    case .operand(0): return Part(scale: ChannelVector(1), shift: ChannelVector(0))
    case .operand(let index): return vectors[index].map { Part(scale: nil, shift: $0) }
    case .constant(let number, .float32): return Part(scale: nil, shift: ChannelVector(number))
    case .unary(let function, let a):
      guard let part = parsed(a, vectors) else { return nil }
      return unary(function, part)
    case .binary(let function, let a, let b):
      guard let x = parsed(a, vectors), let y = parsed(b, vectors) else { return nil }
      return binary(function, x, y)
    default: return nil
    }
  }

  private static func unary(_ function: UnaryFunction, _ a: Part) -> Part? {
    if function == .negate {
      return Part(scale: a.scale.map { $0 * ChannelVector(-1) }, shift: a.shift * ChannelVector(-1))
    }
    guard a.scale == nil else { return nil }
    switch function {
    case .squareRoot: return Part(scale: nil, shift: a.shift.map { $0.squareRoot() })
    case .reciprocal: return Part(scale: nil, shift: a.shift.map { 1 / $0 })
    case .reciprocalSquareRoot:
      return Part(scale: nil, shift: a.shift.map { 1 / $0.squareRoot() })
    default: return nil
    }
  }

  private static func binary(_ function: BinaryFunction, _ a: Part, _ b: Part) -> Part? {
    switch function {
    case .add: return Part(scale: sum(a.scale, b.scale), shift: a.shift + b.shift)
    case .subtract:
      let minus = ChannelVector(-1)
      return Part(
        scale: sum(a.scale, b.scale.map { $0 * minus }), shift: a.shift + b.shift * minus)
    case .multiply:
      if let scale = a.scale {
        return b.scale == nil ? Part(scale: scale * b.shift, shift: a.shift * b.shift) : nil
      }
      return Part(scale: b.scale.map { $0 * a.shift }, shift: a.shift * b.shift)
    case .divide:
      guard b.scale == nil else { return nil }
      let inverse = b.shift.map { 1 / $0 }
      return Part(scale: a.scale.map { $0 * inverse }, shift: a.shift * inverse)
    default: return nil
    }
  }

  private static func sum(_ a: ChannelVector?, _ b: ChannelVector?) -> ChannelVector? {
    guard let a, let b else { return a ?? b }
    return a + b
  }
}

/// One number for all channels, or one for each.
struct ChannelVector: Equatable {
  var numbers: [Double]

  init(_ number: Double) { numbers = [number] }
  init(_ numbers: [Double]) { self.numbers = numbers }

  subscript(channel: Int) -> Double { numbers.count == 1 ? numbers[0] : numbers[channel] }

  var isFinite: Bool { numbers.allSatisfy { $0.isFinite && abs($0) < 1e30 } }
  func isAll(_ number: Double) -> Bool { numbers.allSatisfy { $0 == number } }
  func map(_ function: (Double) -> Double) -> ChannelVector { ChannelVector(numbers.map(function)) }

  private static func combined(
    _ a: ChannelVector, _ b: ChannelVector, _ function: (Double, Double) -> Double
  ) -> ChannelVector {
    let count = max(a.numbers.count, b.numbers.count)
    return ChannelVector((0..<count).map { function(a[$0], b[$0]) })
  }

  static func + (a: ChannelVector, b: ChannelVector) -> ChannelVector { combined(a, b, +) }
  static func * (a: ChannelVector, b: ChannelVector) -> ChannelVector { combined(a, b, *) }
}

/// The axis of a result along which a constant differs, and its extent.
struct ChannelAxis {
  var axis: Int
  var rank: Int
  var count: Int

  /// The numbers of a constant of the type of single precision that broadcasts to the result and
  /// differs along the axis only.
  func vector(_ tensor: Tensor?) -> ChannelVector? {
    guard let tensor, tensor.dataType == .float32, tensor.shape.count <= rank,
      tensor.elementCount == 1 || tensor.elementCount == count
    else { return nil }
    let shift = rank - tensor.shape.count
    for (index, extent) in tensor.shape.enumerated()
    where extent != 1 && (index + shift != axis || extent != count) { return nil }
    return tensor.numbers().map { ChannelVector($0) }
  }

  /// A constant of one number for each channel, in the lowest rank that broadcasts to the result.
  func tensor(_ vector: ChannelVector) -> Tensor? {
    let numbers = (0..<count).map { Float(vector[$0]) }
    let ones = [Int](repeating: 1, count: rank - axis - 1)
    return try? Tensor(numbers, shape: [count] + ones)
  }
}

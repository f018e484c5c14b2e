package import KernelModel
package import TensorModel

/// Evaluates kernel problems on small integer tensors whose elements are expressions over symbols, so that
/// the shape arithmetic that exporters write folds away while extents are still symbolic.
package enum SymbolicEvaluation {
  package struct Known {
    package var values: [Dimension]
    package var shape: [Int]
    package init(values: [Dimension], shape: [Int]) {
      self.values = values
      self.shape = shape
    }
  }

  /// Longer tensors are data, not shapes.
  package static let maximumCount = 64

  /// The elements of a small integer tensor.
  package static func dimensions(_ tensor: Tensor) -> [Dimension]? {
    guard tensor.elementCount <= maximumCount, tensor.dataType.isInteger || tensor.dataType == .bool
    else {
      return nil
    }
    return tensor.integers()?.map { Dimension(Int($0)) }
  }

  /// The tensor, where every element is an integer.
  package static func tensor(_ values: [Dimension], _ type: TensorType) -> Tensor? {
    guard let shape = type.shape.constants, let range = type.dataType.integerRange else {
      return nil
    }
    var numbers: [Int64] = []
    for value in values {
      guard let number = value.constant, range.contains(Int64(number)) else { return nil }
      numbers.append(Int64(number))
    }
    return try? Tensor(integers: numbers, dataType: type.dataType, shape: shape)
  }

  /// The elements of the output, or nil where they cannot be told.
  package static func evaluate(
    _ problem: KernelProblem, _ inputs: [Known], outputShape: [Int]
  ) -> [Dimension]? {
    guard let count = ShapeMath.elementCount(outputShape), count <= maximumCount else { return nil }
    switch problem {
    case .pointwise(let p): return pointwise(p, inputs, outputShape)
    case .reduction(let p): return reduction(p, inputs)
    case .gather(.slices(let axis)): return gather(axis, inputs)
    case .copy(let copy): return self.copy(copy, inputs, outputShape)
    default: return nil
    }
  }

  private static func pointwise(
    _ problem: Pointwise, _ inputs: [Known], _ shape: [Int]
  ) -> [Dimension]? {
    var result: [Dimension] = []
    for position in coordinates(shape) {
      let operands = inputs.map { $0.values[broadcastIndex(position, $0.shape)] }
      guard let value = scalar(problem.expression, operands, position) else { return nil }
      result.append(value)
    }
    return result
  }

  private static func scalar(
    _ expression: ScalarExpression, _ operands: [Dimension], _ position: [Int]
  ) -> Dimension? {
    switch expression {
    case .operand(let i): return operands[i]
    case .constant(let value, let type):
      guard !type.isFloatingPoint, let integer = Int(exactly: value) else { return nil }
      return Dimension(integer)
    case .integer(let value, _): return Dimension(Int(value))
    case .index(let axis): return Dimension(position[axis])
    case .cast(let a, let type):
      guard type.isInteger || type == .bool, let x = scalar(a, operands, position) else {
        return nil
      }
      guard type == .bool else { return x }
      return x.constant.map { Dimension($0 == 0 ? 0 : 1) }
    case .unary(let function, let a):
      guard let x = scalar(a, operands, position) else { return nil }
      switch function {
      case .negate: return Dimension(0) - x
      case .logicalNot: return x.constant.map { Dimension($0 == 0 ? 1 : 0) }
      default: return nil
      }
    case .binary(let function, let a, let b):
      guard let x = scalar(a, operands, position), let y = scalar(b, operands, position) else {
        return nil
      }
      return binary(function, x, y)
    case .select(let condition, let a, let b):
      guard let chosen = scalar(condition, operands, position)?.constant else { return nil }
      return scalar(chosen != 0 ? a : b, operands, position)
    }
  }

  private static func binary(_ function: BinaryFunction, _ x: Dimension, _ y: Dimension)
    -> Dimension?
  {
    switch function {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide:
      if let a = x.constant, let b = y.constant {
        return b == 0 || (a == Int.min && b == -1) ? nil : Dimension(a / b)
      }
      // Extents are not negative: truncation is floor.
      return x.floorDivided(by: y)
    case .floorDivide: return x.floorDivided(by: y)
    case .minimum: return .minimum(x, y)
    case .maximum: return .maximum(x, y)
    case .moduloFloor, .moduloTruncate:
      guard let a = x.constant, let b = y.constant, b != 0, b != -1 else { return nil }
      let remainder = a % b
      let adjusts = function == .moduloFloor && remainder != 0 && (remainder < 0) != (b < 0)
      return Dimension(adjusts ? remainder + b : remainder)
    default: return comparison(function, x, y)
    }
  }

  private static func comparison(_ function: BinaryFunction, _ x: Dimension, _ y: Dimension)
    -> Dimension?
  {
    if function == .equal || function == .notEqual, let difference = (x - y).constant {
      return Dimension((difference == 0) == (function == .equal) ? 1 : 0)
    }
    // An extent is never negative, as exporters' tests against -1 need to know.
    if function == .equal || function == .notEqual {
      for (a, b) in [(x, y), (y, x)] {
        if let c = a.constant, c < 0, isExtent(b) {
          return Dimension(function == .notEqual ? 1 : 0)
        }
      }
    }
    guard let a = x.constant, let b = y.constant else { return nil }
    let holds: Bool
    switch function {
    case .less: holds = a < b
    case .lessOrEqual: holds = a <= b
    case .greater: holds = a > b
    case .greaterOrEqual: holds = a >= b
    case .logicalAnd: holds = a != 0 && b != 0
    case .logicalOr: holds = a != 0 || b != 0
    case .logicalXor: holds = (a != 0) != (b != 0)
    default: return nil
    }
    return Dimension(holds ? 1 : 0)
  }

  /// Whether the value is a sum of products of symbols, all added: never negative.
  private static func isExtent(_ value: Dimension) -> Bool {
    value.terms.allSatisfy { term in
      term.coefficient >= 0
        && term.factors.allSatisfy { if case .symbol = $0 { true } else { false } }
    }
  }

  private static func reduction(_ problem: Reduction, _ inputs: [Known]) -> [Dimension]? {
    guard problem.prologue == .operand(0), problem.epilogue == .operand(0),
      problem.axes.count == inputs[0].shape.count
    else { return nil }
    let values = inputs[0].values
    switch problem.function {
    case .sum: return [values.reduce(0, +)]
    case .product: return [values.reduce(1, *)]
    case .minimum:
      return values.isEmpty ? nil : [values.dropFirst().reduce(values[0], Dimension.minimum)]
    case .maximum:
      return values.isEmpty ? nil : [values.dropFirst().reduce(values[0], Dimension.maximum)]
    default: return nil
    }
  }

  private static func gather(_ axis: Int, _ inputs: [Known]) -> [Dimension]? {
    guard inputs.count == 2, axis == 0, inputs[0].shape.count == 1 else { return nil }
    let extent = inputs[0].shape[0]
    var result: [Dimension] = []
    for index in inputs[1].values {
      guard let number = index.constant else { return nil }
      let resolved = number < 0 ? number + extent : number
      guard (0..<extent).contains(resolved) else { return nil }
      result.append(inputs[0].values[resolved])
    }
    return result
  }

  private static func copy(_ copy: Copy, _ inputs: [Known], _ shape: [Int]) -> [Dimension]? {
    let x = inputs[0]
    switch copy {
    case .reshape: return x.values
    case .expand:
      return coordinates(shape).map { x.values[broadcastIndex($0, x.shape)] }
    case .transpose(let permutation) where x.shape.count <= 1 && permutation.count <= 1:
      return x.values
    case .slice(let starts, _, let steps):
      guard shape.count == 1, let start = starts[0].constant else { return nil }
      var result: [Dimension] = []
      for index in 0..<shape[0] {
        let source = start + index * steps[0]
        guard x.values.indices.contains(source) else { return nil }
        result.append(x.values[source])
      }
      return result
    case .concatenate:
      return shape.count == 1 ? inputs.flatMap(\.values) : nil
    default: return nil
    }
  }

  private static func coordinates(_ shape: [Int]) -> [[Int]] {
    var result: [[Int]] = [[]]
    for extent in shape { result = result.flatMap { head in (0..<extent).map { head + [$0] } } }
    return result
  }

  private static func broadcastIndex(_ position: [Int], _ shape: [Int]) -> Int {
    var index = 0
    let skipped = position.count - shape.count
    for axis in shape.indices {
      index = index * shape[axis] + (shape[axis] == 1 ? 0 : position[axis + skipped])
    }
    return index
  }
}

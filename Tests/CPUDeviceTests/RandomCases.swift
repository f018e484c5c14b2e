import KernelModel
import TensorModel

/// Makes tensors, shapes and expressions for random cases.
struct CaseMaker {
  var random: RandomSource

  init(seed: Int) { random = RandomSource(seed: seed) }

  private static let extents = [1, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33]

  mutating func shape(_ rank: Int, limit: Int = 3000) -> [Int] {
    while true {
      let shape = (0..<rank).map { _ in random.pick(Self.extents) }
      if shape.reduce(1, *) <= limit { return shape }
    }
  }

  mutating func order(_ rank: Int) -> [Int]? { random.chance(40) ? nil : random.order(rank) }

  /// A shape that broadcasts to another.
  mutating func broadcasting(_ shape: [Int]) -> [Int] {
    if random.chance(40) { return shape }
    let ones = shape.map { random.chance(40) ? 1 : $0 }
    return random.chance(30) ? Array(ones.dropFirst(random.below(ones.count + 1))) : ones
  }

  /// - Parameter specials: whether infinities, NaN and the like occur.
  mutating func tensor(
    _ type: DataType, _ shape: [Int], specials: Bool = false, scale: Float = 3
  ) throws -> Tensor {
    let count = shape.reduce(1, *)
    let unusual: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1e-37, 3e38, -3e38]
    var numbers: [Float] = []
    for _ in 0..<count {
      numbers.append(
        specials && random.chance(4) ? random.pick(unusual) : random.float(scale))
    }
    switch type {
    case .float32: return try Tensor(numbers, shape: shape)
    case .float16: return try Tensor(numbers.map { Float16($0) }, shape: shape)
    case .int64: return try Tensor(numbers.map { Int64($0 * 2) }, shape: shape)
    case .int32: return try Tensor(numbers.map { Int32($0 * 2) }, shape: shape)
    case .bool: return try Tensor(numbers.map { $0 > 0 }, shape: shape)
    default:
      var tensor = try Tensor(uninitialized: type, shape: shape)
      tensor.withUnsafeMutableBytes { bytes in
        for index in bytes.indices { bytes[index] = UInt8(random.below(256)) }
      }
      return tensor
    }
  }

  /// A well conditioned expression of float operands.
  mutating func expression(_ depth: Int, operands: Int) -> ScalarExpression {
    if depth == 0 || random.chance(15) {
      return random.chance(75)
        ? .operand(random.below(operands)) : .float(Double(random.float(2)))
    }
    let a = expression(depth - 1, operands: operands)
    switch random.below(9) {
    case 0, 1: return a + expression(depth - 1, operands: operands)
    case 2: return a - expression(depth - 1, operands: operands)
    case 3:
      return .unary(.hyperbolicTangent, a)
        * .unary(.sigmoid, expression(depth - 1, operands: operands))
    case 4: return .maximum(a, expression(depth - 1, operands: operands))
    case 5: return .minimum(a, .float(Double(random.float(2))))
    case 6: return .unary(random.pick([.errorFunction, .absolute, .negate]), a)
    case 7:
      return .select(
        .binary(random.pick([.less, .greater]), .operand(random.below(operands)), .float(0.1)), a,
        expression(depth - 1, operands: operands))
    default: return a * .float(Double(random.float(2)))
    }
  }

  /// Gives a case operands for an epilogue, one of which may lie where the output does.
  mutating func epilogue(
    _ shape: [Int], _ stepCase: inout StepCase, own: Int
  ) throws -> ScalarExpression {
    let x = ScalarExpression.operand(0)
    func add(_ tensor: Tensor, order: [Int]?) {
      stepCase.inputs.append(tensor)
      stepCase.orders.append(order)
    }
    switch random.below(4) {
    case 0: return x
    case 1: return .maximum(x, .float(0))
    default:
      while stepCase.inputs.count < own {
        stepCase.inputs.append(nil)
        stepCase.orders.append(nil)
      }
      let other = broadcasting(shape)
      add(try tensor(.float32, other), order: order(other.count))
      let sum = ScalarExpression.maximum(x + .operand(1), .float(-0.5))
      if random.chance(50) { return sum }
      add(try tensor(.float32, shape), order: stepCase.outputOrder)
      if random.chance(60) { stepCase.inPlace = stepCase.inputs.count - 1 }
      return sum * .float(0.5) + .operand(2)
    }
  }
}

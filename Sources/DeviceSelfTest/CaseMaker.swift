package import TensorModel

/// Makes tensors, shapes and expressions for random cases.
package struct CaseMaker: Sendable {
  package var random: RandomSource

  package init(seed: Int) { random = RandomSource(seed: seed) }

  private static let extents = [1, 1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33]

  package mutating func shape(_ rank: Int, limit: Int = 3000) -> [Int] {
    while true {
      let shape = (0..<rank).map { _ in random.pick(Self.extents) }
      if shape.reduce(1, *) <= limit { return shape }
    }
  }

  package mutating func order(_ rank: Int) -> [Int]? {
    random.chance(40) ? nil : random.order(rank)
  }

  /// A shape that broadcasts to another.
  package mutating func broadcasting(_ shape: [Int]) -> [Int] {
    if random.chance(40) { return shape }
    let ones = shape.map { random.chance(40) ? 1 : $0 }
    return random.chance(30) ? Array(ones.dropFirst(random.below(ones.count + 1))) : ones
  }

  /// - Parameter specials: whether infinities, NaN and the like occur in floating point.
  package mutating func tensor(
    _ type: DataType, _ shape: [Int], specials: Bool = false, scale: Float = 3
  ) throws -> Tensor {
    let count = shape.reduce(1, *)
    let unusual: [Float] = [.nan, .infinity, -.infinity, 0, -0.0, 1e-37, 3e38, -3e38]
    var numbers: [Float] = []
    for _ in 0..<count {
      numbers.append(
        specials && type.isFloatingPoint && random.chance(4)
          ? random.pick(unusual) : random.float(scale))
    }
    switch type {
    case .float32: return try Tensor(numbers, shape: shape)
    case .float16: return try Tensor(numbers.map { Float16($0) }, shape: shape)
    case .bfloat16, .float64:
      return try Tensor(numbers: numbers.map { Double($0) }, dataType: type, shape: shape)
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
}

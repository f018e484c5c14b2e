import TensorModel

/// Matching runs of axes of two shapes with the same elements in the same order: what a reshape
/// merges and splits.
struct AxisBlocks {
  private(set) var blocks: [(from: Range<Int>, to: Range<Int>)] = []

  /// Nil where the extents do not divide into runs of equal products that can be told.
  init?(from: Shape, to: Shape) {
    var i = 0
    var j = 0
    while i < from.rank || j < to.rank {
      let start = (i, j)
      var product = i < from.rank ? from[i] : 1
      var other = j < to.rank ? to[j] : 1
      i = min(i + 1, from.rank)
      j = min(j + 1, to.rank)
      while product != other {
        if j < to.rank, Self.isPart(other, of: product) {
          other = other * to[j]
          j += 1
        } else if i < from.rank, Self.isPart(product, of: other) {
          product = product * from[i]
          i += 1
        } else {
          return nil
        }
      }
      if product == 0 { return nil }
      blocks.append((start.0..<i, start.1..<j))
    }
  }

  /// Whether a product could grow into another by further extents.
  private static func isPart(_ a: Dimension, of b: Dimension) -> Bool {
    if let a = a.constant, let b = b.constant { return a > 0 && b > a }
    return b.dividedExactly(by: a) != nil
  }

  /// The shape that, reshaped like `from` to `to`, broadcasts like `operand` does to `to`; nil
  /// where an operand differs along a part of a block only.
  func shape(before operand: Shape, from: Shape, to: Shape) -> Shape? {
    let shift = to.rank - operand.rank
    guard shift >= 0 else { return nil }
    func extent(_ axis: Int) -> Dimension { axis < shift ? 1 : operand[axis - shift] }
    var result: [Dimension] = []
    for (source, target) in blocks {
      if target.allSatisfy({ extent($0) == to[$0] }) {
        result += source.map { from[$0] }
      } else if target.allSatisfy({ extent($0) == 1 }) {
        result += source.map { _ in 1 }
      } else {
        return nil
      }
    }
    return Shape(result)
  }
}

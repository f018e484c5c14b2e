/// Numbers that depend on a seed only.
package struct RandomSource: Sendable {
  private var state: UInt64

  package init(seed: Int) {
    state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
    for _ in 0..<4 { _ = next() }
  }

  package mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 33 ^ state >> 11
  }

  package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  package mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
  package mutating func float(_ scale: Float = 1) -> Float {
    (Float(next() & 0xFF_FFFF) / Float(0x80_0000) - 1) * scale
  }
  package mutating func order(_ rank: Int) -> [Int] {
    var result = Array(0..<rank)
    for index in result.indices.reversed() { result.swapAt(index, below(index + 1)) }
    return result
  }
}

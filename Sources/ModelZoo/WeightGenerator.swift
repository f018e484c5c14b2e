/// A counter-based source of weights: element `i` of a tensor depends only on the seed, the tensor's
/// name and `i`, never on the order in which tensors are made.
///
/// The bits are those of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, 2014). Only exactly rounded operations are used, so every platform makes the same bytes.
struct WeightGenerator {
  private let key: UInt64

  init(seed: UInt64, name: String) {
    key = Self.mix(seed ^ Self.hash(name))
  }

  /// Numbers of an approximate normal distribution (the sum of four uniform ones).
  func normal(count: Int, mean: Float = 0, standardDeviation: Float) -> [Float] {
    // The sum of four uniform integers below 2^16 has this standard deviation.
    let unit = Float(65536 / 3.0.squareRoot())
    let scale = standardDeviation / unit
    return [Float](unsafeUninitializedCapacity: count) { buffer, written in
      var counter = key
      for index in 0..<count {
        counter &+= 0x9E37_79B9_7F4A_7C15
        let bits = Self.mix(counter)
        let pairs = (bits & 0x0000_FFFF_0000_FFFF) &+ ((bits >> 16) & 0x0000_FFFF_0000_FFFF)
        let sum = Int32(truncatingIfNeeded: (pairs & 0xFFFF_FFFF) &+ (pairs >> 32))
        buffer.initializeElement(at: index, to: Float(sum &- 131070) * scale + mean)
      }
      written = count
    }
  }

  /// The output function of SplitMix64.
  private static func mix(_ value: UInt64) -> UInt64 {
    var bits = value
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }

  /// FNV-1a of the name's UTF-8 bytes.
  private static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
  }
}

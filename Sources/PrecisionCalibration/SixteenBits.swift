import TensorModel

/// What a floating-point type of 16 bits can hold.
struct SixteenBits: Sendable, Hashable {
  let dataType: DataType
  /// Numbers of at least this magnitude round to infinity.
  let overflow: Double
  /// The largest finite number.
  let largest: Double
  /// The smallest number of full precision.
  let smallestNormal: Double
  let format: NarrowFormat

  init?(_ dataType: DataType) {
    self.dataType = dataType
    switch dataType {
    case .float16:
      (largest, overflow) = (0x1.FFCp15, 0x1.FFEp15)
      smallestNormal = 0x1p-14
      format = .float16
    case .bfloat16:
      (largest, overflow) = (0x1.FEp127, 0x1.FFp127)
      smallestNormal = 0x1p-126
      format = .bfloat16
    default: return nil
    }
  }

  /// Whether a number is finite and too large.
  func isExceeded(by number: Double) -> Bool { number.isFinite && abs(number) >= overflow }

  func isExact(_ number: Double) -> Bool {
    let decoded = SmallFloat.decode(SmallFloat.encode(number, dataType), dataType)
    return decoded == number || number.isNaN
  }

  /// How the numbers of a tensor lie in the range of the type.
  enum Fit: Sendable, Hashable {
    case fits
    /// The largest magnitude, which rounds to infinity.
    case tooLarge(Double)
    /// The largest magnitude, which is below full precision.
    case tooSmall(Double)
  }

  /// How a `float32` tensor fits; infinities and NaN fit.
  func fit(_ tensor: Tensor) -> Fit {
    var largestBits: UInt32 = 0
    tensor.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      for index in 0..<tensor.elementCount {
        let bits = base.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) & 0x7FFF_FFFF
        largestBits = max(largestBits, bits < 0x7F80_0000 ? bits : 0)
      }
    }
    let magnitude = Double(Float(bitPattern: largestBits))
    if isExceeded(by: magnitude) { return .tooLarge(magnitude) }
    return magnitude > 0 && magnitude < smallestNormal ? .tooSmall(magnitude) : .fits
  }

  /// A `float32` tensor rounded to nearest, ties to even.
  func converted(_ tensor: Tensor) throws(TensorError) -> Tensor {
    var result = try Tensor(uninitialized: dataType, shape: tensor.shape)
    let count = tensor.elementCount
    let isHalf = dataType == .float16
    result.withUnsafeMutableBytes { target in
      tensor.withUnsafeBytes { source in
        guard let target = target.baseAddress, let source = source.baseAddress else { return }
        for index in 0..<count {
          let bits = source.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
          target.storeBytes(
            of: isHalf ? Self.half(bits) : Self.brain(bits), toByteOffset: 2 * index,
            as: UInt16.self)
        }
      }
    }
    return result
  }

  /// IEEE 754 binary16 nearest to a binary32.
  static func half(_ bits: UInt32) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude >= 0x4780_0000 { return sign | (magnitude > 0x7F80_0000 ? 0x7E00 : 0x7C00) }
    if magnitude < 0x3880_0000 {
      // The sum's last place is that of the smallest number.
      let aligned = Float(bitPattern: magnitude) + 0.5
      return sign | UInt16(truncatingIfNeeded: aligned.bitPattern &- 0x3F00_0000)
    }
    let rounded = magnitude &- 0x3800_0000 &+ 0xFFF &+ ((magnitude >> 13) & 1)
    return sign | UInt16(truncatingIfNeeded: rounded >> 13)
  }

  /// bfloat16 nearest to a binary32.
  static func brain(_ bits: UInt32) -> UInt16 {
    if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
  }
}

/// A floating-point format whose numbers are some of those of `float32`.
package struct NarrowFormat: Sendable, Hashable {
  package static let float16 = NarrowFormat(
    fractionBits: 10, smallestExponent: 113, largest: 0x1.FFCp15)
  package static let bfloat16 = NarrowFormat(
    fractionBits: 7, smallestExponent: 1, largest: 0x1.FEp127)

  /// Bits of the significand after the leading one.
  let fractionBits: UInt32
  /// Of the smallest normal number, with `float32`'s bias.
  let smallestExponent: UInt32
  /// The largest finite number.
  let largest: Float
  /// The distance of neighbours over the power of two below them.
  private let relativeStep: Float
  /// The number whose last place is that of the smallest number.
  private let aligning: Float

  private init(fractionBits: UInt32, smallestExponent: UInt32, largest: Float) {
    self.fractionBits = fractionBits
    self.smallestExponent = smallestExponent
    self.largest = largest
    relativeStep = Float(bitPattern: (127 - fractionBits) << 23)
    aligning = Float(bitPattern: (smallestExponent + 23 - fractionBits) << 23)
  }

  /// The nearest number, ties to even, with the sign of the given one. What is too large, infinite or no number stays
  /// as it is.
  @inline(__always)
  func nearest(_ number: Float) -> Float {
    let magnitude = number.bitPattern & 0x7FFF_FFFF
    let dropped = 23 &- fractionBits
    let half = (1 &<< (dropped &- 1)) &- 1 &+ ((magnitude &>> dropped) & 1)
    let normal = (magnitude &+ half) & ~((1 &<< dropped) &- 1)
    let subnormal = ((Float(bitPattern: magnitude) + aligning) - aligning).bitPattern
    let rounded = magnitude < smallestExponent &<< 23 ? subnormal : normal
    let result = rounded <= largest.bitPattern ? rounded : magnitude
    return Float(bitPattern: result | number.bitPattern & 0x8000_0000)
  }

  /// The distance of the two neighbours that a finite number lies between.
  @inline(__always)
  func step(_ number: Float) -> Float {
    let exponent = max((number.bitPattern & 0x7FFF_FFFF) &>> 23, smallestExponent)
    return Float(bitPattern: exponent &<< 23) * relativeStep
  }
}

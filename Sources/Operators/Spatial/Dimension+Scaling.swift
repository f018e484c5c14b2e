import TensorModel

extension Dimension {
  /// `floor(self * factor)`, with the factor read as the simplest fraction that has its `float32` value.
  ///
  /// Nil for a factor that is not a positive, finite number of ordinary size.
  func scaled(by factor: Double) -> Dimension? {
    guard factor.isFinite, factor > 0, factor < 16_777_216 else { return nil }
    for denominator in 1...512 {
      let numerator = (factor * Double(denominator)).rounded()
      guard numerator > 0, Float(numerator / Double(denominator)) == Float(factor) else { continue }
      return (self * Dimension(Int(numerator))).floorDivided(by: Dimension(denominator))
    }
    // No simple fraction: the binary one.
    let bits = 30
    let numerator = (factor * Double(1 << bits)).rounded()
    guard numerator > 0, let whole = Int(exactly: numerator) else { return nil }
    return (self * Dimension(whole)).floorDivided(by: Dimension(1 << bits))
  }
}

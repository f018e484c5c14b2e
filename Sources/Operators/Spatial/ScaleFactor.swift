import TensorModel

/// A factor between extents, as the simplest fraction that has its `float32` value.
///
/// Files keep factors like 0.7 as `float32`; what was meant decides where a product or a coordinate is a
/// whole number.
struct ScaleFactor {
  private let numerator: Int
  private let denominator: Int

  /// Nil for a factor that is not a positive, finite number of ordinary size.
  init?(_ factor: Double) {
    guard factor.isFinite, factor > 0, factor < 16_777_216 else { return nil }
    for denominator in 1...512 {
      let numerator = (factor * Double(denominator)).rounded()
      guard numerator > 0, Float(numerator / Double(denominator)) == Float(factor) else { continue }
      self.numerator = Int(numerator)
      self.denominator = denominator
      return
    }
    // No simple fraction: the binary one.
    denominator = 1 << 30
    let numerator = (factor * Double(denominator)).rounded()
    guard numerator > 0, let whole = Int(exactly: numerator) else { return nil }
    self.numerator = whole
  }

  var value: Double { Double(numerator) / Double(denominator) }

  /// The product, rounded down.
  func scaling(_ extent: Dimension) -> Dimension {
    (extent * Dimension(numerator)).floorDivided(by: Dimension(denominator))
  }
}

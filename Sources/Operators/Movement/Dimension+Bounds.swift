package import TensorModel

/// What can be told of an extent's size while it is symbolic.
///
/// A symbol of the model's inputs is at least 1; one for an extent that only running a node can tell (its
/// name contains `@`) may be 0.
extension Dimension {
  private struct Bounds {
    var lower: Int?
    var upper: Int?

    var isNonNegative: Bool { lower.map { $0 >= 0 } ?? false }

    static func product(_ a: Bounds, _ b: Bounds) -> Bounds {
      guard a.isNonNegative, b.isNonNegative else { return Bounds() }
      return Bounds(
        lower: checked(a.lower, b.lower) { $0.multipliedReportingOverflow(by: $1) },
        upper: checked(a.upper, b.upper) { $0.multipliedReportingOverflow(by: $1) })
    }

    static func sum(_ a: Bounds, _ b: Bounds) -> Bounds {
      Bounds(
        lower: checked(a.lower, b.lower) { $0.addingReportingOverflow($1) },
        upper: checked(a.upper, b.upper) { $0.addingReportingOverflow($1) })
    }

    func scaled(by factor: Int) -> Bounds {
      func times(_ bound: Int?) -> Int? {
        Bounds.checked(bound, factor) { $0.multipliedReportingOverflow(by: $1) }
      }
      return factor >= 0
        ? Bounds(lower: times(lower), upper: times(upper))
        : Bounds(lower: times(upper), upper: times(lower))
    }

    private static func checked(
      _ a: Int?, _ b: Int?, _ operation: (Int, Int) -> (partialValue: Int, overflow: Bool)
    ) -> Int? {
      guard let a, let b else { return nil }
      let result = operation(a, b)
      return result.overflow ? nil : result.partialValue
    }
  }

  private var bounds: Bounds {
    terms.reduce(Bounds(lower: 0, upper: 0)) { sum, term in
      let product = term.factors.reduce(Bounds(lower: 1, upper: 1)) {
        .product($0, Self.bounds(of: $1))
      }
      return .sum(sum, product.scaled(by: term.coefficient))
    }
  }

  private static func bounds(of factor: Factor) -> Bounds {
    switch factor {
    case .symbol(let name):
      guard Dimension.symbol(name) != .overflow else { return Bounds() }
      return Bounds(lower: name.contains("@") ? 0 : 1)
    case .floorDivision(let a, let b):
      guard let divisor = b.constant, divisor > 0 else {
        let isNonNegative = a.bounds.isNonNegative && (b.bounds.lower ?? 0) > 0
        return Bounds(lower: isNonNegative ? 0 : nil)
      }
      func quotient(_ bound: Int?) -> Int? {
        bound.flatMap { Dimension($0).floorDivided(by: b).constant }
      }
      return Bounds(lower: quotient(a.bounds.lower), upper: quotient(a.bounds.upper))
    case .minimum(let a, let b):
      let (x, y) = (a.bounds, b.bounds)
      return Bounds(lower: both(x.lower, y.lower, min), upper: either(x.upper, y.upper, min))
    case .maximum(let a, let b):
      let (x, y) = (a.bounds, b.bounds)
      return Bounds(lower: either(x.lower, y.lower, max), upper: both(x.upper, y.upper, max))
    }
  }

  private static func both(_ a: Int?, _ b: Int?, _ join: (Int, Int) -> Int) -> Int? {
    guard let a, let b else { return nil }
    return join(a, b)
  }

  private static func either(_ a: Int?, _ b: Int?, _ join: (Int, Int) -> Int) -> Int? {
    guard let a, let b else { return a ?? b }
    return join(a, b)
  }

  /// Whether the value is provably at least 0.
  package var isNonNegative: Bool { bounds.isNonNegative }

  /// The minimum, without an expression for it where the order is provable.
  package static func smaller(_ a: Dimension, _ b: Dimension) -> Dimension {
    if a.constant != nil, b.constant != nil { return .minimum(a, b) }
    if (b - a).isNonNegative { return a }
    if (a - b).isNonNegative { return b }
    return .minimum(a, b)
  }

  /// The maximum, without an expression for it where the order is provable.
  package static func larger(_ a: Dimension, _ b: Dimension) -> Dimension {
    if a.constant != nil, b.constant != nil { return .maximum(a, b) }
    if (a - b).isNonNegative { return a }
    if (b - a).isNonNegative { return b }
    return .maximum(a, b)
  }
}

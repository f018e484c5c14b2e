/// One extent of a shape: an integer, or an integer expression over named symbols.
///
/// Expressions are kept as a sorted sum of products, so that equal polynomials compare equal:
/// `2 * batch + batch` is `3 * batch`. Arithmetic that overflows gives `Dimension.overflow`, which no
/// shape accepts.
package struct Dimension: Hashable, Sendable {
  /// What a product is made of, besides its integer coefficient.
  package indirect enum Factor: Hashable, Sendable {
    case symbol(String)
    case floorDivision(Dimension, Dimension)
    case minimum(Dimension, Dimension)
    case maximum(Dimension, Dimension)
  }

  package struct Term: Hashable, Sendable {
    package var coefficient: Int
    package var factors: [Factor]
  }

  package private(set) var terms: [Term]

  /// Longer sums are given up: a hostile file could square a polynomial again and again.
  private static let maximumTerms = 64

  package init(_ value: Int) {
    terms = value == 0 ? [] : [Term(coefficient: value, factors: [])]
  }

  package static func symbol(_ name: String) -> Dimension { Dimension(factor: .symbol(name)) }

  private init(factor: Factor) { terms = [Term(coefficient: 1, factors: [factor])] }

  private init(unsorted terms: [Term]) {
    var sums: [[Factor]: Int] = [:]
    for term in terms {
      let (sum, overflow) = (sums[term.factors] ?? 0).addingReportingOverflow(term.coefficient)
      if overflow { self = .overflow; return }
      sums[term.factors] = sum
    }
    guard sums.count <= Self.maximumTerms else { self = .overflow; return }
    self.terms = sums.filter { $0.value != 0 }
      .map { Term(coefficient: $0.value, factors: $0.key) }
      .sorted { $0.sortKey < $1.sortKey }
  }

  /// The result of arithmetic that left the range of `Int`.
  package static let overflow = Dimension.symbol("overflow!")

  /// Whether arithmetic that led here left the range of `Int`.
  package var hasOverflowed: Bool { constant == nil && symbols.contains("overflow!") }

  /// The integer, where no symbol is left.
  package var constant: Int? {
    if terms.isEmpty { return 0 }
    return terms.count == 1 && terms[0].factors.isEmpty ? terms[0].coefficient : nil
  }

  /// The names of the symbols the value depends on.
  package var symbols: Set<String> {
    var names: Set<String> = []
    for term in terms {
      for factor in term.factors {
        switch factor {
        case .symbol(let name): names.insert(name)
        case .floorDivision(let a, let b), .minimum(let a, let b), .maximum(let a, let b):
          names.formUnion(a.symbols)
          names.formUnion(b.symbols)
        }
      }
    }
    return names
  }

  /// The value with symbols replaced by the integers given for them.
  package func substituting(_ values: [String: Int]) -> Dimension {
    if constant != nil { return self }
    var result = Dimension(0)
    for term in terms {
      var product = Dimension(term.coefficient)
      for factor in term.factors { product = product * factor.substituting(values) }
      result = result + product
    }
    return result
  }
}

extension Dimension.Factor {
  func substituting(_ values: [String: Int]) -> Dimension {
    switch self {
    case .symbol(let name): values[name].map { Dimension($0) } ?? .symbol(name)
    case .floorDivision(let a, let b):
      a.substituting(values).floorDivided(by: b.substituting(values))
    case .minimum(let a, let b): .minimum(a.substituting(values), b.substituting(values))
    case .maximum(let a, let b): .maximum(a.substituting(values), b.substituting(values))
    }
  }

  var text: String {
    switch self {
    case .symbol(let name): name
    case .floorDivision(let a, let b): "floor(\(a) / \(b))"
    case .minimum(let a, let b): "min(\(a), \(b))"
    case .maximum(let a, let b): "max(\(a), \(b))"
    }
  }
}

extension Dimension.Term {
  var sortKey: String { factors.map(\.text).joined(separator: "*") }
}

// MARK: - Arithmetic

extension Dimension {
  package static func + (a: Dimension, b: Dimension) -> Dimension {
    if let x = a.constant, let y = b.constant {
      let (sum, overflow) = x.addingReportingOverflow(y)
      return overflow ? .overflow : Dimension(sum)
    }
    return Dimension(unsorted: a.terms + b.terms)
  }

  package static func - (a: Dimension, b: Dimension) -> Dimension { a + b * Dimension(-1) }

  package static func * (a: Dimension, b: Dimension) -> Dimension {
    var products: [Term] = []
    for x in a.terms {
      for y in b.terms {
        let (product, overflow) = x.coefficient.multipliedReportingOverflow(by: y.coefficient)
        if overflow { return .overflow }
        let factors = (x.factors + y.factors).sorted { $0.text < $1.text }
        products.append(Term(coefficient: product, factors: factors))
      }
    }
    return Dimension(unsorted: products)
  }

  /// The quotient rounded towards minus infinity; division by zero is `overflow`.
  package func floorDivided(by divisor: Dimension) -> Dimension {
    if let d = divisor.constant {
      if d == 0 { return .overflow }
      if d == 1 { return self }
      if let n = constant {
        if d == -1, n == Int.min { return .overflow }
        let quotient = n / d
        return Dimension(n % d != 0 && (n < 0) != (d < 0) ? quotient - 1 : quotient)
      }
      if d > 0 {
        // floor((d*a + b) / d) = a + floor(b / d)
        let exact = terms.filter { $0.coefficient % d == 0 }
        let rest = terms.filter { $0.coefficient % d != 0 }
        let quotient = Dimension(
          unsorted: exact.map { Term(coefficient: $0.coefficient / d, factors: $0.factors) })
        if rest.isEmpty { return quotient }
        if !exact.isEmpty {
          return quotient + Dimension(unsorted: rest).floorDivided(by: divisor)
        }
      }
    }
    if let quotient = dividedExactly(by: divisor) { return quotient }
    return Dimension(factor: .floorDivision(self, divisor))
  }

  /// The quotient by a single product that divides every term, as in `(2*b*s) / b`.
  package func dividedExactly(by divisor: Dimension) -> Dimension? {
    if self == divisor { return Dimension(1) }
    guard divisor.terms.count == 1, let d = divisor.terms.first, d.coefficient != 0 else {
      return nil
    }
    var quotient: [Term] = []
    for term in terms {
      guard term.coefficient % d.coefficient == 0 else { return nil }
      var factors = term.factors
      for factor in d.factors {
        guard let index = factors.firstIndex(of: factor) else { return nil }
        factors.remove(at: index)
      }
      quotient.append(Term(coefficient: term.coefficient / d.coefficient, factors: factors))
    }
    return Dimension(unsorted: quotient)
  }

  package func ceilingDivided(by divisor: Dimension) -> Dimension {
    Dimension(0) - (Dimension(0) - self).floorDivided(by: divisor)
  }

  package static func minimum(_ a: Dimension, _ b: Dimension) -> Dimension {
    if a == b { return a }
    if let x = a.constant, let y = b.constant { return Dimension(min(x, y)) }
    return Dimension(factor: .minimum(a, b))
  }

  package static func maximum(_ a: Dimension, _ b: Dimension) -> Dimension {
    if a == b { return a }
    if let x = a.constant, let y = b.constant { return Dimension(max(x, y)) }
    return Dimension(factor: .maximum(a, b))
  }

  /// The product of all dimensions, 1 for none.
  package static func product(_ dimensions: some Sequence<Dimension>) -> Dimension {
    dimensions.reduce(Dimension(1), *)
  }
}

extension Dimension: ExpressibleByIntegerLiteral {
  package init(integerLiteral value: Int) { self.init(value) }
}

extension Dimension: CustomStringConvertible {
  package var description: String {
    if let constant { return "\(constant)" }
    return terms.map { term in
      let product = term.factors.map(\.text)
      let factors =
        term.coefficient == 1 && !product.isEmpty ? product : ["\(term.coefficient)"] + product
      return factors.joined(separator: "*")
    }.joined(separator: " + ")
  }
}

// MARK: - Coding

extension Dimension: Codable {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let constant { try container.encode(constant) } else { try container.encode(terms) }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(Int.self) {
      self.init(value)
    } else {
      self.init(unsorted: try container.decode([Term].self))
    }
  }
}

extension Dimension.Term: Codable {}
extension Dimension.Factor: Codable {}

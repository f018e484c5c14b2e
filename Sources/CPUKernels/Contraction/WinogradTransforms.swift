import CPUKernelInterface

/// The values at one algorithm's points along one axis, in the order of its finite points, then infinity.
typealias WinogradLine = InlineArray<6, ContractionVector>

/// The transforms of F(outputs, 3) along one axis: interpolation of the product of two polynomials.
///
/// `input` is transposed: its rows are the products of `x - p` over the other points, as coefficients. The divisors
/// are left to the weights. Coefficients that are exact in `Float` keep the errors small, and points that are
/// opposites share half of the work.
protocol WinogradScheme {
  static var outputs: Int { get }
  static var finitePoints: [Double] { get }
  static func input(_ d: WinogradLine) -> WinogradLine
  static func output(_ y: WinogradLine) -> WinogradLine
}

extension WinogradScheme {
  @inline(__always) static var points: Int { outputs &+ 2 }

  /// `factor * x + y`
  @inline(__always)
  static func sum(_ y: ContractionVector, _ factor: Float, _ x: ContractionVector)
    -> ContractionVector
  { Lanes.multiplyAdd(x, Lanes.broadcast(factor), y) }

  @inline(__always)
  static func product(_ factor: Float, _ x: ContractionVector) -> ContractionVector {
    Lanes.multiply(x, Lanes.broadcast(factor))
  }
}

/// F(2, 3) at 0, 1, -1.
enum WinogradTwo: WinogradScheme {
  @inline(__always) static var outputs: Int { 2 }
  static var finitePoints: [Double] { [0, 1, -1] }

  @inline(__always)
  static func input(_ d: WinogradLine) -> WinogradLine {
    var r = d
    r[0] = Lanes.subtract(d[2], d[0])
    r[1] = Lanes.add(d[2], d[1])
    r[2] = Lanes.subtract(d[2], d[1])
    r[3] = Lanes.subtract(d[3], d[1])
    return r
  }

  @inline(__always)
  static func output(_ y: WinogradLine) -> WinogradLine {
    var r = y
    r[0] = Lanes.add(y[0], Lanes.add(y[1], y[2]))
    r[1] = Lanes.add(Lanes.subtract(y[1], y[2]), y[3])
    return r
  }
}

/// F(3, 3) at 0, a, -a, b.
enum WinogradThree: WinogradScheme {
  @inline(__always) static var outputs: Int { 3 }
  @inline(__always) static var a: Float { 0.75 }
  @inline(__always) static var b: Float { 2 }
  static var finitePoints: [Double] { [0, Double(a), -Double(a), Double(b)] }

  @inline(__always)
  static func input(_ d: WinogradLine) -> WinogradLine {
    let first = sum(d[1], -b, d[0])
    let second = sum(d[2], -b, d[1])
    let third = sum(d[3], -b, d[2])
    var r = d
    r[0] = sum(third, -a * a, first)
    r[1] = sum(third, a, second)
    r[2] = sum(third, -a, second)
    r[3] = sum(d[3], -a * a, d[1])
    r[4] = sum(sum(d[4], -b, d[3]), -a * a, second)
    return r
  }

  @inline(__always)
  static func output(_ y: WinogradLine) -> WinogradLine {
    let even = Lanes.add(y[1], y[2])
    let odd = Lanes.subtract(y[1], y[2])
    var r = y
    r[0] = Lanes.add(Lanes.add(y[0], even), y[3])
    r[1] = sum(product(b, y[3]), a, odd)
    r[2] = sum(sum(y[4], b * b, y[3]), a * a, even)
    return r
  }
}

/// F(4, 3) at 0, a, -a, b, -b.
enum WinogradFour: WinogradScheme {
  @inline(__always) static var outputs: Int { 4 }
  @inline(__always) static var a: Float { 0.6875 }
  @inline(__always) static var b: Float { 1.5 }
  static var finitePoints: [Double] { [0, Double(a), -Double(a), Double(b), -Double(b)] }

  @inline(__always)
  static func input(_ d: WinogradLine) -> WinogradLine {
    let evenA = sum(d[4], -b * b, d[2])
    let oddA = sum(d[3], -b * b, d[1])
    let evenB = sum(d[4], -a * a, d[2])
    let oddB = sum(d[3], -a * a, d[1])
    var r = d
    r[0] = sum(evenB, -b * b, sum(d[2], -a * a, d[0]))
    r[1] = sum(evenA, a, oddA)
    r[2] = sum(evenA, -a, oddA)
    r[3] = sum(evenB, b, oddB)
    r[4] = sum(evenB, -b, oddB)
    r[5] = sum(sum(d[5], -a * a, d[3]), -b * b, oddB)
    return r
  }

  @inline(__always)
  static func output(_ y: WinogradLine) -> WinogradLine {
    let evenA = Lanes.add(y[1], y[2])
    let oddA = Lanes.subtract(y[1], y[2])
    let evenB = Lanes.add(y[3], y[4])
    let oddB = Lanes.subtract(y[3], y[4])
    var r = y
    r[0] = Lanes.add(Lanes.add(y[0], evenA), evenB)
    r[1] = sum(product(b, oddB), a, oddA)
    r[2] = sum(product(b * b, evenB), a * a, evenA)
    r[3] = sum(sum(y[5], b * b * b, oddB), a * a * a, oddA)
    return r
  }
}

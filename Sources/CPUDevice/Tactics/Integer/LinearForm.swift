import KernelModel
import TensorModel

/// A value that depends on a sum of products in a way that kernels compute in registers:
/// `clamp(round?(factor * (sum + start) + constant + residualFactor * residual) + offset)`.
///
/// Where there is an inner form, that form, rounded to a byte, is in the place of `sum + start`: so models spell
/// that what they add a residual to has been quantised.
struct LinearForm {
  /// `clamp(round(factor * (sum + start) + constant) + offset)`.
  struct Inner: Equatable {
    var factor: ChannelNumbers
    var start: ChannelNumbers
    var constant: ChannelNumbers
    var offset: Double
    var lower: Double
    var upper: Double
  }

  var type: DataType
  var inner: Inner?
  var factor: ChannelNumbers = 0
  var start: ChannelNumbers = 0
  var constant: ChannelNumbers = 0
  var residualFactor: ChannelNumbers = 0
  /// The residual's position among the step's inputs.
  var residual: Int?
  var isRounded = false
  var offset = 0.0
  var lower = ChannelNumbers(-.infinity)
  var upper = ChannelNumbers(.infinity)

  static func sum() -> LinearForm { LinearForm(type: .int32, factor: 1) }

  static func constant(_ numbers: ChannelNumbers, _ type: DataType) -> LinearForm {
    LinearForm(type: type, constant: numbers)
  }

  static func residual(_ input: Int, _ type: DataType) -> LinearForm {
    LinearForm(type: type, residualFactor: 1, residual: input)
  }

  var isConstant: Bool { factor.isZero && residual == nil && !isRounded && !isBounded }

  var isBounded: Bool { lower.uniform != -.infinity || upper.uniform != .infinity }
}

// MARK: - Arithmetic

// Each function gives nil where the result has no such form.
extension LinearForm {
  func adding(_ other: LinearForm) -> LinearForm? {
    if isConstant && !other.isConstant { return other.adding(self) }
    guard other.isConstant || !(isRounded || isBounded || other.isRounded || other.isBounded),
      factor.isZero || other.factor.isZero,
      residual == nil || other.residual == nil || residual == other.residual
    else { return nil }
    var result = self
    if isRounded {
      // Rounding would not be the same after the addition, where two whole numbers are as near.
      guard let number = other.constant.uniform, number == number.rounded() else { return nil }
      result.offset += number
    } else {
      if factor.isZero {
        (result.factor, result.start, result.inner) = (other.factor, other.start, other.inner)
      }
      result.constant = constant + other.constant
      result.residualFactor = residualFactor + other.residualFactor
      result.residual = residual ?? other.residual
    }
    result.lower = lower + other.constant
    result.upper = upper + other.constant
    return result.rounded()
  }

  func negated() -> LinearForm? {
    multiplied(by: LinearForm(type: type, constant: -1), allowsIntegers: true)
  }

  func multiplied(by other: LinearForm, allowsIntegers: Bool = false) -> LinearForm? {
    if isConstant && !other.isConstant { return other.multiplied(by: self) }
    guard other.isConstant, !isRounded, type == .float32 || allowsIntegers else { return nil }
    var result = self
    let number = other.constant
    result.factor = factor * number
    result.constant = constant * number
    result.residualFactor = residualFactor * number
    let (low, high) = (lower * number, upper * number)
    result.lower = low.combined(high, min)
    result.upper = low.combined(high, max)
    return result.rounded()
  }

  func divided(by other: LinearForm) -> LinearForm? {
    guard other.isConstant, type == .float32, other.constant.values.allSatisfy({ $0 != 0 })
    else { return nil }
    return multiplied(by: .constant(other.constant.map { 1 / $0 }, type))
  }

  /// `max(self, other)` of a constant.
  func atLeast(_ other: LinearForm) -> LinearForm? {
    bounded(other) { max($0, $1) }
  }

  func atMost(_ other: LinearForm) -> LinearForm? {
    bounded(other) { min($0, $1) }
  }

  private func bounded(
    _ other: LinearForm, _ bound: (Double, Double) -> Double
  ) -> LinearForm? {
    if isConstant && !other.isConstant { return other.bounded(self, bound) }
    guard other.isConstant, other.constant.values.allSatisfy({ !$0.isNaN }) else { return nil }
    var result = self
    if isConstant {
      result.constant = constant.combined(other.constant, bound)
    } else {
      result.lower = lower.combined(other.constant, bound)
      result.upper = upper.combined(other.constant, bound)
    }
    return result
  }

  /// The bytes of this form as the sum of another.
  private func requantizing() -> LinearForm? {
    guard residual == nil, let lower = lower.uniform, let upper = upper.uniform, lower <= upper,
      lower.isFinite, upper.isFinite
    else { return nil }
    let inner = Inner(
      factor: factor, start: start, constant: constant, offset: offset, lower: lower,
      upper: upper)
    return LinearForm(type: .float32, inner: inner, factor: 1)
  }

  func roundedToWhole() -> LinearForm? {
    if !type.isFloatingPoint || isRounded { return self }
    var result = self
    if isConstant {
      result.constant = constant.map { $0.rounded(.toNearestOrEven) }
      return result
    }
    result.isRounded = true
    result.lower = lower.map { $0.rounded(.toNearestOrEven) }
    result.upper = upper.map { $0.rounded(.toNearestOrEven) }
    return result
  }

  func cast(to target: DataType) -> LinearForm? {
    if target == type { return self }
    var result = self
    result.type = target
    if target == .float32 {
      guard !type.isFloatingPoint, inner == nil else { return nil }
      if type.isByte, isRounded { return requantizing() }
      if factor.uniform == 1, !isBounded, residual == nil {
        result.start = start + constant
        result.constant = 0
      }
      return result.rounded()
    }
    if type.isByte, target == .int32 { return result }
    guard let range = target.integerRange, target.isByte || target == .int32 else { return nil }
    let bounds = (lower: Double(range.lowerBound), upper: Double(range.upperBound))
    if isConstant {
      let fits = constant.values.allSatisfy {
        $0 == $0.rounded() && $0 >= bounds.lower && $0 <= bounds.upper
      }
      return fits ? result : nil
    }
    // Whole real numbers saturate; integers would wrap, unless they are known to fit.
    let isNarrow =
      lower.values.allSatisfy { $0 >= bounds.lower }
      && upper.values.allSatisfy { $0 <= bounds.upper }
    guard isRounded, type == .float32 || isNarrow else { return nil }
    result.lower = lower.map { min(max($0, bounds.lower), bounds.upper) }
    result.upper = upper.map { min(max($0, bounds.lower), bounds.upper) }
    return result
  }

  /// Constants rounded to their type, as an operand would be.
  private func rounded() -> LinearForm {
    guard isConstant, type == .float32 else { return self }
    var result = self
    result.constant = constant.map { Double(Float($0)) }
    return result
  }
}

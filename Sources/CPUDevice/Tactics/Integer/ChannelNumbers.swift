/// A number, or one for each output channel.
struct ChannelNumbers: Equatable, Sendable, ExpressibleByIntegerLiteral {
  /// One number stands for all channels.
  private(set) var values: [Double]

  init(_ values: [Double]) { self.values = values }
  init(_ value: Double) { values = [value] }
  init(integerLiteral value: Int) { values = [Double(value)] }

  /// The number that all channels have; nil where they differ.
  var uniform: Double? {
    values.dropFirst().allSatisfy { $0 == values[0] } ? values.first : nil
  }

  var isZero: Bool { uniform == 0 }

  /// The number of every channel.
  func spread(_ channels: Int) -> [Double] {
    values.count == channels ? values : [Double](repeating: values[0], count: channels)
  }

  func map(_ transform: (Double) -> Double) -> ChannelNumbers {
    ChannelNumbers(values.map(transform))
  }

  func combined(
    _ other: ChannelNumbers, _ combine: (Double, Double) -> Double
  ) -> ChannelNumbers {
    let channels = max(values.count, other.values.count)
    return ChannelNumbers(zip(spread(channels), other.spread(channels)).map(combine))
  }

  static func + (a: ChannelNumbers, b: ChannelNumbers) -> ChannelNumbers { a.combined(b, +) }
  static prefix func - (a: ChannelNumbers) -> ChannelNumbers { a.map { -$0 } }

  /// Zero times infinity is zero.
  static func * (a: ChannelNumbers, b: ChannelNumbers) -> ChannelNumbers {
    a.combined(b) { $0 == 0 || $1 == 0 ? 0 : $0 * $1 }
  }
}

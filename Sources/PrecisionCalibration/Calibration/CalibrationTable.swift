/// The ranges of a model's tensors, by their names: what calibration finds, independent of any device.
package struct CalibrationTable: Sendable, Hashable, Codable {
  package static let currentFormat = 1

  package struct Entry: Sendable, Hashable, Codable {
    package var method: CalibrationMethod
    /// The extremes that were seen.
    package var minimum: Double
    package var maximum: Double
    package var absoluteMaximum: Double
    package var mean: Double
    package var count: Int
    /// The range that the method chose.
    package var rangeLow: Double
    package var rangeHigh: Double
    /// One step of integers from -127 to 127.
    package var symmetricScale: Double
    /// One step of integers from 0 to 255, and the integer that stands for zero.
    package var asymmetricScale: Double
    package var zeroPoint: Int
    /// The mean squared error of the integers 0 to 255 over that range, by the histogram.
    package var meanSquaredError: Double
    /// What was seen: all that a merged table needs.
    package var observed: ActivationObserver
    /// Of tensors that products are taken of.
    package var channels: ChannelStatistics?
  }

  package private(set) var format = Self.currentFormat
  package private(set) var model: String
  package private(set) var modelSHA256: String
  /// What was asked for: a method or `auto`.
  package private(set) var method: String
  package private(set) var samples: Int
  package private(set) var tensors: [String: Entry]

  package init(
    model: String, modelSHA256: String, method: CalibrationMethod?, samples: Int,
    observers: [String: ActivationObserver], channels: [String: ChannelStatistics] = [:]
  ) {
    self.model = model
    self.modelSHA256 = modelSHA256
    self.method = method?.rawValue ?? CalibrationMethod.automatic
    self.samples = samples
    tensors = observers.filter { !$0.value.isEmpty }.mapValues { Entry($0, method) }
    for (name, statistics) in channels { tensors[name]?.channels = statistics }
  }

  /// The largest magnitude of each tensor.
  package var absoluteMaxima: [String: Double] { tensors.mapValues(\.absoluteMaximum) }

  /// - Throws: `CalibrationError.wrongModel` where the table is another model's.
  package func verify(modelSHA256 hash: String) throws(CalibrationError) {
    guard hash == modelSHA256 else { throw .wrongModel(expected: hash, found: modelSHA256) }
  }

  /// The table of all data that the tables were made of.
  package static func merge(_ tables: [CalibrationTable]) throws(CalibrationError)
    -> CalibrationTable
  {
    guard let first = tables.first else { throw .nothingToMerge }
    var observers = first.tensors.mapValues(\.observed)
    var channels = first.tensors.compactMapValues(\.channels)
    var samples = first.samples
    for table in tables.dropFirst() {
      try table.verify(modelSHA256: first.modelSHA256)
      guard table.method == first.method else {
        throw .differentMethods(first.method, table.method)
      }
      for (name, entry) in table.tensors {
        try observers[name, default: ActivationObserver()].merge(entry.observed)
        guard let statistics = entry.channels else { continue }
        if channels[name] == nil {
          channels[name] = statistics
        } else {
          try channels[name]?.merge(statistics)
        }
      }
      let (sum, overflow) = samples.addingReportingOverflow(table.samples)
      guard !overflow else { throw .tooMany }
      samples = sum
    }
    return CalibrationTable(
      model: first.model, modelSHA256: first.modelSHA256, method: try first.requestedMethod(),
      samples: samples, observers: observers, channels: channels)
  }

  /// Nil for the best of each tensor.
  package func requestedMethod() throws(CalibrationError) -> CalibrationMethod? {
    try Self.method(named: method)
  }

  /// Nil for `auto`.
  package static func method(named name: String) throws(CalibrationError) -> CalibrationMethod? {
    if name == CalibrationMethod.automatic { return nil }
    guard let method = CalibrationMethod(rawValue: name) else { throw .unknownMethod(name) }
    return method
  }

  // MARK: Codable

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    format = try container.decode(Int.self, forKey: .format)
    guard format == Self.currentFormat else { throw CalibrationError.format(format) }
    model = try container.decode(String.self, forKey: .model)
    modelSHA256 = try container.decode(String.self, forKey: .modelSHA256)
    method = try container.decode(String.self, forKey: .method)
    samples = try container.decode(Int.self, forKey: .samples)
    tensors = try container.decode([String: Entry].self, forKey: .tensors)
    _ = try Self.method(named: method)
  }
}

extension CalibrationTable.Entry {
  fileprivate init(_ observer: ActivationObserver, _ method: CalibrationMethod?) {
    let selection = RangeSelection(observer)
    let range: QuantizationRange
    if let method {
      self.method = method
      range = selection.range(method)
      meanSquaredError = selection.error(range)
    } else {
      (self.method, range, meanSquaredError) = selection.best()
    }
    minimum = Double(observer.minimum)
    maximum = Double(observer.maximum)
    absoluteMaximum = observer.absoluteMaximum
    mean = observer.mean
    count = observer.count
    (rangeLow, rangeHigh) = (range.low, range.high)
    symmetricScale = range.symmetricScale
    asymmetricScale = range.asymmetricScale
    zeroPoint = range.zeroPoint
    observed = observer
  }
}

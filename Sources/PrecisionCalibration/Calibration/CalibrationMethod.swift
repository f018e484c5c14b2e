/// How a range is chosen from what was seen of a tensor.
package enum CalibrationMethod: String, CaseIterable, Sendable, Hashable, Codable {
  case minMax = "min-max"
  /// The mean of the batches' extremes, each sample with the same weight.
  case movingAverage = "moving-average"
  case percentile9999 = "percentile-99.99"
  case percentile99999 = "percentile-99.999"
  /// The range whose 128 levels lose the least information (Kullback-Leibler divergence).
  case entropy
  /// The range with the least mean squared error.
  case meanSquaredError = "mse"

  /// What a user may ask for: a method, or nil for the best of each tensor.
  package static let automatic = "auto"
  package static let requests = [automatic] + allCases.map(\.rawValue)
}

/// What is wrong with a calibration: one line.
package enum CalibrationError: Error, Sendable, Hashable, CustomStringConvertible {
  case tooMany
  case wrongModel(expected: String, found: String)
  case differentMethods(String, String)
  case format(Int)
  case unknownMethod(String)
  case nothingToMerge
  case differentChannels(Int, Int)

  package var description: String {
    switch self {
    case .tooMany: "a tensor has more elements in all than calibration counts"
    case .wrongModel(let expected, let found):
      "the calibration table is that of the model with SHA-256 \(found), not of this one, "
        + "whose SHA-256 is \(expected); calibrate this model"
    case .differentMethods(let a, let b):
      "tables of the methods '\(a)' and '\(b)' cannot be merged"
    case .format(let version):
      "the calibration table has format \(version), expected \(CalibrationTable.currentFormat)"
    case .unknownMethod(let name):
      "method '\(name)' is not one of \(CalibrationMethod.requests.joined(separator: ", "))"
    case .nothingToMerge: "no calibration table was given"
    case .differentChannels(let expected, let found):
      "a tensor of \(found) channels where \(expected) were seen before"
    }
  }
}

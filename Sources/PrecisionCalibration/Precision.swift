package import TensorModel

/// The arithmetic that layers are computed in.
package enum Precision: String, CaseIterable, Sendable, Hashable, Codable {
  case fp32, tf32, fp16, bf16, int8, fp8

  /// Whether engines can be built for it.
  package var isImplemented: Bool {
    switch self {
    case .fp32, .tf32, .fp16, .bf16, .int8: true
    case .fp8: false
    }
  }

  /// The type that `float32` values are stored as; nil where they stay what they are.
  package var storageType: DataType? {
    switch self {
    case .fp16: .float16
    case .bf16: .bfloat16
    case .fp32, .tf32, .int8, .fp8: nil
    }
  }

  /// The precision that stores values as a type of 16 bits.
  package init?(storage type: DataType) {
    guard let found = Self.allCases.first(where: { $0.storageType == type }) else { return nil }
    self = found
  }

  /// The precision of what calibration cannot see: bodies of control flow, and what is expanded when shapes
  /// arrive.
  package var whereNotCalibrated: Precision { self == .int8 ? .fp32 : self }

  /// What it is, in a few words.
  package var summary: String {
    switch self {
    case .fp32: "IEEE single precision"
    case .tf32: "single precision with products of at least 11 significant bits"
    case .fp16: "IEEE half precision, accumulated in single precision"
    case .bf16: "bfloat16, accumulated in single precision"
    case .int8: "8-bit integers with calibrated scales"
    case .fp8: "8-bit floating point with calibrated scales"
    }
  }
}

/// A precision that cannot be given.
package enum PrecisionError: Error, Sendable, Hashable, CustomStringConvertible {
  case notImplemented(Precision)
  case notCalibrated(Precision)

  package var description: String {
    switch self {
    case .notImplemented(let precision):
      "precision \(precision.rawValue) (\(precision.summary)) is not implemented; use one of "
        + Precision.allCases.filter(\.isImplemented).map(\.rawValue).joined(separator: ", ")
    case .notCalibrated(let precision):
      "precision \(precision.rawValue) needs the ranges of the model's tensors: give samples to "
        + "calibrate with (--calibration) or a table of them (--calibration-table)"
    }
  }
}

import PrecisionCalibration

/// The arithmetic of an engine's layers, under the names that TF-TRT's users know.
public enum PrecisionMode: String, Sendable, Hashable, CaseIterable {
  /// IEEE single precision.
  case fp32 = "FP32"
  /// Single precision with products of at least 11 significant bits, on GPUs that have it.
  case tf32 = "TF32"
  /// IEEE half precision, accumulated in single precision.
  case fp16 = "FP16"
  /// bfloat16, accumulated in single precision.
  case bf16 = "BF16"
  /// 8-bit integers with calibrated scales.
  case int8 = "INT8"

  var precision: Precision {
    switch self {
    case .fp32: .fp32
    case .tf32: .tf32
    case .fp16: .fp16
    case .bf16: .bf16
    case .int8: .int8
    }
  }
}

extension Builder {
  /// A builder with the options of TF-TRT's converter that mean the same here.
  ///
  ///     let builder = Builder(precisionMode: .fp16, maxWorkspaceSizeBytes: 8 << 30)
  ///
  /// - Parameters:
  ///   - precisionMode: the arithmetic of the layers.
  ///   - maxWorkspaceSizeBytes: what a layer may use beside its operands while it runs; nil for no bound.
  ///   - minimumSegmentSize: see `minimumSegmentSize`.
  public init(
    precisionMode: PrecisionMode, maxWorkspaceSizeBytes: Int? = nil, minimumSegmentSize: Int = 1
  ) {
    self.init()
    precision = precisionMode.precision
    self.maxWorkspaceSizeBytes = maxWorkspaceSizeBytes
    self.minimumSegmentSize = minimumSegmentSize
  }
}

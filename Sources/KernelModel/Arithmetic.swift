/// How exactly products of single precision are computed.
package enum Arithmetic: String, Sendable, Hashable, Codable {
  /// In single precision.
  case exact
  /// Operands may be rounded, to no fewer bits than TF32 has (10 of mantissa); sums stay in single precision.
  case tensorFloat32
}

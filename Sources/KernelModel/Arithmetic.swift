/// How exactly products of single precision are computed.
package enum Arithmetic: String, Sendable, Hashable, Codable {
  /// In single precision.
  case exact
  /// Operands may be rounded to TF32, with 10 bits of mantissa; sums stay in single precision.
  case tensorFloat32
}

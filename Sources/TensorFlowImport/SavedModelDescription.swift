/// What a TensorFlow model says about itself.
package struct SavedModelDescription: Sendable, Hashable, Encodable {
  package struct Port: Sendable, Hashable, Encodable {
    package var name: String
    package var dataType: String
    /// `?` for extents that are open; nil where not even the rank is known.
    package var shape: [String]?
  }

  package struct Signature: Sendable, Hashable, Encodable {
    package var name: String
    package var inputs: [Port]
    package var outputs: [Port]
    /// Operators with the number of nodes, functions counted once.
    package var operators: [String: Int]
    package var unsupported: [UnsupportedNode]
  }

  /// The version of TensorFlow that wrote the model.
  package var version: String
  package var signatures: [Signature] = []
  /// The signature that was imported.
  package var chosen: String?
  package var variableCount = 0
  package var variableBytes = 0

  init(version: String) { self.version = version }
}

package import TensorModel

/// An operator as its model wrote it: a name, a version and attributes.
package struct OperatorRecord: Sendable, Hashable {
  /// `onnx`, `tensorflow`, or another domain of ONNX.
  package var domain: String
  package var name: String
  /// The version of the operator set; 1 where the format has none.
  package var version: Int
  package var attributes: [String: AttributeValue]
  /// How many of the node's last inputs are captured by graphs in the attributes.
  package var captureCount: Int

  package init(
    domain: String, name: String, version: Int, attributes: [String: AttributeValue],
    captureCount: Int = 0
  ) {
    self.domain = domain
    self.name = name
    self.version = version
    self.attributes = attributes
    self.captureCount = captureCount
  }

  package var graphs: [Graph] {
    attributes.values.compactMap { if case .graph(let graph) = $0 { graph } else { nil } }
  }
}

/// The value of one attribute, whatever format it came from.
package enum AttributeValue: Sendable {
  case int(Int64)
  case float(Float)
  case string(String)
  case tensor(Tensor)
  case graph(Graph)
  case ints([Int64])
  case floats([Float])
  case strings([String])
  case type(DataType)
}

extension AttributeValue: Hashable {
  package static func == (a: AttributeValue, b: AttributeValue) -> Bool {
    switch (a, b) {
    case (.int(let x), .int(let y)): x == y
    case (.float(let x), .float(let y)): x.bitPattern == y.bitPattern
    case (.string(let x), .string(let y)): x == y
    case (.tensor(let x), .tensor(let y)): x.isIdentical(to: y)
    case (.graph(let x), .graph(let y)): x == y
    case (.ints(let x), .ints(let y)): x == y
    case (.floats(let x), .floats(let y)): x.map(\.bitPattern) == y.map(\.bitPattern)
    case (.strings(let x), .strings(let y)): x == y
    case (.type(let x), .type(let y)): x == y
    default: false
    }
  }

  package func hash(into hasher: inout Hasher) {
    switch self {
    case .int(let x): hasher.combine(x)
    case .float(let x): hasher.combine(x.bitPattern)
    case .string(let x): hasher.combine(x)
    case .tensor(let x): hasher.combine(x.shape)
    case .graph(let x): hasher.combine(x)
    case .ints(let x): hasher.combine(x)
    case .floats(let x): hasher.combine(x.count)
    case .strings(let x): hasher.combine(x)
    case .type(let x): hasher.combine(x)
    }
  }
}

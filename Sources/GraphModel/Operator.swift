package import TensorModel

/// An operator of a model format: how it is spelled, what its attributes are, and which kernel problems
/// compute it.
///
/// One file each, or one file for a family of one-line scalar functions; one line in the catalogue.
package protocol Operator: Sendable {
  /// The names that formats give it.
  static var spellings: [Spelling] { get }

  /// Reads the attributes.
  init(_ attributes: AttributeReader) throws(OperatorError)

  /// Emits the kernel problems that compute the outputs.
  ///
  /// It is called once the types of all inputs are known. Every output must be set.
  func expand(_ expansion: inout Expansion) throws(OperatorError)
}

/// An operator that is also computed by code on the host, because its results have shapes that depend on
/// data or types that kernels do not have.
package protocol HostOperator: Operator {
  /// Computes the outputs from concrete inputs; nil for an absent optional input.
  func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor]
}

/// A name of an operator in one format and the versions it means the same in.
package struct Spelling: Hashable, Sendable {
  package var domain: String
  package var name: String
  package var versions: ClosedRange<Int>

  /// ONNX's default domain.
  package static func onnx(_ name: String, _ versions: ClosedRange<Int> = 1...99) -> Spelling {
    Spelling(domain: "onnx", name: name, versions: versions)
  }

  /// ONNX Runtime's and other domains of ONNX.
  package static func onnx(domain: String, _ name: String) -> Spelling {
    Spelling(domain: domain, name: name, versions: 1...99)
  }

  package static func tensorflow(_ name: String) -> Spelling {
    Spelling(domain: "tensorflow", name: name, versions: 1...99)
  }
}

/// What is wrong with a node: one line that says what was expected and what was found. Whoever knows the
/// node's name adds it.
package struct OperatorError: Error, Sendable, CustomStringConvertible {
  package var description: String
  /// Whether the operator can be expanded once the extents that are symbols now are numbers.
  package var waitsForExtents = false
  package init(_ description: String) { self.description = description }

  /// What is missing is an extent that each set of shapes decides.
  package static func waiting(for description: String) -> OperatorError {
    var error = OperatorError(description)
    error.waitsForExtents = true
    return error
  }
}

/// The attributes of one node, with defaults, checked by type.
package struct AttributeReader: Sendable {
  package let record: OperatorRecord
  package var version: Int { record.version }
  package var name: String { record.name }

  package init(_ record: OperatorRecord) { self.record = record }

  package func has(_ name: String) -> Bool { record.attributes[name] != nil }

  private func wrong(_ name: String, expected: String) -> OperatorError {
    OperatorError("attribute '\(name)' is not \(expected)")
  }

  package func int(_ name: String) throws(OperatorError) -> Int? {
    guard let value = record.attributes[name] else { return nil }
    guard case .int(let number) = value, let result = Int(exactly: number) else {
      throw wrong(name, expected: "an integer")
    }
    return result
  }

  package func int(_ name: String, default fallback: Int) throws(OperatorError) -> Int {
    try int(name) ?? fallback
  }

  package func requiredInt(_ name: String) throws(OperatorError) -> Int {
    guard let value = try int(name) else { throw OperatorError("attribute '\(name)' is missing") }
    return value
  }

  package func bool(_ name: String, default fallback: Bool) throws(OperatorError) -> Bool {
    try int(name).map { $0 != 0 } ?? fallback
  }

  package func float(_ name: String) throws(OperatorError) -> Double? {
    guard let value = record.attributes[name] else { return nil }
    guard case .float(let number) = value else { throw wrong(name, expected: "a number") }
    return Double(number)
  }

  package func float(_ name: String, default fallback: Double) throws(OperatorError) -> Double {
    try float(name) ?? fallback
  }

  package func string(_ name: String, default fallback: String) throws(OperatorError) -> String {
    guard let value = record.attributes[name] else { return fallback }
    guard case .string(let text) = value else { throw wrong(name, expected: "a string") }
    return text
  }

  package func ints(_ name: String) throws(OperatorError) -> [Int]? {
    guard let value = record.attributes[name] else { return nil }
    guard case .ints(let numbers) = value else { throw wrong(name, expected: "a list of integers") }
    return numbers.map { Int($0) }
  }

  package func floats(_ name: String) throws(OperatorError) -> [Double]? {
    guard let value = record.attributes[name] else { return nil }
    guard case .floats(let numbers) = value else {
      throw wrong(name, expected: "a list of numbers")
    }
    return numbers.map { Double($0) }
  }

  package func strings(_ name: String) throws(OperatorError) -> [String]? {
    guard let value = record.attributes[name] else { return nil }
    guard case .strings(let texts) = value else { throw wrong(name, expected: "a list of strings") }
    return texts
  }

  package func tensor(_ name: String) throws(OperatorError) -> Tensor? {
    guard let value = record.attributes[name] else { return nil }
    guard case .tensor(let tensor) = value else { throw wrong(name, expected: "a tensor") }
    return tensor
  }

  package func graph(_ name: String) throws(OperatorError) -> Graph {
    guard case .graph(let graph)? = record.attributes[name] else {
      throw OperatorError("attribute '\(name)' is missing or not a graph")
    }
    return graph
  }

  package func dataType(_ name: String) throws(OperatorError) -> DataType? {
    guard let value = record.attributes[name] else { return nil }
    guard case .type(let type) = value else { throw wrong(name, expected: "an element type") }
    return type
  }

  /// One of the names given, as in `padding mode`.
  package func choice<T>(
    _ name: String, default fallback: String, _ choices: [String: T]
  ) throws(OperatorError) -> T {
    let text = try string(name, default: fallback)
    guard let choice = choices[text] else {
      throw OperatorError(
        "attribute '\(name)' is '\(text)', expected one of \(choices.keys.sorted().joined(separator: ", "))"
      )
    }
    return choice
  }
}

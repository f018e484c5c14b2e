package import GraphModel
package import TensorModel

/// Strings joined element by element, with broadcasting.
package struct StringConcat: HostOperator {
  package static let spellings = [Spelling.onnx("StringConcat")]

  package init(_ attributes: AttributeReader) throws(OperatorError) {}

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let (a, b) = (try expansion.input(0), try expansion.input(1))
    try requireStrings([a, b])
    guard let shape = ShapeMath.broadcast(a.shape, b.shape) else {
      throw OperatorError("shapes \(a.shape) and \(b.shape) do not broadcast")
    }
    try emitHostOrFold(&expansion, outputs: [TensorType(.string, shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let (a, b) = (try HostInputs.tensor(inputs, 0), try HostInputs.tensor(inputs, 1))
    let (shape, pairs) = try HostInputs.broadcastPairs(a, b)
    return [try HostInputs.strings(pairs.map { a.strings[$0.0] + b.strings[$0.1] }, shape)]
  }
}

private func requireStrings(_ operands: [Operand]) throws(OperatorError) {
  for operand in operands where operand.dataType != .string {
    throw OperatorError("an input is \(operand.dataType), expected string")
  }
}

/// Strings cut at a delimiter, or at white space, padded to the longest list; and the lists' lengths.
package struct StringSplit: HostOperator {
  package static let spellings = [Spelling.onnx("StringSplit")]

  private let delimiter: String
  private let limit: Int?

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    delimiter = try attributes.string("delimiter", default: "")
    limit = try attributes.int("maxsplit")
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    try requireStrings([x])
    let parts = Shape(x.shape.dimensions + [expansion.freshSymbol("parts")])
    let types = [TensorType(.string, parts), TensorType(.int64, x.shape)]
    try emitHostOrFold(&expansion, outputs: types.prefixed(expansion.outputCount))
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let lists = x.strings.map { split($0) }
    let width = lists.map(\.count).max() ?? 0
    let padded = lists.flatMap { $0 + [String](repeating: "", count: width - $0.count) }
    return [
      try HostInputs.strings(padded, x.shape + [width]),
      try HostInputs.integers(lists.map { Int64($0.count) }, .int64, x.shape),
    ]
  }

  private func split(_ text: String) -> [String] {
    let most = limit.flatMap { $0 >= 0 ? $0 : nil } ?? Int.max
    guard delimiter.isEmpty else { return cut(text, most) }
    var parts: [String] = []
    var rest = text.drop(while: \.isWhitespace)
    while !rest.isEmpty {
      guard parts.count < most, let end = rest.firstIndex(where: \.isWhitespace) else {
        parts.append(String(rest))
        break
      }
      parts.append(String(rest[..<end]))
      rest = rest[end...].drop(while: \.isWhitespace)
    }
    return parts
  }

  private func cut(_ text: String, _ most: Int) -> [String] {
    var parts: [String] = []
    let (bytes, mark) = (Array(text.utf8), Array(delimiter.utf8))
    var (start, index) = (0, 0)
    while index + mark.count <= bytes.count, parts.count < most {
      if bytes[index..<(index + mark.count)].elementsEqual(mark) {
        parts.append(String(decoding: bytes[start..<index], as: UTF8.self))
        index += mark.count
        start = index
      } else {
        index += 1
      }
    }
    return parts + [String(decoding: bytes[start...], as: UTF8.self)]
  }
}

/// Strings without stop words, in one case.
package struct StringNormalizer: HostOperator {
  package static let spellings = [Spelling.onnx("StringNormalizer")]

  private enum Change: Sendable { case none, lower, upper }

  private let stopWords: [String]
  private let isCaseSensitive: Bool
  private let change: Change

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    stopWords = try attributes.strings("stopwords") ?? []
    isCaseSensitive = try attributes.bool("is_case_sensitive", default: false)
    change = try attributes.choice(
      "case_change_action", default: "NONE", ["NONE": .none, "LOWER": .lower, "UPPER": .upper])
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    try requireStrings([x])
    let count = stopWords.isEmpty ? x.shape.dimensions.last : expansion.freshSymbol("count")
    guard let count, x.rank == 1 || (x.rank == 2 && x.shape[0].constant ?? 1 == 1)
    else {
      throw OperatorError("input has shape \(x.shape), expected [C] or [1, C]")
    }
    let shape = Shape(x.shape.dimensions.dropLast() + [count])
    try emitHostOrFold(&expansion, outputs: [TensorType(.string, shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    func key(_ word: String) -> String { isCaseSensitive ? word : word.lowercased() }
    let removed = Set(stopWords.map(key))
    var kept = x.strings.filter { !removed.contains(key($0)) }
    switch change {
    case .none: break
    case .lower: kept = kept.map { $0.lowercased() }
    case .upper: kept = kept.map { $0.uppercased() }
    }
    if kept.isEmpty { kept = [""] }
    return [try HostInputs.strings(kept, x.shape.dropLast() + [kept.count])]
  }
}

/// Whether a regular expression matches all of each string.
package struct RegexFullMatch: HostOperator {
  package static let spellings = [Spelling.onnx("RegexFullMatch")]

  private let pattern: String

  package init(_ attributes: AttributeReader) throws(OperatorError) {
    pattern = try attributes.string("pattern", default: "")
    _ = try Self.compiled(pattern)
  }

  private static func compiled(
    _ pattern: String
  ) throws(OperatorError) -> Regex<AnyRegexOutput> {
    do {
      return try Regex(pattern).wordBoundaryKind(.simple).matchingSemantics(.unicodeScalar)
    } catch {
      throw OperatorError("'\(pattern)' is not a regular expression: \(error)")
    }
  }

  package func expand(_ expansion: inout Expansion) throws(OperatorError) {
    let x = try expansion.input(0)
    try requireStrings([x])
    try emitHostOrFold(&expansion, outputs: [TensorType(.bool, x.shape)])
  }

  package func evaluate(_ inputs: [Tensor?]) throws(OperatorError) -> [Tensor] {
    let x = try HostInputs.tensor(inputs, 0)
    let regex = try Self.compiled(pattern)
    let matches = x.strings.map { text in
      (try? regex.wholeMatch(in: text)) != nil ? Int64(1) : 0
    }
    return [try HostInputs.integers(matches, .bool, x.shape)]
  }
}

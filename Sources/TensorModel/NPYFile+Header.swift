/// The text that describes the array in a NumPy file: a literal of a Python dictionary.
struct NPYHeader: Equatable {
  var dataType: DataType
  /// Whether elements are not in the machine's byte order.
  var isSwapped: Bool
  var isFortranOrder: Bool
  var shape: [Int]

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  static let maximumByteCount = 1 << 20

  enum Failure: Error {
    case malformed(String)
    case type(String)
  }

  init(_ text: [UInt8]) throws(Failure) {
    var parser = NPYHeaderParser(text)
    var descriptor: String?
    var order: Bool?
    var extents: [Int]?
    try parser.expect("{")
    while !parser.skips("}") {
      let key = try parser.string()
      try parser.expect(":")
      switch key {
      case "descr" where descriptor == nil: descriptor = try parser.descriptor()
      case "fortran_order" where order == nil: order = try parser.boolean()
      case "shape" where extents == nil: extents = try parser.tuple()
      default: throw .malformed("its header has an unexpected key '\(key)'")
      }
      if parser.skips(",") { continue }
      try parser.expect("}")
      break
    }
    try parser.expectEnd()
    guard let descriptor, let order, let extents else {
      throw .malformed("its header lacks one of descr, fortran_order and shape")
    }
    guard let type = Self.type(descriptor) else { throw .type(descriptor) }
    (dataType, isSwapped) = type
    isFortranOrder = order
    shape = extents
  }

  private static let codes: [String: DataType] = [
    "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "u1": .uint8,
    "u2": .uint16, "u4": .uint32, "u8": .uint64, "f2": .float16, "f4": .float32, "f8": .float64,
  ]

  #if _endian(big)
    private static let isBigEndian = true
  #else
    private static let isBigEndian = false
  #endif

  private static func type(_ descriptor: String) -> (DataType, Bool)? {
    guard let order = descriptor.first, let type = codes[String(descriptor.dropFirst())] else {
      return nil
    }
    switch order {
    case "<": return (type, isBigEndian)
    case ">": return (type, !isBigEndian)
    case "=": return (type, false)
    case "|": return type.byteCount == 1 ? (type, false) : nil
    default: return nil
    }
  }

  /// The bytes before the elements; nil for a type that NumPy does not have.
  static func bytes(_ type: DataType, shape: [Int]) -> [UInt8]? {
    guard let code = codes.first(where: { $0.value == type })?.key else { return nil }
    let order = type.byteCount == 1 ? "|" : isBigEndian ? ">" : "<"
    let list = shape.map(String.init).joined(separator: ", ")
    let tuple = shape.count == 1 ? "(\(list),)" : "(\(list))"
    var text = Array(
      "{'descr': '\(order)\(code)', 'fortran_order': False, 'shape': \(tuple), }".utf8)
    // The elements begin at a multiple of 64 bytes, after a line feed.
    let unpadded = magic.count + 4 + text.count + 1
    text += [UInt8](repeating: UInt8(ascii: " "), count: (64 - unpadded % 64) % 64)
    text.append(UInt8(ascii: "\n"))
    guard let length = UInt16(exactly: text.count) else { return nil }
    return magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + text
  }
}

/// Reads the few forms of Python's literals that a header may have.
struct NPYHeaderParser {
  private let text: [UInt8]
  private var position = 0

  init(_ text: [UInt8]) { self.text = text }

  private mutating func skipSpace() {
    while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) {
      position += 1
    }
  }

  private func failure(_ expected: String) -> NPYHeader.Failure {
    .malformed("its header has no \(expected) at byte \(position)")
  }

  /// Whether the next character is the one given, which is then behind.
  mutating func skips(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < text.count, UInt32(text[position]) == character.value else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(NPYHeader.Failure) {
    guard skips(character) else { throw failure("'\(character)'") }
  }

  mutating func expectEnd() throws(NPYHeader.Failure) {
    skipSpace()
    guard position == text.count else { throw failure("end") }
  }

  /// Text in single or double quotes, without escapes.
  mutating func string() throws(NPYHeader.Failure) -> String {
    skipSpace()
    guard position < text.count, text[position] == 0x27 || text[position] == 0x22 else {
      throw failure("quoted text")
    }
    let quote = text[position]
    guard let end = text[(position + 1)...].firstIndex(of: quote),
      let value = String(validating: text[(position + 1)..<end], as: UTF8.self),
      !value.contains("\\")
    else { throw failure("quoted text") }
    position = end + 1
    return value
  }

  /// The element type; a list of fields is no tensor.
  mutating func descriptor() throws(NPYHeader.Failure) -> String {
    skipSpace()
    if position < text.count, text[position] == UInt8(ascii: "[") {
      throw .type("a list of fields")
    }
    return try string()
  }

  mutating func boolean() throws(NPYHeader.Failure) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where text[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw failure("True or False")
  }

  /// Integers in parentheses, as Python writes a tuple.
  mutating func tuple() throws(NPYHeader.Failure) -> [Int] {
    var values: [Int] = []
    try expect("(")
    while !skips(")") {
      values.append(try integer())
      if skips(",") { continue }
      guard values.count > 1 else { throw failure("',' after the only extent") }
      try expect(")")
      break
    }
    return values
  }

  /// Python 2 marks long integers with an L.
  private mutating func integer() throws(NPYHeader.Failure) -> Int {
    skipSpace()
    let digits = text[position...].prefix { (0x30...0x39).contains($0) }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw failure("extent")
    }
    position += digits.count
    _ = skips("L")
    return value
  }
}

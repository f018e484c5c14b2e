/// Decodes blocks compressed with Snappy.
package enum Snappy {
  /// - Parameter limit: the most bytes that may come out.
  /// - Returns: nil where the bytes are no Snappy block, or one that is too large.
  package static func decode(_ bytes: ArraySlice<UInt8>, limit: Int) -> [UInt8]? {
    var reader = ByteReader(bytes)
    guard let size = reader.varint(), size <= limit else { return nil }
    var output: [UInt8] = []
    output.reserveCapacity(size)
    while !reader.isAtEnd {
      guard let tag = reader.byte(), append(tag, &reader, &output, size: size) else { return nil }
    }
    return output.count == size ? output : nil
  }

  private static func append(
    _ tag: UInt8, _ reader: inout ByteReader, _ output: inout [UInt8], size: Int
  ) -> Bool {
    guard tag & 3 != 0 else { return appendLiteral(tag, &reader, &output, size: size) }
    let length: Int
    let distance: UInt64?
    switch tag & 3 {
    case 1:
      length = Int(tag >> 2 & 7) + 4
      distance = reader.byte().map { UInt64(tag >> 5) << 8 | UInt64($0) }
    case 2:
      length = Int(tag >> 2) + 1
      distance = reader.fixed(2)
    default:
      length = Int(tag >> 2) + 1
      distance = reader.fixed(4)
    }
    guard let distance, let back = Int(exactly: distance), back > 0, back <= output.count,
      length <= size - output.count
    else { return false }
    // The copy may overlap what it writes.
    for _ in 0..<length { output.append(output[output.count - back]) }
    return true
  }

  private static func appendLiteral(
    _ tag: UInt8, _ reader: inout ByteReader, _ output: inout [UInt8], size: Int
  ) -> Bool {
    var length = UInt64(tag >> 2)
    if length >= 60 {
      guard let long = reader.fixed(Int(length) - 59) else { return false }
      length = long
    }
    guard let count = Int(exactly: length), count < size - output.count,
      let literal = reader.take(count + 1)
    else { return false }
    output += literal
    return true
  }
}

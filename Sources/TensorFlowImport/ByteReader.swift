/// Reads numbers off a list of bytes; nil where the bytes end too early or make no number.
struct ByteReader {
  let bytes: ArraySlice<UInt8>
  private(set) var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var isAtEnd: Bool { position >= bytes.endIndex }
  var remaining: Int { bytes.endIndex - position }

  mutating func byte() -> UInt8? {
    guard position < bytes.endIndex else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  /// A number in groups of seven bits, the lowest first.
  mutating func varint() -> Int? {
    var value: UInt64 = 0
    for shift in stride(from: 0 as UInt64, to: 64, by: 7) {
      guard let next = byte() else { return nil }
      let group = UInt64(next & 0x7F)
      guard shift < 63 || group <= 1 else { return nil }
      value |= group << shift
      if next < 0x80 { return Int(exactly: value) }
    }
    return nil
  }

  /// A little-endian number of `width` bytes, at most 8.
  mutating func fixed(_ width: Int) -> UInt64? {
    guard let part = take(width) else { return nil }
    return part.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return bytes[position..<(position + count)]
  }
}

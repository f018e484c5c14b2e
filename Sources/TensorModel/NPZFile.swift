/// NumPy's archives of several arrays: ZIP files of `.npy` members, stored or compressed with Deflate.
///
/// Source: PKWARE's APPNOTE 6.3, as far as NumPy writes it.
package enum NPZFile {
  /// The arrays of an archive, by their names, in the order of the file.
  package static func read(
    _ path: String, limits: Limits = Limits()
  ) throws(NPYError) -> [(name: String, tensor: Tensor)] {
    let file = try NPYDescriptor(reading: path)
    guard file.byteCount <= limits.tensorBytes else {
      throw .exceedsLimit(path: path, reason: "\(file.byteCount) bytes")
    }
    let archive = try ZIPArchive(try file.bytes(file.byteCount), path: path)
    var arrays: [(name: String, tensor: Tensor)] = []
    var total = 0
    for member in archive.members {
      let (sum, overflow) = total.addingReportingOverflow(member.size)
      guard !overflow, sum <= limits.tensorBytes else {
        throw .exceedsLimit(path: path, reason: "its members take more than \(limits.tensorBytes)")
      }
      total = sum
      guard member.name.hasSuffix(".npy") else {
        throw .malformed(path: path, reason: "its member '\(member.name)' is no .npy file")
      }
      let bytes = try archive.bytes(of: member)
      let tensor = try NPYFile.tensor(bytes, path: "\(path)/\(member.name)", limits: limits)
      arrays.append((String(member.name.dropLast(4)), tensor))
    }
    return arrays
  }
}

/// The members of a ZIP file.
private struct ZIPArchive {
  struct Member {
    var name: String
    var isCompressed: Bool
    var checksum: UInt32
    var storedSize: Int
    var size: Int
    var offset: Int
  }

  private let bytes: [UInt8]
  private let path: String
  private(set) var members: [Member] = []

  private static let localSize = 30
  private static let entrySize = 46
  private static let endSize = 22

  init(_ bytes: [UInt8], path: String) throws(NPYError) {
    self.bytes = bytes
    self.path = path
    guard let end = endPosition() else { throw malformed("it does not end as a ZIP archive does") }
    let count = number(end + 10, 2)
    var position = number(end + 16, 4)
    guard count != 0xFFFF, position != 0xFFFF_FFFF else {
      throw malformed("it has more than 65535 members or 4 GiB")
    }
    for _ in 0..<count {
      guard position <= bytes.count - Self.entrySize, number(position, 4) == 0x0201_4B50 else {
        throw malformed("its list of members is damaged")
      }
      members.append(try member(at: position))
      position +=
        Self.entrySize + number(position + 28, 2) + number(position + 30, 2)
        + number(position + 32, 2)
    }
  }

  private func malformed(_ reason: String) -> NPYError {
    .malformed(path: path, reason: reason)
  }

  private func number(_ position: Int, _ count: Int) -> Int {
    (0..<count).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) }
  }

  /// Where the record stands that ends the archive; a comment may follow it.
  private func endPosition() -> Int? {
    var position = bytes.count - Self.endSize
    let first = max(position - 0xFFFF, 0)
    while position >= first {
      if number(position, 4) == 0x0605_4B50 { return position }
      position -= 1
    }
    return nil
  }

  private func member(at position: Int) throws(NPYError) -> Member {
    let nameLength = number(position + 28, 2)
    let start = position + Self.entrySize
    let (flags, method) = (number(position + 8, 2), number(position + 10, 2))
    guard start + nameLength + number(position + 30, 2) <= bytes.count,
      let name = String(validating: bytes[start..<(start + nameLength)], as: UTF8.self)
    else { throw malformed("its list of members is damaged") }
    guard flags & 1 == 0, method == 0 || method == 8 else {
      throw malformed("its member '\(name)' is encrypted, or not compressed with Deflate")
    }
    var member = Member(
      name: name, isCompressed: method == 8, checksum: UInt32(number(position + 16, 4)),
      storedSize: number(position + 20, 4), size: number(position + 24, 4),
      offset: number(position + 42, 4))
    guard readLargeSizes(&member, at: start + nameLength, number(position + 30, 2)) else {
      throw malformed("the size of its member '\(name)' is damaged")
    }
    return member
  }

  /// Sizes that need 64 bits stand in a field of their own.
  private func readLargeSizes(_ member: inout Member, at start: Int, _ length: Int) -> Bool {
    guard [member.size, member.storedSize, member.offset].contains(0xFFFF_FFFF) else { return true }
    var position = start
    while position <= start + length - 4 {
      let (tag, size) = (number(position, 2), number(position + 2, 2))
      position += 4
      guard position + size <= start + length else { return false }
      if tag == 1 {
        var place = position
        func next() -> Int? {
          guard place + 8 <= position + size, bytes[place + 7] < 0x80 else { return nil }
          defer { place += 8 }
          return number(place, 8)
        }
        for field in [\Member.size, \Member.storedSize, \Member.offset]
        where member[keyPath: field] == 0xFFFF_FFFF {
          guard let value = next() else { return false }
          member[keyPath: field] = value
        }
        return true
      }
      position += size
    }
    return false
  }

  func bytes(of member: Member) throws(NPYError) -> [UInt8] {
    guard member.offset <= bytes.count - Self.localSize, number(member.offset, 4) == 0x0403_4B50
    else { throw malformed("its member '\(member.name)' is not where the list says") }
    let start =
      member.offset + Self.localSize + number(member.offset + 26, 2) + number(member.offset + 28, 2)
    guard start <= bytes.count, member.storedSize <= bytes.count - start else {
      throw malformed("its member '\(member.name)' is cut short")
    }
    let stored = Array(bytes[start..<(start + member.storedSize)])
    let content = member.isCompressed ? Inflate.decode(stored, size: member.size) : stored
    guard let content, content.count == member.size, CRC32.checksum(content) == member.checksum
    else { throw malformed("its member '\(member.name)' is damaged") }
    return content
  }
}

/// The checksum of ZIP files.
private enum CRC32 {
  private static let table: [UInt32] = (0..<256 as Range<UInt32>).map { byte in
    (0..<8).reduce(byte) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    let table = table
    return ~bytes.reduce(~0) { crc, byte in crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
  }
}

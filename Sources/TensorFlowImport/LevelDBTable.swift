/// A table of LevelDB: sorted keys with their values, in blocks with checksums.
///
///     block: entries, restart offsets (4 bytes each), their count (4 bytes)
///     after each block: kind of compression (1 byte), masked CRC-32C (4 bytes)
///     footer, 48 bytes: handle of a block of metadata, handle of the index, padding, magic (8 bytes)
package struct LevelDBTable {
  package struct Entry: Sendable {
    package var key: [UInt8]
    package var value: [UInt8]
  }

  /// What is wrong with a table.
  package struct Failure: Error, Hashable {
    package var reason: String
  }

  private struct Handle {
    var offset: Int
    var size: Int
  }

  private static let footerSize = 48
  private static let trailerSize = 5
  private static let magic: UInt64 = 0xDB47_7524_8B80_FB57

  private let bytes: [UInt8]
  /// The most bytes that the blocks may have once decoded, all together.
  private var budget: Int

  /// All entries of a table, in their order.
  package static func entries(
    _ bytes: [UInt8], decodedLimit: Int = 1 << 30
  ) throws(Failure) -> [Entry] {
    var table = LevelDBTable(bytes: bytes, budget: decodedLimit)
    var footer = ByteReader(bytes.suffix(footerSize))
    guard bytes.count >= footerSize, ByteReader.magic(bytes) == magic else {
      throw Failure(
        reason: "it does not end like an index of variables; it is cut short or damaged")
    }
    guard let metadata = handle(&footer), let index = handle(&footer) else {
      throw Failure(reason: "its footer is damaged")
    }
    try check(padding: footer)
    _ = try table.block(metadata)
    var result: [Entry] = []
    for item in try parse(try table.block(index)) {
      var reader = ByteReader(item.value[...])
      guard let place = handle(&reader), reader.isAtEnd else {
        throw Failure(reason: "an entry of its index is damaged")
      }
      result += try parse(try table.block(place))
    }
    return result
  }

  private static func check(padding: ByteReader) throws(Failure) {
    guard padding.bytes[padding.position...].dropLast(8).allSatisfy({ $0 == 0 }) else {
      throw Failure(reason: "its footer is damaged")
    }
  }

  private static func handle(_ reader: inout ByteReader) -> Handle? {
    guard let offset = reader.varint(), let size = reader.varint() else { return nil }
    return Handle(offset: offset, size: size)
  }

  /// The decoded bytes of a block whose checksum is right.
  private mutating func block(_ handle: Handle) throws(Failure) -> [UInt8] {
    let room = bytes.count - Self.footerSize - Self.trailerSize
    guard handle.size <= room, handle.offset <= room - handle.size else {
      throw Failure(reason: "a block lies outside the file")
    }
    let end = handle.offset + handle.size
    let crc = CRC32C.masked(CRC32C.checksum(Array(bytes[handle.offset...end])))
    var trailer = ByteReader(bytes[(end + 1)..<(end + Self.trailerSize)])
    guard trailer.fixed(4) == UInt64(crc) else {
      throw Failure(reason: "the checksum of the block at byte \(handle.offset) is wrong")
    }
    let content = bytes[handle.offset..<end]
    let decoded: [UInt8]
    switch bytes[end] {
    case 0: decoded = Array(content)
    case 1:
      guard let expanded = Snappy.decode(content, limit: budget) else {
        throw Failure(reason: "the block at byte \(handle.offset) is no Snappy block within limits")
      }
      decoded = expanded
    case let kind: throw Failure(reason: "compression \(kind) is not known")
    }
    guard decoded.count <= budget else { throw Failure(reason: "its blocks are too large") }
    budget -= decoded.count
    return decoded
  }

  /// The entries of a block, whose keys leave out what they share with the one before.
  private static func parse(_ block: [UInt8]) throws(Failure) -> [Entry] {
    let damaged = Failure(reason: "a block is damaged")
    var tail = ByteReader(block.suffix(4))
    guard block.count >= 4, let restarts = tail.fixed(4).flatMap({ Int(exactly: $0) }),
      restarts <= block.count / 4 - 1
    else { throw damaged }
    var reader = ByteReader(block[..<(block.count - 4 * (restarts + 1))])
    var entries: [Entry] = []
    var key: [UInt8] = []
    while !reader.isAtEnd {
      guard let shared = reader.varint(), let rest = reader.varint(), let size = reader.varint(),
        shared <= key.count, let suffix = reader.take(rest), let value = reader.take(size)
      else { throw damaged }
      key = Array(key.prefix(shared)) + suffix
      entries.append(Entry(key: key, value: Array(value)))
    }
    return entries
  }
}

extension ByteReader {
  /// The last eight bytes as a number.
  fileprivate static func magic(_ bytes: [UInt8]) -> UInt64? {
    var reader = ByteReader(bytes.suffix(8))
    return reader.fixed(8)
  }
}

/// The checksum of TensorFlow's and LevelDB's files: CRC-32 with Castagnoli's polynomial, eight bytes at a
/// time.
package enum CRC32C {
  private static let tables: [[UInt32]] = {
    let polynomial: UInt32 = 0x82F6_3B78
    var first: [UInt32] = []
    for byte in 0..<256 as Range<UInt32> {
      var value = byte
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ polynomial : value >> 1 }
      first.append(value)
    }
    var tables = [first]
    for _ in 1..<8 {
      tables.append(tables[tables.count - 1].map { $0 >> 8 ^ first[Int($0 & 0xFF)] })
    }
    return tables
  }()

  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let tables = Self.tables
    var crc = ~0 as UInt32
    var position = 0
    while bytes.count - position >= 8 {
      let word = UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let mixed = word ^ UInt64(crc)
      crc = 0
      for byte in 0..<8 {
        crc ^= tables[7 - byte][Int(truncatingIfNeeded: mixed >> UInt64(8 * byte) & 0xFF)]
      }
      position += 8
    }
    for byte in bytes[position...] {
      crc = crc >> 8 ^ tables[0][Int((crc ^ UInt32(byte)) & 0xFF)]
    }
    return ~crc
  }

  package static func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { checksum($0) }
  }

  /// The form in which files keep a checksum, so that checksums of checksums are no problem.
  package static func masked(_ crc: UInt32) -> UInt32 {
    (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }
}

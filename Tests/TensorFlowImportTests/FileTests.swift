import Foundation
import TensorFlowImport
import Testing

/// The formats below a saved model: checksums, compression, tables.
@Suite struct FileTests {
  @Test func checksumsAreCastagnolis() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([]) == 0)
  }

  @Test func snappyDecodesLiteralsAndCopies() {
    // "abcabcabcd": a literal of 3, a copy of 6 from 3 back (1-byte form), a literal of 1.
    let block: [UInt8] = [10, 2 << 2, 0x61, 0x62, 0x63, (6 - 4) << 2 | 1, 3, 0, 0x64]
    #expect(Snappy.decode(block[...], limit: 100) == Array("abcabcabcd".utf8))
    #expect(Snappy.decode(block[...], limit: 9) == nil)
  }

  @Test func snappyRefusesEveryDamage() {
    let block: [UInt8] = [10, 2 << 2, 0x61, 0x62, 0x63, (6 - 4) << 2 | 1, 3, 0, 0x64]
    for count in 0..<block.count {
      #expect(Snappy.decode(block[..<count], limit: 100) == nil)
    }
    for position in block.indices {
      for bit in 0..<8 {
        var damaged = block
        damaged[position] ^= 1 << UInt8(bit)
        _ = Snappy.decode(damaged[...], limit: 100)
      }
    }
  }

  @Test func tablesNeedTheirFooter() {
    #expect(throws: LevelDBTable.Failure.self) { try LevelDBTable.entries([]) }
    #expect(throws: LevelDBTable.Failure.self) {
      try LevelDBTable.entries([UInt8](repeating: 0, count: 100))
    }
  }
}

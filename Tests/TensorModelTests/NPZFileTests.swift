import Foundation
import TensorModel
import Testing

/// Archives as NumPy writes them.
@Suite struct NPZFileTests {
  /// `savez_compressed(x=arange(24).reshape(2, 3, 4) as float32, ids=[[7, 300], [2, 5]] as int64)`.
  private static let compressed = """
    UEsDBC0AAAAIAAAAIQAUyX0Z//////////8FABQAeC5ucHkBABAA4AAAAAAAAACHAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxc\
    pG6loG6TZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsY6CiaaOgq1CuQBLgYwaLAHEg5ABMQNQLwAiA8A\
    8QMgZnBkYBAAYgUgNgBiByAOAOIEIC4A4gYg7gDiCUA8A4gXAPEKIN4AxDscAVBLAwQtAAAACAAAACEA0LhTd///////////\
    BwAUAGlkcy5ucHkBABAAoAAAAAAAAABTAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TaaGuo6Cell9UUpSYF59flJIK\
    EndLzClOBYoXZyQWpAL5GkY6CkaaOgq1CmQDLnYGCNBhhNBMUD4rlAYAUEsBAi0DLQAAAAgAAAAhABTJfRmHAAAA4AAAAAUA\
    AAAAAAAAAAAAAIABAAAAAHgubnB5UEsBAi0DLQAAAAgAAAAhANC4U3dTAAAAoAAAAAcAAAAAAAAAAAAAAIABvgAAAGlkcy5u\
    cHlQSwUGAAAAAAIAAgBoAAAASgEAAAAA
    """
  /// `savez(x=arange(3) as uint8)`.
  private static let stored = """
    UEsDBC0AAAAAAAAAIQBI6mbs//////////8FABQAeC5ucHkBABAAgwAAAAAAAACDAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2Ny\
    JzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAg\
    ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECUEsBAi0DLQAAAAAAAAAhAEjqZuyDAAAAgwAAAAUA\
    AAAAAAAAAAAAAIABAAAAAHgubnB5UEsFBgAAAAABAAEAMwAAALoAAAAAAA==
    """

  private func read(_ bytes: Data) throws -> [(name: String, tensor: Tensor)] {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-archive-\(UUID().uuidString).npz")
    try bytes.write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try NPZFile.read(url.path)
  }

  @Test func compressedMembers() throws {
    let arrays = try read(try #require(Data(base64Encoded: Self.compressed)))
    #expect(arrays.map(\.name) == ["x", "ids"])
    #expect(arrays[0].tensor.shape == [2, 3, 4])
    #expect(try arrays[0].tensor.elements(as: Float.self) == (0..<24).map { Float($0) })
    #expect(try arrays[1].tensor.elements(as: Int64.self) == [7, 300, 2, 5])
  }

  @Test func storedMembers() throws {
    let arrays = try read(try #require(Data(base64Encoded: Self.stored)))
    #expect(try arrays[0].tensor.elements(as: UInt8.self) == [0, 1, 2])
  }

  /// A file that is cut or changed anywhere in its members is refused, and never read past its end.
  @Test func damagedFilesAreRefused() throws {
    let whole = try #require(Data(base64Encoded: Self.compressed))
    for count in stride(from: 0, to: whole.count, by: 7) {
      #expect(throws: NPYError.self) { try read(whole.prefix(count)) }
    }
    // The compressed elements, then every other byte in turn: refused, or of no consequence.
    for place in stride(from: 80, to: 180, by: 3) {
      var damaged = whole
      damaged[place] ^= 0x10
      #expect(throws: NPYError.self) { try read(damaged) }
    }
    for place in stride(from: 0, to: whole.count, by: 5) {
      var damaged = whole
      damaged[place] ^= 0xFF
      _ = try? read(damaged)
    }
  }
}

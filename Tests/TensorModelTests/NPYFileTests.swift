import Foundation
import TensorModel
import Testing

/// A folder that exists while a test runs.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "needletail-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    return "\(path)/\(name)"
  }
}

@Suite struct NPYFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A file as NumPy writes it.
  private func bytes(
    _ descriptor: String, _ shape: String, _ elements: [UInt8], fortran: Bool = false,
    version: UInt8 = 1
  ) -> [UInt8] {
    let order = fortran ? "True" : "False"
    let text = Array(
      "{'descr': \(descriptor), 'fortran_order': \(order), 'shape': \(shape), }\n".utf8)
    let length: [UInt8] =
      version == 1
      ? [UInt8(text.count), 0] : [UInt8(text.count), 0, 0, 0]
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + elements
  }

  private func read(_ bytes: [UInt8]) throws -> Tensor {
    try NPYFile.read(try folder.file("x.npy", bytes))
  }

  @Test(arguments: [
    DataType.bool, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64, .float16,
    .float32, .float64,
  ])
  func writtenFilesAreReadBack(type: DataType) throws {
    for shape in [[], [0], [1], [17], [3, 5, 7], [2, 0, 3]] {
      var tensor = try Tensor(uninitialized: type, shape: shape)
      tensor.withUnsafeMutableBytes { bytes in
        for index in bytes.indices {
          bytes[index] = type == .bool ? .random(in: 0...1) : .random(in: 0...255)
        }
      }
      let path = "\(folder.path)/\(type).npy"
      try NPYFile.write(tensor, to: path)
      #expect(try NPYFile.read(path).isIdentical(to: tensor))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1)
  }

  @Test func elementsBeginAtMultiplesOf64() throws {
    for rank in 0..<20 {
      let path = "\(folder.path)/x.npy"
      try NPYFile.write(
        try Tensor(zeros: .float32, shape: [Int](repeating: 1, count: rank)), to: path)
      let size = try Data(contentsOf: URL(fileURLWithPath: path)).count
      #expect(size % 64 == 4)
    }
  }

  @Test func bigEndianIsSwapped() throws {
    let x = try read(bytes("'>f4'", "(2,)", [0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0]))
    #expect(try x.elements(as: Float.self) == [1, -2])
    let y = try read(bytes("\">i2\"", "()", [0x01, 0x02], version: 2))
    #expect(try y.elements(as: Int16.self) == [258])
  }

  @Test func fortranOrderIsTransposed() throws {
    let x = try read(bytes("'<i2'", "(2, 3)", [1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6, 0], fortran: true))
    #expect(x.shape == [2, 3])
    #expect(try x.elements(as: Int16.self) == [1, 2, 3, 4, 5, 6])
    let cube = try read(
      bytes("'|u1'", "(2, 3, 2)", [UInt8](0..<12), fortran: true, version: 3))
    #expect(try cube.elements(as: UInt8.self) == [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11])
  }

  @Test func booleansAreZeroOrOne() throws {
    let x = try read(bytes("'|b1'", "(3L,)", [0, 2, 255]))
    #expect(try x.elements(as: Bool.self) == [false, true, true])
  }

  @Test(arguments: [
    ("'<c8'", "(1,)"), ("'<U3'", "(1,)"), ("'|O'", "(1,)"), ("[('a', '<f4')]", "(1,)"),
    ("'|f4'", "(1,)"), ("'f4'", "(1,)"), ("'<f16'", "(1,)"),
  ])
  func otherTypesAreRefused(descriptor: String, shape: String) {
    #expect(throws: NPYError.self) { try read(bytes(descriptor, shape, [0, 0, 0, 0])) }
  }

  @Test(arguments: [
    "(1)", "(-1,)", "(1,,)", "(,)", "(99999999999999999999,)", "(4611686018427387904, 4)", "(2,)",
    "1", "[1]", "(1,",
  ])
  func wrongShapesAreRefused(shape: String) {
    #expect(throws: NPYError.self) { try read(bytes("'<f4'", shape, [0, 0, 0, 0])) }
  }

  @Test func typesThatNumPyLacksAreNotWritten() throws {
    let tensor = try Tensor(zeros: .bfloat16, shape: [1])
    #expect(throws: NPYError.unsupportedType(path: "\(folder.path)/x", type: "bfloat16")) {
      try NPYFile.write(tensor, to: "\(folder.path)/x")
    }
    #expect(throws: NPYError.self) {
      try NPYFile.write(try Tensor(zeros: .int8, shape: [1]), to: "\(folder.path)/no/x")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  /// Every cut and every flipped bit is refused or read; none traps.
  @Test func damagedFilesAreRefused() throws {
    let whole = bytes("'<i4'", "(2, 3)", [UInt8](repeating: 7, count: 24))
    #expect(throws: NPYError.self) { try read(whole + [0]) }
    for count in 0..<whole.count {
      #expect(throws: NPYError.self) { try read(Array(whole[..<count])) }
    }
    for index in 0..<(whole.count - 24) {
      for bit in 0..<8 {
        var damaged = whole
        damaged[index] ^= 1 << UInt8(bit)
        _ = try? read(damaged)
      }
    }
  }

  @Test func foldersAndMissingFilesAreRefused() {
    #expect(throws: NPYError.self) { try NPYFile.read(folder.path) }
    #expect(throws: NPYError.self) { try NPYFile.read("\(folder.path)/none") }
  }
}

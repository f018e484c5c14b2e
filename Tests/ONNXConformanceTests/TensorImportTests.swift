import Foundation
import GraphModel
import ONNXFormat
import ONNXImport
import TensorModel
import Testing

/// The encodings of tensors, through the initializer of a model.
@Suite struct TensorImportTests {
  private func tensor(_ proto: Onnx_TensorProto, directory: String? = nil) throws -> Tensor {
    var model = Proto.small
    model.graph.initializer = [proto]
    let graph = try ONNXImporter.load(bytes: try Proto.bytes(model), directory: directory)
    return try #require(graph.values.first { $0.name == proto.name }?.constant)
  }

  private func message(_ proto: Onnx_TensorProto, directory: String? = nil) -> String {
    do {
      _ = try tensor(proto, directory: directory)
      return "no error"
    } catch { return "\(error)" }
  }

  @Test func typedFields() throws {
    func integers(
      _ type: Onnx_TensorProto.DataType, _ fill: (inout Onnx_TensorProto) -> Void
    ) throws -> [Int64]? { try tensor(Proto.tensor("t", type, [3], fill)).integers() }

    for type in [Onnx_TensorProto.DataType.int8, .int16, .int32] {
      #expect(try integers(type) { $0.int32Data = [1, -2, 3] } == [1, -2, 3])
    }
    for type in [Onnx_TensorProto.DataType.uint8, .uint16] {
      #expect(try integers(type) { $0.int32Data = [1, 200, 3] } == [1, 200, 3])
    }
    #expect(try integers(.int64) { $0.int64Data = [1, .min, 3] } == [1, .min, 3])
    #expect(try integers(.uint32) { $0.uint64Data = [1, 4_294_967_295, 3] }?[1] == 4_294_967_295)
    #expect(try integers(.uint64) { $0.uint64Data = [1, .max, 3] }?[1] == -1)
    #expect(try integers(.bool) { $0.int32Data = [0, 1, 7] } == [0, 1, 1])
    #expect(try integers(.int4) { $0.int32Data = [0x8F, 0x07] } == [-1, -8, 7])
    #expect(try integers(.uint4) { $0.int32Data = [0x8F, 0x07] } == [15, 8, 7])
    #expect(try integers(.int2) { $0.int32Data = [0b10_0110] } == [-2, 1, -2])
    #expect(try integers(.uint2) { $0.int32Data = [0b10_0111] } == [3, 1, 2])
  }

  @Test func floatingPointFields() throws {
    func numbers(
      _ type: Onnx_TensorProto.DataType, _ fill: (inout Onnx_TensorProto) -> Void
    ) throws -> [Double]? { try tensor(Proto.tensor("t", type, [2], fill)).numbers() }

    #expect(try numbers(.float) { $0.floatData = [1.5, -2] } == [1.5, -2])
    #expect(try numbers(.double) { $0.doubleData = [1.5, -2] } == [1.5, -2])
    #expect(try numbers(.float16) { $0.int32Data = [0x3E00, 0xC000] } == [1.5, -2])
    #expect(try numbers(.bfloat16) { $0.int32Data = [0x3FC0, 0xC000] } == [1.5, -2])
    #expect(try numbers(.float8E4M3Fn) { $0.int32Data = [0x3C, 0xC0] } == [1.5, -2])
    #expect(try numbers(.float8E5M2) { $0.int32Data = [0x3E, 0xC0] } == [1.5, -2])
    #expect(try numbers(.float4E2M1) { $0.int32Data = [0xC3] } == [1.5, -2])
    let complex = try tensor(
      Proto.tensor("t", .complex64, [1]) { $0.floatData = [1, -2] })
    #expect(complex.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) } == [1, -2])
  }

  @Test(arguments: [1, 3, 1023, 1024, 4097])
  func rawBytes(count: Int) throws {
    let values = (0..<count).map { Float($0) * 0.5 }
    let data = values.withUnsafeBytes { Data($0) }
    let result = try tensor(
      Proto.tensor("t", .float, [Int64(count)]) { $0.rawData = data })
    #expect(try result.elements(as: Float.self) == values)
    let packed = try tensor(
      Proto.tensor("t", .uint4, [Int64(count)]) {
        $0.rawData = Data(repeating: 0x21, count: (count + 1) / 2)
      })
    #expect(packed.integers() == (0..<count).map { $0 % 2 == 0 ? 1 : 2 })
  }

  @Test func strings() throws {
    let result = try tensor(
      Proto.tensor("t", .string, [2]) { $0.stringData = [Data("a".utf8), Data("ä".utf8)] })
    #expect(result.strings == ["a", "ä"])
    let broken = Proto.tensor("t", .string, [1]) { $0.stringData = [Data([0xFF])] }
    #expect(message(broken).contains("UTF-8"))
  }

  @Test func sparseTensorsBecomeDense() throws {
    var model = Proto.small
    var sparse = Onnx_SparseTensorProto()
    sparse.values = Proto.floats("s", [5, 6])
    sparse.indices = Proto.tensor("", .int64, [2, 2]) { $0.int64Data = [0, 1, 1, 2] }
    sparse.dims = [2, 3]
    model.graph.sparseInitializer = [sparse]
    let graph = try ONNXImporter.load(bytes: try Proto.bytes(model))
    let dense = graph.values.first { $0.name == "s" }?.constant
    #expect(try dense?.elements(as: Float.self) == [0, 5, 0, 0, 0, 6])
    model.graph.sparseInitializer[0].indices.int64Data = [0, 1, 1, 3]
    #expect(throws: ImportError.self) {
      try ONNXImporter.load(bytes: try Proto.bytes(model))
    }
  }

  @Test func wrongCountsAreRefused() {
    #expect(
      message(Proto.tensor("t", .float, [3]) { $0.floatData = [1] })
        .contains("needs 3 numbers, found 1"))
    #expect(
      message(Proto.tensor("t", .float, [3]) { $0.rawData = Data(count: 11) })
        .contains("needs 12 bytes, found 11"))
    #expect(message(Proto.tensor("t", .float, [1 << 40, 1 << 40])).contains("shape"))
    #expect(message(Proto.tensor("t", .float, [-1])).contains("shape"))
    #expect(message(Proto.tensor("t", .float, [1 << 33])).contains("limit"))
    #expect(message(Proto.tensor("t", .undefined, [1])).contains("not known"))
  }

  // MARK: Files

  private func external(_ entries: [String: String], count: Int64 = 2) -> Onnx_TensorProto {
    Proto.tensor("t", .float, [count]) { tensor in
      tensor.dataLocation = .external
      tensor.externalData = entries.sorted { $0.key < $1.key }.map { key, value in
        var entry = Onnx_StringStringEntryProto()
        entry.key = key
        entry.value = value
        return entry
      }
    }
  }

  @Test func elementsInFiles() throws {
    let folder = try TemporaryFolder()
    let values: [Float] = [1, 2, 3, 4]
    try folder.file("w.bin", values.withUnsafeBytes { Array($0) })
    try folder.file("odd.bin", [0] + values.withUnsafeBytes { Array($0) })
    let middle = external(["location": "w.bin", "offset": "4", "length": "8"])
    #expect(try tensor(middle, directory: folder.path).elements(as: Float.self) == [2, 3])
    let odd = external(["location": "./odd.bin", "offset": "1"], count: 4)
    #expect(try tensor(odd, directory: folder.path).elements(as: Float.self) == values)
    // The bytes outlive the importer.
    var kept = try tensor(middle, directory: folder.path)
    kept.withUnsafeMutableBytes { $0[0] = 0 }
    #expect(try tensor(middle, directory: folder.path).elements(as: Float.self) == [2, 3])
  }

  @Test func filesThatCannotBeUsed() throws {
    let folder = try TemporaryFolder()
    try folder.file("w.bin", [UInt8](repeating: 0, count: 16))
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/inner", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/inner/link", withDestinationPath: "\(folder.path)/w.bin")
    func text(_ entries: [String: String], in directory: String? = nil) -> String {
      message(external(entries), directory: directory ?? folder.path)
    }
    #expect(text(["location": "none.bin"]).contains("tensor 't': its file 'none.bin'"))
    #expect(text(["location": "\(folder.path)/w.bin"]).contains("inside the model's folder"))
    #expect(text(["location": "inner/../w.bin"]).contains("inside the model's folder"))
    #expect(text([:]).contains("inside the model's folder"))
    #expect(text(["location": "inner"]).contains("folder"))
    #expect(
      text(["location": "link"], in: "\(folder.path)/inner").contains("leaves the model's folder"))
    #expect(text(["location": "w.bin", "offset": "12"]).contains("16 bytes"))
    #expect(text(["location": "w.bin", "offset": "9223372036854775807"]).contains("16 bytes"))
    #expect(text(["location": "w.bin", "offset": "-4"]).contains("offset"))
    #expect(text(["location": "w.bin", "length": "4"]).contains("length"))
    #expect(message(external(["location": "w.bin"])).contains("no folder"))
  }
}

import EngineFormat
import Foundation
import GraphModel
import KernelModel
import Needletail
import TensorModel
import Testing

@Suite struct EngineFileTests {
  /// A graph of one kernel with a small constant: an engine of a few kilobytes.
  private static func smallEngine() throws -> EngineContents {
    var graph = Graph(name: "small")
    let x = graph.addInput(name: "x", type: TensorType(.float32, [1, 2]))
    let w = graph.addConstant(name: "w", try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
    let y = graph.addValue(Value(name: "y", type: TensorType(.float32, [1, 2])))
    graph.addNode(
      Node(
        name: "product", operation: .kernel(.matmul(MatrixProduct())), inputs: [x, w], outputs: [y],
        origins: ["product (MatMul)"]))
    graph.outputs = [("y", y)]
    return EngineContents(
      name: "small", graph: graph, metadata: ["precision": "fp32"], sections: [])
  }

  private static func refusal(_ bytes: Data, in folder: URL) throws -> EngineFileError? {
    let file = folder.appendingPathComponent("damaged.engine")
    try bytes.write(to: file)
    do throws(EngineFileError) {
      _ = try EngineFile.read(contentsOf: file.path)
      return nil
    } catch { return error }
  }

  @Test func theSameContentsGiveTheSameBytes() throws {
    #expect(try EngineFile.encode(Self.smallEngine()) == EngineFile.encode(Self.smallEngine()))
  }

  @Test func everyFlippedByteIsRefused() throws {
    let bytes = try EngineFile.encode(Self.smallEngine())
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(try Self.refusal(bytes, in: folder) == nil)
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 1 << UInt8(index % 8)
      #expect(try Self.refusal(damaged, in: folder) != nil, "byte \(index)")
    }
  }

  @Test func everyTruncationIsRefused() throws {
    let bytes = try EngineFile.encode(Self.smallEngine())
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    for count in 0..<bytes.count {
      #expect(try Self.refusal(bytes.prefix(count), in: folder) != nil, "\(count) bytes")
    }
    #expect(try Self.refusal(bytes + [0], in: folder) != nil)
  }

  @Test func twoBuildsWithOneTimingCacheGiveOneFile() throws {
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var builder = Fixtures.builder
    builder.tuning = 1
    builder.timingCache = folder.appendingPathComponent("times.json")
    var files: [Data] = []
    for index in 0..<3 {
      let engine = try builder.buildNow(try Model(zoo: "tiny_cnn", seed: 1))
      let file = folder.appendingPathComponent("\(index).engine")
      try engine.write(to: file)
      files.append(try Data(contentsOf: file))
    }
    // The first build measures; those after it find all they need.
    #expect(files[1] == files[2])
    #expect(files[0] == files[1])
  }
}

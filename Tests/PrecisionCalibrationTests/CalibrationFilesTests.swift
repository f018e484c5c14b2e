import Foundation
import GraphModel
import KernelModel
import Needletail
import TensorModel
import Testing

private typealias Fixtures = CalibrationFixtures

/// Folders of images and archives as calibration data.
@Suite struct CalibrationFilesTests {
  /// 8 x 6 pixels whose bytes count up from 0.
  private static let png = """
    iVBORw0KGgoAAAANSUhEUgAAAAgAAAAGCAIAAABxZ0isAAAAFUlEQVR4nGNkYGRixgZYJCQkBkwCANvxAvtqwcqbAAAAAElF\
    TkSuQmCC
    """
  /// `savez(x=arange(3) as uint8)`.
  private static let archive = """
    UEsDBC0AAAAAAAAAIQBI6mbs//////////8FABQAeC5ucHkBABAAgwAAAAAAAACDAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2Ny\
    JzogJ3x1MScsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgzLCksIH0gICAgICAgICAgICAgICAgICAgICAg\
    ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKAAECUEsBAi0DLQAAAAAAAAAhAEjqZuyDAAAAgwAAAAUA\
    AAAAAAAAAAAAAIABAAAAAHgubnB5UEsFBgAAAAABAAEAMwAAALoAAAAAAA==
    """

  private func model(_ shape: Shape, _ type: DataType = .float32) -> Model {
    var graph = Graph(name: "test")
    let x = graph.addInput(name: "x", type: TensorType(type, shape))
    graph.outputs = [("y", x)]
    return Model(name: "test", graph: graph)
  }

  private func failure(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was refused"
    } catch { return "\(error)" }
  }

  private func withImages<R>(_ count: Int, _ body: (URL) throws -> R) throws -> R {
    try Fixtures.withFolder { folder in
      for index in 0..<count {
        try #require(Data(base64Encoded: Self.png))
          .write(to: folder.appendingPathComponent("\(index).png"))
      }
      return try body(folder)
    }
  }

  @Test func imagesAsTheyAre() throws {
    try withImages(3) { folder in
      let data = try CalibrationData(
        contentsOf: folder, for: model([.symbol("N"), 6, 8, 3], .uint8), batch: 2)
      #expect(data.sampleCount == 3 && data.batchCount == 2)
      let batch = try #require(try data.tensors(ofBatch: 0)["x"])
      #expect(batch.shape == [2, 6, 8, 3])
      let bytes = (0..<144).map { UInt8($0) }
      #expect(try batch.elements(as: UInt8.self) == bytes + bytes)
    }
  }

  @Test func imagesAreCutToTheMiddleAndNormalized() throws {
    try withImages(1) { folder in
      let options = ImageOptions(size: 6, mean: [0.5, 0.25, 0], deviation: [0.5, 1, 2])
      let data = try CalibrationData(
        contentsOf: folder, for: model([.symbol("N"), 3, 4, 4]), images: options)
      let numbers = try #require(try data.tensors(ofBatch: 0)["x"]?.numbers())
      for channel in 0..<3 {
        for row in 0..<4 {
          for column in 0..<4 {
            let byte = Double(((row + 1) * 8 + column + 2) * 3 + channel)
            let expected = (byte / 255 - options.mean[channel]) / options.deviation[channel]
            #expect(abs(numbers[(channel * 4 + row) * 4 + column] - expected) < 1e-6)
          }
        }
      }
    }
  }

  /// The average of a picture that counts up is kept when it shrinks.
  @Test func imagesShrinkByAveraging() throws {
    try withImages(1) { folder in
      let data = try CalibrationData(
        contentsOf: folder, for: model([.symbol("N"), 3, 3, 3]), images: ImageOptions(size: 3))
      let numbers = try #require(try data.tensors(ofBatch: 0)["x"]?.numbers())
      let middle = Double((2 * 8 + 3) * 3 + (3 * 8 + 4) * 3) / 2 / 255
      #expect(abs(numbers[4] - middle) < 0.02)
      #expect(numbers[3] < numbers[4] && numbers[4] < numbers[5] && numbers[1] < numbers[4])
    }
  }

  @Test func imagesThatDoNotFitAreRefused() throws {
    try withImages(1) { folder in
      func refusal(_ shape: Shape, _ options: ImageOptions = ImageOptions()) -> String {
        failure {
          let data = try CalibrationData(
            contentsOf: folder, for: model(shape), images: options)
          _ = try data.tensors(ofBatch: 0)
        }
      }
      #expect(refusal([.symbol("N"), 4]).contains("images are for"))
      #expect(refusal([.symbol("N"), 7, 8, 9]).contains("channels"))
      #expect(refusal([.symbol("N"), 3, 9, 9], ImageOptions(size: 4)).contains("--image-size"))
      #expect(refusal([.symbol("N"), 3, 4, 4], ImageOptions(mean: [1, 2])).contains("mean"))
      #expect(
        refusal([.symbol("N"), 3, .symbol("H"), .symbol("W")]).contains("give an image size"))
      let file = folder.appendingPathComponent("1.png")
      try Data("no image".utf8).write(to: file)
      #expect(refusal([.symbol("N"), 3, 4, 4]).contains("neither PNG nor JPEG"))
      try #require(Data(base64Encoded: Self.png)).prefix(60).write(to: file)
      let cut = refusal([.symbol("N"), 3, 4, 4])
      #expect(cut.contains("1.png") && cut.contains("cannot be decoded"), "\(cut)")
      try Data().write(to: folder.appendingPathComponent("notes.txt"))
      #expect(refusal([.symbol("N"), 3, 4, 4]).contains("'notes.txt'"))
    }
  }

  @Test func archivesFollowEachOther() throws {
    try Fixtures.withFolder { folder in
      let bytes = try #require(Data(base64Encoded: Self.archive))
      for name in ["a.npz", "b.npz"] {
        try bytes.write(to: folder.appendingPathComponent(name))
      }
      let data = try CalibrationData(contentsOf: folder, for: model([.symbol("N")]), batch: 8)
      let numbers = try data.tensors(ofBatch: 0)["x"]?.numbers()
      #expect(numbers == [0, 1, 2, 0, 1, 2])
      let wrong = failure {
        _ = try CalibrationData(
          contentsOf: folder.appendingPathComponent("a.npz"), for: model([.symbol("N"), 2]))
      }
      #expect(wrong.contains("expects"), "\(wrong)")
    }
  }
}

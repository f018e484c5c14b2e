import EngineFormat
import Foundation
import GraphModel
import KernelModel
import Needletail
import PrecisionCalibration
import TensorModel
import Testing

/// Tables of whole networks, what is done with them, and what is refused.
@Suite struct CalibrationTests {
  private typealias Fixtures = CalibrationFixtures

  // MARK: Tables

  @Test func aTableHoldsEveryTensor() throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let batch = try Fixtures.samples(8)
    let table = try Fixtures.calibration(model, [batch]).table
    #expect(Set(table.tensors.keys) == ["x", "large", "bent", "result"])
    #expect(table.samples == 8)
    let numbers = try #require(batch.numbers())
    #expect(table.tensors["x"]?.absoluteMaximum == numbers.map(abs).max())
    let sums = (0..<8).map { row in 2 * abs(numbers[(row * 4)..<(row * 4 + 4)].reduce(0, +)) }
    let large = try #require(table.tensors["large"])
    #expect(abs(large.absoluteMaximum - (sums.max() ?? 0)) < 1e-5)
    #expect(large.count == 32)
  }

  @Test func theSameDataGivesTheSameBytes() throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let batches = try (0..<4).map { try Fixtures.samples(4, seed: $0, factor: Float($0 + 1)) }
    let first = try Fixtures.calibration(model, batches)
    #expect(try Fixtures.calibration(model, batches).json() == first.json())
    #expect(try Fixtures.calibration(model, batches.reversed()).json() == first.json())
    try Fixtures.withFolder { folder in
      let file = folder.appendingPathComponent("scales.json")
      try first.write(to: file)
      #expect(try Calibration(contentsOf: file).table == first.table)
    }
  }

  @Test func mergedTablesEqualOnePass() throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let batches = try (0..<4).map { try Fixtures.samples(4, seed: $0, factor: Float($0 + 1)) }
    let parts = [
      try Fixtures.calibration(model, Array(batches[..<1])),
      try Fixtures.calibration(model, Array(batches[1...])),
    ]
    let whole = try Fixtures.calibration(model, batches)
    #expect(try Calibration.merge(parts).json() == whole.json())
    #expect(try Calibration.merge(parts.reversed()).json() == whole.json())
  }

  @Test func anotherModelsTableIsRefused() throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let other = try Fixtures.twoProducts(factor: 3)
    let batch = try Fixtures.samples(4)
    var builder = Fixtures.builder
    builder.calibration = try Fixtures.calibration(other, [batch])
    let hashes = [try model.sha256(), try other.sha256()]
    #expect(hashes[0] != hashes[1])
    let refusals = [
      failure { _ = try builder.buildNow(model) },
      failure {
        _ = try Calibration.merge([
          try Fixtures.calibration(model, [batch]), try Fixtures.calibration(other, [batch]),
        ])
      },
    ]
    for refusal in refusals {
      #expect(hashes.allSatisfy { refusal.contains($0) }, "\(refusal)")
    }
  }

  @Test func damagedTablesAreRefused() throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let text = String(
      decoding: try Fixtures.calibration(model, [try Fixtures.samples(4)]).json(), as: UTF8.self)
    let damaged = [
      "", "{}", text.replacing("\"format\" : 1", with: "\"format\" : 9"),
      text.replacing("\"method\" : \"auto\"", with: "\"method\" : \"none\""),
      text.replacing("\"count\" : 16", with: "\"count\" : -1"),
      text.replacing("\"zeros\" : 0", with: "\"zeros\" : 9223372036854775807"),
      text.replacing("\"exponent\" : -", with: "\"exponent\" : -99"),
      text.replacing("\"limbs\" : \"", with: "\"limbs\" : \"0x999999999999 "),
      text.replacing("\"counts\" : \"", with: "\"counts\" : \"99999999999999999999 "),
    ]
    try Fixtures.withFolder { folder in
      let file = folder.appendingPathComponent("scales.json")
      for text in damaged {
        try Data(text.utf8).write(to: file)
        #expect(throws: NeedletailError.self) { try Calibration(contentsOf: file) }
      }
    }
  }

  @Test func theLibraryTakesAnySequenceOfBatches() async throws {
    let model = try Fixtures.twoProducts(factor: 2)
    let batches = try (0..<3).map { ["x": try Fixtures.samples(4, seed: $0)] }
    let stream = AsyncStream<[String: Tensor]> { continuation in
      for batch in batches { continuation.yield(batch) }
      continuation.finish()
    }
    let found = try await Calibration.measure(model, over: stream)
    #expect(found.table == (try Fixtures.calibration(model, batches.compactMap { $0["x"] })).table)
  }

  // MARK: Ranges of FP16

  @Test(arguments: [(Float(1), 0), (30000, 2)]) func whatWouldOverflowStaysInFP32(
    factor: Float, overflows: Int
  ) throws {
    let model = try Fixtures.twoProducts(factor: factor)
    let batch = try Tensor([Float](repeating: 1, count: 16), shape: [4, 4])
    var builder = Fixtures.builder
    builder.precision = .fp16
    builder.calibration = try Fixtures.calibration(model, [batch])
    let engine = try builder.buildNow(model)
    let assignment = try #require(engine.report?.precision)
    #expect((assignment.measuredOverflows.count > 0) == (overflows > 0), "\(assignment)")
    let large = try #require(assignment.entries.first { $0.node == "large" })
    // It multiplies the network's input.
    #expect(large.precision == (overflows > 0 ? .fp32 : .tf32))
    let summary = engine.contents.metadata["range analysis"]
    #expect((summary?.contains("120000.0") ?? false) == (overflows > 0))
    let result = try #require(try engine.runNow(["x": batch])["large"]?.numbers())
    #expect(result.allSatisfy { abs($0 / Double(4 * factor) - 1) < 1e-3 })
  }

  // MARK: Bounds on the error

  @Test func theErrorOnHeldOutSamplesIsBounded() throws {
    let model = try Fixtures.twoProducts(factor: 0.3)
    try Fixtures.withFolder { folder in
      let file = folder.appendingPathComponent("x.npy")
      try NPYFile.write(try Fixtures.samples(16), to: file.path)
      let data = try CalibrationData(contentsOf: file, for: model, batch: 4)
      let (ranges, heldOut) = try data.dividingLastQuarter()
      #expect(ranges.sampleCount == 12 && heldOut.sampleCount == 4)
      var builder = Fixtures.builder
      builder.precision = .bf16
      let engine = try builder.buildNow(model)
      let error = try HeldOutError(of: engine, model, builder: builder, data: heldOut)
      #expect(error.samples == 4)
      #expect(error.largest > 0 && error.largest < 2e-2)
      try error.require(atMost: 2e-2)
      let message = failure { try error.require(atMost: error.largest / 2) }
      #expect(message.contains("above the bound") && message.contains("'large'"), "\(message)")
    }
  }

  // MARK: Data that is refused

  private func failure(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was refused"
    } catch { return "\(error)" }
  }

  private func refusal(
    _ tensor: Tensor, named name: String = "x.npy", asFolder: Bool = false
  ) throws -> String {
    let model = try Fixtures.twoProducts(factor: 1)
    return try Fixtures.withFolder { folder in
      let file = folder.appendingPathComponent(name)
      try NPYFile.write(tensor, to: file.path)
      return failure {
        _ = try CalibrationData(contentsOf: asFolder ? folder : file, for: model)
      }
    }
  }

  @Test func dataThatDoesNotFitIsRefused() throws {
    #expect(try refusal(try Tensor(zeros: .float32, shape: [0, 4])).contains("is empty"))
    let wide = try refusal(try Tensor(zeros: .float32, shape: [3, 5]))
    #expect(wide.contains("3x5") || wide.contains("[3, 5]"), "\(wide)")
    #expect(try refusal(try Tensor(zeros: .float32, shape: [4])).contains("expects"))
    var numbers = [Float](repeating: 1, count: 12)
    numbers[9] = .nan
    #expect(try refusal(try Tensor(numbers, shape: [3, 4])).contains("sample 2 holds nan"))
    numbers[5] = .infinity
    #expect(try refusal(try Tensor(numbers, shape: [3, 4])).contains("sample 1 holds inf"))
    let unknown = try refusal(
      try Tensor(zeros: .float32, shape: [2, 4]), named: "z.npy", asFolder: true)
    #expect(unknown.contains("'z.npy'") && unknown.contains("'x'"))
    let one = try Tensor(zeros: .float32, shape: [1, 4])
    try Fixtures.withFolder { folder in
      let file = folder.appendingPathComponent("x.npy")
      try NPYFile.write(one, to: file.path)
      let data = try CalibrationData(contentsOf: file, for: try Fixtures.twoProducts(factor: 1))
      #expect(failure { _ = try data.dividingLastQuarter() }.contains("at least 2 samples"))
    }
  }

  @Test func integersBecomeNumbersOfTheSameValue() async throws {
    let model = try Fixtures.twoProducts(factor: 1)
    let bytes = (0..<20).map { UInt8($0 * 12) }
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-calibration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try NPYFile.write(
      try Tensor(bytes, shape: [5, 4]), to: folder.appendingPathComponent("x.npy").path)
    let data = try CalibrationData(contentsOf: folder, for: model, batch: 2)
    var found: [Float] = []
    var sizes: [Int] = []
    for try await batch in data {
      let tensor = try #require(batch["x"])
      sizes.append(tensor.shape[0])
      found += try tensor.elements(as: Float.self)
    }
    #expect(sizes == [2, 2, 1])
    #expect(found == bytes.map { Float($0) })
  }
}

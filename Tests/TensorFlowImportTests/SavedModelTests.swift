import Foundation
import Needletail
import TensorFlowImport
import TensorModel
import Testing

/// The stored saved models, which TensorFlow wrote together with what it computes.
@Suite struct SavedModelTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("shared/models/saved_models")

  private static func isMissing(_ name: String) -> Bool {
    let path = folder.appendingPathComponent(name).path
    if FileManager.default.fileExists(atPath: path) { return false }
    print("skipped: \(name) is not in ../shared/models/saved_models")
    return true
  }

  private static func url(_ name: String) -> URL {
    folder.appendingPathComponent("\(name)/saved_model")
  }

  private static func array(_ path: String) throws -> Tensor {
    try NPYFile.read(folder.appendingPathComponent(path).path)
  }

  private static func relativeError(_ a: Tensor, _ b: Tensor) throws -> Double {
    let (x, y) = (try a.elements(as: Float.self), try b.elements(as: Float.self))
    try #require(x.count == y.count)
    let difference = zip(x, y).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return (difference / max(y.reduce(0.0) { $0 + pow(Double($1), 2) }, 1e-30)).squareRoot()
  }

  /// Runs a model, also through an engine that was written and read.
  private static func check(
    _ name: String, signature: String? = nil, inputs: [String: Tensor],
    outputs: [String: String], tolerance: Double
  ) async throws {
    let model = try Model(contentsOf: url(name), signature: signature)
    var builder = Builder()
    builder.tuning = 0
    let engine = try await builder.build(model)
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-\(UUID().uuidString).engine")
    defer { try? FileManager.default.removeItem(at: file) }
    try engine.write(to: file)
    for engine in [engine, try Engine(contentsOf: file)] {
      let results = try await engine.run(inputs)
      for (output, path) in outputs {
        let error = try relativeError(try #require(results[output]), try array(path))
        #expect(error < tolerance, "\(name) \(output): \(error)")
      }
    }
  }

  @Test func mobileNetComputesWhatTensorFlowDoes() async throws {
    guard !Self.isMissing("mobilenet_v2_035") else { return }
    try await Self.check(
      "mobilenet_v2_035",
      inputs: ["keras_tensor": try Self.array("mobilenet_v2_035/input_keras_tensor.npy")],
      outputs: ["output_0": "mobilenet_v2_035/output_output_0.npy"], tolerance: 1e-5)
  }

  @Test func bothSignaturesOfAModuleCompute() async throws {
    let name = "module_two_signatures"
    guard !Self.isMissing(name) else { return }
    let x = try Self.array("\(name)/step_input_x.npy")
    try await Self.check(
      name, signature: "step", inputs: ["x": x],
      outputs: ["y": "\(name)/step_output_y.npy", "mean": "\(name)/step_output_mean.npy"],
      tolerance: 1e-5)
    for flag in [true, false] {
      try await Self.check(
        name, signature: "choose", inputs: ["x": x, "flag": try Tensor([flag], shape: [])],
        outputs: ["z": "\(name)/choose_output_z_\(flag).npy"], tolerance: 1e-5)
    }
  }

  @Test func recurrentLayersCompute() async throws {
    guard !Self.isMissing("keras_lstm") else { return }
    try await Self.check(
      "keras_lstm", inputs: ["tokens": try Self.array("keras_lstm/input_tokens.npy")],
      outputs: ["output_0": "keras_lstm/output_output_0.npy"], tolerance: 1e-4)
  }

  @Test func anUnknownSignatureIsAnsweredWithTheKnownOnes() throws {
    guard !Self.isMissing("module_two_signatures") else { return }
    let path = Self.url("module_two_signatures").path
    for name in [nil, "nothing"] {
      #expect(
        throws: TensorFlowImportError.unknownSignature(
          name: name ?? "serving_default", known: ["choose", "step"])
      ) { try TensorFlowImporter.read(contentsOf: path, signature: name) }
    }
  }

  @Test func kerasFilesAreAnsweredWithWhatToDo() {
    #expect(throws: TensorFlowImportError.kerasFile(path: "a.keras")) {
      try TensorFlowImporter.read(contentsOf: "a.keras")
    }
  }
}

// MARK: - Damage

extension SavedModelTests {
  /// A copy of the small model that may be damaged.
  private static func withCopy(_ body: (URL) throws -> Void) throws {
    let copy = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: url("module_two_signatures"), to: copy)
    defer { try? FileManager.default.removeItem(at: copy) }
    try body(copy)
  }

  private static func refuses(_ model: URL) -> Bool {
    do {
      _ = try TensorFlowImporter.read(contentsOf: model.path, signature: "step")
      return false
    } catch { return !error.description.isEmpty }
  }

  @Test func everyFlippedByteOfTheIndexIsFound() throws {
    guard !Self.isMissing("module_two_signatures") else { return }
    try Self.withCopy { copy in
      let file = copy.appendingPathComponent("variables/variables.index")
      let original = try Data(contentsOf: file)
      for position in original.indices {
        var damaged = original
        damaged[position] ^= 0x5A
        try damaged.write(to: file)
        #expect(Self.refuses(copy), "byte \(position) of the index")
      }
    }
  }

  @Test func flippedBytesOfTheElementsAreFound() throws {
    guard !Self.isMissing("module_two_signatures") else { return }
    try Self.withCopy { copy in
      let file = copy.appendingPathComponent("variables/variables.data-00000-of-00001")
      let original = try Data(contentsOf: file)
      for position in stride(from: 0, to: original.count, by: 7) {
        var damaged = original
        damaged[position] ^= 0x5A
        try damaged.write(to: file)
        #expect(Self.refuses(copy), "byte \(position) of the elements")
      }
      try FileManager.default.removeItem(at: file)
      #expect(Self.refuses(copy))
    }
  }

  @Test func shortenedFilesAreRefused() throws {
    guard !Self.isMissing("module_two_signatures") else { return }
    try Self.withCopy { copy in
      for name in ["variables/variables.index", "variables/variables.data-00000-of-00001"] {
        let file = copy.appendingPathComponent(name)
        let original = try Data(contentsOf: file)
        for count in stride(from: 0, to: original.count, by: 13) {
          try original.prefix(count).write(to: file)
          #expect(Self.refuses(copy), "\(count) bytes of \(name)")
        }
        try original.write(to: file)
      }
      #expect(!Self.refuses(copy))
    }
  }

  @Test func anUnknownOperatorIsNamed() throws {
    // A frozen graph: a placeholder "x" of four numbers, and a node that nobody knows.
    let shape = Self.field(7, Self.field(2, [8, 4]))
    let placeholder =
      Self.field(1, Array("x".utf8)) + Self.field(2, Array("Placeholder".utf8))
      + Self.attribute("dtype", [6 << 3, 1]) + Self.attribute("shape", shape)
    let strange =
      Self.field(1, Array("strange".utf8)) + Self.field(2, Array("NoSuchOperator".utf8))
      + Self.field(3, Array("x".utf8))
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-\(UUID().uuidString).pb")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(Self.field(1, placeholder) + Self.field(1, strange)).write(to: file)
    do {
      _ = try TensorFlowImporter.read(contentsOf: file.path)
      Issue.record("the graph was imported")
    } catch {
      #expect(error.description.contains("NoSuchOperator (node 'strange')"), "\(error)")
    }
  }

  /// A field of a protocol buffer that is shorter than 128 bytes.
  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  private static func attribute(_ name: String, _ value: [UInt8]) -> [UInt8] {
    field(5, field(1, Array(name.utf8)) + field(2, value))
  }
}

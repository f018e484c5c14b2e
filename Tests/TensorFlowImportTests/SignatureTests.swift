import Foundation
import Needletail
import TensorModel
import Testing

/// Several signatures in one engine.
@Suite struct SignatureTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("shared/models/saved_models")

  private static var url: URL? {
    let url = folder.appendingPathComponent("module_two_signatures/saved_model")
    if FileManager.default.fileExists(atPath: url.path) { return url }
    print("skipped: module_two_signatures is not in ../shared/models/saved_models")
    return nil
  }

  private static func built(_ signatures: [String]) async throws -> (Engine, URL) {
    var builder = Builder()
    builder.tuning = 0
    let model = try Model(contentsOf: try #require(url), signatures: signatures)
    let engine = try await builder.build(model)
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-\(UUID().uuidString).engine")
    try engine.write(to: file)
    return (engine, file)
  }

  @Test func anEngineHoldsAllSignatures() async throws {
    guard Self.url != nil else { return }
    let (built, file) = try await Self.built([])
    defer { try? FileManager.default.removeItem(at: file) }
    let path = Self.folder.appendingPathComponent("module_two_signatures/step_input_x.npy").path
    let x = try NPYFile.read(path)
    for engine in [built, try Engine(contentsOf: file)] {
      #expect(engine.signatures.keys.sorted() == ["choose", "step"])
      let step = try engine.signature("step"), choose = try engine.signature("choose")
      #expect(Set(choose.inputs.map(\.name)) == ["x", "flag"])
      let stepped = try await step.run(["x": x])
      #expect(Set(stepped.keys) == ["y", "mean"])
      let chosen = try await choose.run(["x": x, "flag": try Tensor([true], shape: [])])
      #expect(Set(chosen.keys) == ["z"])
      let alone = try await Builder().build(
        Model(contentsOf: try #require(Self.url), signature: "step"))
      let expected = try await alone.run(["x": x])
      for (name, tensor) in expected {
        let (a, b) = (
          try tensor.elements(as: Float.self), try stepped[name]?.elements(as: Float.self)
        )
        #expect(b?.count == a.count)
        for (p, q) in zip(a, b ?? []) { #expect(abs(p - q) <= 1e-5 * max(1, abs(p))) }
      }
      #expect(throws: NeedletailError.self) { try engine.signature("nothing") }
    }
  }

  @Test func weightsThatSignaturesShareAreStoredOnce() async throws {
    guard Self.url != nil else { return }
    func bytes(_ signatures: [String]) async throws -> Int {
      let (_, file) = try await Self.built(signatures)
      defer { try? FileManager.default.removeItem(at: file) }
      return try Data(contentsOf: file).count
    }
    let both = try await bytes(["step", "choose"])
    let step = try await bytes(["step"])
    let choose = try await bytes(["choose"])
    #expect(both < step + choose)
  }

  @Test func anEngineOfOneSignatureKeepsItsName() async throws {
    guard Self.url != nil else { return }
    let (_, file) = try await Self.built(["choose"])
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(try Engine(contentsOf: file).signatureName == "choose")
  }
}

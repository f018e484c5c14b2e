import Foundation
import ModelZoo
import Needletail
import Testing

/// The README's Swift snippet, word for word.
@Suite struct ReadmeTests {
  private static let snippet = """
    let engine = try await Builder().build(Model(contentsOf: url))
    try engine.write(to: file)
    let loaded = try Engine(contentsOf: file)
    let outputs = try await loaded.run(["input": image])
    """

  @Test func theSnippetIsInTheReadme() throws {
    let readme = try String(
      contentsOf: Fixtures.root.appendingPathComponent("README.md"), encoding: .utf8)
    for line in Self.snippet.split(separator: "\n") { #expect(readme.contains(line)) }
  }

  @Test func theSnippetRuns() async throws {
    let folder = try Fixtures.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appendingPathComponent("model.onnx")
    let file = folder.appendingPathComponent("model.engine")
    try Data(try Zoo.serialized("tiny_cnn", seed: 1)).write(to: url)
    let image = try Fixtures.random([1, 3, 32, 32])

    let engine = try await Builder().build(Model(contentsOf: url))
    try engine.write(to: file)
    let loaded = try Engine(contentsOf: file)
    let outputs = try await loaded.run(["input": image])

    #expect(outputs.count == 1)
  }
}

import Foundation
import Needletail
import TensorModel
import Testing

/// What `Documentation/TensorFlow-TensorRT.md` shows in Swift.
@Suite struct DocumentationTests {
  /// Never called: that it compiles is the test.
  private func convert() async throws {
    let model = try Model(contentsOf: URL(fileURLWithPath: "resnet50_saved_model"))
    let builder = Builder(precisionMode: .fp16, maxWorkspaceSizeBytes: 8_000_000_000)
    try await builder.build(model).write(to: URL(fileURLWithPath: "resnet50.engine"))
  }

  /// Never called: that it compiles is the test.
  private func infer(_ x: Tensor) async throws -> [String: Tensor] {
    let engine = try Engine(contentsOf: URL(fileURLWithPath: "resnet50.engine"))
    let infer = try engine.signature("serving_default")
    let outputs = try await infer.run(["keras_tensor": x])
    return outputs
  }

  @Test func linesOfThePageAreThoseThatCompile() throws {
    let file = URL(fileURLWithPath: #filePath)
    let root = file.deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appendingPathComponent("Documentation/TensorFlow-TensorRT.md"),
      encoding: .utf8)
    let source = try String(contentsOf: file, encoding: .utf8)
    let compiled = Set(
      source.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) })
    var isSwift = false
    var shown: [String] = []
    for line in page.split(separator: "\n", omittingEmptySubsequences: false) {
      if line == "In Swift:" { isSwift = true }
      if isSwift, line.hasPrefix("    ") {
        shown.append(line.trimmingCharacters(in: .whitespaces))
      } else if !line.isEmpty, line != "In Swift:" {
        isSwift = false
      }
    }
    #expect(shown.count == 6)
    for line in shown { #expect(compiled.contains(line), "'\(line)' is not compiled") }
  }
}

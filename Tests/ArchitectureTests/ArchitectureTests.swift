import Foundation
import Testing

/// The rules of the house that a machine can check.
@Suite struct ArchitectureTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// Swift files below a folder, generated ones left out, as paths from the root.
  private static func swiftFiles(_ folder: String) throws -> [String] {
    let base = root.appendingPathComponent(folder)
    guard let walker = FileManager.default.enumerator(atPath: base.path) else { return [] }
    var files: [String] = []
    for case let path as String in walker
    where path.hasSuffix(".swift") && !path.contains("Generated") {
      files.append("\(folder)/\(path)")
    }
    return files.sorted()
  }

  /// The layers of Package.swift, in their order.
  private static func layers() throws -> [String] {
    let manifest = try text("Package.swift")
    let names = manifest.matches(of: /(?:layer\(\s*|\.target\(name: )"(\w+)"/).map { String($0.1) }
    return names
  }

  @Test func everyLayerImportsOnlyLayersAboveIt() throws {
    var layers = try Self.layers()
    // The wide kernels are declared before the list and stand in it after the baseline.
    let wide = ["CPUKernelsAVX2", "CPUKernelsAVX512", "CPUKernelsVNNI"]
    layers.removeAll { wide.contains($0) }
    let baseline = try #require(layers.firstIndex(of: "CPUKernels"))
    layers.insert(contentsOf: wide, at: baseline + 1)
    #expect(layers.count > 20)
    let rank = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($0.element, $0.offset) })
    var checked = 0
    for (index, layer) in layers.enumerated() where !wide.contains(layer) {
      for file in try Self.swiftFiles("Sources/\(layer)") {
        for match in try Self.text(file).matches(
          of: /(?m)^\s*(?:@\w+ )?(?:\w+ )?import (?:\w+ )?(\w+)/)
        {
          let imported = String(match.1)
          guard let other = rank[imported] else { continue }
          checked += 1
          #expect(other < index, "\(file) imports \(imported), which is not above \(layer)")
        }
      }
    }
    #expect(checked > 300)
  }

  @Test func addingAnOperatorTouchesTwoPlaces() throws {
    // The operator's own file, and one line in its family's list: nothing else knows it.
    var declared: [String] = []
    var registered: [String] = []
    for file in try Self.swiftFiles("Sources/Operators") {
      let source = try Self.text(file)
      declared += source.matches(of: /(?m)^(?:package )?struct (\w+): [\w, ]*Operator\b/)
        .map { String($0.1) }
      if source.contains("static let all: [any Operator.Type]") {
        registered += source.matches(of: /(?m)^    (\w+)\.self/).map { String($0.1) }
      }
    }
    #expect(declared.count > 90)
    #expect(declared.sorted() == registered.sorted())
    // Those who write ONNX spell its names.
    let writers = ["Sources/Operators", "Sources/ModelZoo", "Sources/ONNXExport"]
    let others = try Self.swiftFiles("Sources").filter { file in
      !writers.contains { file.hasPrefix($0) }
    }
    for name in [
      "Softmax", "LayerNormalization", "MaxPool", "Einsum", "Unsqueeze", "Range", "LSTM",
    ] {
      let naming = try others.filter { try Self.text($0).contains("\"\(name)\"") }
      #expect(naming.isEmpty, "\(name) is spelled outside its own file: \(naming)")
    }
  }

  @Test func filesFitTheirRooms() throws {
    for file in try Self.swiftFiles("Sources") + Self.swiftFiles("Tests") {
      let lines = try Self.text(file).split(separator: "\n", omittingEmptySubsequences: false).count
      #expect(lines <= 800, "\(file) has \(lines) lines")
    }
  }

  @Test func uncheckedSendableIsRare() throws {
    // Parameters of kernels are plain structures whose pointers lead to tables written once.
    let sources = try Self.swiftFiles("Sources").filter { !$0.contains("/CPUKernelInterface/") }
    let files = try sources.filter { try Self.text($0).contains(/: .*@unchecked Sendable/) }
    #expect(files.count <= 10, "\(files)")
  }

  @Test func modulesAreNotNamedLikeTheirTypes() throws {
    for layer in try Self.layers() {
      for file in try Self.swiftFiles("Sources/\(layer)") {
        let pattern = try Regex(
          "(?m)^(?:package |public )?(?:final )?(?:struct|class|enum|actor|protocol) \(layer)\\b")
        #expect(
          !(try Self.text(file).contains(pattern)), "\(file) declares a type named like its module")
      }
    }
  }

  @Test func onlyTheTableOfKnobsReadsTheEnvironment() throws {
    for file in try Self.swiftFiles("Sources") where file != "Sources/CUDADriver/Knobs.swift" {
      let source = try Self.text(file)
      #expect(!source.contains("getenv(") && !source.contains("processInfo.environment"), "\(file)")
    }
  }
}

import EngineFormat
import Foundation
import ModelZoo
import Needletail
import PrecisionCalibration
import TensorFlowImport
import TensorModel

/// What a user named: a file, a folder, or an architecture of the zoo.
enum EngineSource {
  case engine(URL)
  case model(URL)
  case zoo(String)

  init(_ argument: String) throws(NeedletailError) {
    let url = URL(fileURLWithPath: argument)
    if FileManager.default.fileExists(atPath: argument) {
      self = Self.isEngine(url) ? .engine(url) : .model(url)
    } else if Zoo.names.contains(argument) {
      self = .zoo(argument)
    } else {
      throw NeedletailError(
        .model,
        "'\(argument)' is no file, and the zoo has no such model: it has \(Zoo.names.joined(separator: ", "))"
      )
    }
  }

  private static func isEngine(_ url: URL) -> Bool {
    guard let file = try? FileHandle(forReadingFrom: url) else { return false }
    defer { try? file.close() }
    return (try? file.read(upToCount: 8)) == Data("NEEDLTL\n".utf8)
  }

  func model(_ common: CommonOptions) throws(NeedletailError) -> Model {
    switch self {
    case .model(let url) where common.signature.count > 1:
      return try Model(contentsOf: url, signatures: common.signature)
    case .model(let url): return try Model(contentsOf: url, signature: common.signature.first)
    case .zoo(let name): return try Model(zoo: name, seed: common.seed)
    case .engine(let url):
      throw NeedletailError(
        .model, "'\(url.lastPathComponent)' is an engine; a model is needed here")
    }
  }

  /// The signatures that an engine of this model holds where none is named, the first of them first.
  func allSignatures() throws(NeedletailError) -> [String] {
    guard let description = try savedModel() else { return [] }
    let names = description.signatures.map(\.name)
    let usual = names.filter { $0 == EngineContents.defaultSignature }
    return usual + names.filter { $0 != EngineContents.defaultSignature }
  }

  /// What a TensorFlow model holds; nil for anything else.
  func savedModel() throws(NeedletailError) -> SavedModelDescription? {
    guard case .model(let url) = self, TensorFlowImporter.isModel(url.path) else { return nil }
    do { return try TensorFlowImporter.describe(contentsOf: url.path) } catch {
      throw NeedletailError(.model, error.description)
    }
  }

  /// The engine: read from its file, or built now.
  func engine(
    _ common: CommonOptions, _ build: BuildOptions, progress: ProgressDisplay?
  ) throws(NeedletailError) -> Engine {
    if case .engine(let url) = self {
      return try Engine(contentsOf: url, device: common.device, threads: common.threads)
        .signature(common.signature.first)
    }
    let model = try model(common)
    return try Self.builder(common, build, progress: progress).buildNow(model)
  }

  static func builder(
    _ common: CommonOptions, _ build: BuildOptions, progress: ProgressDisplay?
  ) -> Builder {
    var builder = Builder()
    builder.device = common.device
    builder.threads = common.threads
    builder.instructionSet = common.instructionSet
    builder.shapes = common.shapesByName
    builder.tuning = build.tuning
    builder.tuningBudget = build.tuningBudget
    builder.timingCache = build.timingCache.map { URL(fileURLWithPath: $0) }
    builder.dumpDirectory = build.dump
    builder.maxWorkspaceSizeBytes = build.workspace?.bytes
    builder.minimumSegmentSize = build.minimumSegmentSize
    builder.allowsFallback = !build.noFallback
    builder.precision = common.isAutomatic ? .int8 : Precision(rawValue: common.precision) ?? .fp32
    if let progress { builder.progress = { progress.show($0) } }
    return builder
  }
}

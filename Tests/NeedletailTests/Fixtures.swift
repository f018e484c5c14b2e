import Foundation
import ModelZoo
import Needletail
import TensorModel
import Testing

/// Models and data that tests share.
enum Fixtures {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Test data beside the package; nil where it is missing.
  static var shared: URL? {
    let url = root.deletingLastPathComponent().appendingPathComponent("shared")
    return FileManager.default.fileExists(atPath: url.path) ? url : nil
  }

  /// Folders of `models` beside the package.
  static var sharedModels: [String] {
    guard let shared else { return [] }
    let models = shared.appendingPathComponent("models")
    let names = (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
    return names.filter {
      FileManager.default.fileExists(atPath: models.appendingPathComponent("\($0)/model.onnx").path)
    }.sorted()
  }

  static func temporaryFolder() throws -> URL {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("needletail-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    return url
  }

  /// One thread, no measuring: what most tests want.
  static var builder: Builder {
    var builder = Builder()
    builder.threads = 1
    builder.tuning = 0
    return builder
  }

  static func random(_ shape: [Int], seed: UInt64 = 1) throws -> Tensor {
    var state = seed
    let count = shape.reduce(1, *)
    let numbers = (0..<count).map { _ -> Float in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }
    return try Tensor(numbers, shape: shape)
  }

  /// `NAME_TENSOR.npy` files of a model's folder, by tensor.
  static func tensors(_ prefix: String, in folder: URL) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
    where file.hasPrefix(prefix) && file.hasSuffix(".npy") {
      let name = String(file.dropFirst(prefix.count).dropLast(4))
      result[name] = try NPYFile.read(folder.appendingPathComponent(file).path)
    }
    return result
  }
}

import Crypto
import Foundation
import GraphModel
import ModelZoo
import ONNXImport

/// Where a model came from.
enum ModelSource: Sendable {
  case file(URL)
  case zoo(String, seed: UInt64)
  case graph
}

extension Model {
  /// SHA-256 of the model's file, in hexadecimal. Weights that lie in other files are added to it.
  package func sha256() throws(NeedletailError) -> String {
    var hasher = SHA256()
    var includesWeights = false
    switch source {
    case .file(let url):
      do {
        let path = try ONNXImporter.modelFile(url.path)
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        hasher.update(data: data)
        // The key under which ONNX names another file.
        includesWeights = data.range(of: Data("location".utf8)) != nil
      } catch {
        throw NeedletailError(.model, "model '\(url.path)' cannot be read again: \(error)")
      }
    case .zoo(let name, let seed):
      do { hasher.update(data: Data(try Zoo.serialized(name, seed: seed))) } catch {
        throw NeedletailError(.model, error.description)
      }
    case .graph:
      hasher.update(data: Data(graph.description.utf8))
      includesWeights = true
    }
    if includesWeights {
      for tensor in graph.values.compactMap(\.constant) {
        tensor.withUnsafeBytes { hasher.update(bufferPointer: $0) }
      }
    }
    return hasher.finalize().map { byte in
      String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
  }
}

package import GraphModel
import MappedFiles
package import ONNXFormat
import Operators
import SwiftProtobuf
package import TensorModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Reads ONNX models.
///
/// A graph comes out as the model wrote it: nodes are `pending` operators, in an order in which each
/// follows those it reads from, functions of the model are inlined, and values that a body captures are its
/// last inputs. Symbolic extents keep the names that the model gives them.
package enum ONNXImporter {
  /// A graph and what the file says about itself.
  package struct Import: Sendable {
    package var graph: Graph
    package var description: ModelDescription
  }

  /// - Parameter path: a model, or a folder with exactly one `.onnx` file or a `model.onnx`.
  package static func load(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(ImportError) -> Graph {
    try read(contentsOf: path, limits: limits).graph
  }

  /// - Parameter directory: where files with the elements of tensors lie; nil for none.
  package static func load(
    bytes: [UInt8], directory: String? = nil, limits: Limits = Limits()
  ) throws(ImportError) -> Graph {
    try read(Data(bytes), name: "model", directory: directory, limits: limits).graph
  }

  /// The graph with its operators expanded into kernel problems wherever types are known.
  package static func loadExpanded(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(ImportError) -> Graph {
    let graph = try load(contentsOf: path, limits: limits)
    do { return try GraphExpansion.expand(graph) } catch { throw .expansion(error) }
  }

  package static func read(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(ImportError) -> Import {
    let file = try modelFile(path)
    return try withContents(of: file, limits: limits) { data throws(ImportError) in
      try read(data, name: file, directory: directory(of: file), limits: limits)
    }
  }

  /// A file with a single `TensorProto`.
  package static func tensor(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(ImportError) -> Tensor {
    try withContents(of: path, limits: limits) { data throws(ImportError) in
      let proto: Onnx_TensorProto = try decode(data, name: path, limits: limits)
      let external = ExternalData(directory: directory(of: path), limits: limits)
      return try TensorDecoder(limits: limits, external: external).tensor(proto)
    }
  }

  /// The tensor that a message of a model holds.
  ///
  /// - Parameter directory: where files with its elements lie; nil for none.
  package static func tensor(
    _ proto: Onnx_TensorProto, name: String, directory: String?, limits: Limits = Limits()
  ) throws(ImportError) -> Tensor {
    let external = ExternalData(directory: directory, limits: limits)
    return try TensorDecoder(limits: limits, external: external)
      .tensor(proto, fallbackName: name)
  }

  package static func read(
    bytes: [UInt8], name: String = "model", limits: Limits = Limits()
  ) throws(ImportError) -> Import {
    try read(Data(bytes), name: name, directory: nil, limits: limits)
  }

  private static func read(
    _ data: Data, name: String, directory: String?, limits: Limits
  ) throws(ImportError) -> Import {
    guard !data.isEmpty else { throw .emptyFile(path: name) }
    let model: Onnx_ModelProto = try decode(data, name: name, limits: limits)
    try check(model, name: name)
    let external = ExternalData(directory: directory, limits: limits)
    let context = ModelContext(
      model, decoder: TensorDecoder(limits: limits, external: external), limits: limits)
    try OperatorCheck.run(model, context: context)
    let graph = try GraphAssembler.main(model.graph, context: context)
    return Import(graph: graph, description: ModelDescription(model))
  }

  private static func check(_ model: Onnx_ModelProto, name: String) throws(ImportError) {
    guard model.hasGraph || model.hasIrVersion else {
      throw .notAModel(path: name, reason: "it has no graph")
    }
    guard ModelFormat.supportedFormats.contains(model.irVersion) else {
      throw .unsupportedFormat(
        version: model.irVersion, supported: ModelFormat.supportedFormats)
    }
    guard model.hasGraph else { throw .notAModel(path: name, reason: "it has no graph") }
    for set in model.opsetImport
    where ModelFormat.domain(set.domain) == ModelFormat.defaultDomain {
      guard (1...ModelFormat.newestOperatorSet).contains(set.version) else {
        throw .unsupportedOperatorSet(
          version: set.version, newest: ModelFormat.newestOperatorSet)
      }
    }
  }
}

// MARK: - Files

extension ONNXImporter {
  private static func decode<Message: SwiftProtobuf.Message>(
    _ data: Data, name: String, limits: Limits
  ) throws(ImportError) -> Message {
    var options = BinaryDecodingOptions()
    options.discardUnknownFields = true
    // A graph in an attribute of a node of a graph is three messages deeper.
    options.messageDepthLimit = 3 * limits.nesting + 16
    do { return try Message(serializedBytes: data, options: options) } catch {
      throw .notAModel(path: name, reason: reason(error, limits: limits))
    }
  }

  private static func reason(_ error: any Error, limits: Limits) -> String {
    switch error as? BinaryDecodingError {
    case .truncated: "it is cut short, or it is no protocol buffer"
    case .invalidUTF8: "a name in it is not UTF-8"
    case .messageDepthLimit: "its graphs are nested deeper than \(limits.nesting)"
    default: "it is no protocol buffer"
    }
  }

  /// Calls `body` with a file's bytes, which are valid only there.
  private static func withContents<Result>(
    of path: String, limits: Limits, _ body: (Data) throws(ImportError) -> Result
  ) throws(ImportError) -> Result {
    let mapping: FileMapping
    do { mapping = try FileMapping(path: path) } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    guard mapping.byteCount > 0 else { return try body(Data()) }
    guard mapping.byteCount <= limits.fileBytes else {
      throw .exceedsLimit(
        what: "bytes of \(path)", found: mapping.byteCount, limit: limits.fileBytes)
    }
    defer { withExtendedLifetime(mapping) {} }
    return try body(
      Data(bytesNoCopy: mapping.base, count: mapping.byteCount, deallocator: .none))
  }

  /// The model that a path means: the file itself, or the one in the folder.
  package static func modelFile(_ path: String) throws(ImportError) -> String {
    guard let entries = FileMapping.entries(ofDirectory: path) else { return path }
    if entries.contains("model.onnx") { return "\(path)/model.onnx" }
    let models = entries.filter { $0.hasSuffix(".onnx") }
    guard models.count == 1 else { throw .noModel(directory: path) }
    return "\(path)/\(models[0])"
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}

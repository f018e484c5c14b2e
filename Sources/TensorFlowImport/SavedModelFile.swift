import MappedFiles
import SwiftProtobuf
import TensorFlowFormat
import TensorModel

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A saved model, or a frozen graph as if it were one.
struct SavedModelFile {
  /// The name that TensorFlow's tools give the signature for inference.
  static let defaultSignature = "serving_default"

  var path: String
  var meta: Tensorflow_MetaGraphDef
  var bundle: TensorBundle?

  /// Whether a path means a TensorFlow model, by its name and what the folder holds.
  static func isModel(_ path: String) -> Bool {
    if let entries = FileMapping.entries(ofDirectory: path) {
      return entries.contains("saved_model.pb") || entries.contains("saved_model.pbtxt")
    }
    return [".pb", ".pbtxt", ".keras", ".h5", ".hdf5"].contains { path.hasSuffix($0) }
  }

  init(path: String, limits: Limits) throws(TensorFlowImportError) {
    var folder: String?
    if FileMapping.entries(ofDirectory: path) != nil {
      folder = path
    } else if path.split(separator: "/").last == "saved_model.pb" {
      folder = path.contains("/") ? String(path.dropLast("/saved_model.pb".count)) : "."
    }
    guard ![".keras", ".h5", ".hdf5"].contains(where: { path.hasSuffix($0) }) else {
      throw .kerasFile(path: path)
    }
    guard !path.hasSuffix(".pbtxt") else {
      throw .noModel(path: path, reason: "text form is not supported; save the model as .pb")
    }
    self.path = path
    guard let folder else {
      meta = try Self.frozen(path, limits)
      return
    }
    let model: Tensorflow_SavedModel = try Self.read("\(folder)/saved_model.pb", limits)
    // The graph for inference, where there are several.
    let graphs = model.metaGraphs
    guard
      let chosen = graphs.first(where: { $0.metaInfoDef.tags.contains("serve") }) ?? graphs.first
    else { throw .malformed(path: path, reason: "the saved model has no graph") }
    meta = chosen
    if FileMapping.entries(ofDirectory: "\(folder)/variables")?.isEmpty == false {
      bundle = try TensorBundle(prefix: "\(folder)/variables/variables", limits: limits)
    }
  }

  /// A graph whose placeholders are the inputs and whose results nobody reads are the outputs.
  private static func frozen(
    _ path: String, _ limits: Limits
  ) throws(TensorFlowImportError) -> Tensorflow_MetaGraphDef {
    let graph: Tensorflow_GraphDef = try read(path, limits)
    guard !graph.node.isEmpty, graph.node.allSatisfy({ !$0.name.isEmpty && !$0.op.isEmpty }) else {
      throw .malformed(path: path, reason: "it is no frozen TensorFlow graph")
    }
    var signature = Tensorflow_SignatureDef()
    let read = Set(
      graph.node.flatMap {
        $0.input.map { text in
          NodeReference(text.hasPrefix("^") ? String(text.dropFirst()) : text).node
        }
      })
    for node in graph.node {
      var info = Tensorflow_TensorInfo()
      info.name = node.name + ":0"
      if node.op == "Placeholder" {
        if case .type(let type)? = node.attr["dtype"]?.value { info.dtype = type }
        info.tensorShape.unknownRank = true
        if case .shape(let shape)? = node.attr["shape"]?.value { info.tensorShape = shape }
        signature.inputs[node.name] = info
      } else if !read.contains(node.name), node.op != "NoOp", node.op != "Const" {
        signature.outputs[node.name] = info
      }
    }
    var meta = Tensorflow_MetaGraphDef()
    meta.graphDef = graph
    meta.signatureDef[defaultSignature] = signature
    return meta
  }

  private static func read<Message: SwiftProtobuf.Message>(
    _ path: String, _ limits: Limits
  ) throws(TensorFlowImportError) -> Message {
    let mapping: FileMapping
    do { mapping = try FileMapping(path: path) } catch {
      throw .unreadable(path: path, reason: error.reason)
    }
    defer { withExtendedLifetime(mapping) {} }
    guard mapping.byteCount > 0 else { throw .malformed(path: path, reason: "the file is empty") }
    guard mapping.byteCount <= limits.fileBytes else {
      throw .exceedsLimit(
        what: "bytes of \(path)", found: mapping.byteCount, limit: limits.fileBytes)
    }
    var options = BinaryDecodingOptions()
    options.discardUnknownFields = true
    do {
      return try Message(
        serializedBytes: Data(
          bytesNoCopy: mapping.base, count: mapping.byteCount, deallocator: .none),
        options: options)
    } catch { throw .malformed(path: path, reason: "it is cut short, or no TensorFlow model") }
  }
}

// MARK: - Signatures

extension SavedModelFile {
  /// The names of the signatures that compute something, sorted.
  var signatureNames: [String] {
    meta.signatureDef.filter { !$0.value.outputs.isEmpty && !$0.key.hasPrefix("__saved_model_") }
      .keys.sorted()
  }

  /// The name of the signature that is meant where none is named, or the named one.
  func signatureName(_ wanted: String?) throws(TensorFlowImportError) -> String {
    let names = signatureNames
    if let wanted {
      guard names.contains(wanted) else { throw .unknownSignature(name: wanted, known: names) }
      return wanted
    }
    if names.contains(Self.defaultSignature) { return Self.defaultSignature }
    guard names.count == 1 else {
      throw .unknownSignature(name: Self.defaultSignature, known: names)
    }
    return names[0]
  }
}

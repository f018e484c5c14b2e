import MappedFiles
import ONNXFormat
import TensorModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The files beside a model that hold elements of its tensors.
///
/// Only files inside the model's own folder are opened, whatever the model says, and whatever symbolic
/// links say.
final class ExternalData {
  /// The model's folder; nil where the model did not come from a file.
  private let directory: String?
  private let limits: Limits
  private var files: [String: TensorStorage] = [:]
  private var mappedBytes = 0

  init(directory: String?, limits: Limits) {
    self.directory = directory
    self.limits = limits
  }

  /// Where the elements of one tensor lie.
  struct Extent {
    var storage: TensorStorage
    var offset: Int
  }

  /// Finds `byteCount` bytes of a tensor.
  func extent(
    of proto: Onnx_TensorProto, named tensor: String, byteCount: Int
  ) throws(ImportError) -> Extent {
    var location = ""
    var offset = 0
    var length: Int?
    for entry in proto.externalData {
      switch entry.key {
      case "location": location = entry.value
      case "offset": offset = try number(entry, tensor: tensor)
      case "length": length = try number(entry, tensor: tensor)
      default: break
      }
    }
    func fail(_ reason: String) -> ImportError {
      .externalData(tensor: tensor, file: location, reason: reason)
    }
    if let length, length != byteCount {
      throw fail("its length is \(length) bytes, the tensor needs \(byteCount)")
    }
    let storage = try file(location, tensor: tensor)
    let (end, overflow) = offset.addingReportingOverflow(byteCount)
    guard !overflow, end <= storage.byteCount else {
      throw fail(
        "it has \(storage.byteCount) bytes, the tensor needs \(byteCount) at offset \(offset)")
    }
    return Extent(storage: storage, offset: offset)
  }

  private func number(
    _ entry: Onnx_StringStringEntryProto, tensor: String
  ) throws(ImportError) -> Int {
    guard let number = Int(entry.value), number >= 0 else {
      throw .invalidTensor(
        name: tensor, reason: "'\(entry.key)' of its file is '\(entry.value)', expected a number")
    }
    return number
  }

  private func file(_ location: String, tensor: String) throws(ImportError) -> TensorStorage {
    if let known = files[location] { return known }
    func fail(_ reason: String) -> ImportError {
      .externalData(tensor: tensor, file: location, reason: reason)
    }
    let path: String
    do { path = try resolve(location) } catch { throw fail(error.reason) }
    let mapping: FileMapping
    do { mapping = try FileMapping(path: path, followsLinks: false) } catch {
      throw fail(error.reason)
    }
    mappedBytes += mapping.byteCount
    guard mappedBytes <= limits.fileBytes else {
      throw .exceedsLimit(
        what: "bytes of the model's files", found: mappedBytes, limit: limits.fileBytes)
    }
    let storage = TensorStorage(
      base: mapping.base, byteCount: mapping.byteCount, isWritable: false,
      release: { withExtendedLifetime(mapping) {} })
    files[location] = storage
    return storage
  }

  /// The real path of a location, which lies inside the model's folder.
  private func resolve(_ location: String) throws(FileMapping.Failure) -> String {
    guard let directory else {
      throw FileMapping.Failure(reason: "the model has no folder to look in")
    }
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.hasPrefix("/"), !parts.contains("..") else {
      throw FileMapping.Failure(reason: "expected a path inside the model's folder")
    }
    guard !location.utf8.contains(0) else {
      throw FileMapping.Failure(reason: "the path contains a zero byte")
    }
    let folder = try realPath(directory)
    let file = try realPath("\(directory)/\(location)")
    guard file.hasPrefix(folder == "/" ? "/" : folder + "/") else {
      throw FileMapping.Failure(reason: "it leaves the model's folder")
    }
    return file
  }

  private func realPath(_ path: String) throws(FileMapping.Failure) -> String {
    guard let resolved = realpath(path, nil) else {
      throw FileMapping.Failure(reason: String(cString: strerror(errno)))
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}

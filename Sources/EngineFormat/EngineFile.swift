import Crypto
package import Foundation
package import TensorModel

// The engine file, format 1. All numbers are little-endian; offsets count from the start of the file.
//
//      0  8 bytes   magic: "NEEDLTL" and a newline
//      8  u32       format version, 1
//     12  u32       count of sections
//     16  u64       bytes of the whole file
//     24  32 bytes  SHA-256 of the whole file, this field taken as zeros
//     56  8 bytes   zeros
//     64  sections  64 bytes each:
//                     u32 kind, u32 zero, u64 offset, u64 bytes, 32 bytes SHA-256 of the section, u64 zero
//
// Kinds: 1 manifest (JSON: the graph of each signature, what is known about it, the table of constants that
// all signatures share), 2 weights (the
// elements of all constants, each aligned to 64 bytes), 3 device (JSON: the tactics chosen for one device
// class; any number of them), 4 code (what a device class has compiled: see CodeSection; any number).
//
// Sections follow the table in the order of the table; each begins at a multiple of 4096, so that
// it can be mapped, and what lies between them is zeros. Nothing in the file depends on a path, a
// time, an address or the order of a hash table.

/// Why an engine file is refused or could not be written.
package enum EngineFileError: Error, Sendable, Hashable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case notAnEngine(path: String)
  case wrongVersion(path: String, found: Int)
  case truncated(path: String, expected: Int, found: Int)
  case damaged(path: String, part: String)
  case invalid(path: String, reason: String)
  case unwritable(path: String, reason: String)

  package var description: String {
    switch self {
    case .unreadable(let path, let reason): "engine '\(path)' cannot be read: \(reason)"
    case .notAnEngine(let path): "'\(path)' is not a Needletail engine"
    case .wrongVersion(let path, let found):
      "engine '\(path)' has format \(found), this version reads format 1: build it again"
    case .truncated(let path, let expected, let found):
      "engine '\(path)' has \(found) bytes of \(expected): copy it again"
    case .damaged(let path, let part):
      "engine '\(path)' is damaged: the checksum of \(part) is wrong"
    case .invalid(let path, let reason): "engine '\(path)' is not valid: \(reason)"
    case .unwritable(let path, let reason): "engine '\(path)' cannot be written: \(reason)"
    }
  }
}

/// Writes and reads engine files.
package enum EngineFile {
  static let magic: [UInt8] = Array("NEEDLTL\n".utf8)
  static let formatVersion = 1
  static let headerBytes = 64
  static let sectionEntryBytes = 64
  static let sectionAlignment = 4096
  static let hashRange = 24..<56
  static let maximumSections = 1024

  enum SectionKind: UInt32 {
    case manifest = 1
    case weights = 2
    case device = 3
    case code = 4
  }

  /// The bytes of an engine: the same contents give the same bytes.
  package static func encode(_ contents: EngineContents) throws(EngineFileError) -> Data {
    let writer = GraphRecordWriter(comparesElements: !contents.furtherSignatures.isEmpty)
    let record = writer.record(contents.graph)
    let further = contents.furtherSignatures.map {
      SignatureRecord(
        name: $0.name, metadata: $0.metadata, graph: $0.isFirst ? nil : writer.record($0.graph))
    }
    let manifest = Manifest(
      name: contents.name,
      signature: contents.signature == EngineContents.defaultSignature ? nil : contents.signature,
      metadata: contents.metadata, graph: record, signatures: further.isEmpty ? nil : further,
      constants: writer.constants)
    var sections: [(kind: SectionKind, data: Data)] = [
      (.manifest, try json(manifest)), (.weights, writer.weights),
    ]
    for section in contents.sections.sorted(by: { $0.deviceClass < $1.deviceClass }) {
      sections.append((.device, try json(section)))
      guard !section.code.isEmpty else { continue }
      let code = CodeSection(deviceClass: section.deviceClass, code: section.code)
      sections.append((.code, code.encoded()))
    }
    return assemble(sections)
  }

  private static func json(_ value: some Encodable) throws(EngineFileError) -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do { return try encoder.encode(value) } catch {
      throw .unwritable(path: "", reason: "\(error)")
    }
  }

  private static func assemble(_ sections: [(kind: SectionKind, data: Data)]) -> Data {
    var offsets: [Int] = []
    var end = headerBytes + sections.count * sectionEntryBytes
    for (_, data) in sections {
      end = (end + sectionAlignment - 1) / sectionAlignment * sectionAlignment
      offsets.append(end)
      end += data.count
    }
    var file = Data(capacity: end)
    file.append(contentsOf: magic)
    file.append(integer: UInt32(formatVersion))
    file.append(integer: UInt32(sections.count))
    file.append(integer: UInt64(end))
    file.append(Data(count: hashRange.count + 8))
    for ((kind, data), offset) in zip(sections, offsets) {
      file.append(integer: kind.rawValue)
      file.append(integer: UInt32(0))
      file.append(integer: UInt64(offset))
      file.append(integer: UInt64(data.count))
      file.append(contentsOf: SHA256.hash(data: data))
      file.append(integer: UInt64(0))
    }
    for ((_, data), offset) in zip(sections, offsets) {
      file.append(Data(count: offset - file.count))
      file.append(data)
    }
    file.replaceSubrange(hashRange, with: Data(SHA256.hash(data: file)))
    return file
  }

  /// Writes an engine to a temporary file, synchronises it and renames it over `path`.
  package static func write(_ contents: EngineContents, to path: String) throws(EngineFileError) {
    let data: Data
    do { data = try encode(contents) } catch {
      throw .unwritable(path: path, reason: error.description)
    }
    do { try AtomicFile.write(data, to: path) } catch {
      throw .unwritable(path: path, reason: error.description)
    }
  }

  /// Reads an engine; its weights stay in the mapped file.
  package static func read(
    contentsOf path: String, limits: Limits = Limits()
  ) throws(EngineFileError) -> EngineContents {
    let mapping: TensorStorage
    do { mapping = try MappedFile.map(path, limit: limits.fileBytes) } catch {
      throw .unreadable(path: path, reason: error.description)
    }
    return try EngineReader(path: path, storage: mapping, limits: limits).read()
  }
}

/// The JSON of the manifest section.
struct Manifest: Codable {
  var name: String
  /// Nil for the default name.
  var signature: String?
  var metadata: [String: String]
  var graph: GraphRecord
  /// The signatures beside the first.
  var signatures: [SignatureRecord]?
  var constants: [ConstantRecord]
}

struct SignatureRecord: Codable {
  var name: String
  var metadata: [String: String]
  /// Nil for that of the first signature.
  var graph: GraphRecord?
}

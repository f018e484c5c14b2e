import Crypto
import Foundation
import GraphModel
import TensorModel

/// Reads one engine, checking everything before it is used.
struct EngineReader {
  let path: String
  let storage: TensorStorage
  let limits: Limits

  private struct Section {
    var kind: EngineFile.SectionKind
    var range: Range<Int>
    var hash: [UInt8]
  }

  func read() throws(EngineFileError) -> EngineContents {
    try checkHeader()
    let sections = try sectionTable()
    guard let manifestSection = sections.first(where: { $0.kind == .manifest }),
      let weights = sections.first(where: { $0.kind == .weights })
    else { throw .invalid(path: path, reason: "the manifest or the weights are missing") }
    let manifest: Manifest = try decode(manifestSection, "the manifest")
    let reader = GraphRecordReader(
      constants: manifest.constants, storage: storage, weights: weights.range, limits: limits)
    let graph = try verified(manifest.graph, reader)
    var names: Set<String> = [manifest.signature ?? EngineContents.defaultSignature]
    var further: [EngineSignature] = []
    for record in manifest.signatures ?? [] {
      guard names.insert(record.name).inserted else {
        throw .invalid(path: path, reason: "two signatures are named '\(record.name)'")
      }
      var own = graph
      if let stored = record.graph { own = try verified(stored, reader) }
      further.append(
        EngineSignature(
          name: record.name, graph: own, metadata: record.metadata, isFirst: record.graph == nil))
    }
    var devices: [DeviceSection] = []
    for section in sections where section.kind == .device {
      devices.append(try decode(section, "a device section"))
    }
    for section in sections where section.kind == .code {
      guard let code = CodeSection(slice(section.range)),
        let index = devices.firstIndex(where: { $0.deviceClass == code.deviceClass })
      else { throw .invalid(path: path, reason: "a code section cannot be decoded") }
      devices[index].code = code.code
    }
    var contents = EngineContents(
      name: manifest.name, graph: graph, metadata: manifest.metadata, sections: devices)
    contents.signature = manifest.signature ?? EngineContents.defaultSignature
    contents.furtherSignatures = further
    contents.mapping = storage
    return contents
  }

  private func verified(
    _ record: GraphRecord, _ reader: GraphRecordReader
  ) throws(EngineFileError) -> Graph {
    do {
      let graph = try reader.graph(record)
      try graph.verify()
      return graph
    } catch { throw .invalid(path: path, reason: error.description) }
  }

  private var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: storage.base, count: storage.byteCount)
  }

  private func u32(_ offset: Int) -> UInt32 {
    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  private func u64(_ offset: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  private func checkHeader() throws(EngineFileError) {
    guard storage.byteCount >= EngineFile.magic.count,
      bytes.prefix(EngineFile.magic.count).elementsEqual(EngineFile.magic)
    else { throw .notAnEngine(path: path) }
    guard storage.byteCount >= EngineFile.headerBytes else {
      throw .truncated(path: path, expected: EngineFile.headerBytes, found: storage.byteCount)
    }
    let version = Int(u32(8))
    guard version == EngineFile.formatVersion else {
      throw .wrongVersion(path: path, found: version)
    }
    let declared = Int(clamping: u64(16))
    guard storage.byteCount == declared else {
      throw .truncated(path: path, expected: declared, found: storage.byteCount)
    }
    var hasher = SHA256()
    hasher.update(bufferPointer: slice(0..<EngineFile.hashRange.lowerBound))
    hasher.update(data: Data(count: EngineFile.hashRange.count))
    hasher.update(bufferPointer: slice(EngineFile.hashRange.upperBound..<storage.byteCount))
    guard hasher.finalize().elementsEqual(bytes[EngineFile.hashRange]) else {
      throw .damaged(path: path, part: damagedPart)
    }
  }

  private func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  private func sectionTable() throws(EngineFileError) -> [Section] {
    let count = Int(u32(12))
    let table = EngineFile.headerBytes + count * EngineFile.sectionEntryBytes
    guard count <= EngineFile.maximumSections, table <= storage.byteCount else {
      throw .invalid(path: path, reason: "\(count) sections do not fit")
    }
    var sections: [Section] = []
    for index in 0..<count {
      let entry = EngineFile.headerBytes + index * EngineFile.sectionEntryBytes
      guard let kind = EngineFile.SectionKind(rawValue: u32(entry)) else {
        throw .invalid(path: path, reason: "section \(index) is of unknown kind \(u32(entry))")
      }
      guard let offset = Int(exactly: u64(entry + 8)), let length = Int(exactly: u64(entry + 16)),
        offset >= table, offset <= storage.byteCount, length <= storage.byteCount - offset
      else { throw .invalid(path: path, reason: "section \(index) leaves the file") }
      sections.append(
        Section(
          kind: kind, range: offset..<(offset + length),
          hash: Array(bytes[(entry + 24)..<(entry + 56)])))
    }
    return sections
  }

  /// The part of a damaged file that its own checksum tells. In a whole one the file's covers all of them.
  private var damagedPart: String {
    let damaged = (try? sectionTable())?.first { section in
      var hasher = SHA256()
      hasher.update(bufferPointer: slice(section.range))
      return !hasher.finalize().elementsEqual(section.hash)
    }
    return damaged.map { "section \($0.kind)" } ?? "the file"
  }

  private func decode<T: Decodable>(_ section: Section, _ name: String) throws(EngineFileError) -> T
  {
    do { return try JSONDecoder().decode(T.self, from: Data(slice(section.range))) } catch {
      throw .invalid(path: path, reason: "\(name) cannot be decoded: \(error)")
    }
  }
}
